"""Slugs, and what a slug is called in the Hub and in Docker.

This is the only module that knows how a research group, project or lab becomes a hub user,
hub group, hub role, container or volume. Everything here is pure and, where a name has to be
read back, reversible.

Two kinds of names must not be mixed up: hub names carry the slug, because people see them in
addresses; volumes carry an immutable ``uid``, because a slug can be used again after a purge
and must never lead to somebody else's files.
"""

import hashlib
import re
import unicodedata
import uuid
from urllib.parse import quote

SLUG_PATTERN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LAB_SLUG_PATTERN = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
MAX_SLUG = 48
MAX_LAB_SLUG = 30
"""JupyterHub 6 allows at most 30 characters in the name of a named server."""

ACCOUNT_PREFIX = "project-"
TEMPORARY_PREFIX = "tmp-"
RESERVED_PREFIXES = (ACCOUNT_PREFIX, TEMPORARY_PREFIX)
RESERVED_SLUGS = frozenset(
    (  # noqa: SIM905 - a list of words reads better as text
        "new edit api admin static settings members projects groups labs events search help login"
        " logout hub user services health me try tmp"
    ).split()
)

ALL_ACCOUNTS_GROUP = "sophon-accounts"
"""Hub group of every collaboration account; the worker's hub role is filtered to it."""

PERSONAL_GROUP = "sophon-personal"
"""Hub group of the people whose personal labs the worker starts and stops for them."""

TEMPORARY_GROUP = "sophon-temporary"
"""Hub group of the accounts behind temporary labs; the worker's hub role is filtered to it."""

VISITOR_ROLE = "sophon-visitor"
"""Hub role of those accounts: their own server, and nothing else of the Hub."""

VISIT_COOKIE = "sophon-visit"
"""By this cookie the portal recognises the visitor of a temporary lab."""

ENTRY_COOKIE = "sophon-visit-entry"
"""The same where the Hub lets visitors into their lab; a browser sends each to one place only."""

MAX_PATH = 1000

_REPOSITORY = re.compile(r"https://[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~+%-]+)+/?")
_BRANCH = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._/-]{0,199}")

MAX_USERNAME = 255
"""As long as JupyterHub allows."""

MAX_HOST_LABEL = 63
"""As long as DNS allows a part of a name to be (RFC 1035)."""
_PLAIN_LABEL = re.compile(r"(?![0-9]+$)[a-z0-9]+(?:-[a-z0-9]+)*")


def slug_problem(slug: str, *, lab: bool = False) -> str | None:
    """Say what is wrong with a slug, or None when it may be used.

    Slugs of labs are shorter and start with a letter, since they name hub servers.
    """
    longest = MAX_LAB_SLUG if lab else MAX_SLUG
    if len(slug) > longest:
        return f"Use at most {longest} characters."
    if not (LAB_SLUG_PATTERN if lab else SLUG_PATTERN).fullmatch(slug):
        start = "Start with a letter and use" if lab else "Use"
        return f"{start} small letters a to z, digits and single hyphens between them."
    if slug in RESERVED_SLUGS or slug.startswith(RESERVED_PREFIXES):
        return "This word is reserved; choose another."
    return None


def make_slug(name: str, *, lab: bool = False) -> str:
    """Derive a slug from a display name: accents folded, everything else to hyphens.

    The result satisfies `slug_problem`, except that it may be taken. Names without a single
    usable character (other scripts, emoji) give the kind of thing and a random part.
    """
    longest = MAX_LAB_SLUG if lab else MAX_SLUG
    folded = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ẞ", "ss"))
    ascii_name = folded.encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:longest].strip("-")
    if lab:
        slug = slug.lstrip("0123456789-")
    if not slug:
        slug = f"{'lab' if lab else 'x'}-{uuid.uuid4().hex[:8]}"
    if slug_problem(slug, lab=lab):
        slug = f"x-{slug}"[:longest].strip("-")
    return slug


def numbered_slug(slug: str, number: int, *, lab: bool = False) -> str:
    """The ``number``-th alternative of a slug that is taken: ``name-2``, ``name-3``, ..."""
    suffix = f"-{number}"
    longest = MAX_LAB_SLUG if lab else MAX_SLUG
    if f"{slug}-" in RESERVED_PREFIXES:
        slug = f"x-{slug}"
    return slug[: longest - len(suffix)].rstrip("-") + suffix


def is_slug(text: str) -> bool:
    """Whether something could have this slug; asked before a text from outside is looked up."""
    return len(text) <= MAX_SLUG and SLUG_PATTERN.fullmatch(text) is not None


def account_name(project_slug: str) -> str:
    """Hub user that owns the servers of a project: its collaboration account."""
    return ACCOUNT_PREFIX + project_slug


def project_of_account(username: str) -> str | None:
    """Slug of the project whose collaboration account this is; None for people."""
    if username.startswith(ACCOUNT_PREFIX):
        return username.removeprefix(ACCOUNT_PREFIX)
    return None


def former_username(username: str, number: int) -> str:
    """Name on the record of a person whose account is gone; the Hub allows no slash in names."""
    suffix = f"/{number}"
    return username[: MAX_USERNAME - len(suffix)] + suffix


def shown_username(username: str) -> str:
    """The name that somebody has, or had when the account was there."""
    return username.partition("/")[0]


def is_reserved_username(username: str) -> bool:
    """Whether nobody may sign in under this name, whatever the authenticator says."""
    return username.lower().startswith(RESERVED_PREFIXES)


