"""Signing in: reserved names with any authenticator, and local accounts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import PasswordHasher
from jupyterhub.auth import Authenticator, DummyAuthenticator
from sqlalchemy import Engine
from tornado.web import HTTPError
from traitlets.config import Config

from sophon_hub.authenticator import LocalAuthenticator, make_authenticator, passwords
from sophon_hub.authenticator.first_accounts import ADMIN_PASSWORD_FILE, prepare_accounts
from sophon_hub.authenticator.mixin import SophonLoginHandler
from sophon_hub.authenticator.throttle import Throttle
from sophon_hub.authenticator.user_info import color, initials
from sophon_hub.clock import utcnow
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.store import people
from sophon_hub.store.engine import reading, writing

GOOD = "engine-of-brass-1843"
RESERVED = ["project-x", "tmp-1", "PROJECT-x", "Tmp-1", "pRoJeCt-", "tmp-"]
Make = Callable[..., Any]


class Campus(Authenticator):
    """A sign-on system that believes whatever name arrives, and manages groups."""

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any]:
        return {"name": data["username"], "groups": data.get("groups"), "user_info": {"mail": "m"}}


class Stubborn(Campus):
    """One that does not normalise names."""

    def normalize_username(self, username: str) -> str:
        return username


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real hashes with the least cost; how dear the real ones are is argon2's business."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", cheap)
    monkeypatch.setattr(passwords, "_nobody", cheap.hash("nobody's"))


@pytest.fixture
def make(sqlite_engine: Engine, settings: Sophon) -> Make:
    """An authenticator over a migrated database."""

    def make(base: Any, **traits: Any) -> Any:
        config = Config({"Sophon": {"data_dir": settings.data_dir}})
        made: Any = make_authenticator(base)(config=config, **traits)
        made.engine = sqlite_engine
        return made

    return make


@pytest.fixture
def local(make: Make) -> Any:
    return make("sophon-local", admin_users={"admin"})


def handler_of(user: Any = None) -> Any:
    return SimpleNamespace(find_user=lambda name: user, request=SimpleNamespace(headers={}))


async def sign_in(authenticator: Any, username: str, password: str = GOOD, **more: Any) -> Any:
    data = {"username": username, "password": password, **more}
    return await authenticator.get_authenticated_user(handler_of(more.get("user")), data)


# reserved names ---------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["dummy", "shared-password", Campus, Stubborn])
@pytest.mark.parametrize("name", RESERVED)
async def test_reserved_names_are_refused_with_any_authenticator(
    make: Make, base: Any, name: str
) -> None:
    authenticator = make(base, allow_all=True)
    if base == "shared-password":
        authenticator.user_password = GOOD
    assert (await sign_in(authenticator, "ada"))["name"] == "ada"
    with pytest.raises(HTTPError) as refusal:
        await sign_in(authenticator, name)
    assert refusal.value.status_code == 403
    assert "project-" in str(refusal.value.log_message)


async def test_a_name_that_becomes_reserved_on_the_way_is_refused(make: Make) -> None:
    mapped = make("dummy", allow_all=True, username_map={"ada": "project-x"})
    assert (await sign_in(mapped, "grace"))["name"] == "grace"
    with pytest.raises(HTTPError):
        await sign_in(mapped, "ada")

    def rename(authenticator: Any, handler: Any, model: dict[str, Any]) -> dict[str, Any]:
        return {**model, "name": model["name"].replace("guest", "tmp")}

    hooked = make("dummy", allow_all=True, post_auth_hook=rename)
    assert (await sign_in(hooked, "grace"))["name"] == "grace"
    with pytest.raises(HTTPError):
        await sign_in(hooked, "guest-1")


@pytest.mark.parametrize("name", RESERVED)
async def test_reserved_names_are_refused_with_local_accounts(local: Any, name: str) -> None:
    local.create_account("projectx", GOOD)
    assert (await sign_in(local, "projectx"))["name"] == "projectx"
    with pytest.raises(Invalid, match="belong to the hub"):
        local.create_account(name, GOOD)
    with pytest.raises(HTTPError):
        await sign_in(local, name)


def test_a_wrapped_authenticator_is_configured_under_its_own_name(make: Make) -> None:
    wrapped = make_authenticator("dummy")
    assert wrapped.__name__ == "DummyAuthenticator"
    assert issubclass(wrapped, DummyAuthenticator)
    assert make_authenticator(wrapped) is wrapped
    config = Config({"DummyAuthenticator": {"admin_users": {"ada"}}})
    assert wrapped(config=config).admin_users == {"ada"}


@pytest.mark.parametrize("name", ["no-such", "json.JSONDecoder", "sophon_hub.nowhere.Class", ""])
def test_an_authenticator_that_is_none_is_a_bad_setting(name: str) -> None:
    with pytest.raises(BadSetting, match="authenticator is"):
        make_authenticator(name)


def test_the_login_form_of_another_system_is_kept(make: Make) -> None:
    class WithForm(Campus):
        def get_handlers(self, app: Any) -> list[Any]:
            return [("/login", object)]

    assert make(WithForm).get_handlers(None)[0] == ("/login", object)
    assert make(Campus).get_handlers(None)[0] == ("/login", SophonLoginHandler)


# names and groups -------------------------------------------------------------------------


async def test_the_persons_own_name_reaches_the_labs(make: Make, sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        people.system_upsert_person(session, "ada", "Ada Lovelace", is_admin=False, now=utcnow())
    model = await sign_in(make(Campus, allow_all=True), "ada")
    assert model["user_info"] == {
        "mail": "m",
        "name": "ada",
        "display_name": "Ada Lovelace",
        "initials": "AL",
        "color": color("ada"),
    }


async def test_an_unknown_person_is_shown_by_user_name(make: Make) -> None:
    info = (await sign_in(make(Campus, allow_all=True), "grace"))["user_info"]
    assert (info["display_name"], info["initials"]) == ("grace", "G")


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ada Lovelace", "AL"), ("Jean d'Arc von Metz", "JM"), ("玲", "玲"), ("(guest) x", "X")],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_colours_differ_and_carry_white_text() -> None:
    colors = {color(f"user{number}") for number in range(200)}
    assert len(colors) > 190
    assert color("user7") in colors
    assert min(map(contrast_with_white, colors)) >= 4.5


def contrast_with_white(text: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


LOCK = "sophon-lens--bench-locked"


@pytest.fixture
def grouped_user() -> Any:
    names = ["sophon-engines-people", "sophon-accounts", LOCK, "physics"]
    groups = [SimpleNamespace(name=name) for name in names]
    return SimpleNamespace(name="ada", admin=False, groups=groups)


async def test_managed_groups_neither_take_nor_give_research_groups(
    make: Make, grouped_user: Any
) -> None:
    authenticator = make(Campus, allow_all=True, manage_groups=True)
    claimed = ["chemistry", "sophon-other-people", "sophon-other-labs", "sophon-a--b-locked"]
    model = await sign_in(authenticator, "ada", groups=claimed, user=grouped_user)
    assert model["groups"] == ["chemistry", "sophon-engines-people", "sophon-accounts", LOCK]


async def test_a_refresh_neither_takes_nor_gives_research_groups(
    make: Make, grouped_user: Any
) -> None:
    class Refreshing(Campus):
        async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> Any:
            return {"name": "ada", "groups": ["sophon-other-people", "chemistry"]}

    model = await make(Refreshing).refresh_user(grouped_user)
    assert model["groups"] == ["chemistry", "sophon-engines-people", "sophon-accounts", LOCK]
    assert await make(Campus).refresh_user(grouped_user) is True


# local accounts ---------------------------------------------------------------------------


@pytest.fixture
def ada(local: Any) -> Any:
    local.create_account("ada", GOOD, "  Ada   Lovelace ")
    return local


async def test_the_right_password_signs_in_and_nothing_else_does(ada: Any) -> None:
    assert (await sign_in(ada, "ada"))["name"] == "ada"
    assert (await sign_in(ada, " ADA".strip()))["name"] == "ada"
    for username, password in [
        ("ada", GOOD + " "),
        ("ada", GOOD.upper()),
        ("ada", ""),
        ("ada", "x" * 100_000),
        ("nobody", GOOD),
        ("", ""),
        ("ada\0", GOOD),
    ]:
        assert await sign_in(ada, username, password) is None
    assert await ada.get_authenticated_user(handler_of(), {}) is None


async def test_display_names_are_kept_with_the_person(ada: Any) -> None:
    assert (await sign_in(ada, "ada"))["user_info"]["display_name"] == "Ada Lovelace"
    with reading(ada.engine) as session:
        person = people.find_person(session, "ada")
        assert person is not None
        assert (person.display_name, person.is_admin) == ("Ada Lovelace", False)


async def test_passwords_that_differ_after_72_bytes_are_different(local: Any) -> None:
    base = "correct horse battery staple " * 3
    local.create_account("ada", base + "one")
    assert (await sign_in(local, "ada", base + "one"))["name"] == "ada"
    assert await sign_in(local, "ada", base + "two") is None


async def test_a_name_without_account_takes_the_same_work(
    ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    real = passwords._hasher.verify
    watching = SimpleNamespace(
        verify=lambda hashed, password: (checked.append(hashed), real(hashed, password))[1],
        check_needs_rehash=passwords._hasher.check_needs_rehash,
    )
    monkeypatch.setattr(passwords, "_hasher", watching)
    assert await sign_in(ada, "ada", "wrong-password") is None
    assert await sign_in(ada, "nobody", "wrong-password") is None
    known, unknown = checked
    assert known.split("$")[:4] == unknown.split("$")[:4]  # algorithm and parameters


async def test_too_many_failures_pause_a_name_whether_it_exists_or_not(make: Make) -> None:
    local = make("sophon-local", allowed_failures=3)
    local.create_account("ada", GOOD)
    local.create_account("grace", GOOD)
    for name in ("ada", "nobody"):
        for _ in range(3):
            assert await sign_in(local, name, "wrong-password") is None
        with pytest.raises(HTTPError, match="Too many failed attempts"):
            await sign_in(local, name)
    assert (await sign_in(local, "grace"))["name"] == "grace"
    local.set_password("ada", GOOD)  # what an administrator does
    assert (await sign_in(local, "ada"))["name"] == "ada"


async def test_a_success_forgets_failures(make: Make) -> None:
    local = make("sophon-local", allowed_failures=2)
    local.create_account("ada", GOOD)
    for _ in range(3):
        assert await sign_in(local, "ada", "wrong-password") is None
        assert (await sign_in(local, "ada"))["name"] == "ada"


def test_a_pause_ends_and_then_counts_anew() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    throttle = Throttle(2, timedelta(minutes=5), lambda: now)
    throttle.failed("ada")
    throttle.failed("ada")
    assert throttle.is_waiting("ada")
    assert not throttle.is_waiting("grace")
    now += timedelta(minutes=5)
    assert not throttle.is_waiting("ada")
    throttle.failed("ada")
    assert not throttle.is_waiting("ada")


def test_the_throttle_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sophon_hub.authenticator.throttle.REMEMBERED_NAMES", 3)
    throttle = Throttle(1, timedelta(minutes=5))
    for number in range(10):
        throttle.failed(f"user{number}")
    assert [throttle.is_waiting(f"user{number}") for number in (6, 7, 8, 9)] == [
        False,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("field", "username", "password", "display_name"),
    [
        ("username", "", GOOD, ""),
        ("username", "a" * 65, GOOD, ""),
        ("username", "a b", GOOD, ""),
        ("username", "a/../b", GOOD, ""),
        ("username", "аda", GOOD, ""),  # noqa: RUF001 - the first letter is Cyrillic
        ("username", "-ada", GOOD, ""),
        ("username", "<b>ada</b>", GOOD, ""),
        ("password", "ada", "", ""),
        ("password", "ada", "short1!", ""),
        ("password", "ada", "password", ""),
        ("password", "ada", "12345678", ""),
        ("password", "ada", "qwertyuiop", ""),
        ("password", "ada.lovelace", "ada.lovelace", ""),
        ("password", "ada", "x" * 2000, ""),
        ("password", "ada", GOOD + "\n", ""),
        ("display_name", "ada", GOOD, "x" * 201),
        ("display_name", "ada", GOOD, "Ada\x07"),
    ],
)
def test_accounts_that_cannot_be_are_refused_by_field(
    local: Any, field: str, username: str, password: str, display_name: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        local.create_account(username, password, display_name)
    assert [error.field for error in refusal.value.errors] == [field]
    assert local.list_accounts() == []
    local.create_account("ada", GOOD, "Ada")


def test_a_name_is_given_once_however_it_is_written(ada: Any) -> None:
    with pytest.raises(Conflict, match="taken"):
        ada.create_account("ADA", GOOD)
    assert ada.list_accounts() == [("ada", "Ada Lovelace")]


def test_two_at_once_make_one_account(local: Any) -> None:
    def attempt(_: int) -> bool:
        try:
            local.create_account("ada", GOOD)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, range(4))) == [False, False, False, True]


async def test_a_new_password_replaces_the_old_one(ada: Any) -> None:
    with pytest.raises(Invalid):
        ada.set_password("ada", "password")
    with pytest.raises(Conflict, match="no password"):
        ada.set_password("grace", GOOD)
    ada.set_password("ada", "another-good-one-7")
    assert await sign_in(ada, "ada") is None
    assert (await sign_in(ada, "ada", "another-good-one-7"))["name"] == "ada"


async def test_a_deleted_hub_user_takes_the_account_along(ada: Any) -> None:
    await ada.delete_user(SimpleNamespace(name="ada"))
    assert await sign_in(ada, "ada") is None


async def test_a_hash_with_old_parameters_is_renewed_at_sign_in(
    ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = []
    monkeypatch.setattr(passwords, "is_outdated", lambda hashed: not stored)
    monkeypatch.setattr(
        passwords,
        "hash_password",
        lambda p, hasher=passwords._hasher: stored.append(1) or hasher.hash(p),
    )
    assert (await sign_in(ada, "ada"))["name"] == "ada"
    assert stored == [1]
    assert (await sign_in(ada, "ada"))["name"] == "ada"
    assert stored == [1]


async def test_accounts_may_sign_in_unless_the_site_lists_who_may(make: Make) -> None:
    anyone, listed = make("sophon-local"), make("sophon-local", allowed_users={"grace"})
    anyone.create_account("ada", GOOD)
    anyone.create_account("grace", GOOD)
    assert (await sign_in(anyone, "ada"))["name"] == "ada"
    assert await sign_in(listed, "ada") is None
    assert (await sign_in(listed, "grace"))["name"] == "grace"


async def test_only_the_configured_administrator_is_one(ada: Any) -> None:
    ada.create_account("admin", GOOD)
    assert (await sign_in(ada, "admin"))["admin"] is True
    assert not (await sign_in(ada, "ada"))["admin"]


# the first accounts -----------------------------------------------------------------------


def admin_file(authenticator: Any) -> Path:
    return authenticator.settings.data_path / ADMIN_PASSWORD_FILE


async def test_the_first_admin_is_made_once_with_a_password_nobody_else_can_read(
    local: Any,
) -> None:
    path = prepare_accounts(local)
    assert path == admin_file(local)
    assert path.stat().st_mode & 0o777 == 0o600
    password = path.read_text().strip()
    assert len(password) >= 16
    assert (await sign_in(local, "admin", password))["admin"] is True
    assert prepare_accounts(local) is None
    assert path.read_text().strip() == password


async def test_a_changed_admin_password_survives_restarts_without_the_file(local: Any) -> None:
    path = prepare_accounts(local)
    assert path is not None
    local.set_password("admin", GOOD)
    path.unlink()
    assert prepare_accounts(local) is None
    assert not path.exists()
    assert (await sign_in(local, "admin"))["name"] == "admin"


async def test_an_admin_who_was_deleted_on_purpose_does_not_come_back(ada: Any) -> None:
    prepare_accounts(ada)
    assert ada.has_account("admin")
    await ada.delete_user(SimpleNamespace(name="admin"))
    assert prepare_accounts(ada) is None
    assert not ada.has_account("admin")


def test_a_start_that_was_cut_short_is_completed_with_the_same_password(local: Any) -> None:
    path = admin_file(local)
    path.write_text(GOOD + "\n")
    path.chmod(0o600)
    prepare_accounts(local)
    assert local.check_password("admin", GOOD)


def test_an_admin_password_that_others_can_read_is_refused(local: Any) -> None:
    path = admin_file(local)
    path.write_text(GOOD + "\n")
    path.chmod(0o644)
    with pytest.raises(BadSetting, match="chmod 600"):
        prepare_accounts(local)


@pytest.fixture
def accounts_file(tmp_path: Path, local: Any) -> Callable[..., None]:
    def write(text: str, mode: int = 0o600) -> None:
        path = tmp_path / "accounts.json"
        path.write_text(text)
        path.chmod(mode)
        local.settings.accounts_file = str(path)

    return write


async def test_accounts_of_a_file_are_made_once_and_then_left_alone(
    local: Any, accounts_file: Callable[..., None]
) -> None:
    accounts_file(
        f'[{{"username": "Ada", "password": "{GOOD}", "display_name": "Ada Lovelace"}},'
        f' {{"username": "grace", "password": "{GOOD}"}}]'
    )
    prepare_accounts(local)
    assert (await sign_in(local, "ada"))["user_info"]["display_name"] == "Ada Lovelace"
    assert (await sign_in(local, "grace"))["user_info"]["display_name"] == "grace"
    local.set_password("ada", "another-good-one-7")
    prepare_accounts(local)
    assert local.check_password("ada", "another-good-one-7")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "is not JSON"),
        ("{}", "another shape"),
        ('[{"username": "ada"}]', "another shape"),
        (f'[{{"username": 1, "password": "{GOOD}"}}]', "another shape"),
        (f'[{{"username": "ada", "password": "{GOOD}", "admin": "yes"}}]', "another shape"),
        ('[{"username": "ada", "password": "password"}]', "account 1: password: .*guess"),
        (f'[{{"username": "tmp-1", "password": "{GOOD}"}}]', "account 1: username: .*hub"),
    ],
)
def test_an_accounts_file_that_cannot_be_used_is_a_bad_setting(
    local: Any, accounts_file: Callable[..., None], text: str, sentence: str
) -> None:
    accounts_file(text)
    with pytest.raises(BadSetting, match=sentence):
        prepare_accounts(local)


def test_an_accounts_file_that_others_can_read_is_refused(
    local: Any, accounts_file: Callable[..., None]
) -> None:
    text = f'[{{"username": "ada", "password": "{GOOD}"}}]'
    accounts_file(text, 0o640)
    with pytest.raises(BadSetting, match="chmod 600"):
        prepare_accounts(local)
    accounts_file(text, 0o600)
    prepare_accounts(local)
    assert isinstance(local, LocalAuthenticator)
    assert local.has_account("ada")
