"""What sign-ins, refusals and sign-outs leave in the audit trail, and what they do not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import PasswordHasher
from jupyterhub.auth import Authenticator
from oauthenticator.oauth2 import OAuthLogoutHandler
from running import RunningHub
from sign_on_world import LOGIN, Database, sign_on
from signing_on import SECRET, ask
from sqlalchemy import Engine, select
from tornado.web import HTTPError
from traitlets.config import Config

from sophon_hub.audit import ALTOGETHER, EACH
from sophon_hub.authenticator import make_authenticator, passwords
from sophon_hub.authenticator.mixin import SignOutRecorder
from sophon_hub.authenticator.oauth import SophonOAuthenticator
from sophon_hub.errors import Unavailable
from sophon_hub.models import AuditEvent, Job, Person
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from tests.conftest import StoppedClock
from tests.database import contents
from tests.waiting import wait_for

GOOD = "engine-of-brass-1843"
TYPED = "secret-word-somebody-typed"


class Campus(Authenticator):
    """A sign-on system that gives what the test wants it to give."""

    gives: Any = None

    async def authenticate(self, handler: Any, data: Any) -> Any:
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives and dict(self.gives)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", cheap)
    monkeypatch.setattr(passwords, "_nobody", cheap.hash("nobody's"))


@pytest.fixture
async def make(sqlite_engine: Engine, settings: Sophon) -> AsyncIterator[Callable[..., Any]]:
    """Authenticators over one database; at the end all they wanted to write is written."""
    made: list[Any] = []

    def make(base: Any, **traits: Any) -> Any:
        config = Config({"Sophon": {"data_dir": settings.data_dir}})
        authenticator: Any = make_authenticator(base)(config=config, **traits)
        authenticator.engine = sqlite_engine
        made.append(authenticator)
        return authenticator

    yield make
    for authenticator in made:
        await settled(authenticator)


async def settled(authenticator: Any) -> None:
    await asyncio.gather(*authenticator._recording)


async def sign_in(authenticator: Any, username: str, password: str = GOOD) -> Any:
    """The model, or the error, of one attempt."""
    handler = SimpleNamespace(find_user=lambda name: None, request=SimpleNamespace(headers={}))
    data = {"username": username, "password": password}
    try:
        return await authenticator.get_authenticated_user(handler, data)
    except HTTPError as error:
        return error
    finally:
        await settled(authenticator)


def events(engine: Engine) -> list[tuple[str, str, str | None]]:
    """Action, subject and reason, oldest first."""
    with reading(engine) as session:
        rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        return [(row.action, row.subject, row.detail.get("reason")) for row in rows]


def everything(engine: Engine) -> str:
    with reading(engine) as session:
        return str(contents(session))


@pytest.fixture
def local(make: Callable[..., Any]) -> Any:
    local = make("sophon-local", blocked_users={"eve"}, allowed_failures=3)
    for name in ("ada", "eve"):
        local.create_account(name, GOOD)
    return local


async def test_a_sign_in_leaves_one_event_about_the_person(local: Any) -> None:
    assert (await sign_in(local, "ada"))["name"] == "ada"
    with reading(local.engine) as session:
        [event] = session.scalars(select(AuditEvent)).all()
        ada = session.scalars(select(Person).filter_by(username="ada")).one()
        assert (event.action, event.subject, event.via) == ("person:sign-in", "ada", "page")
        assert (event.actor, event.actor_id) == ("ada", ada.id)
        assert event.detail == {"how": "LocalAuthenticator"}
        # of no group: only administrators may read it
        assert (event.group_id, event.project_id) == (None, None)


@pytest.mark.parametrize(
    ("username", "subject", "reason"),
    [
        ("ada", "ada", "credentials"),
        ("ADA", "ada", "credentials"),
        ("nobody-here", "instance", "credentials"),
        ("x" * 5000, "instance", "credentials"),
        ("a\0da", "instance", "credentials"),
        ("project-x", "instance", "reserved-name"),
    ],
)
async def test_a_refusal_names_known_people_only_and_never_what_was_typed(
    local: Any, username: str, subject: str, reason: str
) -> None:
    refusal = await sign_in(local, username, TYPED)
    assert refusal is None or isinstance(refusal, HTTPError)
    assert events(local.engine) == [("person:refuse", subject, reason)]
    with reading(local.engine) as session:
        event = session.scalars(select(AuditEvent)).one()
        assert (event.actor, event.actor_id, event.group_id) == (None, None, None)
        assert event.detail == {"how": "LocalAuthenticator", "reason": reason}
    assert TYPED not in everything(local.engine)
    assert "nobody-here" not in everything(local.engine)
    assert "xxxxx" not in everything(local.engine)


async def test_each_reason_is_told_apart(local: Any, make: Callable[..., Any]) -> None:
    assert await sign_in(local, "eve") is None
    local.allow_all, local.allowed_users = False, {"grace"}
    assert await sign_in(local, "ada") is None
    for _ in range(3):
        await sign_in(local, "ada", TYPED)
    await sign_in(local, "ada")
    reasons = [reason for _, _, reason in events(local.engine)]
    assert reasons == ["blocked", "not-allowed", *["credentials"] * 3, "throttled"]


async def test_a_name_that_becomes_reserved_is_refused_as_such(make: Callable[..., Any]) -> None:
    campus = make(Campus, allow_all=True)
    campus.gives = {"name": "tmp-7"}
    assert isinstance(await sign_in(campus, ""), HTTPError)
    assert events(campus.engine) == [("person:refuse", "instance", "reserved-name")]


async def test_a_sign_on_system_that_fails_has_refused_nobody(make: Callable[..., Any]) -> None:
    campus = make(Campus, allow_all=True)
    campus.gives = HTTPError(502)
    assert (await sign_in(campus, "ada")).status_code == 502
    assert events(campus.engine) == []
    campus.gives = HTTPError(403)
    assert (await sign_in(campus, "ada")).status_code == 403
    assert events(campus.engine) == [("person:refuse", "instance", "credentials")]


async def test_strangers_cannot_fill_the_table(
    make: Callable[..., Any], stopped_clock: StoppedClock
) -> None:
    local = make("sophon-local", allowed_failures=10_000)
    people = [f"person{number}" for number in range(2 * ALTOGETHER // EACH)]
    for name in people:
        local.create_account(name, GOOD)
    for number in range(EACH + 3):
        await sign_in(local, f"stranger-{number}", TYPED)
    assert len(events(local.engine)) == EACH
    for _ in range(EACH + 1):
        await sign_in(local, people[0], TYPED)
    assert len(events(local.engine)) == 2 * EACH
    for name in people[1:]:
        for _ in range(EACH):
            await sign_in(local, name, TYPED)
    assert len(events(local.engine)) == ALTOGETHER
    # somebody who signs in is written down whatever else goes on
    assert (await sign_in(local, people[-1]))["name"] == people[-1]
    assert events(local.engine)[-1][0] == "person:sign-in"

    stopped_clock.forward(seconds=60)
    await sign_in(local, "stranger", TYPED)
    await sign_in(local, "stranger", TYPED)
    with reading(local.engine) as session:
        rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        refusals = [row for row in rows if row.action == "person:refuse"]
        attempts = EACH + 3 + EACH + 1 + (len(people) - 1) * EACH + 2
        counted = sum(row.detail.get("unrecorded_before", 0) for row in refusals)
        assert (len(refusals), counted) == (ALTOGETHER + 2, attempts - ALTOGETHER - 2)
        assert "unrecorded_before" not in refusals[-1].detail


async def test_a_refusal_is_answered_before_it_is_written(local: Any) -> None:
    """However long the database takes: nothing can be told from the time."""
    handler = SimpleNamespace(find_user=lambda name: None, request=SimpleNamespace(headers={}))
    data = {"username": "ada", "password": TYPED}
    with writing(local.engine) as session:
        session.connection()  # from now on nobody else can write
        assert await local.get_authenticated_user(handler, data) is None
        assert events(local.engine) == []
    await settled(local)
    assert events(local.engine) == [("person:refuse", "ada", "credentials")]


async def test_a_database_that_is_too_busy_is_said_so(
    local: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise Unavailable("The database is busy; please try again.")

    monkeypatch.setattr(local.records, "accepted", busy)
    monkeypatch.setattr(local.records, "refused", busy)
    answer = await sign_in(local, "ada")
    assert (answer.status_code, "try again" in answer.log_message) == (503, True)
    assert await sign_in(local, "ada", TYPED) is None
    assert "not in the audit trail" in caplog.text


# claims, whatever the authenticator -------------------------------------------------------


def claims_of(engine: Engine, username: str) -> tuple[dict[str, Any], int]:
    """What is on record as claimed, and how many jobs wait to make it so."""
    with reading(engine) as session:
        person = session.scalars(select(Person).filter_by(username=username)).one()
        jobs = session.scalars(select(Job).filter_by(kind="apply_claims")).all()
        assert all(job.payload == {"person_id": person.id} for job in jobs)
        return person.sign_on_groups, len(jobs)


async def test_any_authenticator_that_names_groups_claims_research_groups(
    make: Callable[..., Any],
) -> None:
    mapping = {"staff": "physics", "heads": {"group": "physics", "role": "owner"}}
    campus = make(Campus, allow_all=True, research_groups=mapping)
    campus.gives = {"name": "ada", "groups": ["staff", "other"]}
    await sign_in(campus, "")
    assert claims_of(campus.engine, "ada") == ({"physics": "member"}, 1)
    # the role of several groups is the highest, in whatever order they come
    for groups in (["staff", "heads"], ["heads", "staff"]):
        campus.gives = {"name": "ada", "groups": groups}
        await sign_in(campus, "")
        assert claims_of(campus.engine, "ada")[0] == {"physics": "owner"}


async def test_a_system_that_says_nothing_of_groups_takes_none_away(
    make: Callable[..., Any],
) -> None:
    campus = make(Campus, allow_all=True, research_groups={"staff": "physics"})
    campus.gives = {"name": "ada", "groups": ["staff"]}
    await sign_in(campus, "")
    for silent in ({"name": "ada"}, {"name": "ada", "groups": None}):
        campus.gives = silent
        await sign_in(campus, "")
        assert claims_of(campus.engine, "ada") == ({"physics": "member"}, 1)
    campus.gives = {"name": "ada", "groups": []}
    await sign_in(campus, "")
    assert claims_of(campus.engine, "ada")[0] == {}


async def test_a_mapping_that_is_gone_takes_back_what_it_gave(make: Callable[..., Any]) -> None:
    campus = make(Campus, allow_all=True, research_groups={"staff": "physics"})
    campus.gives = {"name": "ada", "groups": ["staff"]}
    await sign_in(campus, "")
    later = make(Campus, allow_all=True)
    for gives in ({"name": "ada"}, {"name": "grace"}):
        later.gives = gives
        await sign_in(later, "")
        assert claims_of(later.engine, "ada")[0] == {}


# signing out, with any authenticator ------------------------------------------------------


def test_signing_out_is_recorded_with_any_handler(make: Callable[..., Any], tmp_path: Path) -> None:
    ours = dict(route[:2] for route in make(Campus).get_handlers(None))["/logout"]
    assert issubclass(ours, SignOutRecorder)
    config = Config({"Sophon": {"data_dir": str(tmp_path)}})
    theirs = dict(route[:2] for route in SophonOAuthenticator(config=config).get_handlers(None))[
        "/logout"
    ]
    assert issubclass(theirs, SignOutRecorder)
    assert issubclass(theirs, OAuthLogoutHandler)

    class Named(Campus):
        def get_handlers(self, app: Any) -> list[Any]:
            return [("/logout", "some.module.Handler")]

    assert make(Named).get_handlers(None)[0] == ("/logout", "some.module.Handler")


# in running hubs --------------------------------------------------------------------------

CONFIG = """
c.TrustedProxyAuthenticator.allow_all = True
c.TrustedProxyAuthenticator.blocked_users = {"mallory"}
c.TrustedProxyAuthenticator.admin_users = {"root"}
c.TrustedProxyAuthenticator.admin_required_factors = {"mtoken"}
c.TrustedProxyAuthenticator.guest_realms = {"friend"}
"""


@pytest.fixture
def proxy_hub(tmp_path: Path) -> Iterator[RunningHub]:
    path = tmp_path / "proxy-secret"
    path.touch(0o600)
    path.write_text(SECRET)
    hub = RunningHub(
        tmp_path, config=CONFIG, authenticator="sophon-proxy", proxy_secret_file=str(path)
    )
    hub.start()
    yield hub
    hub.end()


@pytest.fixture
def local_hub(tmp_path: Path) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path)
    hub.start()
    yield hub
    hub.end()


def id_of(answer: Any) -> str:
    found: str = answer.headers["X-Request-ID"]
    assert len(found) == len("7f1cf0cd6f3e4cf3a8b07f0c1d2b2b63")
    return found


def told(database: Database) -> list[tuple[str, str, str | None]]:
    rows = database.events("person:")
    return [(row.action, row.subject, row.detail.get("reason")) for row in rows]


@pytest.mark.hub
def test_a_browser_leaves_one_event_for_each_thing_it_does(local_hub: RunningHub) -> None:
    database, browser = Database(local_hub), local_hub.browser()
    seen: list[tuple[str, str, str | None]] = []

    def then(*event: str | None) -> None:
        seen.append(event)  # type: ignore[arg-type]
        wait_for(lambda: len(told(database)) >= len(seen), f"{event}", 10)
        assert told(database) == seen

    answers = [browser.sign_in("admin", TYPED)]
    then("person:refuse", "admin", "credentials")
    answers.append(browser.sign_in("nobody", TYPED))
    then("person:refuse", "instance", "credentials")
    answers.append(browser.sign_in("admin", local_hub.admin_password()))
    then("person:sign-in", "admin", None)
    assert [answer.status_code for answer in answers] == [403, 403, 302]
    assert browser.name() == "admin"
    browser.page("/services/sophon/")
    answers.append(browser.page("/hub/logout", allow_redirects=False))
    assert browser.name() is None
    then("person:sign-out", "admin", None)
    ids = [row.request_id for row in database.events("person:")]
    assert ids == [id_of(answer) for answer in answers]
    browser.page("/hub/logout")
    browser.page("/hub/login")
    # a password in the body of a request for a token is a sign-in as well
    fields = {"auth": {"username": "admin", "password": local_hub.admin_password()}}
    answer = browser.post(f"{local_hub.url}/hub/api/users/admin/tokens", json=fields, timeout=30)
    assert answer.status_code == 201, answer.text
    then("person:sign-in", "admin", None)
    assert [row.actor for row in database.events("person:sign-out")] == ["admin"]


@pytest.mark.hub
def test_refused_assertions_are_told_apart(proxy_hub: RunningHub) -> None:
    database = Database(proxy_hub)
    seen: list[tuple[str, str, str | None]] = []

    def refusal(subject: str, reason: str, **headers: str) -> None:
        values = {"User": "ada", "Secret": SECRET, **headers}
        sent = [(f"X-Sso-{name}", value) for name, value in values.items()]
        assert ask(proxy_hub.url, LOGIN, sent).status == 403
        seen.append(("person:refuse", subject, reason))
        wait_for(lambda: len(told(database)) >= len(seen), reason, 10)
        assert told(database) == seen

    for username in ("ada", "mallory"):
        database.add_person(username)
    refusal("instance", "assertion", Secret="x" * 64)
    refusal("instance", "assertion", User="a b")
    # the secret is right, so it is known who it is
    refusal("ada", "guest", Realm="friend")
    refusal("mallory", "blocked", User="mallory")
    database.add_person("root", is_admin=True)
    refusal("root", "second-factor", User="root")
    browser = sign_on(proxy_hub, "ada")
    browser.page("/hub/logout")
    wait_for(lambda: len(told(database)) == len(seen) + 2, "the sign-out to be written", 10)
    assert [action for action, *_ in told(database)[-2:]] == ["person:sign-in", "person:sign-out"]
    assert {row.detail["how"] for row in database.events("person:")} == {
        "TrustedProxyAuthenticator"
    }
