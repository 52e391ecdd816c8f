"""The versions of notebooks of a lab, through the API and on pages."""

from typing import Any

import pytest
from sqlalchemy import select

from sophon_hub.models import HistoryState, HistoryTask, HistoryVerb, Job, LabState
from tests import make
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import doors, landed, send, soup_of

LAB = "projects/public-work/labs/bench"
HISTORY = f"api/v1/{LAB}/history"
PAGE = f"{LAB}/history"
OF_NOTEBOOK = f"{PAGE}?notebook=work/thesis.ipynb"
CHANGES = f"{make.SECOND_VERSION}/since/{make.FIRST_VERSION}"
COMPARED = "## modified /cells/0/source:\n@@ -1 +1 @@\n-  a\n+  <script>alert(1)</script>\n  same"


@pytest.fixture
def kept(busy_site: Site) -> Site:
    """A site that knows of versions in a lab of its public project."""
    with busy_site.rows() as session:
        world.history_kept(world.corner(session, "public"))
    return busy_site


def task(site: Site, verb: HistoryVerb, *versions: str, **values: Any) -> None:
    with site.rows() as session:
        make.history_task(session, world.corner(session, "public").lab, verb, *versions, **values)


def change(site: Site, **values: Any) -> None:
    with site.rows() as session:
        for row in session.scalars(select(HistoryTask)):
            for name, value in values.items():
                setattr(row, name, value)


async def test_versions_are_listed_with_who_changed_them_and_the_one_before(kept: Site):
    found = (await kept.client("alan").get(HISTORY)).json
    assert (found["state"], found["restore"]) == ("done", None)
    assert [one["id"] for one in found["items"]] == [
        make.OTHER_VERSION,
        make.SECOND_VERSION,
        make.FIRST_VERSION,
    ]
    assert found["items"][1] == {
        "id": make.SECOND_VERSION,
        "path": "work/thesis.ipynb",
        "at": "2023-11-14T22:23:20.000Z",
        "editors": [
            {"username": "grace", "display_name": "Grace"},
            {"username": "<b>gone</b>", "display_name": "<b>gone</b>"},
        ],
        "reason": "interval",
        "size_bytes": 400,
        "before": make.FIRST_VERSION,
    }
    assert [one["before"] for one in found["items"]] == [None, make.FIRST_VERSION, None]


async def test_a_lab_in_which_nobody_has_looked_says_so_and_a_look_is_begun(busy_site: Site):
    viewer = busy_site.client("alan")
    assert (await viewer.get(HISTORY)).json["state"] == "never"
    assert doors(await viewer.get(PAGE)) == {"look"}

    assert landed(await send(viewer, PAGE, action="look")) == PAGE

    assert (await viewer.get(HISTORY)).json["state"] == "waiting"
    page = await viewer.get(PAGE)
    assert "Looking for versions" in page.text
    assert doors(page) == set()


async def test_a_lab_without_versions_says_when_there_will_be_some(kept: Site):
    change(kept, result={"versions": []})
    assert "No versions yet" in (await kept.client("alan").get(PAGE)).text


async def test_the_page_lists_notebooks_and_then_the_versions_of_one(kept: Site):
    alan, grace = kept.client("alan"), kept.client("grace")
    listed = soup_of(await alan.get(PAGE)).select("main .row-title a")
    assert [link.text for link in listed] == ["notes.ipynb", "work/thesis.ipynb"]

    page = await alan.get(OF_NOTEBOOK)
    assert [row.select_one(".row-title").text.strip() for row in soup_of(page).select(".row-item")]
    assert "Grace, &lt;b&gt;gone&lt;/b&gt;" in page.text
    assert "<b>gone" not in page.text
    assert doors(page) == {"look", "compare"}
    assert doors(await grace.get(OF_NOTEBOOK)) == {"look", "compare", "restore"}
    assert (
        "no version of other.ipynb any more"
        in (await alan.get(f"{PAGE}?notebook=other.ipynb")).text
    )


