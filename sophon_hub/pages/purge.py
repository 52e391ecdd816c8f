"""Removing for good what is in the trash, before its time is over."""

from sophon_hub.actions.forms import Confirmation
from sophon_hub.actions.purge import PERMISSIONS, purge_now
from sophon_hub.errors import Invalid, NotFound
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import require
from sophon_hub.store import datasets, groups, labs, projects
from sophon_hub.store.engine import Session
from sophon_hub.store.trash import Kind, Thing, kind_of


class PurgePage(PageHandler):
    """Asks for the address of what is to go, and has it removed."""

    def find(self, session: Session, actor: Actor, *slugs: str) -> Thing:
        """What the address names, if the actor may see it."""
        raise NotImplementedError

    async def get(self, *slugs: str) -> None:
        """Ask."""
        await self._show(slugs, FormState())

    async def _show(self, slugs: tuple[str, ...], form: FormState) -> None:
        def work(session: Session, actor: Actor) -> Values:
            thing = self.find(session, actor, *slugs)
            kind = kind_of(thing)
            require(actor, PERMISSIONS[kind], thing)
            if thing.deleted_at is None:
                raise NotFound
            return {"kind": kind, "thing": {"slug": thing.slug, "name": thing.name}, "form": form}

        await self.show_read("home/purge.html", work, form.status)

    async def post(self, *slugs: str) -> None:
        """Remove it."""
        try:
            self.check_typed_address(slugs[-1])
            kind = await self.act(lambda session, actor: self._purge(session, actor, slugs))
        except Invalid as error:
            await self._show(slugs, FormState.refused(self.typed(), error))
            return
        self.say(f"The {kind} is being removed for good.", "info")
        self.go_on("trash")

    def _purge(self, session: Session, actor: Actor, slugs: tuple[str, ...]) -> Kind:
        thing = self.find(session, actor, *slugs)
        purge_now(session, actor, thing, Confirmation(confirm=slugs[-1]))
        return kind_of(thing)


class PurgeGroupPage(PurgePage):
    """A research group."""

    section = "groups"

    def find(self, session: Session, actor: Actor, *slugs: str) -> Thing:
        """The group."""
        return groups.get_group(session, actor, *slugs)


class PurgeProjectPage(PurgePage):
    """A project."""

    section = "projects"

    def find(self, session: Session, actor: Actor, *slugs: str) -> Thing:
        """The project."""
        return projects.get_project(session, actor, *slugs)


class PurgeLabPage(PurgePage):
    """A lab."""

    section = "projects"

    def find(self, session: Session, actor: Actor, *slugs: str) -> Thing:
        """The lab."""
        return labs.get_lab(session, actor, *slugs)


class PurgeDatasetPage(PurgePage):
    """A dataset."""

    section = "datasets"

    def find(self, session: Session, actor: Actor, *slugs: str) -> Thing:
        """The dataset."""
        return datasets.get_dataset(session, actor, *slugs)
