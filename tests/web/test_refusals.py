"""What somebody may see but not do is refused, and the owners can read that it was tried."""

import pytest
from sqlalchemy import select

from sophon_hub.audit import EACH
from sophon_hub.errors import Unavailable
from sophon_hub.models import AuditEvent
from tests.conftest import StoppedClock
from tests.web.conftest import Site
from tests.web.test_pages import soup_of

LAB = "projects/public-work/labs/bench"
TRIED = [
    ("grace", "PATCH", "api/v1/groups/public", {"name": "Mine"}, "group:deny", "group:edit"),
    ("alan", "POST", f"api/v1/{LAB}/start", None, "lab:deny", "lab:start"),
    ("barbara", "DELETE", "api/v1/projects/public-work", None, "project:deny", "project:delete"),
    ("alan", "DELETE", "api/v1/datasets/public-data", None, "dataset:deny", "dataset:delete"),
    ("barbara", "GET", "api/v1/groups/public/requests", None, "group:deny", "group:people"),
    ("alan", "GET", "projects/public-work/edit", None, "project:deny", "project:edit"),
]


def refusals(site: Site) -> list[AuditEvent]:
    with site.rows() as session:
        denied = AuditEvent.action.like("%:deny")
        found = list(session.scalars(select(AuditEvent).where(denied).order_by(AuditEvent.id)))
        session.expunge_all()
        return found


@pytest.mark.parametrize(("name", "method", "path", "body", "action", "permission"), TRIED)
async def test_what_is_refused_is_on_record_with_who_what_and_by_which_way(
    busy_site: Site, name, method, path, body, action, permission
):
    answer = await busy_site.client(name).request(method, path, body)
    assert answer.status == 403
    [event] = refusals(busy_site)
    assert (event.actor, event.action, event.detail) == (name, action, {"permission": permission})
    assert event.via == ("api" if path.startswith("api") else "page")
    assert event.group_id is not None


async def test_guests_what_is_not_there_and_what_contradicts_leave_nothing(busy_site: Site):
    assert (await busy_site.client().patch("api/v1/groups/public", {"name": "X"})).status == 401
    barbara = busy_site.client("barbara")
    assert (await barbara.patch("api/v1/groups/private", {"name": "X"})).status == 404
    assert (await busy_site.client("ada").post("api/v1/groups/public/leave")).status == 409
    assert refusals(busy_site) == []


async def test_owners_read_of_refusals_and_other_members_do_not(busy_site: Site):
    assert (await busy_site.client("alan").post(f"api/v1/{LAB}/start")).status == 403
    path = "groups/public/events"
    told = soup_of(await busy_site.client("ada").get(path))
    assert "alan was refused “lab:start” · public-work/bench" in " ".join(told.main.text.split())
    assert "refused" not in (await busy_site.client("grace").get(path)).text


async def test_somebody_who_tries_again_and_again_does_not_fill_the_trail(
    busy_site: Site, stopped_clock: StoppedClock
):
    alan = busy_site.client("alan")
    for _ in range(EACH + 3):
        assert (await alan.post(f"api/v1/{LAB}/start")).status == 403
    assert len(refusals(busy_site)) == EACH
    stopped_clock.forward(minutes=2)
    assert (await alan.post(f"api/v1/{LAB}/start")).status == 403
    assert refusals(busy_site)[-1].detail == {"permission": "lab:start", "unrecorded_before": 3}


async def test_a_refusal_stands_also_when_it_cannot_be_written_down(
    busy_site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    alan = busy_site.client("alan")
    assert (await alan.get("api/v1/me")).status == 200

    async def fail(_work):
        raise Unavailable("The database does not answer; please try again.")

    monkeypatch.setattr(busy_site.portal, "write", fail)
    assert (await alan.get("projects/public-work/edit")).status == 403
    assert "A refusal is not in the audit trail" in caplog.text
