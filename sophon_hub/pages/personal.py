"""My lab: everybody's own, with what its home holds."""

from pathlib import Path

from sophon_hub.actions import personal as actions
from sophon_hub.actions.forms import LabStart, Nothing, PersonalChanges
from sophon_hub.content.lessons import find_lesson
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import LabState
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.pages.dataset_use import attached
from sophon_hub.pages.lessons import lesson_address
from sophon_hub.policy.actor import Actor
from sophon_hub.store import personal
from sophon_hub.store.engine import Session
from sophon_hub.web import present


class OwnLabBase(PageHandler):
    """What the pages of one's own lab share."""

    section = "lab"

    async def show_own(
        self, template: str, form: FormState | None = None, *, lesson: str = ""
    ) -> None:
        """Show a page about the caller's own lab."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Values:
            row = personal.find_own(session, actor)
            return {
                "lab": present.personal_lab(row, actor, settings),
                "progress": row.progress,
                "images": {image["name"]: image for image in present.images(settings)},
                "default_image": settings.default_image,
                "datasets": attached(session, actor, row, None),
            }

        values = await self.read(work)
        values["form"] = form or FormState({"image": values["lab"]["image"]})
        values["mark"] = self.mark_of(values["lab"])
        if not self.is_unchanged(values["mark"]):
            await self.show(template, values["form"].status, lesson=lesson, **values)


class OwnLabPage(OwnLabBase):
    """One's own lab."""

    async def get(self) -> None:
        """Show it; a script that asks hears nothing when nothing has changed."""
        await self.show_own("personal/show.html")

    async def post(self) -> None:
        """Press a button: start, stop, keep, open, empty the trash, choose the image."""
        verbs = {
            "start": self._start,
            "stop": self._stop,
            "keep": self._keep,
            "open": self._open,
            "empty-trash": self._empty_trash,
            "edit": self._edit,
        }
        verb = verbs.get(self.typed().get("action", ""))
        if verb is None:
            raise Invalid.of("action", "There is no such button.")
        try:
            await verb()
        except (Invalid, Conflict) as error:
            await self.show_own("personal/show.html", FormState.refused(self.typed(), error))

    async def _start(self) -> None:
        form, settings = self.form(LabStart), self.portal.settings
        await self.act(
            lambda session, actor: actions.start_personal(session, actor, form, settings)
        )
        self.go_on("lab", "start")

    async def _stop(self) -> None:
        self.form(Nothing)
        await self.act(actions.stop_personal)
        self.go_on("lab")

    async def _keep(self) -> None:
        self.form(Nothing)
        await self.act(actions.keep_personal)
        self.go_on(*(() if self.one_argument("back") == "home" else ("lab",)))

    async def _open(self) -> None:
        self.form(Nothing)
        name = self.one_argument("lesson")
        lesson = find_lesson(Path(self.portal.settings.lessons_dir), name) if name else None

        def work(session: Session, actor: Actor) -> str:
            if personal.find_own(session, actor).state is not LabState.RUNNING:
                raise Conflict("Your lab is not running; start it first.")
            if lesson is not None:
                return lesson_address(self.portal, lesson.notebook, session, actor)
            return self.portal.addresses.personal_lab(actor.username or "")

        self.send_to(await self.read(work), status=303)

    async def _empty_trash(self) -> None:
        self.form(Nothing)
        await self.act(actions.empty_trash)
        self.say("The trash is being emptied.", "info")
        self.go_on("lab")

    async def _edit(self) -> None:
        form, settings = self.form(PersonalChanges), self.portal.settings
        await self.act(lambda session, actor: actions.edit_personal(session, actor, form, settings))
        self.say("The changes are saved.")
        self.go_on("lab")


class StartOwnLabPage(OwnLabBase):
    """One's own lab that is starting, until one can enter."""

    async def get(self) -> None:
        """Show how far it is."""
        await self.show_own("personal/start.html", lesson=self.one_argument("lesson"))