def host_label(username: str) -> str:
    """The part of a domain name that belongs to a hub user's servers alone.

    Accounts of projects and ordinary names are their own label. Other names (capitals, dots,
    other scripts) give a hash of 128 bits behind two hyphens, which no ordinary name contains:
    JupyterHub's own hash has 28 bits, so whoever may choose a name could choose one that
    shares another's domain.
    """
    if len(username) <= MAX_HOST_LABEL and _PLAIN_LABEL.fullmatch(username):
        return username
    return f"u--{hashlib.sha256(username.encode()).hexdigest()[:32]}"


def new_temporary() -> str:
    """A hub user for one temporary lab; the name is never used twice, and cannot be guessed."""
    return TEMPORARY_PREFIX + uuid.uuid4().hex


def is_temporary(username: str) -> bool:
    """Whether this hub user stands for a temporary lab."""
    return username.startswith(TEMPORARY_PREFIX)


def temporary_uid(username: str) -> str:
    """Immutable id of the temporary lab that this hub user stands for."""
    return username.removeprefix(TEMPORARY_PREFIX)


def temporary_path(username: str) -> str:
    """Path below the Hub's base URL at which a visitor enters the temporary lab."""
    return f"user/{username}/lab"


def people_group(group_slug: str) -> str:
    """Hub group of the people of a research group who may edit in its labs."""
    return f"sophon-{group_slug}-people"


def watchers_group(group_slug: str) -> str:
    """Hub group of the people of a research group who only watch what others do in its labs."""
    return f"sophon-{group_slug}-watchers"


def accounts_group(group_slug: str) -> str:
    """Hub group of the collaboration accounts of a research group's projects."""
    return f"sophon-{group_slug}-labs"


def hub_role(group_slug: str) -> str:
    """Hub role that lets the people of a research group into its labs.

    Nobody can choose a slug that gives the name of another role, such as the worker's.
    """
    return f"sophon-group-{group_slug}"


def group_of_hub_group(hub_group: str) -> str | None:
    """Slug of the research group that a hub group of ours belongs to, else None."""
    match = re.fullmatch(r"sophon-(.+)-(?:people|watchers|labs)", hub_group)
    return match[1] if match else None


def lock_group(project_slug: str, lab_slug: str) -> str:
    """Hub group of a locked lab; no slug has two hyphens in a row, so no two labs share one."""
    return f"sophon-{project_slug}--{lab_slug}-locked"


def is_lock_group(hub_group: str) -> bool:
    """Whether a hub group says that a lab is locked."""
    return re.fullmatch(r"sophon-.+--.+-locked", hub_group) is not None


def lab_path(project_slug: str, lab_slug: str) -> str:
    """Path of a lab below the Hub's base URL, with the trailing slash."""
    return f"user/{account_name(project_slug)}/{lab_slug}/"


def workspace_path(project_slug: str, lab_slug: str, username: str) -> str:
    """Path below the Hub's base URL at which somebody enters a lab.

    Everybody has a JupyterLab workspace of their own: with the default one people would
    overwrite each other's arrangement of open files.
    """
    return f"{lab_path(project_slug, lab_slug)}lab/workspaces/{quote(username, safe='')}"


def personal_root(username: str) -> str:
    """Path of somebody's personal lab, below the Hub's base URL."""
    return f"user/{quote(username, safe='@~')}/"


def personal_path(username: str) -> str:
    """Path below the Hub's base URL at which somebody enters their personal lab."""
    return f"{personal_root(username)}lab"


def notebook_path(username: str, folder: str, notebook: str) -> str:
    """Path below the Hub's base URL of a notebook in a folder of somebody's personal lab."""
    return f"{personal_path(username)}/tree/{quote(folder)}/{quote(notebook)}"


def new_uid() -> str:
    """An identifier that is never used twice; names volumes and containers."""
    return uuid.uuid4().hex


def volume_name(prefix: str, uid: str) -> str:
    """Docker volume that holds the home of the lab with this immutable id."""
    return f"{prefix}-home-{uid}"


def dataset_volume_name(prefix: str, uid: str) -> str:
    """Docker volume that holds the published dataset with this immutable id."""
    return f"{prefix}-data-{uid}"


def material_volume_name(prefix: str, uid: str) -> str:
    """Docker volume that holds the version of course material with this immutable id."""
    return f"{prefix}-material-{uid}"


def is_volume_name(text: str) -> bool:
    """Whether Docker takes this as the name of a volume."""
    return re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}", text) is not None


def is_inner_path(text: str) -> bool:
    """Whether this is a path that stays below where it starts, written plainly."""
    parts = text.split("/")
    return len(text) <= MAX_PATH and "\x00" not in text and not {"", ".", ".."} & set(parts)


def repository_problem(url: str) -> str | None:
    """Say what is wrong with the address of a git repository, or None when it may be fetched."""
    if not url.startswith("https://"):
        return "Give an address that starts with https://."
    if "@" in url:
        return "Give an address without name and password; the repository has to be public."
    if not _REPOSITORY.fullmatch(url):
        return "Give the address that git clone takes, such as https://example.org/course.git."
    return None


def is_branch(text: str) -> bool:
    """Whether this can be the name of a branch; empty for the default one."""
    return text == "" or (_BRANCH.fullmatch(text) is not None and ".." not in text)


def dataset_path(slug: str) -> str:
    """Where a dataset is found inside labs."""
    return f"/srv/datasets/{slug}"


def container_name(prefix: str, uid: str) -> str:
    """Docker container of the lab with this immutable id."""
    return f"{prefix}-lab-{uid}"