async def test_a_member_restores_and_is_told_what_became_of_it(kept: Site):
    grace = kept.client("grace")
    sent = await send(grace, PAGE, action="restore", version=make.FIRST_VERSION)
    assert landed(sent) == PAGE
    assert "A version is being restored" in (await grace.get(PAGE)).text

    change(kept, state=HistoryState.FAILED, message="There is no <space> left.")
    page = await grace.get(PAGE)
    assert "There is no &lt;space&gt; left." in page.text
    change(kept, state=HistoryState.DONE)
    assert "grace restored a version" in (await grace.get(PAGE)).text


async def test_buttons_that_are_refused_say_why(kept: Site):
    with kept.rows() as session:
        world.corner(session, "public").lab.state = LabState.STOPPING
    grace = kept.client("grace")
    refused = await send(grace, PAGE, action="restore", version=make.FIRST_VERSION)
    assert refused.status == 409
    assert "just starting or stopping" in refused.text
    assert (await send(grace, PAGE, action="nothing")).status == 422
    assert (await send(grace, PAGE, action="restore", version="x")).status == 404
    other = f"{PAGE}/{make.OTHER_VERSION}/since/{make.FIRST_VERSION}"
    compared = await send(grace, other, action="compare")
    assert compared.status == 409
    assert "versions of two notebooks" in compared.text


async def test_what_changed_is_asked_for_and_shown_as_text(kept: Site):
    viewer = kept.client("alan")
    assert doors(await viewer.get(f"{PAGE}/{CHANGES}")) == {"compare"}
    assert landed(await send(viewer, f"{PAGE}/{CHANGES}", action="compare")) == f"{PAGE}/{CHANGES}"
    assert "being compared" in (await viewer.get(f"{PAGE}/{CHANGES}")).text
    with kept.rows() as session:
        assert session.scalars(select(Job)).one().kind == "history"

    compare = HistoryTask.verb == HistoryVerb.COMPARE
    with kept.rows() as session:
        row = session.scalars(select(HistoryTask).where(compare)).one()
        row.state, row.result = HistoryState.DONE, {"text": COMPARED, "whole": False}

    page = await viewer.get(f"{PAGE}/{CHANGES}")
    lines = {str(one["class"][0]): one.text for one in soup_of(page).select(".changes span")}
    assert lines["changes-added"].rstrip("\n") == "+  <script>alert(1)</script>"
    assert lines["changes-removed"].rstrip("\n") == "-  a"
    assert "<script>alert" not in page.text
    assert "more changes than a page shows" in page.text
    found = (await viewer.get(f"{HISTORY}/{CHANGES}")).json
    assert (found["state"], found["text"], found["whole"]) == ("done", COMPARED, False)


async def test_equal_versions_and_those_that_cannot_be_compared_say_so(kept: Site):
    both = (make.SECOND_VERSION, make.FIRST_VERSION)
    task(kept, HistoryVerb.COMPARE, *both, result={"text": "", "whole": True})
    viewer = kept.client("alan")
    assert "No changes" in (await viewer.get(f"{PAGE}/{CHANGES}")).text

    change(kept, state=HistoryState.FAILED, message="They are too large.")
    page = await viewer.get(f"{PAGE}/{CHANGES}")
    assert "They are too large." in page.text
    assert doors(page) == {"compare"}
    unknown = f"{make.SECOND_VERSION}/since/{1:013}-{'d' * 16}"
    assert (await viewer.get(f"{PAGE}/{unknown}")).status == 404
    assert (await viewer.get(f"{HISTORY}/{unknown}")).status == 404


async def test_the_lab_page_leads_to_the_history_of_those_who_may_watch(kept: Site):
    assert "look" in doors(await kept.client("alan").get(LAB))
    assert "look" not in doors(await kept.client("barbara").get(LAB))
