"""Pages: every item once, in a stable order, whatever the limit; bad cursors are refused."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.errors import Invalid
from sophon_hub.policy.actor import Actor
from sophon_hub.store import events, projects
from sophon_hub.store.paging import Paging, encode_cursor
from tests import make
from tests.cast import Cast

COUNT = 7


def pages(session: Session, actor: Actor, limit: int) -> list[list[str]]:
    found, cursor = [], None
    while True:
        page = projects.list_projects(session, actor, Paging(limit, cursor))
        assert page.total == COUNT
        assert len(found) <= COUNT, "the pages never end"
        found.append([item.project.slug for item in page.items])
        if page.next is None:
            return found
        cursor = page.next


@pytest.mark.parametrize("limit", [1, 2, 3, COUNT - 1, COUNT, COUNT + 1, 200])
def test_every_item_is_on_exactly_one_page(session: Session, cast: Cast, limit: int) -> None:
    slugs = [f"p{number}" for number in range(COUNT)]
    for slug in reversed(slugs):
        make.project(session, cast.group, slug)
    found = pages(session, cast.actor("grace"), limit)
    assert [slug for page in found for slug in page] == slugs
    assert all(len(page) == limit for page in found[:-1])
    assert all(found)


def test_an_empty_list_has_one_empty_page(session: Session, cast: Cast) -> None:
    page = projects.list_projects(session, cast.actor("grace"), Paging())
    assert (list(page.items), page.next, page.total) == ([], None, 0)


def test_what_comes_and_goes_between_pages_moves_nothing_else(session: Session, cast: Cast) -> None:
    for slug in ("b", "c", "d", "e"):
        make.project(session, cast.group, slug)
    first = projects.list_projects(session, cast.actor("grace"), Paging(2))
    session.delete(first.items[1].project)
    make.project(session, cast.group, "a")
    second = projects.list_projects(session, cast.actor("grace"), Paging(2, first.next))
    assert [item.project.slug for item in second.items] == ["d", "e"]


def test_events_are_listed_newest_first_page_by_page(session: Session, cast: Cast) -> None:
    for number in range(5):
        audit.record(session, cast.actor("ada"), f"test:{number}", cast.group)
    session.flush()
    first = events.list_events(session, cast.actor("ada"), cast.group, Paging(3))
    second = events.list_events(session, cast.actor("ada"), cast.group, Paging(3, first.next))
    done = [event.action for event in [*first.items, *second.items]]
    assert done == [f"test:{number}" for number in (4, 3, 2, 1, 0)]
    assert second.next is None


def test_events_of_a_project_are_a_part_of_those_of_its_group(session: Session, cast: Cast) -> None:
    project = make.project(session, cast.group)
    other = make.project(session, cast.group, "other")
    for subject in (cast.group, project, other, make.lab(session, project)):
        audit.record(session, cast.actor("ada"), "test:it", subject)
    session.flush()
    ada = cast.actor("ada")
    assert events.list_events(session, ada, cast.group, Paging()).total == 4
    found = [event.subject for event in events.list_events(session, ada, project, Paging()).items]
    assert found == ["lens/bench", "lens"]


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_page_has_1_to_200_items(limit: int) -> None:
    with pytest.raises(Invalid, match="1 to 200"):
        Paging(limit)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode()


BAD_CURSORS = [
    *["x", "ä", "\x00", "====", "e30=", "bnVsbA=="],
    *[encoded(text) for text in ("{}", "null", "true", "1.5", '["a"]', "[" * 50_000, '"\\u0000"')],
    *[encoded('"\\ud800"'), encoded('"' + "x")],
]


@pytest.mark.parametrize("cursor", [*BAD_CURSORS, encoded("7")], ids=lambda text: repr(text)[:20])
def test_a_cursor_that_no_list_gave_out_is_refused(
    session: Session, cast: Cast, cursor: str
) -> None:
    with pytest.raises(Invalid, match="not a cursor"):
        projects.list_projects(session, cast.actor("ada"), Paging(cursor=cursor))


@pytest.mark.parametrize(
    "cursor",
    [*BAD_CURSORS, *map(encoded, ('"a"', "1" * 30, "-1"))],
    ids=lambda text: repr(text)[:20],
)
def test_a_cursor_of_another_kind_of_list_is_refused(
    session: Session, cast: Cast, cursor: str
) -> None:
    with pytest.raises(Invalid, match="not a cursor"):
        events.list_events(session, cast.actor("ada"), cast.group, Paging(cursor=cursor))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60))
def test_every_key_comes_back_from_its_cursor(key: str) -> None:
    assert Paging(cursor=encode_cursor(key)).after(str) == key


@given(st.integers(0, 2**31 - 1))
def test_every_number_comes_back_from_its_cursor(key: int) -> None:
    assert Paging(cursor=encode_cursor(key)).after(int) == key
    assert json.loads(base64.urlsafe_b64decode(encode_cursor(key))) == key


def test_no_cursor_is_the_first_page() -> None:
    assert Paging().after(str) is None
    assert Paging(cursor="").after(str) is None
