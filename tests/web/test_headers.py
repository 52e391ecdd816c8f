"""What every answer tells browsers, how they are to keep cookies, and hosts that are not ours."""

from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine

from sophon_hub.settings import Sophon
from tests.web import world
from tests.web.access_matrix import MATRIX
from tests.web.conftest import PREFIX, Answer, Client, Site, load, serving, xsrf_of
from tests.web.test_pages import LAB, PRIVATE

DOMAIN = "hub.example.edu"
LABS = f"project-private-work.{DOMAIN}"
WALK = [(f"GET {case.path}", "GET", case.path) for case in PRIVATE.values()]
WALK += [
    (
        name,
        name.split()[0],
        "api/v1/"
        + (case.path or name.split()[1].lstrip("/")).format(v="private", self="ada").lstrip("/"),
    )
    for name, case in MATRIX.items()
]
WALK += [
    (path, "GET", path) for path in ("no-such-page", "api/v1/no-such", "oauth_callback?code=x")
]


@pytest.fixture(scope="module")
async def https_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A portal whose labs have domains of their own."""
    directory = str(tmp_path_factory.mktemp("portal"))
    async with serving(Sophon(data_dir=directory, subdomain_host=f"https://{DOMAIN}")) as site:
        yield site


@pytest.fixture
async def https_site(https_server: Site, module_engine: Engine, populated: Path) -> Site:
    """The same, with `tests.web.world` in its database."""
    load(module_engine, populated)
    https_server.reset(module_engine)
    return https_server


def at(client: Client, host: str = DOMAIN) -> Client:
    """The client, at a host."""
    client.headers["Host"] = host
    return client


def directives(answer: Answer) -> dict[str, str]:
    parts = (
        part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";")
    )
    return {name: value for name, _, value in parts}


def cookies(answer: Answer) -> list[Morsel[str]]:
    return [
        morsel
        for line in answer.headers.get_list("Set-Cookie")
        for morsel in SimpleCookie(line).values()
        if morsel.value
    ]


@pytest.mark.parametrize("who", ["guest", "ada"])
@pytest.mark.parametrize(
    ("method", "path"), [one[1:] for one in WALK], ids=[one[0] for one in WALK]
)
async def test_no_answer_may_be_framed_guessed_at_or_named_to_others(busy_site, method, path, who):
    client = busy_site.client() if who == "guest" else busy_site.browser(who)
    answer = await client.request(method, path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    policy = directives(answer)
    assert policy["frame-ancestors"] == "'none'"
    if path.startswith("api/"):
        assert policy["default-src"] == "'none'"
    else:
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "unsafe" not in policy["script-src"]
        assert policy["object-src"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"


@pytest.mark.parametrize("path", ["static/sophon.css", "static/sophon.js", "static/logo.svg"])
async def test_files_are_taken_for_what_they_are(busy_site, path):
    answer = await busy_site.client().get(path)
    assert (answer.status, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")


async def cookies_of_a_visit(site: Site) -> list[Morsel[str]]:
    """All that a browser is given: by a page, at the sign-in, with a message, in doubt."""
    guest, ada = at(site.client()), at(site.browser("ada"))
    stranger = at(site.client())
    stranger.headers["Cookie"] = "jupyterhub-session-id=abc"
    page = await ada.get("groups/new")
    made = await ada.post(
        "groups/new",
        body=urlencode(
            {"_xsrf": xsrf_of(ada), "name": "A group", "visibility": "private"}
        ).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (page.status, made.status) == (200, 303), made.text
    answers = [await guest.get(""), await guest.get("login"), await stranger.get(""), made]
    given = [cookie for answer in answers for cookie in cookies(answer)]
    assert len({cookie.key.removeprefix("__Host-") for cookie in given}) >= 4, given
    return given


async def test_cookies_are_never_for_scripts_or_other_sites(busy_site):
    for cookie in await cookies_of_a_visit(busy_site):
        assert cookie["httponly"], cookie
        assert cookie["samesite"] == "Lax", cookie
        assert not cookie["secure"], "on loopback without TLS they would be lost"


async def test_behind_https_cookies_are_secure_and_those_of_sessions_cannot_be_planted(https_site):
    given = await cookies_of_a_visit(https_site)
    assert [cookie for cookie in given if cookie.key.startswith("__Host-")]
    for cookie in given:
        assert cookie["secure"], cookie
        assert cookie["httponly"], cookie
        assert cookie["samesite"] == "Lax", cookie
        assert not cookie["domain"], cookie
        if cookie.key.startswith("__Host-"):
            assert cookie["path"] == "/"
        else:
            assert "service-sophon" not in cookie.key


async def test_a_lab_opens_at_its_own_domain_and_forms_may_lead_there(https_site):
    with https_site.rows() as session:
        world.corner(session, "private").lab.state = "running"
    ada = at(https_site.client("ada"))
    page = await ada.get(LAB)
    assert directives(page)["form-action"] == f"'self' https://*.{DOMAIN}"
    entry = await ada.post(f"api/v1/{LAB}/open")
    assert entry.json["url"].startswith(f"https://{LABS}/user/project-private-work/bench/")


@pytest.mark.parametrize(
    ("method", "path", "status", "place"),
    [
        ("GET", "/", 302, f"https://{DOMAIN}/"),
        ("HEAD", "/", 302, f"https://{DOMAIN}/"),
        ("POST", "/", 404, None),
        (
            "GET",
            "/user/project-private-work/bench/lab/tree/a%20b?c=%2F",
            302,
            f"https://{DOMAIN}/hub/user/project-private-work/bench/lab/tree/a%20b?c=%2F",
        ),
        ("GET", "/user/project-private-work/bench/api/kernels", 424, None),
        ("PUT", "/user/project-private-work/bench/api/contents/x", 424, None),
        ("OPTIONS", "/user/project-private-work/bench/lab", 424, None),
        ("GET", "/hub/login", 404, None),
        ("GET", "/hub/api/oauth2/authorize", 404, None),
        ("GET", PREFIX, 404, None),
        ("GET", f"{PREFIX}api/v1/me", 404, None),
        ("GET", f"{PREFIX}static/sophon.js", 404, None),
        ("GET", f"{PREFIX}api/v1/health", 200, None),
        ("GET", "//elsewhere.example/user/x", 404, None),
    ],
)
@pytest.mark.parametrize("host", [LABS, f"{LABS}:8443", "127.0.0.1", "elsewhere.example"])
async def test_at_other_hosts_there_is_only_the_way_to_ours(
    https_site, method, path, status, place, host
):
    ada = at(https_site.browser("ada"), host)
    ada.portal_url = ada.portal_url.removesuffix(PREFIX)
    ada.contract = None
    answer = await ada.request(method, path)
    assert (answer.status, answer.headers.get("Location")) == (status, place), answer.text
    assert cookies(answer) == []
    assert answer.headers["Referrer-Policy"] == "same-origin"


async def test_a_script_in_a_stopped_lab_hears_so_and_is_not_led_to_another_domain(https_site):
    tab = at(https_site.client(), LABS)
    tab.portal_url = tab.portal_url.removesuffix(PREFIX)
    path = "/user/project-private-work/bench/lab"
    answer = await tab.get(path, headers={"Sec-Fetch-Mode": "cors"})
    assert (answer.status, answer.json) == (424, {"message": "This lab is not running."})
    assert (await tab.get(path, headers={"Sec-Fetch-Mode": "navigate"})).status == 302


@pytest.mark.parametrize("path", ["/", "/hub/login", "/user/project-private-work/bench/lab"])
async def test_what_the_hub_answers_is_soon_there_while_it_starts(https_site, path):
    """The proxy sends everything to the portal until the Hub has told it otherwise."""
    early = at(https_site.client())
    early.portal_url = early.portal_url.removesuffix(PREFIX)
    answer = await early.get(path)
    assert answer.status == 503
    assert answer.headers["Retry-After"]


async def test_at_our_own_host_addresses_that_are_none_are_pages(https_site):
    ada = at(https_site.client("ada"))
    answer = await ada.get("no-such-page")
    assert answer.status == 404
    assert "There is nothing here" in answer.text
