"""The lessons of the course, for everybody to read."""

from pathlib import Path

from sophon_hub.content.lessons import Text, find_picture, list_lessons
from sophon_hub.content.markdown import render
from sophon_hub.errors import NotFound
from sophon_hub.pages.base import PageHandler

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
        lessons = list_lessons(self.folder)
        if name not in lessons:
            raise NotFound
        names = list(lessons)
        place = names.index(name)
        following = names[place + 1] if place + 1 < len(names) else None
        lesson = lessons[name]
        await self.show(
            "lessons/show.html",
            name=name,
            lesson=lesson,
            texts=[render(part.text) if isinstance(part, Text) else "" for part in lesson.parts],
            number=place + 1,
            total=len(names),
            following=(following, lessons[following].title) if following else None,
        )


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
