"""Labs: list, show, create, change, start, stop, open, lock, progress."""

from sophon_hub.actions import labs as actions
from sophon_hub.actions.forms import Confirmation, LabChanges, LabStart, LockReason, NewLab
from sophon_hub.actions.purge import purge_now
from sophon_hub.api import objects
from sophon_hub.api.arguments import PAGING, TRASH
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.operation import ListOf, operation, operation_with
from sophon_hub.models import Lab
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.store import datasets, labs, projects
from sophon_hub.store.engine import Session
from sophon_hub.web import present, progress


class LabHandler(ApiHandler):
    """What the handlers of one lab share."""

    def show(self, session: Session, actor: Actor, lab: Lab) -> Json:
        """The lab as JSON, as the transaction left it."""
        session.flush()
        known = datasets.find_attached(session, actor, [lab])
        return present.lab(lab, actor, self.portal.settings, known)


class LabsAPI(LabHandler):
    """The labs of a project."""

    @operation({200: ListOf(objects.Lab)}, arguments=(TRASH, *PAGING))
    async def get(self, project: str) -> None:
        """List them."""
        paging, trash = self.paging(), self.flag_argument("trash")

        def work(session: Session, actor: Actor) -> Json:
            parent = projects.get_project(session, actor, project)
            page = labs.list_labs(session, actor, parent, paging, trash=trash)
            known = datasets.find_attached(session, actor, page.items)
            settings = self.portal.settings
            items = [present.lab(lab, actor, settings, known) for lab in page.items]
            return present.listing(page, items)

        await self.answer_read(work)

    @operation_with(NewLab, {201: objects.Lab})
    async def post(self, form: NewLab, project: str) -> None:
        """Create a lab, stopped; members."""

        def work(session: Session, actor: Actor) -> Json:
            parent = projects.get_project(session, actor, project)
            lab = actions.create_lab(session, actor, parent, form, self.portal.settings)
            return self.show(session, actor, lab)

        await self.answer_created(work)


class LabAPI(LabHandler):
    """One lab."""

    @operation({200: objects.Lab})
    async def get(self, project: str, slug: str) -> None:
        """Show it."""
        await self.answer_read(
            lambda session, actor: self.show(
                session, actor, labs.get_lab(session, actor, project, slug)
            )
        )

    @operation_with(LabChanges, {200: objects.Lab})
    async def patch(self, form: LabChanges, project: str, slug: str) -> None:
        """Change it; members."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            actions.edit_lab(session, actor, lab, form, self.portal.settings)
            return self.show(session, actor, lab)

        self.answer(await self.act(work))

    @operation({204: None})
    async def delete(self, project: str, slug: str) -> None:
        """Move it to the trash; owners, while it is stopped."""
        await self.act(
            lambda session, actor: actions.delete_lab(
                session, actor, labs.get_lab(session, actor, project, slug)
            )
        )
        self.answer_nothing()


class LabStartAPI(LabHandler):
    """Starting."""

    @operation_with(LabStart, {200: objects.Lab, 202: objects.Lab})
    async def post(self, form: LabStart, project: str, slug: str) -> None:
        """Have the lab started: 202, or 200 when it runs already. Does not wait."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> tuple[Json, bool]:
            lab = labs.get_lab(session, actor, project, slug)
            begun = actions.start_lab(session, actor, lab, form, settings)
            return self.show(session, actor, lab), begun

        answer, begun = await self.act(work)
        self.answer(answer, 202 if begun else 200)


class LabEmptyTrashAPI(LabHandler):
    """The trash in the home of a lab."""

    @operation({202: objects.Lab})
    async def post(self, project: str, slug: str) -> None:
        """Have it emptied, also while the lab is stopped. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            return self.show(session, actor, actions.empty_trash(session, actor, lab))

        self.answer(await self.act(work), 202)


class LabStopAPI(LabHandler):
    """Stopping."""

    @operation({200: objects.Lab, 202: objects.Lab})
    async def post(self, project: str, slug: str) -> None:
        """Have the lab stopped: 202, or 200 when it is stopped already. Does not wait."""

        def work(session: Session, actor: Actor) -> tuple[Json, bool]:
            lab = labs.get_lab(session, actor, project, slug)
            begun = actions.stop_lab(session, actor, lab)
            return self.show(session, actor, lab), begun

        answer, begun = await self.act(work)
        self.answer(answer, 202 if begun else 200)


class LabKeepAPI(LabHandler):
    """Going on although nobody works in it."""

    @operation({200: objects.Lab})
    async def post(self, project: str, slug: str) -> None:
        """Keep it running that would be stopped unused, as if somebody worked now; members."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            return self.show(session, actor, actions.keep_lab(session, actor, lab))

        self.answer(await self.act(work))


class LabOpenAPI(LabHandler):
    """Entering."""

    @operation({200: objects.Entry})
    async def post(self, project: str, slug: str) -> None:
        """Tell where the lab is entered, and what one may do inside."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            entry = actions.open_lab(session, actor, lab)
            return {"url": self.portal.addresses.lab(project, entry.path), "mode": entry.mode}

        self.answer(await self.act(work))


class LabLockAPI(LabHandler):
    """Locking."""

    @operation_with(LockReason, {200: objects.Lab})
    async def post(self, form: LockReason, project: str, slug: str) -> None:
        """Lock the lab; members."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            return self.show(session, actor, actions.lock_lab(session, actor, lab, form))

        self.answer(await self.act(work))


class LabUnlockAPI(LabHandler):
    """Unlocking."""

    @operation({200: objects.Lab})
    async def post(self, project: str, slug: str) -> None:
        """Unlock the lab; who locked it, owners."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            return self.show(session, actor, actions.unlock_lab(session, actor, lab))

        self.answer(await self.act(work))


class LabRestoreAPI(LabHandler):
    """A lab in the trash."""

    @operation({200: objects.Lab})
    async def post(self, project: str, slug: str) -> None:
        """Take it out of the trash; owners."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            return self.show(session, actor, actions.restore_lab(session, actor, lab))

        self.answer(await self.act(work))


class LabPurgeAPI(LabHandler):
    """A lab in the trash whose time is not over."""

    @operation_with(Confirmation, {202: objects.Lab})
    async def post(self, form: Confirmation, project: str, slug: str) -> None:
        """Remove it for good, with its files, without waiting; owners."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            purge_now(session, actor, lab, form)
            return self.show(session, actor, lab)

        self.answer(await self.act(work), 202)


class LabProgressAPI(LabHandler):
    """How a start or stop goes on, live."""

    is_stream = True

    @operation({200: "text/event-stream"})
    async def get(self, project: str, slug: str) -> None:
        """Send server-sent events until the lab has come to rest."""

        def watched(session: Session, actor: Actor) -> Lab:
            lab = labs.get_lab(session, actor, project, slug)
            require(actor, Permission.LAB_WATCH, lab)
            return lab

        await progress.stream(self, watched)
