"""Groups of the sign-on system as memberships, in a real Hub with portal and worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Browser, RunningHub
from sign_on_world import Caller, Database, sign_on
from signing_on import SECRET

from sophon_hub import names
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

CONFIG = """
c.TrustedProxyAuthenticator.allow_all = True
c.TrustedProxyAuthenticator.admin_users = {"root"}
c.TrustedProxyAuthenticator.groups_header = "X-Sso-Groups"
c.TrustedProxyAuthenticator.realm_groups = {"PHYSICS": ["everybody in physics"]}
c.TrustedProxyAuthenticator.factor_groups = {"mtoken": ["strong"]}
c.Authenticator.research_groups = {
    "physics-staff": "physics",
    "physics-admins": {"group": "physics", "role": "owner"},
    "everybody in physics": {"group": "lectures", "role": "viewer"},
    "strong": {"group": "safe"},
    "gone-staff": "no-such-group",
    "islanders": {"group": "islands", "role": "owner"},
    "sophon-physics-people": "safe",
}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("groups")
    path = directory / "proxy-secret"
    path.touch(0o600)
    path.write_text(SECRET)
    hub = RunningHub(
        directory,
        config=CONFIG,
        authenticator="sophon-proxy",
        proxy_secret_file=str(path),
        access_cache_seconds="1",
    )
    hub.start()
    yield hub
    hub.end()


@pytest.fixture(scope="module")
def database(hub: RunningHub) -> Database:
    database = Database(hub)
    for slug in ("lectures", "safe", "islands"):
        database.add_group(slug)
    return database


@pytest.fixture(scope="module")
def root(hub: RunningHub, database: Database) -> Caller:
    """An administrator, who owns the research group physics."""
    root = Caller(sign_on(hub, "root"), "root")
    new = {"name": "Physics", "slug": "physics", "visibility": "private", "access": "manual"}
    root.expect(201, "POST", "groups", new)
    return root


def has(database: Database, username: str, **wanted: str) -> None:
    """Wait until somebody belongs, by the sign-on, to these groups and to no other."""
    expected = {slug: (role, "sign-on") for slug, role in wanted.items()}
    wait_for(lambda: database.memberships(username) == expected, f"{username} in {wanted}", 10)


def test_groups_come_and_go_with_what_the_sign_on_says(
    hub: RunningHub, database: Database, root: Caller
) -> None:
    people = names.people_group("physics")
    sign_on(hub, "ada", "physics-staff", "unknown-here")
    has(database, "ada", physics="member")
    wait_for(lambda: people in database.hub_groups("ada"), "ada to enter labs", 10)
    sign_on(hub, "ada", "physics-staff", "physics-admins")
    has(database, "ada", physics="owner")
    sign_on(hub, "ada")
    has(database, "ada")
    wait_for(lambda: people not in database.hub_groups("ada"), "the door to shut", 10)


def test_realm_and_factors_stand_for_groups_without_managed_hub_groups(
    hub: RunningHub, database: Database, root: Caller
) -> None:
    realm = {"X-Sso-Realm": "PHYSICS", "X-Sso-Factor": "PHYSICS mtoken"}
    sign_on(hub, "grace", "physics-staff", **realm)
    has(database, "grace", physics="member", lectures="viewer", safe="member")
    assert "strong" not in database.hub_groups("grace")
    sign_on(hub, "grace")
    has(database, "grace")


def test_a_mapped_group_that_is_missing_harms_nobody_and_is_in_the_log(
    hub: RunningHub, database: Database, root: Caller
) -> None:
    sign_on(hub, "alan", "gone-staff", "physics-staff")
    has(database, "alan", physics="member")
    assert "research_groups names the research group 'no-such-group'" in hub.log_file.read_text()


def test_a_header_that_is_no_text_claims_nothing(
    hub: RunningHub, database: Database, root: Caller
) -> None:
    sign_on(hub, "joan", "physics-staff")
    has(database, "joan", physics="member")
    for value in ("(null)", "\u00ff", ";;"):
        sign_on(hub, "joan", **{"X-Sso-Groups": value})
        has(database, "joan")
        sign_on(hub, "joan", "x", " physics-staff ", "")
        has(database, "joan", physics="member")


def test_the_sign_on_never_names_a_hub_group_of_ours(
    hub: RunningHub, database: Database, root: Caller
) -> None:
    sign_on(hub, "mary", "sophon-physics-people", "sophon-accounts")
    has(database, "mary", safe="member")
    assert names.people_group("physics") not in database.hub_groups("mary")
    assert names.ALL_ACCOUNTS_GROUP not in database.hub_groups("mary")


