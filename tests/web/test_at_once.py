"""Many people who do everything at the same moment, through the API, on both databases."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from sophon_hub.models import MemberRole, Membership, ResearchGroup
from sophon_hub.store import chain
from sophon_hub.store.engine import reading, writing
from tests.web import world
from tests.web.conftest import Answer, Client, Site

GROUP = "api/v1/groups/public"
PROJECT = "api/v1/projects/public-work"
LAB = f"{PROJECT}/labs/bench"
REQUESTS = 120
TOGETHER = 24
FEWEST = 10
"""So many succeed at least, whatever comes first."""

Wish = tuple[str, str, dict[str, Any] | None]
ROLES = ("viewer", "member", "owner")


def wishes(dice: random.Random) -> Wish:
    """Something somebody may want of the same few objects."""
    whom = dice.choice(["ada", "grace", "alan", "barbara"])
    choices: list[Wish] = [
        ("POST", f"{GROUP}/join", {}),
        ("POST", f"{GROUP}/leave", None),
        ("PUT", f"{GROUP}/members/{whom}", {"role": dice.choice(ROLES)}),
        ("DELETE", f"{GROUP}/members/{whom}", None),
        ("PATCH", GROUP, {"access": dice.choice(["open", "request", "manual"])}),
        ("POST", f"{GROUP}/requests/{whom}/approve", {}),
        ("DELETE", f"{GROUP}/requests/{whom}", None),
        ("DELETE", GROUP, None),
        # most may not: so that the group is not in the trash most of the time
        *[("POST", f"{GROUP}/restore", None)] * 6,
        ("DELETE", PROJECT, None),
        ("POST", f"{PROJECT}/restore", None),
        ("PATCH", PROJECT, {"visibility": dice.choice(["public", "internal", "private"])}),
        ("POST", "api/v1/projects", {"group": "public", "name": "Same", "slug": "same"}),
        ("POST", f"{LAB}/start", {}),
        ("POST", f"{LAB}/stop", None),
        ("POST", f"{LAB}/lock", {}),
        ("POST", f"{LAB}/unlock", None),
        ("DELETE", LAB, None),
        ("POST", f"{LAB}/restore", None),
    ]
    return dice.choice(choices)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_many_want_at_once_nothing_breaks(
    site_on_any: Site, engine: Engine, seed: int
) -> None:
    with writing(engine) as session:
        world.enter(session)
    dice = random.Random(seed)
    people = [site_on_any.client(name) for name in ("ada", "grace", "alan", "barbara", "root")]
    for one in people:
        await one.get("api/v1/me")
    free = asyncio.Semaphore(TOGETHER)

    async def ask(who: Client, wish: Wish) -> Answer:
        async with free:
            # the contract refuses an answer of 500
            return await who.request(*wish)

    asked = [(dice.choice(people), wishes(dice)) for _ in range(REQUESTS)]
    answers = await asyncio.gather(*(ask(*one) for one in asked))
    told = Counter(answer.status for answer in answers)
    assert told[200] + told[201] + told[202] + told[204] >= FEWEST
    assert told.keys() <= {200, 201, 202, 204, 403, 404, 409, 422}
    with reading(engine) as session:
        assert chain.system_verify(session).problem is None
        owners = (
            select(func.count())
            .select_from(Membership)
            .where(
                Membership.group_id == ResearchGroup.id,
                Membership.role == MemberRole.OWNER,
                Membership.expires_at.is_(None),
            )
        )
        rows = session.execute(select(ResearchGroup.slug, owners.scalar_subquery())).all()
        assert [slug for slug, count in rows if not count] == []
        corner = world.corner(session, "public")
        trash = [one.deleted_at is not None for one in (corner.group, corner.project, corner.lab)]
        # what is in something deleted is deleted, too
        assert trash == sorted(trash)
        assert corner.project.visibility.openness <= corner.group.visibility.openness


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("api/v1/groups", {"name": "Twice"}),
        ("api/v1/projects", {"group": "public", "name": "Twice"}),
        (f"{PROJECT}/labs", {"name": "Twice"}),
    ],
)
async def test_what_is_sent_twice_at_once_with_its_key_is_made_once(
    site_on_any: Site, engine: Engine, path: str, body: dict[str, str]
) -> None:
    with writing(engine) as session:
        world.enter(session)
    ada = site_on_any.client("ada")
    await ada.get("api/v1/me")
    key = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(ada.post(path, body, headers=key) for _ in range(4)))
    assert [answer.status for answer in answers] == [201] * 4
    assert len({answer.text for answer in answers}) == 1
    assert site_on_any.count_events() == 1
