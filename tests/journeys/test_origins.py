"""What a script in a lab can do as the person who looks at it, and what their browser tells others.

The same attacks run in both modes: with one origin they succeed, which is the reason for the
setting `subdomain_host`; with subdomains the browser refuses them.
"""

import json
import re
import secrets
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace, in_both_modes, with_subdomains
from tests.journeys.site import Api, Site
from tests.tls import DOMAIN, OTHER_DOMAIN
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

# what is loaded for a page itself needs no word against forgery, and may be read when it comes
# from the page's own origin
READ = """async (url) => {
  const answer = await fetch(url, {mode: "no-cors", credentials: "include"});
  return {type: answer.type, status: answer.status, text: await answer.text()};
}"""
WRITE = """async ([url, token, body]) => {
  const headers = {"Content-Type": "application/json", "X-XSRFToken": token};
  try {
    const sent = {method: "POST", credentials: "include", headers, body: JSON.stringify(body)};
    return (await fetch(url, sent)).status;
  } catch (error) { return String(error); }
}"""
WRITE_UNSEEN = """async ([url, body]) => {
  // what any page can send anywhere, without asking and without seeing the answer
  const sent = {method: "POST", mode: "no-cors", credentials: "include", body};
  await fetch(url, sent);
}"""
CONNECT = """(url) => new Promise((done) => {
  const socket = new WebSocket(url);
  socket.onopen = () => { socket.close(); done("open"); };
  socket.onerror = () => done("refused");
})"""
FRAME = """(url) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.onload = () => {
    let text = "";
    try { text = frame.contentDocument.body.innerText; } catch (error) { }
    done(text);
  };
  frame.src = url;
  document.body.append(frame);
})"""


@pytest.fixture
def two_labs(ada: Api, workplace: Workplace) -> tuple[str, str]:
    """Two running labs, of two projects of Ada's, the second of which nobody else knows."""
    other = f"secret-{workplace.project}"
    project = {"group": workplace.group, "name": other, "slug": other, "visibility": "private"}
    ada.expect(201, "POST", "projects", json=project)
    ada.expect(201, "POST", f"projects/{other}/labs", json={"name": "main", "internet": False})
    labs = workplace.lab, f"projects/{other}/labs/main"
    for lab in labs:
        ada.start(lab)
    return labs


@in_both_modes
def test_a_script_in_a_lab_acts_as_the_person_elsewhere_only_with_one_origin(
    site: Site, browser: Browser, ada: Api, two_labs: tuple[str, str]
):
    lab, other = two_labs
    reaches = not site.subdomains
    with site.browser_of(browser, "ada") as page:
        page.goto(site.portal)
        jupyterlab.enter(page, ada.open(other))
        jupyterlab.enter(page, ada.open(lab))

        shown = page.evaluate(READ, f"{site.portal}{other.split('/labs')[0]}")["text"]
        assert (other.split("/")[1] in shown) == reaches
        files = page.evaluate(READ, f"{site.lab_url(other)}/api/contents")["text"]
        assert ('"content"' in files) == reaches
        socket = f"{site.lab_url(other)}/api/events/subscribe".replace("http", "ws", 1)
        assert page.evaluate(CONNECT, socket) == ("open" if reaches else "refused")

        word = re.search(r"X-XSRFToken[^:]*: ?(?:&#34;|\")([\w=-]+)", shown)
        assert bool(word) == reaches
        groups = f"{site.portal}api/v1/groups"
        forged = {"name": "Forged", "slug": f"forged-{secrets.token_hex(4)}"}
        status = page.evaluate(WRITE, [groups, word[1] if word else "none", forged])
        assert (status == 201) == reaches
        ada.expect(200 if reaches else 404, "GET", f"groups/{forged['slug']}")

        # and these come to nothing with one origin, too
        slug = f"forged-{secrets.token_hex(4)}"
        page.evaluate(WRITE_UNSEEN, [f"{site.portal}groups/new", f"name=x&slug={slug}"])
        page.evaluate(WRITE_UNSEEN, [groups, json.dumps({"name": "x", "slug": slug})])
        ada.expect(404, "GET", f"groups/{slug}")
        for address in (site.portal, f"{site.url}/hub/home", site.lab_url(other)):
            assert page.evaluate(FRAME, address) == ""


