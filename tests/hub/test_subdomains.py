"""A real Hub behind TLS, where everybody's servers have a domain of their own: no browser yet."""

from collections.abc import Iterator
from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

import jupyterhub.apihandlers
import jupyterhub.handlers
import pytest
import requests
from running import Browser, RunningHub, free_ports

from sophon_hub import names
from tests.tls import LOCAL_DOMAIN as DOMAIN
from tests.tls import domain_is_here, write_certificate
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

ODD_NAME = "ada.l@example.edu"
TLS = """
c.JupyterHub.ssl_cert = "{}"
c.JupyterHub.ssl_key = "{}"
"""
ROUTES = [*jupyterhub.handlers.default_handlers, *jupyterhub.apihandlers.default_handlers]
WITHOUT_NAMES = sorted({pattern.rstrip("$") for pattern, *_ in ROUTES if "(" not in pattern})
MORE = ["/accounts", "/change-password", "/no-such-page", "/user/no-such/lab", "/error/503"]
MORE += ["/api/users/no-such", "/static/js/darkmode.js", "/static/css/style.min.css"]
NO_HEADERS_OF_ITS_OWN = {"/logo"}
"""A picture; Tornado's handler for one file takes no headers."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("subdomains")
    certificate, key = write_certificate(directory)
    port = free_ports()
    hub = RunningHub(
        directory,
        origin=f"https://{DOMAIN}",
        config=TLS.format(certificate, key),
        subdomain_host=f"https://{DOMAIN}:{port}",
        port=str(port),
    )
    hub.certificate = certificate
    with domain_is_here():
        try:
            hub.start()
            yield hub
        finally:
            hub.end()


@pytest.fixture(scope="module")
def admin(hub: RunningHub) -> Browser:
    browser = hub.browser()
    assert browser.sign_in("admin", hub.admin_password()).status_code == 302
    assert browser.name() == "admin"
    return browser


def cookies_of(answer: requests.Response) -> list[Morsel[str]]:
    lines = answer.raw.headers.getlist("Set-Cookie")
    return [morsel for line in lines for morsel in SimpleCookie(line).values()]


def check_cookies(answer: requests.Response) -> set[str]:
    """Names of the cookies of an answer, each of which is for https and for its host only."""
    kept = [cookie for cookie in cookies_of(answer) if cookie.value]
    for cookie in kept:
        assert cookie["secure"], cookie
        assert cookie["samesite"] == "Lax", cookie
        # the id of a session is the one thing that all share, so that signing out ends all
        assert cookie["domain"] == (DOMAIN if cookie.key == "jupyterhub-session-id" else "")
        if cookie.key.startswith("jupyterhub-"):
            assert cookie.key == "jupyterhub-session-id"
    return {cookie.key for cookie in kept}


@pytest.mark.parametrize("who", ["admin", "guest"])
@pytest.mark.parametrize("path", [*WITHOUT_NAMES, *MORE])
def test_every_address_of_the_hub_says_what_browsers_may_do(
    hub: RunningHub, admin: Browser, who: str, path: str
) -> None:
    if path in {"/logout", "/spawn"}:
        browser = hub.browser()  # the one ends the session of other tests, the other starts a lab
    else:
        browser = admin if who == "admin" else hub.browser()
    answer = browser.page(f"/hub{path}", allow_redirects=False)
    check_cookies(answer)
    if path in NO_HEADERS_OF_ITS_OWN:
        return
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if path.startswith("/static/"):
        assert answer.status_code == 200
        return
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = dict(
        (*part.strip().split(" ", 1), "")[:2]
        for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["frame-ancestors"] == "'none'"
    if "script-src" in policy:
        assert "unsafe" not in policy["script-src"]
        assert policy["object-src"] == policy["base-uri"] == "'none'"
    else:
        assert path.startswith("/api/")
        assert policy["default-src"] == "'none'"


def test_scripts_of_a_page_carry_the_word_of_its_policy_and_each_page_has_another(
    admin: Browser,
) -> None:
    seen = set()
    for path in ("home", "token", "admin", "home", "no-such-page"):
        answer = admin.page(f"/hub/{path}")
        policy = answer.headers["Content-Security-Policy"]
        word = policy.partition("'nonce-")[2].partition("'")[0]
        assert answer.text.count("<script") == answer.text.count(f'nonce="{word}"') > 2
        seen.add(word)
    assert len(seen) == 5


def test_the_session_is_kept_in_cookies_that_no_lab_can_plant(hub: RunningHub) -> None:
    browser = hub.browser()
    answer = browser.sign_in("admin", hub.admin_password())
    names_set = check_cookies(answer)
    assert {"__Host-jupyterhub-hub-login", "jupyterhub-session-id", "_xsrf"} <= names_set
    assert all(cookie["httponly"] for cookie in cookies_of(answer) if cookie.value)
    # and the portal's, on the way through its sign-in
    visited = browser.page("/services/sophon/groups/new")
    assert visited.status_code == 200
    kept = {name for one in visited.history for name in check_cookies(one)}
    assert "__Host-service-sophon" in kept


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("https://grace.{domain}:{port}/user/grace/lab?x=1", "/user/grace/lab?x=1"),
        ("https://{domain}:{port}/services/sophon/groups", "/services/sophon/groups"),
        ("/services/sophon/groups", "/services/sophon/groups"),
        ("https://elsewhere.test/user/grace/lab", "/services/sophon/"),
        ("https://{domain}.elsewhere.test:{port}/", "/services/sophon/"),
        ("//elsewhere.test/", "/services/sophon/"),
    ],
)
def test_after_signing_in_one_comes_to_a_lab_and_never_elsewhere(
    hub: RunningHub, admin: Browser, wanted: str, place: str
) -> None:
    asked = quote(wanted.format(domain=DOMAIN, port=hub.port), safe="")
    answer = admin.page(f"/hub/login?next={asked}", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, place)


def api(admin: Browser, method: str, path: str, **options: Any) -> requests.Response:
    """A request to the Hub's API as its pages send them."""
    word = next(c.value for c in admin.cookies if c.name == "_xsrf" and c.path == "/hub/")
    headers = {"X-XSRFToken": str(word), "Sec-Fetch-Mode": "cors"}
    address = f"{admin.origin}/hub/api/{path}"
    return admin.request(method, address, headers=headers, timeout=60, **options)


