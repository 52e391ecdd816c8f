"""Administrators who look at private things leave a trace that the owners can read."""

import pytest
from sqlalchemy import select

from sophon_hub.errors import Unavailable
from sophon_hub.models import AuditEvent
from tests.conftest import StoppedClock
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import soup_of

PRIVATE = {
    "api/v1/groups/private": ("group:look", "private"),
    "api/v1/groups/private/members": ("group:look", "private"),
    "api/v1/projects/private-work": ("project:look", "private-work"),
    "api/v1/projects/private-work/labs": ("project:look", "private-work"),
    "api/v1/projects/private-work/labs/bench": ("lab:look", "private-work/bench"),
    "api/v1/datasets/private-data": ("dataset:look", "private-data"),
    "groups/private": ("group:look", "private"),
    "groups/private/people": ("group:look", "private"),
    "groups/private/events": ("group:look", "private"),
    "projects/private-work": ("project:look", "private-work"),
    "projects/private-work/edit": ("project:look", "private-work"),
    "projects/private-work/labs/bench": ("lab:look", "private-work/bench"),
    "datasets/private-data": ("dataset:look", "private-data"),
}


def looks(site: Site) -> list[tuple[str, str | None, str]]:
    with site.rows() as session:
        query = select(AuditEvent).where(AuditEvent.action.like("%:look")).order_by(AuditEvent.id)
        return [(row.action, row.actor, row.subject) for row in session.scalars(query)]


@pytest.mark.parametrize("path", PRIVATE)
async def test_an_administrator_who_looks_at_something_private_is_on_record(
    busy_site: Site, path: str
):
    for name in ("ada", "grace", "alan"):
        assert (await busy_site.client(name).get(path)).status in (200, 403)
    assert looks(busy_site) == []
    assert (await busy_site.client("root").get(path)).status == 200
    action, subject = PRIVATE[path]
    assert (action, "root", subject) in looks(busy_site)


@pytest.mark.parametrize("kind", ["public", "internal"])
async def test_what_everybody_who_is_signed_in_may_see_is_no_look(busy_site: Site, kind: str):
    root = busy_site.client("root")
    for path in (f"groups/{kind}", f"projects/{kind}-work", f"projects/{kind}-work/labs/bench"):
        assert (await root.get(path)).status == 200
    assert (await root.get("groups")).status == 200
    assert looks(busy_site) == []


async def test_an_administrator_in_the_group_looks_as_one_of_its_people(busy_site: Site):
    with busy_site.rows() as session:
        corner = world.corner(session, "private")
        world.make.membership(session, corner.group, corner.person("root"))
    assert (await busy_site.client("root").get("groups/private")).status == 200
    assert looks(busy_site) == []


async def test_a_page_that_is_shown_again_is_one_look_until_somebody_comes_back_later(
    busy_site: Site, stopped_clock: StoppedClock
):
    root = busy_site.client("root")
    for _ in range(3):
        await root.get("groups/private")
        stopped_clock.forward(minutes=4)
    assert len(looks(busy_site)) == 1
    stopped_clock.forward(minutes=2)
    await root.get("groups/private")
    assert len(looks(busy_site)) == 2


async def test_owners_read_of_looks_and_other_members_do_not(busy_site: Site):
    root = busy_site.client("root")
    await root.get("groups/private")
    await root.get("projects/private-work")
    for path, said in (
        ("groups/private/events", "looked at the private group, as an administrator"),
        ("projects/private-work/events", "looked at the private project, as an administrator"),
    ):
        page = soup_of(await busy_site.client("ada").get(path))
        assert said in " ".join(page.main.text.split())
        assert "looked at" not in (await busy_site.client("grace").get(path)).text
        told = [
            (await busy_site.client(name).get(f"api/v1/{path}")).json for name in ("ada", "grace")
        ]
        assert [any(":look" in one["action"] for one in page["items"]) for page in told] == [
            True,
            False,
        ]
        assert told[1]["total"] == len(told[1]["items"])


async def test_nothing_private_is_shown_while_the_look_cannot_be_written(
    busy_site: Site, monkeypatch: pytest.MonkeyPatch
):
    async def fail(_work):
        raise Unavailable("The database does not answer; please try again.")

    root = busy_site.client("root")
    assert (await root.get("groups/public")).status == 200
    monkeypatch.setattr(busy_site.portal, "write", fail)
    assert (await root.get("groups/public")).status == 200
    refused = await root.get("groups/private")
    assert refused.status == 503
    assert "Private" not in refused.text
