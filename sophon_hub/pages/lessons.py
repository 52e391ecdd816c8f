"""The lessons of the course, for everybody to read."""

import asyncio
from functools import partial
from pathlib import Path, PurePosixPath

from sophon_hub.actions.forms import LessonOpening
from sophon_hub.actions.lessons import open_lesson
from sophon_hub.content.lessons import Text, find_lesson, find_picture, list_lessons
from sophon_hub.content.markdown import render
from sophon_hub.errors import Conflict, Invalid, NotFound
from sophon_hub.models import LabState
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.lessons import brings_lessons, image_with_lessons
from sophon_hub.store import personal
from sophon_hub.store.engine import Session
from sophon_hub.web.portal import Portal

COPY_SECONDS = 10.0
"""How long somebody waits for a lesson to be copied; it takes half a second."""

LOOK_SECONDS = 0.1
PICTURE_SECONDS = 3600
"""For how long browsers may keep pictures without asking again."""


class LessonsHandler(PageHandler):
    """What the pages about lessons share."""

    section = "lessons"

    @property
    def folder(self) -> Path:
        """Where the lessons are."""
        return Path(self.portal.settings.lessons_dir)


class LessonsPage(LessonsHandler):
    """All lessons."""

    async def get(self) -> None:
        """Show titles, objectives and pictures."""
        await self.show("lessons/list.html", lessons=list_lessons(self.folder))


class LessonPage(LessonsHandler):
    """One lesson."""

    async def get(self, name: str) -> None:
        """Show the lesson as it looks when it was run."""
        await self._show(name, FormState())

    async def _show(self, name: str, form: FormState) -> None:
        lessons = list_lessons(self.folder)
        lesson = find_lesson(self.folder, name)
        names = list(lessons)
        place = names.index(name)
        following = names[place + 1] if place + 1 < len(names) else None
        own = await self.read(self._own)
        await self.show(
            "lessons/show.html",
            form.status,
            name=name,
            lesson=lesson,
            texts=[render(part.text) if isinstance(part, Text) else "" for part in lesson.parts],
            number=place + 1,
            total=len(names),
            following=(following, lessons[following].title) if following else None,
            own=own,
            form=form,
        )

    def _own(self, session: Session, actor: Actor) -> Values | None:
        """How the lesson is opened in one's own lab: with which software, if at all."""
        if actor.person_id is None:
            return None
        settings, lab = self.portal.settings, personal.find_own(session, actor)
        image = image_with_lessons(settings)
        return {
            "state": lab.state,
            "fits": brings_lessons(lab.image, settings),
            "title": settings.images[image].get("title", image) if image else None,
        }

    async def post(self, name: str) -> None:
        """Open it in one's own lab, which is started when it does not run."""
        lesson, settings = find_lesson(self.folder, name), self.portal.settings
        try:
            if self.typed().get("action") != "open":
                raise Invalid.of("action", "There is no such button.")
            form = self.form(LessonOpening)
            state = await self.act(
                lambda session, actor: (
                    open_lesson(session, actor, lesson.notebook, form, settings).state
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(name, FormState.refused(self.typed(), error))
            return
        if state is LabState.RUNNING:
            await self._enter(lesson.notebook)
        else:
            self.send_to(f"{self.address('lab', 'start')}?lesson={name}", status=303)

    async def _enter(self, notebook: str) -> None:
        """Go to the notebook as soon as the worker has put it there."""
        deadline = asyncio.get_running_loop().time() + COPY_SECONDS
        while await self.read(_still_wanted):
            if asyncio.get_running_loop().time() > deadline:
                self.say("The lesson is being copied; look for it in the folder “lessons”.", "info")
                self.go_on("lab")
                return
            await asyncio.sleep(LOOK_SECONDS)
        self.send_to(await self.read(partial(lesson_address, self.portal, notebook)), status=303)


def _still_wanted(session: Session, actor: Actor) -> bool:
    return bool(personal.find_own(session, actor).wanted)


def lesson_address(portal: Portal, notebook: str, session: Session, actor: Actor) -> str:
    """Where a lesson's notebook is in the caller's own lab."""
    lab, settings = personal.find_own(session, actor), portal.settings
    image = settings.images.get(lab.image or settings.default_image, {})
    folder = PurePosixPath(image.get("skeleton", "")).name
    return portal.addresses.notebook(actor.username or "", folder, notebook)


class LessonPicture(LessonsHandler):
    """A picture of a lesson."""

    async def get(self, name: str, file: str) -> None:
        """Send the picture."""
        picture = find_picture(self.folder, name, file)
        if picture is None:
            raise NotFound
        self.set_header("Content-Type", "image/png")
        self.set_header("Cache-Control", f"public, max-age={PICTURE_SECONDS}")
        self.finish(picture)
