"""Labs: show, start, stop, open, lock, create, edit, delete."""

from collections.abc import Callable
from typing import TypeVar

from sophon_hub.actions import idempotency
from sophon_hub.actions import labs as actions
from sophon_hub.actions.forms import LabChanges, LabStart, LockReason, NewLab, Nothing
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import Lab
from sophon_hub.pages.base import FormState, PageHandler, Values, short
from sophon_hub.pages.dataset_use import attached
from sophon_hub.pages.projects import group_brief, questions
from sophon_hub.pages.words import memory
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.settings import Sophon
from sophon_hub.store import labs, projects
from sophon_hub.store.engine import Session
from sophon_hub.web import present

T = TypeVar("T")


class LabBase(PageHandler):
    """What the pages of one lab share."""

    section = "projects"

    def around(self, lab: Lab, actor: Actor) -> Values:
        """The lab with the project and group it belongs to, and the images there are."""
        settings = self.portal.settings
        project = lab.project
        return {
            "lab": present.lab(lab, actor, settings),
            "progress": lab.progress,
            "project": {"slug": project.slug, "name": project.name},
            "group": group_brief(project.group),
            "images": {image["name"]: image for image in present.images(settings)},
            "limits": limits(settings),
            "lock": obstacles.of_lock(actor, lab),
            "obstacle": obstacles.to_deleting_lab(actor, lab),
            "waits": obstacles.to_restoring(lab),
            "asks": questions(actor, project),
        }

    async def show_lab(
        self,
        template: str,
        project: str,
        slug: str,
        *,
        needs: Permission | None = None,
        form: FormState | None = None,
    ) -> None:
        """Show a page about the lab to those who hold the permission."""
        state = form or FormState()

        def work(session: Session, actor: Actor) -> Values:
            lab = labs.get_lab(session, actor, project, slug)
            if needs:
                require(actor, needs, lab)
            known = attached(session, actor, lab, lab.project.group_id)
            return {**self.around(lab, actor), "datasets": known, "form": state}

        values = await self.read(work)
        values["mark"] = self.mark_of(values["lab"])
        if not self.is_unchanged(values["mark"]):
            await self.show(template, state.status, **values)


def limits(settings: Sophon) -> Values:
    """What a lab gets without a limit of its own, and the most it may get."""
    return {
        "cpu": f"{settings.cpu_limit:g}",
        "max_cpu": f"{settings.max_cpu_limit:g}",
        "memory": settings.memory_limit,
        "max_memory": settings.max_memory_limit,
        "days": settings.retention_days,
    }


class LabPage(LabBase):
    """One lab."""

    async def get(self, project: str, slug: str) -> None:
        """Show it; a script that asks hears nothing when nothing has changed."""
        await self.show_lab("labs/show.html", project, slug)

    async def post(self, project: str, slug: str) -> None:
        """Press a button: start, stop, keep, open, lock, unlock, restore."""
        verbs = {
            "start": self._start,
            "stop": self._stop,
            "keep": self._keep,
            "empty-trash": self._empty_trash,
            "open": self._open,
            "lock": self._lock,
            "unlock": self._unlock,
            "restore": self._restore,
        }
        verb = verbs.get(self.typed().get("action", ""))
        if verb is None:
            raise Invalid.of("action", "There is no such button.")
        try:
            await verb(project, slug)
        except (Invalid, Conflict) as error:
            state = FormState.refused(self.typed(), error)
            await self.show_lab("labs/show.html", project, slug, form=state)

    async def _do(self, project: str, slug: str, work: Callable[[Session, Actor, Lab], T]) -> T:
        return await self.act(
            lambda session, actor: work(session, actor, labs.get_lab(session, actor, project, slug))
        )

    async def _start(self, project: str, slug: str) -> None:
        form, settings = self.form(LabStart), self.portal.settings
        await self._do(
            project,
            slug,
            lambda session, actor, lab: actions.start_lab(session, actor, lab, form, settings),
        )
        self.go_on("projects", project, "labs", slug, "start")

    async def _empty_trash(self, project: str, slug: str) -> None:
        self.form(Nothing)
        await self._do(project, slug, actions.empty_trash)
        self.say("The trash is being emptied.", "info")
        self.go_on("projects", project, "labs", slug)

    async def _stop(self, project: str, slug: str) -> None:
        self.form(Nothing)
        await self._do(project, slug, actions.stop_lab)
        self.go_on("projects", project, "labs", slug)

    async def _keep(self, project: str, slug: str) -> None:
        self.form(Nothing)
        await self._do(project, slug, actions.keep_lab)
        lists = {"home": (), "project": ("projects", project)}
        here = ("projects", project, "labs", slug)
        self.go_on(*lists.get(self.one_argument("back"), here))

    async def _open(self, project: str, slug: str) -> None:
        self.form(Nothing)
        entry = await self._do(project, slug, actions.open_lab)
        self.send_to(self.portal.addresses.lab(project, entry.path), status=303)

    async def _lock(self, project: str, slug: str) -> None:
        form = self.form(LockReason)
        await self._do(
            project, slug, lambda session, actor, lab: actions.lock_lab(session, actor, lab, form)
        )
        self.say("The lab is locked. Only you can start, stop or change it now; others can watch.")
        self.go_on("projects", project, "labs", slug)

    async def _unlock(self, project: str, slug: str) -> None:
        self.form(Nothing)
        await self._do(project, slug, actions.unlock_lab)
        self.say("The lab is unlocked.")
        self.go_on("projects", project, "labs", slug)

    async def _restore(self, project: str, slug: str) -> None:
        self.form(Nothing)
        await self._do(project, slug, actions.restore_lab)
        self.say("The lab is back, with its files.")
        self.go_on("projects", project, "labs", slug)


