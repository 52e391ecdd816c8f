"""The lessons that the portal shows: rendered ahead, kept as data, checked when they are read.

A lesson is a folder with ``lesson.json`` and its pictures. There is no HTML in it: texts are
Markdown, which `content.markdown` sanitises, code and outputs are words that templates escape,
and plots are pictures. So a lesson can bring no script, whoever wrote it, and needs no
exception from the pages' Content-Security-Policy; people run the real thing in a lab.
"""

import logging
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sophon_hub.errors import NotFound

log = logging.getLogger("sophon.portal")

FILE = "lesson.json"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
PICTURE = r"[0-9]{1,3}\.png"

Token = tuple[Literal["", "keyword", "text", "comment", "number"], str]
"""A piece of code and what it is."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Model):
    """Where data of a lesson come from, and what may be done with them."""

    title: str
    source: str
    url: Annotated[str, Field(pattern="^https://")]
    licence: str


class Words(_Model):
    """An output of letters, as it was printed."""

    kind: Literal["words"]
    words: str


class Table(_Model):
    """An output with rows and columns."""

    kind: Literal["table"]
    head: list[str]
    rows: list[list[str]]


class Picture(_Model):
    """An output that was drawn; sizes in pixels, ``alt`` says what there is to see.

    ``cover``: this one stands for the lesson, not the last one.
    """

    kind: Literal["picture"]
    file: Annotated[str, Field(pattern=f"^{PICTURE}$")]
    alt: Annotated[str, Field(min_length=1)]
    width: int
    height: int
    cover: bool = False


class Text(_Model):
    """A piece of text, in Markdown."""

    kind: Literal["text"]
    text: str


class Code(_Model):
    """A piece of code with what it gives; ``solution`` is shown on request only."""

    kind: Literal["code"]
    code: list[Token]
    outputs: list[Annotated[Words | Table | Picture, Field(discriminator="kind")]] = []
    solution: bool = False


class Lesson(_Model):
    """One lesson; ``notebook`` is its file in labs, ``minutes`` how long beginners take."""

    title: str
    objective: str
    minutes: int
    licence: str
    notebook: Annotated[str, Field(pattern=r"^[\w.-]+\.ipynb$")]
    data: list[Source]
    parts: list[Annotated[Text | Code, Field(discriminator="kind")]]

    @property
    def picture(self) -> Picture | None:
        """The picture that stands for the lesson; the last one unless another says so."""
        return max(self.pictures, key=lambda one: (one.cover, one.file), default=None)

    @property
    def pictures(self) -> list[Picture]:
        """All pictures."""
        return [
            output
            for part in self.parts
            if isinstance(part, Code)
            for output in part.outputs
            if isinstance(output, Picture)
        ]


def list_lessons(folder: Path) -> dict[str, Lesson]:
    """Return the lessons below a folder by name, in the order of their notebooks' files."""
    found = {
        file.parent.name: lesson
        for file in sorted(folder.glob(f"*/{FILE}"))
        if NAME.fullmatch(file.parent.name) and (lesson := _read(file, file.stat().st_mtime_ns))
    }
    return dict(sorted(found.items(), key=lambda item: item[1].notebook))


def find_lesson(folder: Path, name: str) -> Lesson:
    """Return a lesson below a folder.

    Raises:
        NotFound: there is none of this name.
    """
    lesson = list_lessons(folder).get(name)
    if lesson is None:
        raise NotFound
    return lesson


def find_picture(folder: Path, name: str, file: str) -> bytes | None:
    """Return a picture (PNG) of a lesson, or None when the lesson has no such picture."""
    lesson = list_lessons(folder).get(name)
    shown = {picture.file for picture in lesson.pictures} if lesson else set()
    path = folder / name / file
    return path.read_bytes() if file in shown and path.is_file() else None


@lru_cache(maxsize=256)
def _read(file: Path, changed: int) -> Lesson | None:
    """Read a lesson once for each time its file has changed (``changed`` tells those apart)."""
    try:
        return Lesson.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        log.warning("Left out the lesson %s, which cannot be read: %s", file.parent.name, error)
        return None
