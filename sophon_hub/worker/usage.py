"""What labs say of themselves, compared with what is known: who is in them, and who works there.

A lab that nobody works in is stopped, after people were warned.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sophon_hub.clock import utcnow
from sophon_hub.models import Lab, LabState, PersonalLab
from sophon_hub.policy.idle import stop_sentence, stop_time
from sophon_hub.settings import Sophon
from sophon_hub.store import labs, people, personal
from sophon_hub.store.engine import Session
from sophon_hub.store.servers import Kind
from sophon_hub.worker import entries, halt

COARSE = timedelta(seconds=30)
"""Differences of the last activity that are not worth being written down."""

Where = tuple[str, str]
"""Account and server name of a lab; of a personal lab, the user name and nothing."""


@dataclass(frozen=True)
class Report:
    """What a lab said at ``at``; ``idle_seconds`` is None where it said nothing."""

    people: frozenset[str]
    idle_seconds: float | None
    busy: bool
    at: datetime


@dataclass
class News:
    """What is to be written down about a lab, who has come, and why it is to be stopped, if it is.

    ``came`` are people as `models.Lab.people` has them.
    """

    kind: Kind
    number: int
    values: dict[str, Any] = field(default_factory=dict)
    came: list[dict[str, Any]] = field(default_factory=list)
    halt: str = ""


def planned_stops(session: Session, where: Collection[Where]) -> dict[Where, datetime | None]:
    """The running ones of these labs, and when they are stopped if nobody works in them."""
    return {place: lab.stops_at for place, lab in _running(session, where).items()}


def find_news(session: Session, settings: Sophon, reports: Mapping[Where, Report]) -> list[News]:
    """What differs from what is known."""
    running = _running(session, reports)
    inside = _people_inside(session, running, reports)
    news = []
    for where, lab in running.items():
        one = _usage(lab, reports[where], settings)
        if isinstance(lab, Lab) and lab.people != inside[where]:
            one.values["people"] = inside[where]
            before = {person["username"] for person in lab.people}
            one.came = [person for person in inside[where] if person["username"] not in before]
        if one.values or one.halt:
            news.append(one)
    return news


def write_down(session: Session, news: Collection[News]) -> None:
    """Write it down, for labs that are still running, and have those stopped that are due."""
    for one in news:
        kind: type[Any] = one.kind
        lab: Lab | PersonalLab | None = session.get(kind, one.number, with_for_update=True)
        if lab is None or lab.state is not LabState.RUNNING:
            continue
        for name, value in one.values.items():
            setattr(lab, name, value)
        if one.came:
            entries.note(session, lab.id, one.came)
        if one.halt and lab.stops_at is not None:  # else somebody has just kept it
            session.flush()
            halt.unused(session, one.kind, one.number, one.halt)


def _running(session: Session, where: Collection[Where]) -> dict[Where, Lab | PersonalLab]:
    own = personal.system_personal_labs_of(session, {name for name, server in where if not server})
    found: dict[Where, Lab | PersonalLab] = {(name, ""): lab for name, lab in own.items()}
    found |= labs.system_labs_by_server(session, {place for place in where if place[1]})
    return {place: lab for place, lab in found.items() if lab.state is LabState.RUNNING}


def _usage(lab: Lab | PersonalLab, report: Report, settings: Sophon) -> News:
    """What is new about the use of a lab; one that says nothing of it is not stopped for it."""
    news = News(type(lab), lab.id)
    planned = None
    if report.idle_seconds is not None:
        known = max((at for at in (lab.started_at, lab.last_activity) if at), default=report.at)
        used_at = max(known, report.at - timedelta(seconds=report.idle_seconds))
        if lab.last_activity is None or used_at - lab.last_activity > COARSE:
            news.values["last_activity"] = used_at
        if report.busy is not lab.busy:
            news.values["busy"] = report.busy
        now = utcnow()
        planned = stop_time(settings, used_at, now, busy=report.busy, planned=lab.stops_at)
        if planned is not None and planned == lab.stops_at and now >= planned:
            news.halt = stop_sentence(settings, busy=report.busy)
    if planned != lab.stops_at:
        news.values["stops_at"] = planned
    return news


def _people_inside(
    session: Session,
    running: Mapping[Where, Lab | PersonalLab],
    reports: Mapping[Where, Report],
) -> dict[Where, list[dict[str, Any]]]:
    """Who is in the labs of projects; names, and who only watches, are in the portal's records."""
    shared = {where: lab for where, lab in running.items() if isinstance(lab, Lab)}
    claimed: dict[int, set[str]] = {}
    for where, lab in shared.items():
        claimed.setdefault(lab.project.group_id, set()).update(reports[where].people)
    insiders = people.system_insiders(session, claimed, utcnow())
    return {
        where: [
            _connected(person, lab)
            for person in insiders.get(lab.project.group_id, ())
            if person.username in reports[where].people
        ]
        for where, lab in shared.items()
    }


def _connected(person: people.Insider, lab: Lab) -> dict[str, Any]:
    is_locked_out = lab.locked_by_id not in (None, person.person_id)
    return {
        "username": person.username,
        "display_name": person.display_name,
        "watching": person.is_viewer or is_locked_out,
    }