@with_subdomains
def test_a_lab_opens_in_a_tab_of_its_own_at_a_domain_without_a_hub(
    site: Site, browser: Browser, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    address = urlsplit(site.lab_url(workplace.lab))
    origin = f"{address.scheme}://{address.netloc}"
    with site.browser_of(browser, "ada") as page:
        for path in ("hub/login", "hub/home", "services/sophon/", "services/sophon/login"):
            answer = page.goto(f"{origin}/{path}")
            assert answer is not None
            assert answer.status == 404, path
        page.goto(f"{origin}/")
        assert page.url.startswith(site.url)

        page.goto(site.portal + workplace.lab)
        with page.context.expect_page() as opened:
            page.get_by_role("button", name=re.compile("^Open")).first.click(modifiers=["Control"])
        tab = opened.value
        expect(tab.locator("#jp-main-dock-panel")).to_be_visible(timeout=jupyterlab.LAB_READY)
        assert tab.url.startswith(f"{origin}/user/")
        assert tab.evaluate("window.opener") is None

        sent = {one["name"]: one for one in page.context.cookies(origin)}
        # the session's id is for all, so that signing out ends all; it opens nothing
        assert "jupyterhub-hub-login" not in sent
        assert all(cookie["secure"] for cookie in sent.values())
        others = [name for name in sent if name not in {"jupyterhub-session-id", "_xsrf"}]
        assert others
        assert all(name.startswith("__Host-") for name in others), others


@with_subdomains
def test_a_cookie_that_a_lab_plants_for_all_of_the_domain_changes_nobody(
    site: Site, browser: Browser, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    attacker = site.session()
    site.sign_in(attacker, "grace")
    (stolen,) = [one for one in attacker.cookies if one.name.endswith("jupyterhub-hub-login")]
    with site.browser_of(browser, "ada") as page:
        jupyterlab.enter(page, ada.open(workplace.lab))
        for name in ("jupyterhub-hub-login", stolen.name, "planted"):
            planted = f"{name}={stolen.value}; Domain={DOMAIN}; Path=/hub/; Secure"
            page.evaluate("cookie => { document.cookie = cookie; }", planted)
        kept = {one["name"] for one in page.context.cookies(f"{site.url}/hub/home")}
        assert "planted" in kept, "a lab can set cookies for the domain, but not that one"
        page.goto(f"{site.url}/hub/home")
        assert page.evaluate("window.jhdata.user") == "ada"


@with_subdomains
def test_a_stopped_lab_leads_to_the_hub_and_signing_out_shuts_the_door(
    site: Site, browser: Browser, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    lab = site.lab_url(workplace.lab)
    with site.browser_of(browser, "ada") as page:
        jupyterlab.enter(page, ada.open(workplace.lab))
        page.goto(site.portal)
        page.locator("header details.menu summary").click()
        page.get_by_role("link", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.goto(f"{lab}/lab")
        assert "/hub/login" in page.url
    ada.stop(workplace.lab)
    with site.browser_of(browser, "ada") as page:
        page.goto(f"{lab}/lab/tree/thesis.ipynb")
        expect(page.get_by_role("heading", name="The lab is not running")).to_be_visible()
        page.get_by_role("button", name="Go to the lab's page").click()
        assert page.url == f"{site.portal}{workplace.lab}"


@with_subdomains
def test_a_personal_lab_starts_with_live_progress(site: Site, browser: Browser):
    with site.browser_of(browser, "grace") as page:
        wrong = note_violations(page)
        page.goto(f"{site.url}/hub/home")
        page.get_by_role("button", name="Start my lab").click()
        page.wait_for_url("**/user/grace/lab**", timeout=60_000)
        expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=jupyterlab.LAB_READY)
        assert page.url.startswith(site.url.replace("://", "://grace."))
        page.goto(f"{site.url}/hub/home")
        page.get_by_role("button", name="Stop my lab").click()
        expect(page.get_by_text("stopped", exact=True)).to_be_visible()
        assert wrong == []


def note_violations(page: Page) -> list[str]:
    """What a policy has kept pages from doing, as the browser's console says."""
    wrong: list[str] = []
    page.on(
        "console",
        lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None,
    )
    return wrong


def test_the_pages_of_the_hub_work_with_scripts_of_ours_only(site: Site, browser: Browser):
    with site.browser_of(browser, "admin") as page:
        wrong = note_violations(page)
        for path in ("home", "change-password", "accounts", "nothing-here", "user/nobody/lab"):
            page.goto(f"{site.url}/hub/{path}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.goto(f"{site.url}/hub/admin")
        expect(page.get_by_text("barbara", exact=True).first).to_be_visible()
        page.goto(f"{site.url}/hub/token")
        page.get_by_role("button", name=re.compile("new API token", re.I)).click()
        expect(page.locator("#token-result")).not_to_be_empty()
        assert wrong == []

        picture = "<img src=x onerror=alert()>"
        page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", picture)
        wait_for(lambda: page.wait_for_timeout(1) or wrong, "the browser to refuse a script")


class Elsewhere(BaseHTTPRequestHandler):
    """A page of somebody else, which remembers where people come from."""

    referrers: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        if self.path == "/":
            self.referrers.append(self.headers.get("Referer"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>elsewhere</title>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def elsewhere(site: Site) -> Iterator[str]:
    """Address of a server at another domain."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    scheme = "http"
    if site.certificate:
        # from https to http browsers say nothing anyway
        scheme, tls = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(site.certificate, site.directory / "key.pem")
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Elsewhere.referrers.clear()
    yield f"{scheme}://{OTHER_DOMAIN}:{server.server_port}/"
    server.shutdown()
    server.server_close()


def follow_link(page: Page, address: str) -> None:
    """Press a link to another site that somebody has put on the page."""
    with page.context.expect_page() as opened:
        page.evaluate(
            """(href) => {
              const link = Object.assign(document.createElement("a"), {href, target: "_blank"});
              document.body.append(link);
              link.click();
            }""",
            address,
        )
    opened.value.wait_for_load_state()
    assert opened.value.title() == "elsewhere"
    opened.value.close()


@in_both_modes
def test_other_sites_never_learn_where_somebody_came_from(
    site: Site, browser: Browser, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    with site.browser_of(browser, "ada") as page, elsewhere(site) as address:
        for path in (site.portal + workplace.lab, f"{site.url}/hub/home", f"{site.url}/hub/no"):
            page.goto(path)
            follow_link(page, address)
        jupyterlab.enter(page, ada.open(workplace.lab))
        follow_link(page, address)
        assert Elsewhere.referrers == [None] * 4
