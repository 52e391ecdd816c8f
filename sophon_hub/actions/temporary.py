"""Temporary labs: what a visitor does, and what the worker decides about them.

A visitor is a browser: whoever has the secret behind the digest ``visit``. Nobody is signed in.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from sophon_hub import audit, clock, names
from sophon_hub.errors import Conflict, NotFound, Unavailable
from sophon_hub.models import TemporaryLab, TemporaryState, TemporaryVisit
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary, trials

MOST_WAITING = 200
RECYCLE = timedelta(hours=6)
"""A lab that nobody has taken for so long is replaced by a fresh one."""

HAVE_ONE = "You are signed in and have a lab of your own, which keeps your files."
BEING_COPIED = "Your work is just being copied; end the visit when that is done."
QUEUE_FULL = "Too many people are waiting for a temporary lab; please come back later."


@dataclass(frozen=True)
class Turn:
    """What a visitor has: a lab (the name of its hub user), or a place in the queue, from 1.

    ``is_filling``: what the visitor wants in the lab is not there yet.
    """

    lab: str | None = None
    place: int = 0
    is_filling: bool = False


def offered(settings: Sophon) -> None:
    """Refuse what is not offered here.

    Raises:
        NotFound: the site has no temporary labs.
    """
    if not settings.temporary_labs:
        raise NotFound


def ask_for_lab(
    session: Session, actor: Actor, visit: str, settings: Sophon, *, project: str = ""
) -> Turn:
    """Give the visitor a lab, or a place in the queue; asking again changes neither.

    The material of the ``project`` with this slug, if any, is brought into the lab.

    Raises:
        NotFound: temporary labs are not offered, or this project cannot be tried.
        Conflict: somebody who is signed in has a lab already.
        Unavailable: too many are waiting.
    """
    offered(settings)
    if not actor.is_guest:
        raise Conflict(HAVE_ONE)
    wish = trials.get_trial(session, actor, project, settings).id if project else None
    temporary.system_pass_turnstile(session)
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is not None:
        _wish(lab, wish)
        return turn_in(lab)
    now = clock.utcnow()
    temporary.system_forget_absent(session, now)
    waiting = temporary.system_visit(session, visit)
    if waiting is None:
        if temporary.count_temporary(session).waiting >= MOST_WAITING:
            raise Unavailable(QUEUE_FULL, retry_after=60)
        waiting = TemporaryVisit(visit=visit, seen_at=now)
        session.add(waiting)
    waiting.wish_id = wish or waiting.wish_id
    session.flush()
    return _take_turn(session, actor, waiting, now)


def _wish(lab: TemporaryLab, project_id: int | None) -> None:
    """Have the material of a project brought, unless it is there or on its way."""
    if project_id is None or (lab.wish_id == project_id and not lab.bring_trouble):
        return
    lab.wish_id, lab.brought_as, lab.bring_trouble = project_id, "", ""


def turn_in(lab: TemporaryLab) -> Turn:
    """The turn of a visitor who has this lab."""
    return Turn(lab=lab.name, is_filling=lab.is_filling)


def keep_waiting(session: Session, actor: Actor, visit: str, settings: Sophon) -> Turn | None:
    """Look whether it is the visitor's turn; None for a browser that has not asked for a lab."""
    offered(settings)
    temporary.system_pass_turnstile(session)
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is not None:
        return turn_in(lab)
    now = clock.utcnow()
    temporary.system_forget_absent(session, now)
    waiting = temporary.system_visit(session, visit)
    return None if waiting is None else _take_turn(session, actor, waiting, now)


def _take_turn(session: Session, actor: Actor, waiting: TemporaryVisit, now: datetime) -> Turn:
    ahead = temporary.system_waiting_before(session, waiting.id)
    ready = temporary.system_ready_labs(session)
    if ahead >= len(ready):  # those who came earlier take what there is
        waiting.seen_at = now
        return Turn(place=ahead - len(ready) + 1)
    lab = ready[ahead]
    lab.state, lab.visit, lab.claimed_at = TemporaryState.CLAIMED, waiting.visit, now
    lab.wish_id = waiting.wish_id
    session.delete(waiting)
    audit.record(session, actor, "temporary:claim", None, lab=lab.name)
    return turn_in(lab)


