"""A campus with sign-on in Apache: students in browsers, real labs, and everything through TLS.

Two instances of Apache are in front, as `sophon-hub apache-config` writes them; Apache's own form
and cookie stand in for the module of a campus.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import running_chromium
from tests.engine import docker_client, remove_namespace
from tests.hub.apache_server import CAMPUS_COOKIE, PASSWORD, RunningApache
from tests.journeys import jupyterlab
from tests.journeys.campus import CampusSite
from tests.journeys.pictures import keep_picture
from tests.journeys.test_main_job import (
    create_group,
    create_private_project,
    join,
    sees_text_and_name,
)
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

HOST = "hub.test"
UPLOAD_MIB = 200
AWKWARD = ["Übung 1/Lösung 100% & mehr #2.txt", "Übung 1/a%2Fb c.txt"]
"""Names of files that meet every rule for addresses on the way."""

CALL = """async ([method, url, body]) => {
    const token = document.cookie.match(/(?:^|; )_xsrf=([^;]+)/)[1];
    const headers = {"X-XSRFToken": token, "Content-Type": "application/json"};
    const answer = await fetch(url, {method, headers, body: body && JSON.stringify(body)});
    return [answer.status, answer.ok ? await answer.json() : null];
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CampusSite]:
    """A hub with labs in containers, that believes Apache."""
    site = CampusSite(tmp_path_factory.mktemp("campus"), HOST, {})
    try:
        site.start()
        yield site
    finally:
        site.stop()
        with closing(docker_client()) as engine:
            remove_namespace(engine, site.namespace)


@pytest.fixture(scope="module")
def apache(site: CampusSite) -> Iterator[RunningApache]:
    """Both instances, in front of the hub."""
    with site.apache("front-and-broker") as apache:
        yield apache


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, that knows where the hub's name leads."""
    with running_chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as chromium:
        yield chromium


@contextmanager
def window(site: CampusSite, browser: Browser) -> Iterator[Page]:
    """A window of somebody whom the campus does not know yet."""
    with site.browser_of(browser, ignore_https_errors=True) as page:
        # for the reason that `draw` tells; what Apache itself fails to do is looked for in its log
        lost = page.get_by_role("dialog", name=re.compile("^Server unavailable"))
        page.add_locator_handler(
            lost, lambda dialog: dialog.get_by_role("button", name="Dismiss").click()
        )
        yield page


def sign_on(page: Page, name: str) -> None:
    """Fill in the form of the campus, which has to be on screen."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Campus sign-on")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def call(page: Page, method: str, url: str, body: Any = None) -> Any:
    """Ask a lab as its own pages do; the answer must be good."""
    status, answer = page.evaluate(CALL, [method, url, body])
    assert status in (200, 201), (status, answer)
    return answer


def test_students_sign_on_work_together_and_sign_out_of_everything(
    site: CampusSite, apache: RunningApache, browser: Browser, tmp_path: Path
) -> None:
    group, project = (f"{word} {secrets.token_hex(3)}" for word in ("Topology", "Knots"))
    with window(site, browser) as ada, window(site, browser) as grace:
        ada.goto("/hub/login")
        sign_on(ada, "ada")
        create_group(ada, group)
        create_private_project(ada, project)
        project_page = ada.url
        lab = create_and_start_lab(ada)
        notebook = jupyterlab.new_notebook(ada)
        jupyterlab.type_in_cell(ada, 0, "6 * 7")
        jupyterlab.run_cell(ada, 0)
        expect(jupyterlab.output(ada, 0)).to_have_text("42")

        # as a guest she reads that there is nothing, whatever there is
        mailed = f"{project_page}?from=mail%2F1&to=100%25"
        grace.goto(mailed)
        expect(grace.get_by_text(project)).to_have_count(0)
        grace.get_by_role("link", name="Sign in").first.click()
        sign_on(grace, "grace")
        expect(grace).to_have_url(mailed)
        join(grace, group)
        grace.goto(project_page)
        assert enter_lab(grace, "Open") == lab
        jupyterlab.enter(grace, f"{lab}/lab", notebook)
        sees_text_and_name(grace, ada, "  # by Grace", "grace")
        sees_text_and_name(ada, grace, " and Ada", "ada")
        jupyterlab.replace_cell(grace, 0, "7 * 7")
        jupyterlab.run_cell(grace, 0)
        expect(jupyterlab.output(ada, 0)).to_have_text("49")
        keep_picture(ada, "campus-two-people")

        opens_and_saves_awkward_names(grace, lab)
        uploads_a_large_file(ada, lab, tmp_path)
        assert apache.peak_mib() < UPLOAD_MIB / 2
        signs_out_of_everything(apache, grace, project_page, f"{lab}/lab/tree/{notebook}")
        sign_on(grace, "grace")
        expect(grace.locator("#jp-main-dock-panel")).to_be_visible(timeout=jupyterlab.LAB_READY)
        assert grace.url.startswith(f"{lab}/lab/tree/{notebook}")
    requests = apache.public.access_log.read_text()
    assert '" 200 ' in requests
    assert re.findall(r'.*" 5\d\d .*', requests) == []


def create_and_start_lab(page: Page) -> str:
    """On the page of a project; gives the lab's address."""
    page.get_by_role("link", name=re.compile("new lab|create a lab", re.I)).first.click()
    page.get_by_label("Name", exact=True).fill("Main lab")
    page.get_by_role("button", name="Create lab").click()
    return enter_lab(page, "Start")


