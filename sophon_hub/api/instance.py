"""The hub itself, the caller, people, images, health and the contract."""

from jupyterhub.utils import url_path_join

from sophon_hub.actions.forms import InstanceChanges
from sophon_hub.actions.instance import edit_instance
from sophon_hub.api import openapi
from sophon_hub.api.arguments import NAME, PAGING
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.object_parts import User
from sophon_hub.api.objects import Health, Image, Instance, Me, Temporary
from sophon_hub.api.operation import ListOf, operation, operation_with
from sophon_hub.policy.actor import Actor
from sophon_hub.store import instance as instances
from sophon_hub.store import people, personal, temporary
from sophon_hub.store.engine import Session
from sophon_hub.store.paging import Page, encode_cursor
from sophon_hub.web import health, present


class InstanceAPI(ApiHandler):
    """The hub's name and description."""

    @operation({200: Instance})
    async def get(self) -> None:
        """Tell what this hub is."""
        settings = self.portal.settings
        await self.answer_read(
            lambda session, _: present.instance(instances.get_instance(session), settings)
        )

    @operation_with(InstanceChanges, {200: Instance})
    async def patch(self, form: InstanceChanges) -> None:
        """Change name or description; admins."""
        settings = self.portal.settings
        answer = await self.act(
            lambda session, actor: present.instance(edit_instance(session, actor, form), settings)
        )
        self.answer(answer)


class MeAPI(ApiHandler):
    """The caller."""

    @operation({200: Me})
    async def get(self) -> None:
        """Tell who the caller is; guests too."""
        address = f"{self.portal.prefix}lab"
        await self.answer_read(
            lambda session, actor: present.me(
                actor,
                {group.id: group.slug for group in people.list_own_groups(session, actor)},
                None if actor.is_guest else personal.find_own(session, actor),
                address,
            )
        )


class UsersAPI(ApiHandler):
    """People, to find somebody by name."""

    @operation({200: ListOf(User)}, arguments=(NAME, *PAGING))
    async def get(self) -> None:
        """Search people; signed-in callers only."""
        q, paging = self.one_argument("q"), self.paging()

        def work(session: Session, actor: Actor) -> Json:
            page = people.search_people(session, actor, q, paging)
            return present.listing(page, [present.user(person) for person in page.items])

        await self.answer_read(work)


class ImagesAPI(ApiHandler):
    """Lab images."""

    @operation({200: ListOf(Image)}, arguments=PAGING)
    async def get(self) -> None:
        """List the images people may choose."""
        paging = self.paging()
        after = paging.after(str)
        images = present.images(self.portal.settings)
        rest = [image for image in images if after is None or image["name"] > after]
        items = rest[: paging.limit]
        more = len(rest) > paging.limit
        page = Page(items, encode_cursor(items[-1]["name"]) if more else None, len(images))
        self.answer(present.listing(page, items))


class TemporaryAPI(ApiHandler):
    """Temporary labs."""

    @operation({200: Temporary})
    async def get(self) -> None:
        """Tell how many temporary labs there are; guests too."""
        settings = self.portal.settings
        await self.answer_read(
            lambda session, _: present.temporary(temporary.count_temporary(session), settings)
        )


class HealthAPI(ApiHandler):
    """For load balancers."""

    @operation({200: Health, 503: Health}, checks_credentials=False)
    async def get(self) -> None:
        """Tell whether database and Hub answer; nothing private."""
        report = await health.check(self.portal)
        self.answer(report, 200 if report["status"] == "ok" else 503)
        if report["status"] != "ok":
            self.set_header("Retry-After", "5")


class OpenApiAPI(ApiHandler):
    """The contract."""

    @operation({200: "application/json"})
    async def get(self) -> None:
        """Send the OpenAPI document."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(openapi.document_json(url_path_join(self.portal.prefix, "api/v1")))