def note_brought(
    session: Session, name: str, project_id: int, *, folder: str = "", trouble: str = ""
) -> None:
    """The material of the project is in the visitor's lab, as ``folder``; or not, for a reason."""
    lab = session.get(TemporaryLab, name)
    if lab is not None and lab.wish_id == project_id:
        lab.brought_as, lab.bring_trouble = folder, trouble


def leave_lab(session: Session, actor: Actor, visit: str) -> None:
    """End the visit: the lab and all that is in it are deleted, or the place in the queue is.

    Raises:
        NotFound: the browser has neither.
        Conflict: the work is just being copied.
    """
    temporary.system_pass_turnstile(session)
    waiting = temporary.system_visit(session, visit)
    if waiting is not None:
        session.delete(waiting)
        return
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is None:
        raise NotFound
    if lab.keeper_id is not None:
        raise Conflict(BEING_COPIED)
    _end(lab)
    audit.record(session, actor, "temporary:leave", None, lab=lab.name)


def _end(lab: TemporaryLab) -> None:
    lab.state, lab.visit = TemporaryState.ENDING, None


def refill(session: Session, settings: Sophon, *, room: int) -> list[str]:
    """Write down the labs that have to be started, at most ``room``; never above the capacity.

    Gives the names of the new ones.
    """
    if not settings.temporary_labs:
        return []
    temporary.system_pass_turnstile(session)
    now = clock.utcnow()
    temporary.system_forget_absent(session, now)
    counts = temporary.count_temporary(session)
    wanted = settings.temporary_pool + counts.waiting - counts.ready - counts.starting
    free = settings.temporary_capacity - counts.total
    made = [names.new_temporary() for _ in range(min(wanted, free, room))]
    image = settings.temporary_reference
    session.add_all(
        TemporaryLab(name=name, state=TemporaryState.STARTING, image=image, made_at=now)
        for name in made
    )
    return made


def note_ready(session: Session, name: str) -> None:
    """The lab's server answers: it can be given away, unless it was given up meanwhile."""
    temporary.system_pass_turnstile(session)
    lab = session.get(TemporaryLab, name)
    if lab is not None and lab.state is TemporaryState.STARTING:
        lab.state = TemporaryState.READY


def give_up(session: Session, name: str) -> None:
    """The lab's server did not start, or is gone."""
    temporary.system_pass_turnstile(session)
    lab = session.get(TemporaryLab, name)
    if lab is not None:
        _end(lab)


def forget(session: Session, name: str) -> None:
    """Nothing of the lab is left at the Hub."""
    lab = session.get(TemporaryLab, name)
    if lab is not None:
        session.delete(lab)


def end_due(
    session: Session,
    settings: Sophon,
    servers: Mapping[str, datetime | None],
    settled: Collection[str],
    outdated: Collection[str] = (),
) -> None:
    """Note what the Hub says of the servers, and end every lab whose time has come.

    Args:
        session: the transaction.
        settings: how long labs live, and from which image.
        servers: the servers that the Hub has, with their last activity.
        settled: labs that were ready or claimed before the Hub was asked; of others what it said
            may be too old.
        outdated: labs whose image is another one now, under the same name.
    """
    temporary.system_pass_turnstile(session)
    now = clock.utcnow()
    for lab in temporary.system_temporary_labs(session):
        if lab.state not in (TemporaryState.READY, TemporaryState.CLAIMED):
            continue
        lab.last_activity = servers.get(lab.name) or lab.last_activity
        lost = lab.name in settled and lab.name not in servers
        unwanted = lab.claimed_at is None and lab.name in outdated
        if lost or unwanted or (lab.keeper_id is None and _is_due(lab, settings, now)):
            _end(lab)


def _is_due(lab: TemporaryLab, settings: Sophon, now: datetime) -> bool:
    if lab.claimed_at is None:
        stale = lab.image != settings.temporary_reference or now - lab.made_at >= RECYCLE
        return stale or not settings.temporary_labs
    return now >= ends_at(lab, settings) or now >= idle_at(lab, settings)


def ends_at(lab: TemporaryLab, settings: Sophon) -> datetime:
    """When the visit is over, whatever happens."""
    return (lab.claimed_at or lab.made_at) + settings.temporary_longest


def idle_at(lab: TemporaryLab, settings: Sophon) -> datetime:
    """When the visit is over if nothing more happens in the lab."""
    claimed = lab.claimed_at or lab.made_at
    return max(claimed, lab.last_activity or claimed) + settings.temporary_idle
