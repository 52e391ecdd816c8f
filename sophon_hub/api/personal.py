"""The caller's own lab: settings, start, stop, trash."""

from pathlib import Path

from sophon_hub.actions import lessons
from sophon_hub.actions import personal as actions
from sophon_hub.actions.forms import LabStart, LessonOpening, PersonalChanges
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.objects import OwnLab
from sophon_hub.api.operation import operation, operation_with
from sophon_hub.content.lessons import find_lesson
from sophon_hub.models import PersonalLab
from sophon_hub.policy.actor import Actor
from sophon_hub.store import datasets, personal
from sophon_hub.store.engine import Session
from sophon_hub.web import present, progress


class OwnLabHandler(ApiHandler):
    """What the handlers of one's own lab share."""

    def show(self, session: Session, actor: Actor, lab: PersonalLab) -> Json:
        """The lab as JSON."""
        known = datasets.find_attached(session, actor, [lab])
        return present.personal_lab(lab, actor, self.portal.settings, known)


class OwnLabAPI(OwnLabHandler):
    """One's own lab."""

    @operation({200: OwnLab})
    async def get(self) -> None:
        """Show it, with what its home holds."""
        await self.answer_read(
            lambda session, actor: self.show(session, actor, personal.find_own(session, actor))
        )

    @operation_with(PersonalChanges, {200: OwnLab})
    async def patch(self, form: PersonalChanges) -> None:
        """Change it; it takes effect at the next start."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Json:
            return self.show(session, actor, actions.edit_personal(session, actor, form, settings))

        self.answer(await self.act(work))


class OwnLabStartAPI(OwnLabHandler):
    """Starting."""

    @operation_with(LabStart, {200: OwnLab, 202: OwnLab})
    async def post(self, form: LabStart) -> None:
        """Have it started: 202, or 200 when it runs already. Does not wait."""
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> tuple[Json, bool]:
            lab, begun = actions.start_personal(session, actor, form, settings)
            return self.show(session, actor, lab), begun

        answer, begun = await self.act(work)
        self.answer(answer, 202 if begun else 200)


class OwnLabStopAPI(OwnLabHandler):
    """Stopping."""

    @operation({200: OwnLab, 202: OwnLab})
    async def post(self) -> None:
        """Have it stopped: 202, or 200 when it is stopped already. Does not wait."""

        def work(session: Session, actor: Actor) -> tuple[Json, bool]:
            lab, begun = actions.stop_personal(session, actor)
            return self.show(session, actor, lab), begun

        answer, begun = await self.act(work)
        self.answer(answer, 202 if begun else 200)


class OwnLabKeepAPI(OwnLabHandler):
    """Going on although nobody works in it."""

    @operation({200: OwnLab})
    async def post(self) -> None:
        """Keep it running that would be stopped unused, as if one worked now."""
        self.answer(
            await self.act(
                lambda session, actor: self.show(
                    session, actor, actions.keep_personal(session, actor)
                )
            )
        )


class OwnLabEmptyTrashAPI(OwnLabHandler):
    """The trash in the home."""

    @operation({202: OwnLab})
    async def post(self) -> None:
        """Have it emptied, also while the lab is stopped. Does not wait."""
        self.answer(
            await self.act(
                lambda session, actor: self.show(
                    session, actor, actions.empty_trash(session, actor)
                )
            ),
            202,
        )


class OwnLessonAPI(OwnLabHandler):
    """A lesson in one's own lab."""

    @operation_with(LessonOpening, {202: OwnLab})
    async def post(self, form: LessonOpening, name: str) -> None:
        """Have its notebook put into the home, unless it is there, and the lab started."""
        settings = self.portal.settings
        lesson = find_lesson(Path(settings.lessons_dir), name)

        def work(session: Session, actor: Actor) -> Json:
            lab = lessons.open_lesson(session, actor, lesson.notebook, form, settings)
            return self.show(session, actor, lab)

        self.answer(await self.act(work), 202)


class OwnLabProgressAPI(ApiHandler):
    """How a start or stop goes on, live."""

    @operation({200: "text/event-stream"})
    async def get(self) -> None:
        """Send server-sent events until the lab has come to rest."""
        await progress.stream(self, personal.find_own)
