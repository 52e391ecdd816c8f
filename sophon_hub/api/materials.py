"""Course material of a project: where it comes from, and getting it."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from sophon_hub.actions import materials as actions
from sophon_hub.actions.material_forms import (
    DeliveryWish,
    FreshCopy,
    MaterialChanges,
    MaterialSource,
)
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.object_parts import Time
from sophon_hub.api.operation import operation, operation_with
from sophon_hub.models import (
    DatasetState,
    DeliveryState,
    DeliveryVerb,
    MaterialKind,
    ResearchProject,
)
from sophon_hub.models import Material as MaterialRow
from sophon_hub.policy.actor import Actor
from sophon_hub.store import materials, projects
from sophon_hub.store.engine import Session
from sophon_hub.web import present_material as present


class Material(TypedDict):
    """The files that a project gives to whoever sees it."""

    kind: MaterialKind
    location: Annotated[
        str | None, Field(description="Folder or address; null for who may not change it.")
    ]
    branch: str | None
    lab: Annotated[str | None, Field(description="The lab that the folder is in.")]
    state: DatasetState
    message: Annotated[str, Field(description="Why it was not published, for who may change it.")]
    version: Annotated[int, Field(description="How often it was published; 0 before the first.")]
    file_count: int | None
    size_bytes: int | None
    published_at: Time | None
    folder: Annotated[str, Field(description="The folder of people's homes that it goes to.")]
    for_visitors: Annotated[
        bool,
        Field(description="Visitors may try it in a temporary lab while the project is public."),
    ]
    visitors_message: Annotated[
        str, Field(description="Why visitors cannot try it, for who may change it.")
    ]


class DeliveredFile(TypedDict):
    """What became of one file."""

    path: str
    became: str
    other_name: Annotated[
        str | None, Field(description="The name that the new, or one's own, version got.")
    ]


class Delivery(TypedDict):
    """What of the material was last brought into the caller's home."""

    on_start: Annotated[bool, Field(description="Brought whenever the caller's lab starts.")]
    state: DeliveryState
    verb: DeliveryVerb
    path: Annotated[str, Field(description="Of a fresh copy: of which file.")]
    message: Annotated[str, Field(description="Why it did not work.")]
    version: Annotated[int | None, Field(description="The version that was brought.")]
    counts: Annotated[dict[str, int], Field(description="How many files became what.")]
    files: Annotated[list[DeliveredFile], Field(description="The first 200 of each kind.")]
    can_undo: bool
    done_at: Time | None


def _project(session: Session, actor: Actor, slug: str) -> ResearchProject:
    return projects.get_project(session, actor, slug)


class _MaterialHandler(ApiHandler):
    def shown(
        self, session: Session, actor: Actor, project: ResearchProject, row: MaterialRow
    ) -> Json:
        """The material as the actor may know it."""
        source = materials.find_source(session, actor, row)
        return present.material(row, project, actor, source, self.portal.settings)


class MaterialAPI(_MaterialHandler):
    """The material of a project."""

    @operation({200: Material})
    async def get(self, slug: str) -> None:
        """Show it."""

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            found = materials.get_material(session, actor, project)
            return self.shown(session, actor, project, found)

        await self.answer_read(work)

    @operation_with(MaterialSource, {202: Material})
    async def put(self, form: MaterialSource, slug: str) -> None:
        """Say where it comes from, and have it published; members. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            return self.shown(
                session, actor, project, actions.set_material(session, actor, project, form)
            )

        self.answer(await self.act(work), 202)

    @operation_with(MaterialChanges, {200: Material})
    async def patch(self, form: MaterialChanges, slug: str) -> None:
        """Let visitors try it in temporary labs, or no longer; members."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            row = actions.edit_material(session, actor, project, form, settings)
            return self.shown(session, actor, project, row)

        self.answer(await self.act(work))

    @operation({204: None})
    async def delete(self, slug: str) -> None:
        """Give none any more; members. What people got stays in their homes."""
        await self.act(
            lambda session, actor: actions.remove_material(
                session, actor, _project(session, actor, slug)
            )
        )
        self.answer_nothing()


class MaterialPublishAPI(_MaterialHandler):
    """Publishing."""

    @operation({202: Material})
    async def post(self, slug: str) -> None:
        """Publish the folder or repository as it is now; members. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            return self.shown(
                session, actor, project, actions.publish_material(session, actor, project)
            )

        self.answer(await self.act(work), 202)


class DeliveryAPI(ApiHandler):
    """Material in the caller's home."""

    @operation({200: Delivery})
    async def get(self, slug: str) -> None:
        """Show what became of each file the last time."""

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            return present.delivery(materials.find_delivery(session, actor, project))

        await self.answer_read(work)

    @operation({202: Delivery})
    async def post(self, slug: str) -> None:
        """Have what is new brought into one's home. Does not wait."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            return present.delivery(actions.get_material(session, actor, project, settings))

        self.answer(await self.act(work), 202)

    @operation_with(DeliveryWish, {200: Delivery})
    async def patch(self, form: DeliveryWish, slug: str) -> None:
        """Have what is new brought whenever one's lab starts, or no longer."""

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            return present.delivery(actions.wish_delivery(session, actor, project, form))

        self.answer(await self.act(work))


class FreshCopyAPI(ApiHandler):
    """One file as the material has it."""

    @operation_with(FreshCopy, {202: Delivery})
    async def post(self, form: FreshCopy, slug: str) -> None:
        """Have it brought; one's own version gets another name. Does not wait."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            return present.delivery(actions.get_fresh_copy(session, actor, project, form, settings))

        self.answer(await self.act(work), 202)


class DeliveryUndoAPI(ApiHandler):
    """Undoing."""

    @operation({202: Delivery})
    async def post(self, slug: str) -> None:
        """Have put back what the last time replaced, except what was changed since."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Json:
            project = _project(session, actor, slug)
            return present.delivery(actions.undo_delivery(session, actor, project, settings))

        self.answer(await self.act(work), 202)
