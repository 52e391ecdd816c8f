"""The objects of the contract, as types: the OpenAPI document is generated from them.

Tests hold every answer of the API to these types.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from sophon_hub.api.object_parts import Connected, Disk, Run, Time, User
from sophon_hub.models import (
    AccessMode,
    DatasetKind,
    DatasetState,
    LabState,
    MemberRole,
    MembershipSource,
    Visibility,
)
from sophon_hub.policy.permissions import Permission

Html = Annotated[str, Field(description="Sanitised HTML made from the Markdown.")]
Permissions = Annotated[list[Permission], Field(description="What the caller may do to it.")]


class Instance(TypedDict):
    """The hub itself."""

    name: str
    description: str
    description_html: Html
    version: str
    features: list[str]


class Temporary(TypedDict):
    """Temporary labs for visitors: the numbers of this moment."""

    offered: bool
    capacity: int
    pool: Annotated[int, Field(description="How many are to be kept ready.")]
    ready: Annotated[int, Field(description="How many wait for a visitor now.")]
    starting: int
    claimed: Annotated[int, Field(description="How many have a visitor.")]
    ending: int
    waiting: Annotated[int, Field(description="How many visitors wait for one.")]
    image: str
    version: str


class OwnMembership(TypedDict):
    """A research group the caller belongs to."""

    group: str
    role: MemberRole
    expires_at: Time | None


class PersonalLab(TypedDict):
    """The caller's own lab in short: its state and its page."""

    state: LabState
    url: str


class OwnLab(Run):
    """The caller's own lab."""

    state: LabState
    message: Annotated[str, Field(description="What the lab does just now, or why it failed.")]
    url: Annotated[str, Field(description="Where it is entered while it runs.")]
    image: str
    clean_up: Annotated[bool, Field(description="Started only to delete files.")]
    restart_needed: Annotated[
        list[str], Field(description="Why a running lab has other settings than it should.")
    ]
    datasets: Annotated[list[str], Field(description="The datasets it is to have.")]
    disk: Disk


class Me(TypedDict):
    """The caller; for guests the user name is null."""

    username: str | None
    display_name: str | None
    admin: bool
    memberships: list[OwnMembership]
    personal_lab: PersonalLab | None


class Group(TypedDict):
    """A research group, with the counts the caller may know."""

    slug: str
    name: str
    description: str
    description_html: Html
    visibility: Visibility
    access: AccessMode
    member_count: int
    project_count: int
    role: Annotated[MemberRole | None, Field(description="The caller's own role.")]
    can: Permissions
    created_at: Time
    deleted_at: Time | None


class Member(User):
    """Somebody in a research group."""

    role: MemberRole
    source: Annotated[
        MembershipSource,
        Field(description="Who decided it; what the sign-on decided follows the next sign-in."),
    ]
    expires_at: Time | None
    added_by: str | None
    added_at: Time


class Request(User):
    """Somebody who asked to join a research group."""

    message: str
    created_at: Time


class Project(TypedDict):
    """A project of a research group."""

    slug: str
    group: str
    name: str
    description: str
    description_html: Html
    visibility: Visibility
    lab_count: int
    can: Permissions
    created_at: Time
    updated_at: Time
    deleted_at: Time | None


class Lab(Run):
    """A lab of a project; limits in cores and bytes."""

    slug: str
    project: str
    name: str
    image: str
    state: LabState
    message: Annotated[str, Field(description="What the lab does just now, or why it failed.")]
    locked_by: str | None
    lock_reason: str
    internet: bool
    restart_on_removal: Annotated[
        bool, Field(description="Started anew when somebody loses the right to work in it.")
    ]
    cpu_limit: float
    memory_limit: int
    started_by: Annotated[
        User | None, Field(description="Null: the hub, or not told to who is not in the group.")
    ]
    stopped_by: Annotated[
        User | None, Field(description="Null: the hub, or not told to who is not in the group.")
    ]
    users: Annotated[
        list[str] | None,
        Field(description="User names of who is connected; null for who is not in the group."),
    ]
    people: Annotated[
        list[Connected] | None, Field(description="The same people with their names.")
    ]
    restart_needed: Annotated[
        list[str], Field(description="Why a running lab has other settings than it should.")
    ]
    datasets: Annotated[
        list[str], Field(description="Its datasets, as far as the caller may know of them.")
    ]
    clean_up: Annotated[bool, Field(description="Started only to delete files.")]
    disk: Annotated[Disk | None, Field(description="Null for who is not in the group.")]
    can: Permissions
    created_at: Time
    deleted_at: Time | None


class Dataset(TypedDict):
    """Files that labs read and nobody in them writes."""

    slug: str
    group: Annotated[str | None, Field(description="Null: the hub's own.")]
    name: str
    description: str
    description_html: Html
    licence: str
    source: str
    visibility: Visibility
    kind: DatasetKind
    location: Annotated[
        str | None, Field(description="Where the files are; null for who may not change it.")
    ]
    path: Annotated[str, Field(description="Where it is found inside labs.")]
    state: DatasetState
    message: Annotated[str, Field(description="Why it cannot be mounted, for who may change it.")]
    file_count: int | None
    size_bytes: int | None
    checksum: Annotated[str | None, Field(description="SHA-256 of the manifest.")]
    checked_at: Time | None
    verified_at: Time | None
    differences: Annotated[
        int | None, Field(description="Files that differed from the manifest at verified_at.")
    ]
    can: Permissions
    created_at: Time
    deleted_at: Time | None


class Entry(TypedDict):
    """Where a lab is entered."""

    url: str
    mode: Literal["edit", "watch"]


class Image(TypedDict):
    """A lab image people may choose."""

    name: str
    title: str
    description: str
    languages: Annotated[list[str], Field(description="What its notebooks can be written in.")]
    available: Annotated[
        bool,
        Field(
            description="Whether it was on the hub's machine when the hub started; if not, the"
            " first lab that needs it waits until it is downloaded."
        ),
    ]


class Event(TypedDict):
    """Who did what, when, to what."""

    id: int
    at: Time
    actor: str | None
    action: str
    subject: str
    detail: dict[str, Any]
    via: Literal["page", "api", "cli", "system", "lab"]
    request_id: str | None


class Explanation(TypedDict):
    """Whether somebody may do something, by which rule, why, and until when."""

    allowed: bool
    rule: str
    source: str
    until: Time | None


class Health(TypedDict):
    """Whether database and Hub answer."""

    status: Literal["ok", "down"]
    database: Literal["ok", "down"]
    hub: Literal["ok", "down"]