def running_lab(admin: Browser, user: str) -> dict[str, Any] | None:
    """What the Hub says of somebody's own lab, once it is ready."""
    lab = api(admin, "GET", user).json()["servers"].get("", {})
    return lab if lab.get("ready") else None


def test_an_odd_name_has_a_domain_too_and_its_lab_keeps_to_itself(
    hub: RunningHub, admin: Browser
) -> None:
    user = f"users/{quote(ODD_NAME)}"
    assert api(admin, "POST", user).status_code == 201
    assert api(admin, "POST", f"{user}/server").status_code in (201, 202)
    try:
        server = wait_for(lambda: running_lab(admin, user), "the lab to run")
        address = urlsplit(server["url"])
        assert address.netloc == f"{names.host_label(ODD_NAME)}.{DOMAIN}:{hub.port}"
        assert address.path == f"/user/{ODD_NAME}/"

        stranger = hub.browser()
        answer = stranger.get(server["url"] + "lab", timeout=30, allow_redirects=False)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(f"{hub.url}/hub/api/oauth2/authorize?")
        assert [name for name in check_cookies(answer) if name.startswith("__Host-")]
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        # the same path is nowhere else
        nowhere = stranger.get(hub.url + address.path + "lab", timeout=30, allow_redirects=False)
        assert nowhere.headers["Location"].startswith(f"{hub.url}/hub/user/")
    finally:
        api(admin, "DELETE", f"{user}/server")
        wait_for(lambda: api(admin, "GET", user).json()["servers"] == {}, "the lab to end")


def test_the_first_page_is_the_portal_and_a_number_in_the_address_leads_to_it(
    hub: RunningHub, admin: Browser
) -> None:
    assert admin.page("/").url == f"{hub.url}/services/sophon/"
    by_number = f"https://127.0.0.1:{hub.port}/"
    answer = hub.browser().get(by_number, timeout=30, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{hub.url}/")


def test_crawlers_find_their_file_at_the_hubs_own_domain(hub: RunningHub) -> None:
    page = hub.browser().page("/robots.txt")
    assert page.status_code == 200
    assert "Disallow: /services/sophon/try\n" in page.text