class StartLabPage(LabBase):
    """A lab that is starting, until one can enter."""

    async def get(self, project: str, slug: str) -> None:
        """Show how far it is."""
        needs = Permission.LAB_WATCH
        await self.show_lab("labs/start.html", project, slug, needs=needs)


class NewLabPage(PageHandler):
    """Creating a lab."""

    section = "projects"

    async def get(self, project: str) -> None:
        """Show the form."""
        values = {"internet": "true", "image": self.portal.settings.default_image}
        await self._show(project, FormState(values))

    async def _show(self, project: str, form: FormState) -> None:
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Values:
            parent = projects.get_project(session, actor, project)
            require(actor, Permission.LAB_CREATE, parent)
            return {
                "project": {"slug": parent.slug, "name": parent.name},
                "group": group_brief(parent.group),
                "images": {image["name"]: image for image in present.images(settings)},
                "limits": limits(settings),
                "form": form,
                "once": self.new_key(),
            }

        await self.show_read("labs/new.html", work, form.status)

    async def post(self, project: str) -> None:
        """Create it; sent twice, the same one."""
        settings = self.portal.settings
        try:
            form = self.form(NewLab)
            key = self.once_key()

            def create(session: Session, actor: Actor) -> Values:
                parent = projects.get_project(session, actor, project)
                return {"slug": actions.create_lab(session, actor, parent, form, settings).slug}

            made = await self.act(
                lambda session, actor: idempotency.once(
                    session, actor, key, key, lambda: create(session, actor)
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(project, FormState.refused(self.typed(), error))
            return
        self.say(f"The lab “{short(form.name)}” is there. Start it to work in it.")
        self.go_on("projects", project, "labs", made["slug"])


class EditLabPage(LabBase):
    """Changing a lab."""

    async def get(self, project: str, slug: str) -> None:
        """Show the form."""
        lab = await self.read(lambda session, actor: labs.get_lab(session, actor, project, slug))
        values = {
            "name": lab.name,
            "image": lab.image,
            "internet": "true" if lab.internet else "",
            "restart_on_removal": "true" if lab.restart_on_removal else "",
            "cpu_limit": "" if lab.cpu_limit is None else f"{lab.cpu_limit:g}",
            "memory_limit": memory(lab.memory_limit),
        }
        await self._show(project, slug, FormState(values))

    async def _show(self, project: str, slug: str, form: FormState) -> None:
        needs = Permission.LAB_EDIT
        await self.show_lab("labs/edit.html", project, slug, needs=needs, form=form)

    async def post(self, project: str, slug: str) -> None:
        """Change it."""
        settings = self.portal.settings
        try:
            form = self.form(LabChanges)
            await self.act(
                lambda session, actor: actions.edit_lab(
                    session, actor, labs.get_lab(session, actor, project, slug), form, settings
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(project, slug, FormState.refused(self.typed(), error))
            return
        self.say("The changes are saved.")
        self.go_on("projects", project, "labs", slug)


class DeleteLabPage(LabBase):
    """Moving a lab to the trash, after its address was typed."""

    async def get(self, project: str, slug: str) -> None:
        """Ask."""
        await self._show(project, slug, FormState())

    async def _show(self, project: str, slug: str, form: FormState) -> None:
        needs = Permission.LAB_DELETE
        await self.show_lab("labs/delete.html", project, slug, needs=needs, form=form)

    async def post(self, project: str, slug: str) -> None:
        """Delete it."""
        try:
            self.check_typed_address(slug)
            await self.act(
                lambda session, actor: actions.delete_lab(
                    session, actor, labs.get_lab(session, actor, project, slug)
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(project, slug, FormState.refused(self.typed(), error))
            return
        self.say("The lab is in the trash.", "info")
        self.go_on("projects", project)