def test_pages_and_api_say_where_a_membership_comes_from(
    hub: RunningHub, database: Database, root: Caller
) -> None:
    browser = sign_on(hub, "barbara", "physics-staff")
    has(database, "barbara", physics="member")
    members = root.expect(200, "GET", "groups/physics/members?limit=100")["items"]
    sources = {member["username"]: member["source"] for member in members}
    assert (sources["barbara"], sources["root"]) == ("sign-on", "person")
    assert next(m for m in members if m["username"] == "barbara")["added_by"] is None

    refusal = root.ask("DELETE", "groups/physics/members/barbara")
    assert refusal.status_code == 409
    assert "back at the next sign-in" in refusal.json()["detail"]
    people = "/services/sophon/groups/physics/people"
    owner = sign_on(hub, "root")
    assert "by the campus sign-on" in owner.page(people).text
    page = owner.submit(people, action="remove", username="barbara")
    assert page.status_code == 409
    assert "back at the next sign-in" in page.text
    group = browser.page("/services/sophon/groups/physics").text
    assert "You cannot leave now." in group
    assert "back at your next sign-in" in group

    events = owner.page("/services/sophon/groups/physics/events").text
    assert "added barbara as member, as the sign-on says" in events
    assert "by the hub" in events

    changed = root.expect(200, "PUT", "groups/physics/members/barbara", {"role": "viewer"})
    assert changed["source"] == "person"
    sign_on(hub, "barbara")
    root.expect(204, "DELETE", "groups/physics/members/barbara")
    assert database.memberships("barbara") == {}


def lab_status(browser: Browser, url: str) -> int:
    return browser.page(f"{url}/api/status").status_code


def test_who_is_in_the_group_enters_its_labs_and_who_is_not_any_more_does_not(
    hub: RunningHub, database: Database, root: Caller
) -> None:
    project = {"name": "Quarks", "group": "physics", "visibility": "private"}
    root.expect(201, "POST", "projects", project)
    root.expect(201, "POST", "projects/quarks/labs", {"name": "Bench"})
    root.expect(202, "POST", "projects/quarks/labs/bench/start")

    def state() -> str:
        return str(root.expect(200, "GET", "projects/quarks/labs/bench")["state"])

    wait_for(lambda: state() == "running", "the lab to run", 90)
    try:
        account = names.account_name("quarks")
        lab = f"/user/{account}/bench"
        inside = sign_on(hub, "emmy", "physics-staff")
        stranger = sign_on(hub, "mallory")
        wait_for(lambda: inside.page(f"{lab}/lab").status_code == 200, "emmy to get in", 10)
        assert lab_status(inside, lab) == 200
        assert stranger.page(f"{lab}/lab").status_code == 403
        sign_on(hub, "emmy")  # at another browser; the first one stays open
        wait_for(lambda: lab_status(inside, lab) == 403, "the door to shut", 10)
    finally:
        root.expect(202, "POST", "projects/quarks/labs/bench/stop")
        wait_for(lambda: state() == "stopped", "the lab to stop", 60)


def test_what_the_last_owner_loses_is_kept_and_logged(hub: RunningHub, database: Database) -> None:
    sign_on(hub, "nina", "islanders")
    has(database, "nina", islands="owner")
    sign_on(hub, "nina")
    wait_for(
        lambda: database.memberships("nina") == {"islands": ("owner", "person")}, "nina to stay", 10
    )
    wait_for(
        lambda: "last owner of the research group 'islands'" in hub.log_file.read_text(),
        "the administrators to be told",
        10,
    )
    history = sign_on(hub, "nina").page("/services/sophon/groups/islands/events").text
    assert "kept nina as the last owner" in history
    assert [event.detail["username"] for event in database.events("member:keep")] == ["nina"]


@pytest.mark.parametrize(
    ("authenticator", "mapping", "words"),
    [
        ("sophon-local", {"group": "physics", "role": "boss"}, "the role 'boss' is none of"),
        ("sophon-oauth", {"role": "owner"}, "names no research group"),
        ("dummy", ["physics"], "it has to be"),
    ],
)
def test_a_hub_with_a_mapping_that_cannot_be_meant_does_not_start(
    tmp_path: Path, authenticator: str, mapping: object, words: str
) -> None:
    config = f"c.SophonAuthenticatorMixin.research_groups = {{'staff': {mapping!r}}}"
    hub = RunningHub(tmp_path, config=config, authenticator=authenticator)
    assert hub.command("migrate").returncode == 0
    code, said = hub.run_to_the_end()
    assert code == 1
    assert words in said
    assert "research_groups['staff']" in said
    assert "Traceback" not in said
