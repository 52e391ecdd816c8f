"""What waits for owners is shown where they come first, and to people the end of their time."""

from datetime import timedelta

import pytest

from sophon_hub.models import AccessMode, MemberRole, Membership
from tests.conftest import StoppedClock
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import soup_of


def words(answer) -> str:
    return " ".join(soup_of(answer).main.text.split())


@pytest.fixture
def ending(busy_site: Site, stopped_clock: StoppedClock) -> Site:
    """Grace belongs to the public group for five more days, Alan for a month; Barbara asks."""
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        corner.group.access = AccessMode.REQUEST
        for name, days in (("grace", 5), ("alan", 30)):
            row = session.get_one(Membership, (corner.group.id, corner.person(name).id))
            row.expires_at = stopped_clock.now + timedelta(days=days)
    return busy_site


async def test_owners_see_requests_and_memberships_that_end_soon_beside_their_groups(ending: Site):
    home = words(await ending.client("ada").get(""))
    assert "1 request" in home
    assert "1 membership ends soon" in home
    for other in ("grace", "alan", "root"):
        page = words(await ending.client(other).get(""))
        assert "request" not in page
        assert "ends soon" not in page


async def test_a_group_says_to_owners_whose_time_ends_and_to_the_person_that_it_does(ending: Site):
    path = "groups/public"
    assert "Grace belongs to this group until 2027-03-06." in words(
        await ending.client("ada").get(path)
    )
    assert "You belong to this group until 2027-03-06. An owner can prolong that." in words(
        await ending.client("grace").get(path)
    )
    for other in (None, "barbara", "alan"):
        assert "until 2027" not in words(await ending.client(other).get(path))


async def test_people_see_on_their_home_page_until_when_they_belong(ending: Site):
    assert "until 2027-03-06" in words(await ending.client("grace").get(""))
    assert "until 2027-03-31" in words(await ending.client("alan").get(""))
    assert "until" not in words(await ending.client("ada").get(""))


async def test_an_owner_whose_own_time_ends_is_told_who_can_prolong_it(ending: Site):
    with ending.rows() as session:
        corner = world.corner(session, "public")
        row = session.get_one(Membership, (corner.group.id, corner.person("grace").id))
        row.role = MemberRole.OWNER
    page = words(await ending.client("grace").get("groups/public"))
    assert "until 2027-03-06. Another owner can prolong that." in page
    assert "Grace belongs" not in page


async def test_what_has_ended_is_not_said_to_end(ending: Site, stopped_clock: StoppedClock):
    stopped_clock.forward(days=6)
    assert "until" not in words(await ending.client("ada").get("groups/public"))
    assert "ends soon" not in words(await ending.client("ada").get(""))
