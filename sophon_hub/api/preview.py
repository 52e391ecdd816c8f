"""What a change would do, before it is made."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from sophon_hub.api.arguments import CHANGE, PROJECT_CHANGE, TARGET
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.operation import operation
from sophon_hub.errors import Invalid, NotFound
from sophon_hub.models import Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.store import datasets, effects, groups, projects
from sophon_hub.store.engine import Session
from sophon_hub.web.effects import effect

DELETE = "delete"
MOVE = "move"
NO_GROUP = "There is no such group, or you may not see it."


class Effect(TypedDict):
    """How much a change would hide, and from whom."""

    groups: int
    projects: int
    datasets: int
    people: Annotated[int, Field(description="With an account; each loses sight of some of it.")]
    guests: Annotated[bool, Field(description="Whether everybody without an account does.")]
    running_labs: Annotated[int, Field(description="Labs that would be stopped.")]
    leaving: Annotated[int, Field(description="Who would lose access to a moved project's labs.")]
    coming: Annotated[int, Field(description="Who would get access to a moved project's labs.")]
    sentence: str


class PreviewHandler(ApiHandler):
    """What previews of all things share."""

    def find(self, session: Session, actor: Actor, slug: str) -> effects.Thing:
        """What the address names, if the caller may see it."""
        raise NotImplementedError

    def change(self, *others: str) -> str:
        """The change that is asked about: a visibility, or one of the other words."""
        change = self.one_argument("change")
        if change not in (*others, *Visibility):
            words = ", ".join((*others, *Visibility))
            raise Invalid.of("change", f"Give one of: {words}.")
        return change

    async def show(self, slug: str) -> None:
        """Say what the change that is asked about would hide."""
        change = self.change(DELETE)

        def work(session: Session, actor: Actor) -> Json:
            thing = self.find(session, actor, slug)
            if change == DELETE:
                return effect(effects.get_effect_of_deletion(session, actor, thing))
            wanted = Visibility(change)
            return effect(effects.get_effect_of_visibility(session, actor, thing, wanted))

        await self.answer_read(work)


class GroupPreviewAPI(PreviewHandler):
    """A change to a research group."""

    def find(self, session: Session, actor: Actor, slug: str) -> effects.Thing:
        """The group."""
        return groups.get_group(session, actor, slug)

    @operation({200: Effect}, arguments=(CHANGE,))
    async def get(self, slug: str) -> None:
        """Say what deleting it, or another visibility, would hide from whom; owners."""
        await self.show(slug)


class ProjectPreviewAPI(PreviewHandler):
    """A change to a project."""

    def find(self, session: Session, actor: Actor, slug: str) -> effects.Thing:
        """The project."""
        return projects.get_project(session, actor, slug)

    @operation({200: Effect}, arguments=(PROJECT_CHANGE, TARGET))
    async def get(self, slug: str) -> None:
        """Say what deleting or moving it, or another visibility, would change for whom; owners."""
        if self.change(DELETE, MOVE) != MOVE:
            await self.show(slug)
            return
        target = self.one_argument("group")

        def work(session: Session, actor: Actor) -> Json:
            project = projects.get_project(session, actor, slug)
            require(actor, Permission.PROJECT_MOVE, project)
            try:
                group = groups.get_group(session, actor, target)
            except NotFound:
                raise Invalid.of("group", NO_GROUP) from None
            require(actor, Permission.PROJECT_CREATE, group)
            found = effects.get_effects_of_move(session, actor, project, [group])
            return effect(found[group.slug])

        await self.answer_read(work)


class DatasetPreviewAPI(PreviewHandler):
    """A change to a dataset."""

    def find(self, session: Session, actor: Actor, slug: str) -> effects.Thing:
        """The dataset."""
        return datasets.get_dataset(session, actor, slug)

    @operation({200: Effect}, arguments=(CHANGE,))
    async def get(self, slug: str) -> None:
        """Say what deleting it, or another visibility, would hide from whom; owners."""
        await self.show(slug)


class MemberPreviewAPI(ApiHandler):
    """Taking somebody out of a research group."""

    @operation({200: Effect})
    async def get(self, slug: str, username: str) -> None:
        """Say what would be hidden from this person; owners."""

        def work(session: Session, actor: Actor) -> Json:
            group = groups.get_group(session, actor, slug)
            return effect(effects.get_effect_of_leaving(session, actor, group, username))

        await self.answer_read(work)
