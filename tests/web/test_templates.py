"""Templates: the Hub's own pages as we override them, with and without the portal beside them."""

from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub._data import DATA_FILES_PATH
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from sophon_hub import paths

UPSTREAM = Path(DATA_FILES_PATH) / "templates"
OURS = paths.hub_templates()
PORTAL = "/services/sophon/"
NAMES = sorted(path.name for path in OURS.glob("*.html") if not path.name.startswith("_"))


class Handler:
    """As much of the Hub's handler as templates can reach."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @cached_property
    def request(self) -> HTTPServerRequest:
        return HTTPServerRequest(
            start_line=RequestStartLine("GET", self.uri, "HTTP/1.1"),
            headers=HTTPHeaders({"Host": "hub"}),
        )

    def static_url(self, path: str, include_version: bool = True) -> str:
        return f"/hub/static/{path}"


@cache
def hub_environment() -> Environment:
    """Jinja as JupyterHub sets it up."""
    upstream = FileSystemLoader(str(UPSTREAM))
    loader = ChoiceLoader(
        [PrefixLoader({"templates": upstream}), FileSystemLoader([str(OURS), str(UPSTREAM)])]
    )
    return Environment(loader=loader, autoescape=True)


def render(name: str, uri: str = "/hub/home", *, portal: bool = True, **values: Any) -> Any:
    """A page of the Hub, as a browser understands it."""
    user = SimpleNamespace(
        name="ada",
        user_info={"display_name": "Ada Lovelace"},
        json_escaped_name="ada",
        spawner=SimpleNamespace(options_form=""),
    )
    variables = {
        "base_url": "/hub/",
        "prefix": "/",
        "user": user,
        "login_url": "/hub/login",
        "logout_url": "/hub/logout",
        "static_url": Handler(uri).static_url,
        "services": [],
        "parsed_scopes": {},
        "xsrf": "x",
        "xsrf_token": "x",
        "authenticator": SimpleNamespace(request_otp=False),
        "authenticator_login_url": "/hub/login?next=",
        "default_server": SimpleNamespace(active=True),
        "url": "/hub/spawn",
        "spawn_url": "/hub/spawn/ada",
        "status_code": 404,
        "status_message": "Not Found",
        "has_account": True,
        "accounts": [("ada", "Ada")],
    }
    if portal:
        variables |= {"sophon_url": PORTAL, "sophon_local_accounts": True}
    html = hub_environment().get_template(name).render(**{**variables, **values})
    return BeautifulSoup(html, "html5lib")


@pytest.mark.parametrize("portal", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_every_page_of_the_hub_can_be_shown(name, portal):
    page = render(name, portal=portal)
    assert page.title.text.strip()
    if name != "page.html":
        assert len(page.select("main")) == 1
        assert len(page.select("h1")) == 1
    assert len(page.select("#dark-theme-toggle")) == 1
    assert bool(page.select(f"a[href='{PORTAL}groups']")) is portal
    names = [str(one["id"]) for one in page.select("[id]")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", NAMES)
def test_pages_of_the_hub_have_no_inline_handlers_and_label_their_fields(name):
    page = render(name)
    for one in page.find_all(True):
        assert not [attribute for attribute in one.attrs if attribute.startswith("on")]
    for field in page.select("input"):
        if field.get("type") != "hidden":
            assert page.select(f"label[for='{field['id']}']"), field
    for form in page.select("form[method=post]"):
        assert form.select("input[name=_xsrf]")


@pytest.mark.parametrize("name", ["token", "spawn", "oauth", "admin", "accept-share"])
def test_pages_that_are_upstreams_get_the_same_frame(name):
    assert (UPSTREAM / f"{name}.html").exists()
    assert not (OURS / f"{name}.html").exists()
    assert '{% extends "page.html" %}' in (UPSTREAM / f"{name}.html").read_text()


def test_the_blocks_that_are_overridden_exist_upstream():
    environment = hub_environment()
    for name in NAMES:
        if (UPSTREAM / name).exists() and name not in {"404.html", "error.html"}:
            ours = set(environment.get_template(name).blocks)
            theirs = set(environment.get_template(f"templates/{name}").blocks)
            theirs |= set(environment.get_template("templates/page.html").blocks)
            assert ours <= theirs, name


def test_the_name_is_the_display_name_and_the_menu_leads_everywhere():
    page = render("home.html", parsed_scopes={"admin-ui": {}})
    assert page.select_one(".menu-name").text == "Ada Lovelace"
    links = {str(link["href"]) for link in page.select("header a")}
    assert {"/hub/token", "/hub/change-password", "/hub/admin", f"{PORTAL}logout"} <= links
    assert "/hub/admin" not in {str(a["href"]) for a in render("home.html").select("header a")}


def test_without_user_info_the_user_name_is_shown():
    user = SimpleNamespace(name="ada", user_info=None, json_escaped_name="ada", spawner=None)
    page = render("page.html", user=user, no_spawner_check=True)
    assert page.select_one(".menu-name").text == "ada"


def test_guests_see_a_way_to_sign_in():
    page = render("page.html", user=None)
    assert page.select_one("#login")["href"] == "/hub/login"
    assert not page.select(".menu")


LAB = "/user/project-lens/bench"
AT_LAB = [
    f"/hub{LAB}/",
    f"/hub{LAB}/lab/tree/secret.ipynb?token=x",
    f"/base/hub{LAB}/",
    f"/hub/api/oauth2/authorize?client_id=y&redirect_uri={quote(LAB, safe='')}%2Foauth_callback",
]


@pytest.mark.parametrize("uri", AT_LAB)
@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_at_a_lab_tells_only_the_way_to_the_project(uri, status):
    secret = "You do not have permission to access Server at /user/project-lens/bench/ of Secret"
    page = render(
        "404.html" if status == 404 else "error.html",
        uri,
        status_code=status,
        message=secret,
        message_html=secret,
    )
    assert page.h1.text == "You have no access here, or it does not exist"
    assert page.select_one("main a.btn")["href"] == f"{PORTAL}projects/lens"
    assert "Secret" not in page.text
    assert "permission" not in page.main.text


@pytest.mark.parametrize(
    "uri",
    [
        "/hub/user/project-%3Cscript%3Ealert(1)%3C%2Fscript%3E/bench/",
        '/hub/user/project-"><script>alert(1)/bench/',
        "/hub/user/project-javascript:alert(1)/bench/",
        "/hub/user/project-%FF%FE/bench/",
    ],
)
def test_a_strange_address_puts_nothing_on_the_page(uri):
    page = render("404.html", uri)
    assert not [script for script in page.select("script") if "alert" in str(script)]
    for link in page.select("main a"):
        assert str(link["href"]).startswith(PORTAL)


@pytest.mark.parametrize("uri", ["/hub/nothing", "/hub/user/ada/", "/hub/user/project-", "/hub/"])
def test_other_addresses_that_are_none_say_so(uri):
    page = render("404.html", uri)
    assert page.h1.text.strip() == "There is nothing here"


def test_other_errors_say_what_the_hub_says():
    page = render("error.html", status_code=403, message="Action is not authorized")
    assert "Action is not authorized" in page.main.text
    page = render("error.html", status_code=500, status_message="Internal Server Error")
    assert page.h1.text.strip() == "Something went wrong"


def test_a_lab_that_is_not_running_leads_to_its_page_in_the_portal():
    owner = SimpleNamespace(name="project-lens", user_info=None, json_escaped_name="project-lens")
    page = render("not_running.html", user=owner, server_name="bench", no_spawner_check=True)
    assert page.select_one("#start")["href"] == f"{PORTAL}projects/lens/labs/bench"
    assert "spawn" not in str(page.main)
    assert page.select_one(".menu-name").text == "Account"


def test_ones_own_lab_that_is_not_running_can_be_started():
    page = render("not_running.html", server_name="")
    assert page.select_one("#start")["href"] == "/hub/spawn/ada"


def test_a_failed_sign_in_says_so_and_keeps_the_name():
    page = render("login.html", user=None, login_error="Wrong", username='a"b')
    assert "Wrong" in page.select_one("[role=alert]").text
    assert page.select_one("#username_input")["value"] == 'a"b'


def test_another_sign_on_system_is_one_button():
    page = render("login.html", user=None, login_service="Campus")
    assert page.select_one("main a.btn").text.strip() == "Sign in with Campus"
    assert not page.select("input[type=password]")


def test_signing_up_is_offered_where_it_is_open():
    assert not render("login.html", user=None).select("a[href='/hub/signup']")
    assert render("login.html", user=None, sophon_open_signup=True).select("a[href='/hub/signup']")
