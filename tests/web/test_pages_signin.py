"""Coming in: recognised people are not asked again, and nobody is sent in circles."""

from urllib.parse import quote

import pytest

from tests.web.conftest import PREFIX, Client
from tests.web.test_pages import SIGN_IN, send, soup_of

TRIED = "sophon-sign-in-tried"


def with_cookie(client: Client, text: str) -> Client:
    client.headers["Cookie"] = "; ".join(filter(None, (client.headers.get("Cookie"), text)))
    return client


def cookies_of(answer) -> dict[str, str]:
    pairs = (one.partition(";")[0].split("=", 1) for one in answer.headers.get_list("Set-Cookie"))
    return {name: value.strip('"') for name, value in pairs}


async def test_somebody_the_hub_may_know_is_asked_there_once(busy_site):
    visitor = with_cookie(busy_site.client(), "jupyterhub-session-id=abc")
    first = await visitor.get("projects")
    assert first.status == 302
    assert first.headers["Location"].startswith(SIGN_IN)
    with_cookie(visitor, f"{TRIED}={cookies_of(first)[TRIED]}")
    second = await visitor.get("projects")
    assert second.status == 200
    assert soup_of(second).select("#login")


async def test_another_session_at_the_hub_is_asked_again(busy_site):
    visitor = with_cookie(busy_site.client(), "jupyterhub-session-id=abc")
    mark = cookies_of(await visitor.get(""))[TRIED]
    other = with_cookie(busy_site.client(), f"jupyterhub-session-id=def; {TRIED}={mark}")
    assert (await other.get("")).status == 302


async def test_a_guest_is_never_sent_to_the_hub_from_a_public_page(busy_site):
    answer = await busy_site.client().get("projects/public-work")
    assert answer.status == 200
    assert TRIED not in cookies_of(answer)


async def test_a_session_that_ended_goes_through_the_hub_and_then_is_a_guest(busy_site):
    browser = busy_site.browser("ada")
    assert soup_of(await browser.get("")).h1.text == "Welcome, Ada"
    busy_site.hub.tokens.clear()
    busy_site.portal.hub_auth.cache.clear()
    first = await browser.get("")
    assert first.status == 302
    with_cookie(browser, f"{TRIED}={cookies_of(first)[TRIED]}")
    second = await browser.get("")
    assert second.status == 200
    assert soup_of(second).select("#login")


async def test_a_script_of_a_page_is_not_redirected_when_the_session_ends(busy_site):
    browser = busy_site.browser("ada")
    busy_site.hub.tokens.clear()
    busy_site.portal.hub_auth.cache.clear()
    answer = await browser.get("", headers={"HX-Request": "true"})
    assert (answer.status, answer.headers["HX-Refresh"]) == (401, "true")


async def test_a_form_of_a_session_that_ended_is_a_page_that_says_so(busy_site):
    browser = busy_site.browser("ada")
    busy_site.hub.tokens.clear()
    busy_site.portal.hub_auth.cache.clear()
    answer = await send(browser, "groups/new", name="x")
    assert answer.status == 401
    assert soup_of(answer).h1.text == "Please sign in"


async def test_whoever_is_recognised_may_be_asked_again_later(busy_site):
    browser = with_cookie(busy_site.browser("ada"), f"{TRIED}=whatever")
    assert cookies_of(await browser.get(""))[TRIED] == ""


async def test_wrong_credentials_in_a_header_are_no_redirect(busy_site):
    answer = await busy_site.bearing("nonsense").get("projects")
    assert answer.status == 401
    assert "revoked" in soup_of(answer).main.text


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        (f"{PREFIX}groups", f"{PREFIX}groups"),
        ("https://elsewhere.example/", PREFIX),
        ("//elsewhere.example/", PREFIX),
        (f"{PREFIX}\\\\elsewhere", PREFIX),
        ("/hub/logout", PREFIX),
        ("", PREFIX),
    ],
)
async def test_after_signing_in_one_comes_back_to_pages_of_the_portal_only(
    busy_site, wanted, place
):
    answer = await busy_site.client("ada").get(f"login?next={quote(wanted, safe='')}")
    assert (answer.status, answer.headers["Location"]) == (302, place)


async def test_signing_out_forgets_the_session_and_goes_to_the_hub(busy_site):
    answer = await busy_site.browser("ada").get("logout")
    assert (answer.status, answer.headers["Location"]) == (302, "/hub/logout")
    assert cookies_of(answer)["service-sophon"] == ""


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=forged", "?error=denied"])
async def test_a_sign_in_that_was_not_begun_here_is_not_finished(busy_site, query):
    answer = await busy_site.client().get(f"oauth_callback{query}")
    assert answer.status in {400, 403}
    assert "not finished" in soup_of(answer).main.text


async def test_when_the_hub_is_down_pages_say_so(busy_site):
    ada = busy_site.client("ada")
    with busy_site.without_hub():
        answer = await ada.get("projects")
    assert answer.status == 503
    assert soup_of(answer).h1.text == "This is not possible right now"
    assert answer.headers["Retry-After"]
