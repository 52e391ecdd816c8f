"""Cleaning of what people type: trimmed, NFC, no control characters, bounded."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_NAME = 200
MAX_DESCRIPTION_BYTES = 64 * 1024
MAX_MESSAGE = 1000

_LINE_END = re.compile("\r\n?|[\u2028\u2029]")
_DIRECTION_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0\u2800")


def clean(text: str, *, allowed: str = "") -> str:
    """Trim and normalise, line ends of all systems too; refuse what must not be in a text.

    Direction overrides count as control characters: they make one name look like another
    (Unicode TR 36, section 2.10.6).

    Raises:
        ValueError: with a sentence for people.
    """
    text = unicodedata.normalize("NFC", _LINE_END.sub("\n", text)).strip()
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            raise ValueError("This is not valid Unicode text.")
        if character not in allowed and (category == "Cc" or character in _DIRECTION_OVERRIDES):
            raise ValueError(f"Remove the control character U+{ord(character):04X}.")
    return text


def _is_blank(text: str) -> bool:
    return all(
        character in _INVISIBLE or unicodedata.category(character) in {"Zs", "Cf", "Zl", "Zp"}
        for character in text
    )


def _name(text: str) -> str:
    text = clean(text)
    if _is_blank(text):
        raise ValueError("Give a name.")
    if len(text) > MAX_NAME:
        raise ValueError(f"Use at most {MAX_NAME} characters.")
    return text


def _description(text: str) -> str:
    text = clean(text, allowed="\n\t")
    if len(text.encode()) > MAX_DESCRIPTION_BYTES:
        raise ValueError("Use at most 64 kB of text.")
    return text


def _message(text: str) -> str:
    text = clean(text, allowed="\n\t")
    if len(text) > MAX_MESSAGE:
        raise ValueError(f"Use at most {MAX_MESSAGE} characters.")
    return text


Name = Annotated[
    str, AfterValidator(_name), Field(json_schema_extra={"minLength": 1, "maxLength": MAX_NAME})
]
"""A display name: 1 to 200 characters."""

Description = Annotated[
    str,
    AfterValidator(_description),
    Field(json_schema_extra={"maxLength": MAX_DESCRIPTION_BYTES, "format": "markdown"}),
]
"""Markdown of at most 64 kB."""

Message = Annotated[
    str, AfterValidator(_message), Field(json_schema_extra={"maxLength": MAX_MESSAGE})
]
"""A message or reason of at most 1,000 characters."""
