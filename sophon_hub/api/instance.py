"""The hub itself, the caller, people, images, health and the contract."""

import json
from pathlib import Path

from sophon_hub.actions.forms import InstanceChanges
from sophon_hub.actions.instance import edit_instance
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.policy.actor import Actor
from sophon_hub.store import instance as instances
from sophon_hub.store import people
from sophon_hub.store.engine import Session
from sophon_hub.web import health, present

OPENAPI = Path(__file__).parent / "openapi.json"


class InstanceAPI(ApiHandler):
    """The hub's name and description."""

    async def get(self) -> None:
        """Tell what this hub is."""
        settings = self.portal.settings
        await self.answer_read(
            lambda session, _: present.instance(instances.get_instance(session), settings)
        )

    async def patch(self) -> None:
        """Change name or description; admins."""
        form = self.form(InstanceChanges)
        settings = self.portal.settings
        answer = await self.act(
            lambda session, actor: present.instance(edit_instance(session, actor, form), settings)
        )
        self.answer(answer)


class MeAPI(ApiHandler):
    """The caller."""

    async def get(self) -> None:
        """Tell who the caller is; guests too."""
        settings = self.portal.settings
        await self.answer_read(
            lambda session, actor: present.me(
                actor,
                {group.id: group.slug for group in people.list_own_groups(session, actor)},
                settings,
            )
        )


class UsersAPI(ApiHandler):
    """People, to find somebody by name."""

    async def get(self) -> None:
        """Search people; signed-in callers only."""
        q, paging = self.one_argument("q"), self.paging()

        def work(session: Session, actor: Actor) -> Json:
            page = people.search_people(session, actor, q, paging)
            return present.listing(page, [present.user(person) for person in page.items])

        await self.answer_read(work)


class ImagesAPI(ApiHandler):
    """Lab images."""

    async def get(self) -> None:
        """List the images people may choose."""
        await self.caller()
        items = present.images(self.portal.settings)
        self.answer({"items": items, "next": None, "total": len(items)})


class HealthAPI(ApiHandler):
    """For load balancers."""

    async def get(self) -> None:
        """Tell whether database and Hub answer; nothing private."""
        report = await health.check(self.portal)
        self.answer(report, 200 if report["status"] == "ok" else 503)
        if report["status"] != "ok":
            self.set_header("Retry-After", "5")


class OpenApiAPI(ApiHandler):
    """The contract."""

    async def get(self) -> None:
        """Send the OpenAPI document."""
        self.answer(json.loads(OPENAPI.read_text(encoding="utf-8")))
