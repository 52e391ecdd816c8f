"""An answer, its line in the log, and the events it made carry one id, whatever was sent."""

import logging
import re

import pytest

from sophon_hub.store import chain
from tests.database import events
from tests.web.conftest import Answer, Site
from tests.web.test_pages import soup_of

GROUP = "api/v1/groups/public"
LAB = "api/v1/projects/public-work/labs/bench"
OURS = re.compile("[0-9a-f]{32}")
GIVEN = ["a", "Zj4.b_c:d@e=f+g-h", "7f1cf0cd-6f3e-4cf3-a8b0-7f0c1d2b2b63", "x" * 64]
NONE = ["", "-a", "x" * 65, "a b", "a,b", "a;b", "<b>", "../a", '"a"', "\u00e4", "a\tb", "a\\b"]


def id_of(answer: Answer) -> str:
    [found] = answer.headers.get_list("X-Request-ID")
    return found


def ids_of_events(site: Site) -> list[str | None]:
    with site.rows() as session:
        return [event.request_id for event in events(session)]


@pytest.mark.parametrize("given", GIVEN)
async def test_an_id_that_is_one_is_kept_in_answer_log_and_event(
    busy_site: Site, given: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "tornado.access"):
        answer = await busy_site.client("ada").patch(
            GROUP, {"name": "Other"}, headers={"X-Request-ID": given}
        )
    assert (answer.status, id_of(answer)) == (200, given)
    assert ids_of_events(busy_site) == [given]
    [line] = [text for text in caplog.messages if "PATCH" in text]
    assert line.startswith("200 PATCH /services/sophon/api/v1/groups/public (")
    assert line.endswith(f"ms {given}")


@pytest.mark.parametrize("given", NONE)
async def test_what_is_no_id_is_replaced_by_one_and_is_nowhere(busy_site: Site, given: str):
    answer = await busy_site.client("ada").patch(
        GROUP, {"name": "Other"}, headers={"X-Request-ID": given}
    )
    assert OURS.fullmatch(id_of(answer))
    assert ids_of_events(busy_site) == [id_of(answer)]


async def test_every_answer_has_an_id_of_its_own(busy_site: Site):
    paths = ["", "groups/nothing", f"{GROUP}/events", "api/v1/nothing", LAB, "login"]
    answers = [await busy_site.client("grace").get(path) for path in paths]
    answers.append(await busy_site.client("grace").request("BREW", LAB))
    assert {answer.status for answer in answers} == {200, 302, 404, 405}
    ids = [id_of(answer) for answer in answers]
    assert all(OURS.fullmatch(one) for one in ids)
    assert len(set(ids)) == len(ids)


async def test_looks_and_refusals_carry_the_id_of_their_request(busy_site: Site):
    refused = await busy_site.client("alan").patch(LAB, {"name": "Mine"})
    looked = await busy_site.client("root").get("groups/private")
    assert (refused.status, looked.status) == (403, 200)
    with busy_site.rows() as session:
        found = {event.action: event.request_id for event in events(session)}
    assert found == {"lab:deny": id_of(refused), "group:look": id_of(looked)}


async def test_administrators_find_the_events_of_a_request(busy_site: Site):
    answer = await busy_site.client("ada").patch(GROUP, {"name": "Other"})
    await busy_site.client("ada").patch(GROUP, {"name": "Another"})
    root = busy_site.client("root")
    query = f"events?request_id={id_of(answer)}"
    [item] = (await root.get(f"api/v1/{query}")).json["items"]
    assert item["detail"]["after"] == {"name": "Other"}
    page = soup_of(await root.get(query))
    [line] = page.select(".timeline > li")
    assert line.select_one(".row-note a").text == id_of(answer)
    other = await root.get(line.select_one(".row-note a")["href"].rpartition("/")[2])
    assert len(soup_of(other).select(".timeline > li")) == 1
    assert page.select_one("#request_id")["value"] == id_of(answer)


async def test_the_id_is_exported_and_bound_by_the_chain(busy_site: Site):
    answer = await busy_site.client("ada").patch(GROUP, {"name": "Other"})
    with busy_site.rows() as session:
        [line] = chain.system_lines(session)
        assert line["request_id"] == id_of(answer)
        [event] = events(session)
        event.request_id = "another"
        session.flush()
        assert chain.system_verify(session).problem == "Event 1 was altered, or stood elsewhere."
