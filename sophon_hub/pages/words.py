"""How values read on a page: times, amounts, summaries, and the words for states."""

import html
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from sophon_hub import clock
from sophon_hub.models import AccessMode, MemberRole, Visibility

VISIBILITY_ICONS = {"public": "fa-globe", "internal": "fa-building-user", "private": "fa-lock"}
ACCESS_ICONS = {"open": "fa-door-open", "request": "fa-envelope", "manual": "fa-user-plus"}
ACCESS_WORDS = {"open": "open to join", "request": "on request", "manual": "by invitation"}
STATES = {
    "stopped": ("fa-circle-stop", "secondary", "stopped"),
    "starting": ("fa-circle-notch fa-spin", "info", "starting"),
    "running": ("fa-circle-play", "success", "running"),
    "stopping": ("fa-circle-notch fa-spin", "warning", "stopping"),
    "failed": ("fa-triangle-exclamation", "danger", "failed"),
}
ROLE_MEANINGS = {
    "viewer": "sees everything, changes nothing",
    "member": "works in labs, creates projects and labs",
    "owner": "also decides about people, visibility and deletion",
}
WAYS = {
    "api": "through the API",
    "cli": "on the command line",
    "system": "by the hub",
    "lab": "as the lab says",
}
EXCERPT = 160

_UNITS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
_HEADING = re.compile(r"<(/?)h([1-6])>")
_INLINE = re.compile(r"</?(?:a|em|strong|code)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")


def _moment(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def distance(moment: datetime) -> str:
    """How long ago, or in how long."""
    gap = clock.utcnow() - moment
    ahead = gap < timedelta()
    gap = abs(gap)
    for unit, word in _UNITS:
        if gap >= unit:
            count = gap // unit
            amount = f"{count} {word}" + ("s" if count > 1 else "")
            return f"in {amount}" if ahead else f"{amount} ago"
    return "in a moment" if ahead else "just now"


def when(value: str | datetime | None) -> Markup:
    """A moment as people say it, with the exact one for machines and on hovering."""
    if value is None:
        return Markup("never")
    moment = _moment(value)
    exact = moment.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        clock.rfc3339(moment), exact, distance(moment)
    )


def clock_time(value: str | datetime) -> Markup:
    """A moment by the clock; scripts show it by the reader's own."""
    moment = _moment(value)
    exact = moment.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" title="{}" data-clock>{}</time>').format(
        clock.rfc3339(moment), exact, exact
    )


def last_day(value: str | datetime | None) -> str:
    """The last day before a moment, as date fields of forms have it."""
    if value is None:
        return ""
    return (_moment(value) - timedelta(seconds=1)).strftime("%Y-%m-%d")


def memory(amount: int | None) -> str:
    """Bytes as people write them, so that the form reads it again: 512M, 2G, 1.5G."""
    if amount is None:
        return ""
    for unit, size in (("T", 1024**4), ("G", 1024**3), ("M", 1024**2)):
        if amount >= size and amount * 4 % size == 0:
            return f"{amount / size:g}{unit}"
    return f"{amount / 1024**2:.0f}M" if amount % 1024**2 == 0 else str(amount)


def demote(description_html: str) -> Markup:
    """A description below the headings of the page it is shown on."""

    def lower(match: re.Match[str]) -> str:
        return f"<{match[1]}h{min(int(match[2]) + 2, 6)}>"

    # what arrives here was sanitised by content.markdown
    return Markup(_HEADING.sub(lower, description_html))  # noqa: S704


def excerpt(description_html: str) -> str:
    """The beginning of a description as plain text."""
    text = " ".join(html.unescape(_TAG.sub(" ", _INLINE.sub("", description_html))).split())
    return text if len(text) <= EXCERPT else text[:EXCERPT].rsplit(" ", 1)[0] + " …"


def count(number: int, word: str, plural: str | None = None) -> str:
    """A number with its noun."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def install(environment: Environment) -> None:
    """Make all of this known to templates."""
    filters: dict[str, Any] = {
        "when": when,
        "clock": clock_time,
        "last_day": last_day,
        "memory": memory,
        "demote": demote,
        "excerpt": excerpt,
    }
    environment.filters.update(filters)
    environment.globals.update(
        count=count,
        visibilities=list(Visibility),
        access_modes=list(AccessMode),
        member_roles=list(MemberRole),
        visibility_icons=VISIBILITY_ICONS,
        access_icons=ACCESS_ICONS,
        access_words=ACCESS_WORDS,
        role_meanings=ROLE_MEANINGS,
        states=STATES,
    )


def entry(verb: str, detail: Mapping[str, Any]) -> str:
    """How somebody came into a lab."""
    return f"{verb} the lab{' to watch' if detail.get('mode') == 'watch' else ''}"
