"""Sign-in with OpenID Connect in a real Hub, with a real provider that is another process."""

import json
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from html import unescape
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
from openid_provider import ADA, CLIENT_ID, LOGIN, Provider
from running import Browser, RunningHub
from traitlets.config import Config

from sophon_hub.authenticator.oauth import NO_ANSWER, UNREADABLE, SophonOAuthenticator
from sophon_hub.authenticator.oauth_handlers import DENIED, EXPIRED, REFUSED
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

STATE_COOKIE = "oauthenticator-state"
ALLOWED = """
c.Authenticator.manage_groups = True
c.SophonOAuthenticator.allowed_groups = {"maths", "chess"}
c.SophonOAuthenticator.admin_groups = {"wheel"}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[RunningHub]:
    config = provider.config() + ALLOWED
    hub = RunningHub(tmp_path_factory.mktemp("oauth"), config=config, authenticator="sophon-oauth")
    hub.start()
    yield hub
    hub.end()


@pytest.fixture
def browser(hub: RunningHub, provider: Provider) -> Iterator[Browser]:
    provider.claims = dict(ADA)
    yield hub.browser()
    provider.prepare()


def groups_of(hub: RunningHub, username: str) -> set[str]:
    with sqlite3.connect(f"file:{hub.data}/jupyterhub.sqlite?mode=ro", uri=True) as database:
        rows = database.execute(
            "select groups.name from groups join user_group_map on group_id = groups.id"
            " join users on users.id = user_id where users.name = ?",
            [username],
        ).fetchall()
    return {name for (name,) in rows}


def assert_not_signed_in(
    browser: Browser, answer: requests.Response, status: int, sentence: str
) -> None:
    """A page that says why, and leads to another attempt."""
    assert answer.status_code == status, answer.text
    assert "You are not signed in" in answer.text
    assert sentence in answer.text
    assert "Sign in again" in answer.text
    assert browser.name() is None


# who gets in, and as whom -----------------------------------------------------------------


def test_the_login_page_leads_to_the_provider(browser: Browser) -> None:
    page = browser.page("/hub/login").text
    assert "Sign in with the campus" in page
    assert LOGIN in page


def test_the_hub_asks_with_state_and_pkce(browser: Browser) -> None:
    asked = [parse_qs(urlsplit(browser.page(LOGIN).url).query) for _ in range(2)]
    for query in asked:
        assert query["response_type"] == ["code"]
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"] == [f"{browser.origin}/hub/oauth_callback"]
    for name in ("state", "code_challenge"):
        assert asked[0][name] != asked[1][name]


def test_a_person_signs_in_with_name_and_groups(
    browser: Browser, hub: RunningHub, provider: Provider
) -> None:
    assert provider.sign_in(browser).status_code == 200
    assert browser.name() == "ada"
    assert groups_of(hub, "ada") == {"maths"}
    provider.claims["groups"] = ["chess", "sophon-accounts", "sophon-engines-people", 7]
    again = hub.browser()
    provider.sign_in(again)
    assert again.name() == "ada"
    assert groups_of(hub, "ada") == {"chess"}
    provider.claims["groups"] = "maths"  # how some providers write that there is only one
    provider.sign_in(hub.browser())
    assert groups_of(hub, "ada") == {"maths"}


def test_who_is_in_none_of_the_allowed_groups_any_longer_is_refused(
    browser: Browser, hub: RunningHub, provider: Provider
) -> None:
    provider.claims |= {"sub": "2", "preferred_username": "eve", "groups": ["maths"]}
    provider.sign_in(browser)
    assert browser.name() == "eve"
    for groups in (["guests"], [], None, "guests", "a maths"):
        provider.claims["groups"] = groups
        later = hub.browser()
        assert_not_signed_in(later, provider.sign_in(later), 403, "not currently authorized")
    del provider.claims["groups"]
    later = hub.browser()
    assert_not_signed_in(later, provider.sign_in(later), 403, "not currently authorized")


def test_administrators_are_who_the_provider_says_at_each_sign_in(
    browser: Browser, hub: RunningHub, provider: Provider
) -> None:
    provider.claims |= {"sub": "3", "preferred_username": "grace"}
    seen = []
    for groups in (["maths"], ["wheel"], ["maths"]):
        provider.claims["groups"] = groups
        browser = hub.browser()
        provider.sign_in(browser)
        me = browser.page("/services/sophon/api/v1/me").json()
        assert me["username"] == "grace"
        seen.append((browser.page("/hub/admin").status_code, me["admin"]))
    assert seen == [(403, False), (200, True), (403, False)]


@pytest.mark.parametrize("name", ["project-x", "tmp-1", "Project-X"])
def test_names_of_the_hub_are_refused(browser: Browser, provider: Provider, name: str) -> None:
    provider.claims["preferred_username"] = name
    assert_not_signed_in(browser, provider.sign_in(browser), 403, "belong to the hub")


def test_a_refusal_at_the_provider_is_a_sentence(browser: Browser, provider: Provider) -> None:
    assert_not_signed_in(browser, provider.deny(browser), 403, DENIED)
    provider.sign_in(browser)
    assert browser.name() == "ada"


def test_words_that_others_put_into_an_address_are_not_shown(browser: Browser) -> None:
    claim = urlencode({"error": "trouble", "error_description": "Call 555-1234 now"})
    answer = browser.page(f"/hub/oauth_callback?{claim}")
    assert_not_signed_in(browser, answer, 403, REFUSED)
    assert "555" not in answer.text


# where people land ------------------------------------------------------------------------


def test_people_land_where_they_wanted_to_go(browser: Browser, provider: Provider) -> None:
    wanted = "/hub/token?from=here"
    answer = provider.sign_in(browser, f"{LOGIN}?{urlencode({'next': wanted})}")
    assert answer.url == browser.origin + wanted


def test_where_people_wanted_to_go_outlives_a_failed_attempt(
    browser: Browser, provider: Provider
) -> None:
    wanted = "/hub/token?from=here"
    refused = provider.deny(browser, f"{LOGIN}?{urlencode({'next': wanted})}")
    (again,) = re.findall(r'href="(/hub/login\?[^"]*)"', refused.text)
    page = browser.page(unescape(again))
    (button,) = re.findall(r'href="(/hub/oauth_login\?[^"]*)"', page.text)
    assert provider.sign_in(browser, unescape(button)).url == browser.origin + wanted


def test_a_page_of_the_portal_that_asks_for_a_sign_in_is_returned_to(
    browser: Browser, provider: Provider
) -> None:
    page = browser.page("/services/sophon/groups/new")
    assert "/hub/login" in page.url
    login = urlsplit(page.url)
    answer = provider.sign_in(browser, f"{LOGIN}?{login.query}")
    assert answer.url == f"{browser.origin}/services/sophon/groups/new"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/x",
        "//evil.test/x",
        "/\\evil.test/x",
        "\\\\evil.test/x",
        "/\t/evil.test/x",
        "https:///evil.test/x",
        "javascript:alert(1)",
    ],
)
def test_nobody_is_led_elsewhere(browser: Browser, provider: Provider, elsewhere: str) -> None:
    url = provider.callback(browser, f"{LOGIN}?{urlencode({'next': elsewhere})}")
    answer = browser.get(url, allow_redirects=False, timeout=30)
    assert answer.status_code == 302
    goal = answer.headers["Location"]
    assert goal.startswith("/")
    assert not goal.startswith(("//", "/\\"))
    assert browser.name() == "ada"


# what is not a sign-in of this browser, now ------------------------------------------------


def test_a_state_of_another_browser_is_refused(
    browser: Browser, hub: RunningHub, provider: Provider
) -> None:
    url = provider.callback(browser)
    for victim in (hub.browser(), hub.browser()):
        assert_not_signed_in(victim, victim.get(url, timeout=30), 403, EXPIRED)
        victim.page(LOGIN)  # has begun a sign-in of its own
        assert_not_signed_in(victim, victim.get(url, timeout=30), 403, EXPIRED)
    browser.get(url, timeout=30)
    assert browser.name() == "ada"


@pytest.mark.parametrize("state", [None, "", "x", "é", "W10=", "e30=", "eyJzdGF0ZV9pZCI6IDF9"])
def test_a_wrong_or_missing_state_is_refused(
    browser: Browser, provider: Provider, state: str | None
) -> None:
    url = urlsplit(provider.callback(browser))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    query.pop("state")
    wrong = query if state is None else query | {"state": state}
    answer = browser.get(url._replace(query=urlencode(wrong)).geturl(), timeout=30)
    assert_not_signed_in(browser, answer, 403, EXPIRED)


def test_a_browser_that_lost_its_cookies_begins_again(browser: Browser, provider: Provider) -> None:
    url = provider.callback(browser)
    browser.cookies.clear()
    assert_not_signed_in(browser, browser.get(url, timeout=30), 403, EXPIRED)


def test_a_code_counts_once(browser: Browser, hub: RunningHub, provider: Provider) -> None:
    url = provider.callback(browser)
    cookie = browser.cookies.get(STATE_COOKIE)
    browser.get(url, timeout=30)
    assert browser.name() == "ada"
    thief = hub.browser()
    thief.cookies.set(STATE_COOKIE, cookie, path="/hub/")
    assert_not_signed_in(thief, thief.get(url, timeout=30), 403, EXPIRED)


def test_a_code_counts_only_for_its_verifier(
    browser: Browser, hub: RunningHub, provider: Provider
) -> None:
    first, second = provider.callback(browser), provider.callback(hub.browser())
    code = parse_qs(urlsplit(second).query)["code"][0]
    stolen = first.replace(parse_qs(urlsplit(first).query)["code"][0], code)
    assert_not_signed_in(browser, browser.get(stolen, timeout=30), 403, EXPIRED)


def test_a_code_that_has_expired_is_refused(browser: Browser, provider: Provider) -> None:
    url = provider.callback(browser)
    provider.expire_codes()
    assert_not_signed_in(browser, browser.get(url, timeout=30), 403, EXPIRED)
    provider.sign_in(browser)
    assert browser.name() == "ada"


# a provider that fails --------------------------------------------------------------------


TOKEN = json.dumps({"access_token": "x", "token_type": "Bearer"})


@pytest.mark.parametrize(
    ("answers", "status", "sentence"),
    [
        ({"token": (500, "broken")}, 503, NO_ANSWER),
        ({"userinfo": (503, "busy")}, 503, NO_ANSWER),
        ({"token": (401, '{"error": "invalid_client"}')}, 403, EXPIRED),
        ({"userinfo": (401, "{}")}, 403, EXPIRED),
        ({"token": (200, TOKEN)}, 403, EXPIRED),  # a token that the provider does not know
        ({"token": (200, "<html>")}, 502, UNREADABLE),
        ({"token": (200, "")}, 502, UNREADABLE),
        ({"token": (200, "{}")}, 502, UNREADABLE),
        ({"token": (200, '{"access_token": "x"}')}, 502, UNREADABLE),
        ({"userinfo": (200, "[]")}, 502, UNREADABLE),
        ({"userinfo": (200, "")}, 502, UNREADABLE),
        ({"userinfo": (200, '{"name": "Nobody"}')}, 502, UNREADABLE),
        ({"userinfo": (200, '{"preferred_username": 7}')}, 502, UNREADABLE),
    ],
)
def test_a_provider_that_fails_is_a_sentence(
    browser: Browser,
    provider: Provider,
    answers: dict[str, tuple[int, str]],
    status: int,
    sentence: str,
) -> None:
    provider.prepare(**answers)
    assert_not_signed_in(browser, provider.sign_in(browser), status, sentence)
    provider.prepare()
    provider.sign_in(browser)
    assert browser.name() == "ada"


def test_a_provider_that_is_away_is_a_sentence(browser: Browser, provider: Provider) -> None:
    url = provider.callback(browser)
    provider.end()
    try:
        assert_not_signed_in(browser, browser.get(url, timeout=30), 503, NO_ANSWER)
    finally:
        provider.start()
    provider.sign_in(browser)
    assert browser.name() == "ada"


# claims in the ID token -------------------------------------------------------------------


@pytest.fixture(scope="module")
def token_hub(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[RunningHub]:
    """A hub that reads who it is from the ID token."""
    config = provider.config() + ALLOWED
    config += "c.SophonOAuthenticator.userdata_from_id_token = True\n"
    config += 'c.SophonOAuthenticator.userdata_url = ""\n'
    hub = RunningHub(tmp_path_factory.mktemp("id"), config=config, authenticator="sophon-oauth")
    hub.start()
    yield hub
    hub.end()


def id_token(provider: Provider, **changes: Any) -> str:
    """Whom the provider signed in, as it sends it when ``changes`` are made."""
    now = int(time.time())
    claims = ADA | {"iss": provider.url, "aud": CLIENT_ID, "iat": now, "exp": now + 600} | changes
    return jwt.encode(claims, "a-key-that-is-long-enough-for-hs256")


def test_the_id_token_may_say_who_it_is(
    token_hub: RunningHub, browser: Browser, provider: Provider
) -> None:
    here = token_hub.browser()
    provider.sign_in(here)
    assert here.name() == "ada"
    assert groups_of(token_hub, "ada") == {"maths"}


@pytest.mark.parametrize(
    "changes", [{"aud": "another"}, {"exp": 1}, {"preferred_username": None}, None]
)
def test_an_id_token_that_is_not_good_is_refused(
    token_hub: RunningHub, browser: Browser, provider: Provider, changes: dict[str, Any] | None
) -> None:
    here, answer = token_hub.browser(), json.loads(TOKEN)
    answer["id_token"] = id_token(provider)
    provider.prepare(token=(200, json.dumps(answer)))
    provider.sign_in(here)
    assert here.name() == "ada"
    there = token_hub.browser()
    answer["id_token"] = "not.a.token" if changes is None else id_token(provider, **changes)
    provider.prepare(token=(200, json.dumps(answer)))
    failed = provider.sign_in(there)
    assert_not_signed_in(there, failed, 502, UNREADABLE)
    assert answer["id_token"] not in failed.text
    assert answer["id_token"] not in token_hub.log_file.read_text()


# while somebody is signed in --------------------------------------------------------------


@pytest.fixture(scope="module")
def refreshing_hub(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider
) -> Iterator[RunningHub]:
    """A hub that asks the provider again every second."""
    config = provider.config() + ALLOWED
    config += "c.Authenticator.enable_auth_state = True\nc.Authenticator.auth_refresh_age = 1\n"
    directory = tmp_path_factory.mktemp("refresh")
    hub = RunningHub(directory, config=config, authenticator="sophon-oauth")
    hub.environment["JUPYTERHUB_CRYPT_KEY"] = secrets.token_hex(32)
    hub.start()
    yield hub
    hub.end()


def test_groups_follow_the_provider_while_somebody_is_signed_in(
    refreshing_hub: RunningHub, browser: Browser, provider: Provider
) -> None:
    here = refreshing_hub.browser()
    provider.sign_in(here)
    assert groups_of(refreshing_hub, "ada") == {"maths"}
    provider.claims["groups"] = ["maths", "chess"]
    provider.tell()

    def groups_now() -> set[str]:
        assert here.name() == "ada"
        return groups_of(refreshing_hub, "ada")

    wait_for(lambda: groups_now() == {"maths", "chess"}, "the new group")


def test_a_provider_that_is_away_ends_no_session_and_one_that_refuses_does(
    refreshing_hub: RunningHub, browser: Browser, provider: Provider
) -> None:
    here = refreshing_hub.browser()
    provider.sign_in(here)

    def refused(sentence: str) -> bool:
        page = here.page("/hub/home")
        assert page.status_code == 200
        assert here.name() == "ada"
        return refreshing_hub.log_file.read_text().count(sentence) > before

    for answers, sentence in (
        ({"userinfo": (503, "busy")}, "HTTP 503"),
        ({"userinfo": (200, "<html>")}, "JSONDecodeError"),
        ({"userinfo": (200, "{}")}, "No preferred_username"),
    ):
        before = refreshing_hub.log_file.read_text().count(sentence)
        provider.prepare(**answers)
        wait_for(partial(refused, sentence), f"the hub to see {answers}")
    provider.prepare(userinfo=(401, "{}"), token=(400, '{"error": "invalid_grant"}'))
    wait_for(
        lambda: (
            here.get(f"{here.origin}/hub/home", allow_redirects=False, timeout=30).status_code
            == 302
        ),
        "the session to end",
    )


async def test_a_refresh_keeps_research_groups_and_the_name(
    sqlite_engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    authenticator: Any = SophonOAuthenticator(
        config=Config({"Sophon": {"data_dir": str(tmp_path)}}), manage_groups=True
    )
    authenticator.engine = sqlite_engine
    authenticator.enable_auth_state = True
    authenticator.userdata_url = "https://provider.test/userinfo"
    authenticator.username_claim = "preferred_username"
    authenticator.auth_state_groups_key = "oauth_user.groups"

    async def claims(_token: Any) -> Any:
        return {**ADA, "groups": ["chess", "sophon-other-people"]}

    async def state() -> Any:
        return {"token_response": {"access_token": "x", "token_type": "Bearer"}}

    monkeypatch.setattr(authenticator, "token_to_user", claims)
    groups = [SimpleNamespace(name=name) for name in ("sophon-engines-people", "maths")]
    user = SimpleNamespace(name="ada", admin=False, groups=groups, get_auth_state=state)
    model = await authenticator.refresh_user(user)
    assert model["groups"] == ["chess", "sophon-engines-people"]
    assert model["user_info"]["display_name"] == "Ada Lovelace"
    assert model["user_info"]["initials"] == "AL"
