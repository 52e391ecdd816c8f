"""What holds for the HTML of every page: security, accessibility, and how often SQL is asked."""

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.models import AccessMode, LabState, MemberRole, Visibility
from sophon_hub.policy.actor import Actor
from tests import make
from tests.database import statements
from tests.web import world
from tests.web.test_pages import GROUP, LAB, PRIVATE, PROJECT, client_of, soup_of

PAGES = [case.path for name, case in PRIVATE.items() if 200 in case.statuses]
FOR_ADMINS = {"settings", "events", "datasets/new"}
STATES = {case.path: case.state for case in PRIVATE.values()}
HIDDEN = {"hidden", "submit", "button"}


async def page_of(site: Any, path: str, name: str = "ada") -> BeautifulSoup:
    with site.rows() as session:
        STATES.get(path, world.as_it_is)(world.corner(session, "private"))
    answer = await client_of(site, "root" if path in FOR_ADMINS else name).get(path)
    assert answer.status == (404 if path == "nothing-here" else 200)
    return soup_of(answer)


@pytest.fixture(params=[*PAGES, "nothing-here"], ids=lambda path: path or "home")
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_pages_have_a_title_one_heading_and_landmarks(busy_site, path):
    page = await page_of(busy_site, path, "root")
    assert page.html["lang"] == "en"
    assert page.title.text.strip() not in {"", "· Sophon Hub"}
    assert page.title.text.strip().endswith("Sophon Hub")
    assert len(page.select("h1")) == 1
    assert page.h1.text.strip()
    assert len(page.select("main")) == 1
    assert page.select("header nav[aria-label]")
    assert page.select("footer")
    assert page.select_one("a.skip-link")["href"] == "#content"
    assert page.select("#content")


async def test_headings_do_not_skip_a_level(busy_site, path):
    page = await page_of(busy_site, path)
    level = 0
    for heading in page.main.find_all(re.compile("h[1-6]")):
        assert int(heading.name[1]) <= level + 1, heading
        level = int(heading.name[1])


async def test_every_field_has_a_label_and_every_button_a_name(busy_site, path):
    page = await page_of(busy_site, path)
    for field in page.select("input, select, textarea"):
        if field.get("type") in HIDDEN:
            continue
        labelled = field.find_parent("label") or field.get("aria-label")
        assert labelled or page.select(f"label[for='{field['id']}']"), field
    for button in page.select("main button, main a, header button, header a"):
        assert button.text.strip() or button.get("aria-label"), button
    names = [button.text.split() for button in page.select("main .row-buttons button")]
    assert len({" ".join(name) for name in names}) == len(names), "buttons with the same name"


async def test_ids_are_unique_and_references_hold(busy_site, path):
    page = await page_of(busy_site, path)
    ids = [str(one["id"]) for one in page.select("[id]")]
    assert len(ids) == len(set(ids))
    for name in ("aria-describedby", "aria-labelledby", "for", "list"):
        for one in page.select(f"[{name}]"):
            assert set(str(one[name]).split()) <= set(ids), one


async def test_scripts_carry_the_nonce_and_nothing_is_inline(busy_site, path):
    answer = await client_of(busy_site, "ada").get(path)
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'self' 'nonce-([\w-]+)'", policy)
    assert nonce
    assert "unsafe-eval" not in policy
    page = soup_of(answer)
    assert page.select("script")
    for script in page.select("script"):
        assert script["nonce"] == nonce[1]
    for one in page.find_all(True):
        handlers = [name for name in one.attrs if name.startswith(("on", "hx-on"))]
        assert not handlers, one
        assert not str(one.get("href", "")).lower().startswith("javascript:")
    assert '"allowEval": false' in page.select_one("meta[name=htmx-config]")["content"]


async def test_every_form_that_changes_something_carries_the_token(busy_site, path):
    page = await page_of(busy_site, path)
    for form in page.select("form[method=post]"):
        assert form.select_one("input[name=_xsrf]")["value"], form


