"""From what a browser sends to what `actions.forms` reads: texts become numbers, flags, times.

This is the only place that converts. What cannot be converted is reported together with
everything else that is wrong, so that a form comes back once and not field by field.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tornado.httputil import HTTPServerRequest

from sophon_hub.actions.forms import Form
from sophon_hub.amounts import parse_bytes
from sophon_hub.errors import FieldError, Invalid
from sophon_hub.web.body import BadBody

F = TypeVar("F", bound=Form)

FRAME_FIELDS = frozenset({"_xsrf", "action", "once"})
"""What forms carry beside what people type."""


def typed_values(request: HTTPServerRequest) -> dict[str, str]:
    """What was typed, by field; the same dictionary fills the form when it comes back.

    Raises:
        BadBody: it is no text.
        Invalid: a field was sent twice, or a file was sent.
    """
    values: dict[str, str] = {}
    for name, sent in request.body_arguments.items():
        if len(sent) > 1:
            raise Invalid.of(name, "Give this once.")
        try:
            values[name] = sent[0].decode("utf-8")
        except UnicodeDecodeError:
            raise BadBody(400, "The form is not text in UTF-8.") from None
    if request.files:
        raise Invalid.of(next(iter(request.files)), "Give a text, not a file.")
    return values


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError("Give a number such as 2 or 0.5.") from None


def _memory(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError:
        raise ValueError("Give an amount such as 512M or 2G.") from None


def _end_of_day(text: str) -> str:
    """The moment after the last one of a day: a membership until Friday includes Friday."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return (day + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        raise ValueError("Give a day such as 2027-01-31.") from None


def _flag(text: str) -> bool:
    if text not in {"", "true"}:
        raise ValueError("Tick it or leave it.")
    return text == "true"


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "cpu_limit": _number,
    "memory_limit": _memory,
    "expires_at": _end_of_day,
    "internet": _flag,
    "restart_on_removal": _flag,
    "clean_up": _flag,
    "use_image": _flag,
    "on_start": _flag,
    "for_visitors": _flag,
}
_BOXES = frozenset({"internet", "restart_on_removal"})
_EMPTY_IS_NONE = frozenset({"cpu_limit", "memory_limit", "expires_at"})
_EMPTY_IS_MISSING = frozenset({"slug", "image", "visibility", "access", "role", "kind"})


def read_form(kind: type[F], typed: Mapping[str, str]) -> F:
    """Check what was typed against a form of `actions.forms`.

    Raises:
        Invalid: one entry for each field that is wrong.
    """
    data: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, text in typed.items():
        if name in FRAME_FIELDS:
            continue
        try:
            _convert(data, name, text.strip() if name in _CONVERTERS else text)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
    for name in _BOXES & kind.model_fields.keys() - typed.keys():
        data[name] = False  # browsers leave out a box that is not ticked
    try:
        form = kind.read(data)
    except Invalid as invalid:
        raise Invalid([*errors, *invalid.errors]) from None
    if errors:
        raise Invalid(errors)
    return form


def _convert(data: dict[str, Any], name: str, text: str) -> None:
    if not text.strip() and name in _EMPTY_IS_MISSING:
        return
    if not text and name in _EMPTY_IS_NONE:
        data[name] = None
    else:
        data[name] = _CONVERTERS.get(name, str)(text)
