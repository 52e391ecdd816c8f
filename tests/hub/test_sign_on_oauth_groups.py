"""Research groups from the claims of an OAuth provider, at the sign-in and at a refresh."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from running import RunningHub
from sign_on_world import Database
from test_oauth import ADA, Provider
from traitlets.config import Config

from sophon_hub import names
from sophon_hub.authenticator.oauth import SophonOAuthenticator
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

MAPPING = """
c.SophonAuthenticatorMixin.research_groups = {
    "staff": "physics",
    "heads": {"group": "physics", "role": "owner"},
    "sophon-accounts": "maths",
}
"""
ROLES = f"""
c.SophonOAuthenticator.auth_state_groups_key = "oauth_user.resource_access.roles"
{MAPPING}
"""
GROUPS = f"""
c.Authenticator.manage_groups = True
{MAPPING}
"""
REFRESHING = """
c.Authenticator.enable_auth_state = True
c.Authenticator.auth_refresh_age = 1
"""


def claims(provider: Provider, *groups: str) -> None:
    """What the provider says from now on, in both places where the hubs here look."""
    provider.claims = ADA | {"groups": [*groups], "resource_access": {"roles": [*groups]}}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.shutdown()
    provider.server_close()


@pytest.fixture(scope="module", params=[ROLES, GROUPS], ids=["no hub groups", "managed groups"])
def hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, provider: Provider
) -> Iterator[RunningHub]:
    config = f"""
{request.param}{REFRESHING}
c.SophonOAuthenticator.allow_all = True
c.SophonOAuthenticator.client_id = "sophon"
c.SophonOAuthenticator.client_secret = "client-secret"
c.SophonOAuthenticator.authorize_url = "{provider.url}/authorize"
c.SophonOAuthenticator.token_url = "{provider.url}/token"
c.SophonOAuthenticator.userdata_url = "{provider.url}/userinfo"
c.SophonOAuthenticator.username_claim = "preferred_username"
"""
    if request.param is GROUPS:
        config += 'c.SophonOAuthenticator.auth_state_groups_key = "oauth_user.groups"\n'
    hub = RunningHub(tmp_path_factory.mktemp("oauth"), config=config, authenticator="sophon-oauth")
    hub.environment["JUPYTERHUB_CRYPT_KEY"] = secrets.token_hex(32)
    hub.start()
    database = Database(hub)
    database.add_group("physics")
    database.add_group("maths")
    yield hub
    hub.end()


@pytest.fixture
def database(hub: RunningHub) -> Database:
    return Database(hub)


def has(database: Database, **wanted: str) -> None:
    expected = {slug: (role, "sign-on") for slug, role in wanted.items()}
    wait_for(lambda: database.memberships("ada") == expected, f"ada in {wanted}", 15)


def test_claims_become_memberships_at_the_sign_in(
    hub: RunningHub, provider: Provider, database: Database
) -> None:
    claims(provider, "staff", "chess")
    browser = hub.browser()
    browser.page("/hub/oauth_login")
    assert browser.name() == "ada"
    has(database, physics="member")
    claims(provider, "sophon-accounts")
    hub.browser().page("/hub/oauth_login")
    has(database, maths="member")
    assert names.ALL_ACCOUNTS_GROUP not in database.hub_groups("ada")
    claims(provider)
    hub.browser().page("/hub/oauth_login")
    has(database)


def test_a_refresh_follows_the_claims_without_a_new_sign_in(
    hub: RunningHub, provider: Provider, database: Database
) -> None:
    claims(provider)
    browser = hub.browser()
    browser.page("/hub/oauth_login")
    has(database)
    before = len(database.events("person:sign-in"))

    def sees(**wanted: str) -> None:
        expected = {slug: (role, "sign-on") for slug, role in wanted.items()}

        def look() -> bool:
            assert browser.name() == "ada"
            return database.memberships("ada") == expected

        wait_for(look, f"ada in {wanted}", 15)

    claims(provider, "staff")
    sees(physics="member")
    claims(provider, "heads", "staff")
    sees(physics="owner")
    assert len(database.events("person:sign-in")) == before
    assert "Traceback" not in hub.log_file.read_text()


def test_signing_out_is_recorded(hub: RunningHub, provider: Provider, database: Database) -> None:
    claims(provider)
    browser = hub.browser()
    browser.page("/hub/oauth_login")
    before = len(database.events("person:sign-out"))
    browser.page("/hub/logout")
    assert [event.subject for event in database.events("person:sign-out")[before:]] == ["ada"]


def made(tmp_path: Any, **traits: Any) -> Any:
    return SophonOAuthenticator(config=Config({"Sophon": {"data_dir": str(tmp_path)}}), **traits)


def test_a_claim_for_research_groups_needs_no_managed_hub_groups(tmp_path: Any) -> None:
    mapping = {"staff": "physics"}
    made(tmp_path, auth_state_groups_key="oauth_user.roles", research_groups=mapping)
    for trait, value in {"allowed_groups": {"staff"}, "admin_groups": {"staff"}}.items():
        with pytest.raises(ValueError, match="manage_groups"):
            made(tmp_path, research_groups=mapping, **{trait: value})
    with pytest.raises(ValueError, match="manage_groups"):
        made(tmp_path, auth_state_groups_key="oauth_user.roles")


async def test_a_claim_that_is_missing_or_no_list_is_no_group(tmp_path: Any) -> None:
    authenticator = made(tmp_path, research_groups={"staff": "physics"})
    for user in ({"groups": ["staff"]}, {}, {"groups": None}, {"groups": 7}):
        claimed = await authenticator.claimed_groups({"auth_state": {"oauth_user": user}})
        assert list(claimed) == (["staff"] if user.get("groups") == ["staff"] else [])


async def test_a_refresh_that_changes_nothing_writes_nothing(
    tmp_path: Any, sqlite_engine: Any
) -> None:
    authenticator = made(tmp_path, research_groups={"staff": "physics"})
    authenticator.engine = sqlite_engine
    records = authenticator.records
    records.accepted("ada", "Ada Lovelace", {"physics": "member"}, admin=False)

    with sqlite_engine.connect() as watching:

        def version() -> Any:
            watching.rollback()
            return watching.exec_driver_sql("PRAGMA data_version").scalar()

        before = version()
        for name, groups in (("Ada Lovelace", {"physics": "member"}), (None, None)):
            assert records.refreshed("ada", name, groups, admin=False) == "Ada Lovelace"
        assert version() == before
        records.refreshed("ada", None, {}, admin=False)
        assert version() != before