async def test_pages_say_all_that_matters_without_colour(busy_site):
    page = await page_of(busy_site, LAB)
    for tag in page.select(".tag"):
        assert tag.select_one("i[aria-hidden=true]")
        assert tag.text.strip()


async def test_static_files_are_served_and_kept_by_browsers(busy_site):
    page = await page_of(busy_site, "")
    for one in page.select("script[src], link[rel=stylesheet]"):
        address = str(one.get("src") or one["href"])
        if address.startswith("/services/sophon/"):
            answer = await busy_site.client().get(address.removeprefix("/services/sophon/"))
            assert answer.status == 200
            assert "max-age" in answer.headers["Cache-Control"]


# Lists ask the database as often for twenty things as for ten.


def _many(session: Session, numbers: range) -> None:
    corner = world.corner(session, "private")
    actor = Actor(person_id=corner.person("ada").id, username="ada", via="page")
    corner.group.access = AccessMode.REQUEST
    for number in numbers:
        person = make.person(session, f"p{number}")
        make.membership(session, corner.group, person, added_by=corner.person("ada"))
        asker = make.person(session, f"q{number}")
        make.request(session, corner.group, asker)
        group = make.group(session, f"g{number}", visibility=Visibility.PRIVATE)
        make.membership(session, group, corner.person("ada"), MemberRole.OWNER)
        project = make.project(session, corner.group, f"p{number}")
        lab = make.lab(session, corner.project, f"l{number}", state=LabState.RUNNING)
        lab.locked_by_id = person.id
        gone = make.lab(session, corner.project, f"gone{number}")
        lost = make.project(session, corner.group, f"lost{number}")
        gone.deleted_at = lost.deleted_at = make.LONG_AGO
        audit.record(session, actor, "project:create", project)
        dataset = make.dataset(session, f"d{number}", group=corner.group)
        corner.lab.dataset_uids = [*corner.lab.dataset_uids, dataset.uid]
        make.dataset(session, f"free{number}", group=corner.group)
        make.dataset(session, f"unused{number}", group=corner.group, deleted_at=make.LONG_AGO)


LISTS = [
    "",
    "groups",
    GROUP,
    f"{GROUP}/people",
    f"{GROUP}/requests",
    f"{GROUP}/events",
    "projects",
    "projects/new",
    "datasets",
    LAB,
    f"{LAB}/datasets",
    PROJECT,
    f"{PROJECT}/trash",
    "trash",
]


async def _asked(site: Any, path: str) -> int:
    ada = site.client("ada")
    await ada.get("projects")  # so that nothing is asked about the person any more
    with statements(site.portal.engine) as seen:
        assert (await ada.get(path)).status == 200
    # the name of the hub is asked for every few seconds, whatever page is next
    return len([statement for statement in seen if "FROM instance" not in statement])


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path or "home")
async def test_lists_do_not_ask_for_each_item(busy_site, path):
    with busy_site.rows() as session:
        _many(session, range(10))
    few = await _asked(busy_site, path)
    with busy_site.rows() as session:
        _many(session, range(10, 20))
    assert await _asked(busy_site, path) == few


async def test_the_list_of_projects_takes_four_statements(busy_site):
    assert await _asked(busy_site, "projects") <= 4


async def test_long_lists_come_in_pages(busy_site):
    with busy_site.rows() as session:
        _many(session, range(30))
    ada, seen, path = busy_site.client("ada"), [], "projects?q=p"
    while path:
        page = soup_of(await ada.get(path))
        seen += [link.text for link in page.select(".row-title a")]
        following = [a for a in page.select(".pager a") if "Next" in a.text]
        path = f"projects{following[0]['href']}" if following else ""
    assert len(seen) == len(set(seen)) == int(page.select_one(".result-count").text.split()[0])
    assert (await ada.get("projects?cursor=nonsense")).status == 422
