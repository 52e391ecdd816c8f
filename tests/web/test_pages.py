"""Which pages there are for whom. Helpers of the other page tests, too."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest
from bs4 import BeautifulSoup

from sophon_hub.web.routes import PAGE_ROUTES
from tests import make
from tests.cast import STANDINGS
from tests.database import statements
from tests.web import world
from tests.web.conftest import PREFIX, Answer, Client, Site, xsrf_of

EVERYBODY = tuple(STANDINGS)
SIGN_IN = "/hub/api/oauth2/authorize"


def soup_of(answer: Answer) -> BeautifulSoup:
    """The page as a browser understands it."""
    return BeautifulSoup(answer.text, "html5lib")


def client_of(site: Site, name: str) -> Client:
    return site.client(None if name == "guest" else name)


async def send(client: Client, path: str, /, **fields: str) -> Answer:
    """Send a form, with the session's XSRF token where there is a session."""
    if "Cookie" in client.headers:
        fields.setdefault("_xsrf", xsrf_of(client))
    return await client.post(
        path,
        body=urlencode(fields).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


def landed(answer: Answer) -> str:
    """Where a form leads, below the portal's prefix."""
    assert answer.status == 303, answer.text
    return answer.headers["Location"].removeprefix(PREFIX)


def doors(answer: Answer) -> set[str]:
    """What one can do on a page: values of buttons, and last parts of the links that look so."""
    main = soup_of(answer).select_one("main")
    assert main is not None
    pressed = {str(button["value"]) for button in main.select("button[name=action]")}
    linked = {urlsplit(str(link["href"])).path.rsplit("/", 1)[-1] for link in main.select("a.btn")}
    return pressed | linked


@dataclass(frozen=True)
class Row:
    """A page, and its status for guest, stranger, viewer, member, owner, admin."""

    path: str
    statuses: tuple[int, ...]
    state: Callable[[world.Corner], None] = world.as_it_is


def row(path: str, *statuses: int, state: Callable[[world.Corner], None] = world.as_it_is) -> Row:
    return Row(path, statuses, state)


SEEN = (404, 404, 200, 200, 200, 200)
BY_MEMBERS = (404, 404, 403, 200, 200, 200)
BY_OWNERS = (404, 404, 403, 403, 200, 200)
IN_TRASH = (404, 404, 404, 404, 200, 200)
BY_PEOPLE = (302, 200, 200, 200, 200, 200)
REDIRECTS = (302,) * 6

GROUP = "groups/private"
PROJECT = "projects/private-work"
LAB = f"{PROJECT}/labs/bench"

PRIVATE = {
    "home": row("", *(200,) * 6),
    "login": row("login", *REDIRECTS),
    "logout": row("logout", *REDIRECTS),
    "oauth-callback": row("oauth_callback", *(400,) * 6),
    "try": row("try", *(404,) * 6),  # not offered; tests/web/test_temporary.py has the rest
    "settings": row("settings", 302, 403, 403, 403, 403, 200),
    "trash": row("trash", *BY_PEOPLE),
    "my-lab": row("lab", *BY_PEOPLE),
    "my-lab-datasets": row("lab/datasets", *BY_PEOPLE),
    "datasets": row("datasets", *(200,) * 6),
    "dataset-new": row("datasets/new", 302, 403, 403, 403, 403, 200),
    "dataset": row("datasets/private-data", *SEEN),
    "material": row(f"{PROJECT}/material", *SEEN),
    "material-edit": row(f"{PROJECT}/material/edit", *BY_MEMBERS),
    "dataset-edit": row("datasets/private-data/edit", *BY_MEMBERS),
    "lab-datasets": row(f"{LAB}/datasets", *BY_MEMBERS),
    "lab-publish": row(f"{LAB}/publish", *BY_MEMBERS),
    "hub-events": row("events", 302, 403, 403, 403, 403, 200),
    "entries": row("entries", *BY_PEOPLE),
    "my-lab-start": row("lab/start", *BY_PEOPLE),
    "groups": row("groups", *(200,) * 6),
    "group-new": row("groups/new", *BY_PEOPLE),
    "group": row(GROUP, *SEEN),
    "group-edit": row(f"{GROUP}/edit", *BY_OWNERS),
    "group-delete": row(f"{GROUP}/delete", *BY_OWNERS),
    "group-people": row(f"{GROUP}/people", *SEEN),
    "group-requests": row(f"{GROUP}/requests", *BY_OWNERS),
    "group-events": row(f"{GROUP}/events", *BY_MEMBERS),
    "lessons": row("lessons", *(200,) * 6),
    "lesson": row("lessons/scatter-plot", *(200,) * 6),
    "projects": row("projects", *(200,) * 6),
    "project-new": row("projects/new", *BY_PEOPLE),
    "project": row(PROJECT, *SEEN),
    "project-edit": row(f"{PROJECT}/edit", *BY_MEMBERS),
    "project-delete": row(f"{PROJECT}/delete", *BY_OWNERS),
    "project-trash": row(f"{PROJECT}/trash", *BY_OWNERS),
    "project-explain": row(f"{PROJECT}/explain", *SEEN),
    "project-events": row(f"{PROJECT}/events", *BY_MEMBERS),
    "lab-new": row(f"{PROJECT}/labs/new", *BY_MEMBERS),
    "lab": row(LAB, *SEEN),
    "lab-history": row(f"{LAB}/history", *SEEN, state=world.history_kept),
    "lab-history-changes": row(
        f"{LAB}/history/{make.SECOND_VERSION}/since/{make.FIRST_VERSION}",
        *SEEN,
        state=world.history_kept,
    ),
    "lab-edit": row(f"{LAB}/edit", *BY_MEMBERS),
    "lab-start": row(f"{LAB}/start", *SEEN),
    "lab-delete": row(f"{LAB}/delete", *BY_OWNERS),
    "group-purge": row(f"{GROUP}/purge", *IN_TRASH, state=world.group_in_trash),
    "project-purge": row(f"{PROJECT}/purge", *IN_TRASH, state=world.project_in_trash),
    "lab-purge": row(f"{LAB}/purge", *IN_TRASH, state=world.lab_in_trash),
    "dataset-purge": row("datasets/private-data/purge", *IN_TRASH, state=world.dataset_in_trash),
}
TRASH = [
    row(GROUP, *IN_TRASH, state=world.group_in_trash),
    row(PROJECT, *IN_TRASH, state=world.project_in_trash),
    row(LAB, *IN_TRASH, state=world.lab_in_trash),
]


def test_every_page_is_in_the_table():
    assert set(PRIVATE) == {name for _, _, name in PAGE_ROUTES}


@pytest.mark.parametrize("name", EVERYBODY)
@pytest.mark.parametrize("case", [*PRIVATE.values(), *TRASH], ids=lambda case: case.path or "home")
async def test_private_things_are_shown_to_those_who_may_see_them(busy_site, case, name):
    with busy_site.rows() as session:
        case.state(world.corner(session, "private"))
    answer = await client_of(busy_site, name).get(case.path)
    assert answer.status == case.statuses[EVERYBODY.index(name)], answer.text
    if answer.status == 302 and case.path not in {"login", "logout"}:
        assert answer.headers["Location"].startswith(SIGN_IN)


@pytest.mark.parametrize("name", ["guest", "barbara"])
@pytest.mark.parametrize("route", [name for name, one in PRIVATE.items() if "private" in one.path])
async def test_hidden_and_missing_pages_are_the_same(busy_site, name, route):
    """In all that is sent, and in all that the database is asked, which takes its time."""
    with busy_site.rows() as session:
        PRIVATE[route].state(world.corner(session, "private"))
    client = client_of(busy_site, name)
    await client.get("")  # the portal writes down whom it has not seen before
    hidden = PRIVATE[route].path

    async def ask(path: str, **fields: str) -> tuple[int, str, list[str]]:
        with statements(busy_site.portal.engine) as asked:
            answer = await (send(client, path, **fields) if fields else client.get(path))
        told = without_random_words(answer).replace("pr1vate", "private")
        return answer.status, told, asked

    for fields in ({}, *FORMS):
        found = await ask(hidden, **fields)
        assert found == await ask(hidden.replace("private", "pr1vate"), **fields)
        assert found[0] in ({404, 405, 422} if fields else {404})
        if found[0] == 405:
            return  # there is no form


FORMS = [
    {"action": action, "name": "Mine", "confirm": "private", "username": "ada"}
    for action in ("delete", "join", "start")
]


def without_random_words(answer: Answer) -> str:
    """All that is told without nonce and XSRF token, which has the second it was made in.

    And without the length of the body, which is compressed with both in it.
    """
    nonce = soup_of(answer).script["nonce"]
    token = re.search(r'xsrf_token: "([^"]+)"', answer.text)
    assert token
    status, headers, text = answer.told
    del headers["content-length"]
    return f"{status} {headers} {text}".replace(nonce, "").replace(token[1], "")


@pytest.mark.parametrize(
    "path", ["nothing", "groups/Private", "projects/x/y", "static2", "groups//"]
)
async def test_an_address_that_is_none_is_a_page_in_plain_words(busy_site, path):
    answer = await busy_site.client("ada").get(path)
    assert answer.status == 404
    assert "There is nothing here" in soup_of(answer).h1.text


async def test_a_slash_too_many_is_forgiven(busy_site):
    answer = await busy_site.client().get("groups/")
    assert (answer.status, answer.headers["Location"]) == (302, f"{PREFIX}groups")