def enter_lab(page: Page, button: str) -> str:
    """Press the portal's button, and wait for JupyterLab; gives the lab's address."""
    page.get_by_role("button", name=re.compile(f"^{button}")).first.click()
    page.wait_for_url("**/user/project-*/**", timeout=60_000)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=jupyterlab.LAB_READY)
    return page.url.split("/lab", 1)[0]


def opens_and_saves_awkward_names(page: Page, lab: str) -> None:
    """Through JupyterLab itself: the file is open, what is typed is on the lab's disk."""
    contents = f"{lab}/api/contents"

    def content(address: str) -> str:
        return str(call(page, "GET", address)["content"])

    call(page, "PUT", f"{contents}/{quote('Übung 1')}", {"type": "directory"})
    for name in AWKWARD:
        body = {"type": "file", "format": "text", "content": "begun"}
        call(page, "PUT", f"{contents}/{quote(name)}", body)
        page.goto(f"{lab}/lab/tree/{quote(name)}")
        text = page.locator(".jp-FileEditor .cm-content >> visible=true")
        expect(text).to_have_text("begun", timeout=jupyterlab.LAB_READY)
        text.click()
        page.keyboard.press("Control+End")
        page.keyboard.type(" and done")
        page.keyboard.press("Control+s")

        def saved(name: str = name) -> bool:
            return bool(
                call(page, "GET", f"{contents}/{quote(name)}")["content"] == "begun and done"
            )

        wait_for(saved, f"{name} to be saved")


def uploads_a_large_file(page: Page, lab: str, tmp_path: Path) -> None:
    """With the button in JupyterLab, which sends it in parts."""
    file = tmp_path / "measured data.bin"
    file.write_bytes(secrets.token_bytes(UPLOAD_MIB * 2**20))
    page.bring_to_front()
    with page.expect_file_chooser() as chooser:
        page.locator(
            'jp-button[data-command="filebrowser:upload"], [title^="Upload Files"]'
        ).first.click()
    chooser.value.set_files(file)
    page.get_by_role("button", name="Upload", exact=True).click()
    address = f"{lab}/api/contents/{quote(file.name)}"

    def arrived() -> bool:
        status, answer = page.evaluate(CALL, ["GET", f"{address}?content=0", None])
        return bool(status == 200 and answer["size"] == file.stat().st_size)

    wait_for(arrived, "the upload to be complete", 120)


def signs_out_of_everything(
    apache: RunningApache, page: Page, project_page: str, inside: str
) -> None:
    """Copies of all cookies are worthless, and the browser has to give the password again."""
    kept = page.context.cookies()
    assert names(page) >= {CAMPUS_COOKIE, "jupyterhub-session-id"}
    assert [cookie["name"] for cookie in kept if not cookie["secure"]] == []
    files = urlsplit(inside).path.partition("/lab/")[0] + "/api/contents"
    assert apache.get(files, cookies_for(kept, files)).status == 200
    page.goto(project_page)
    page.locator("summary", has_text="grace").click()
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url("**/hub/sso/logged-out")
    keep_picture(page, "campus-signed-out")
    # the campus's cookie ends a second later
    wait_for(lambda: CAMPUS_COOKIE not in names(page), "the campus's cookie to be gone")
    assert apache.get("/hub/home", cookies_for(kept, "/hub/home")).status == 302
    wait_for(
        lambda: apache.get(files, cookies_for(kept, files)).status != 200,
        "the lab to let go of the session",
    )
    for address in ("/hub/home", inside):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_have_text("Campus sign-on")


def names(page: Page) -> set[str]:
    """The names of the browser's cookies."""
    return {cookie["name"] for cookie in page.context.cookies()}


def cookies_for(cookies: list[Any], path: str) -> tuple[str, str]:
    """The header that a browser with these cookies would send."""
    sent = [f"{one['name']}={one['value']}" for one in cookies if path.startswith(one["path"])]
    return "Cookie", "; ".join(sent)
