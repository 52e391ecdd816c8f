"""The chain that binds audit events: whoever changes one has to change all later ones.

Each event carries a number and the SHA-256 of what it says and of the event before it. The last
number and digest are in a row of their own, which every writer locks, so that there is one
order whoever writes; and so that a missing end is noticed. Events that were removed lawfully
leave the digest before the cut.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from sophon_hub.models import AuditChain, AuditEvent

START = "0" * 64
"""The digest before the first event."""

PRUNE = "audit:prune"
"""The action of an event that says in its detail ``until`` which events were removed."""

BATCH = 5000

SAID = (
    "id",
    "at",
    "actor",
    "actor_id",
    "action",
    "subject",
    "group_id",
    "project_id",
    "detail",
    "via",
    "request_id",
)
"""What of an event is bound, beside its number."""

Line = dict[str, Any]
"""An event as JSON has it: `SAID`, ``seq`` and ``digest``."""


@dataclass(frozen=True)
class Link:
    """A place in the chain: an event's number, and the digest of everything up to it."""

    seq: int = 0
    digest: str = START


@dataclass(frozen=True)
class Verdict:
    """How many events are as they were written, the last of them, and what is wrong behind it."""

    count: int
    last: Link
    problem: str | None = None


def _digest(before: str, line: Line) -> str:
    said = [before, line["seq"], *(line[name] for name in SAID)]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _line(row: Any) -> Line:
    line = {name: getattr(row, name) for name in ("seq", *SAID, "digest")}
    line["at"] = _moment(row.at)
    return line


def seal(session: Session, events: Sequence[AuditEvent]) -> None:
    """Append events to the chain, in this order; the last thing that a transaction does."""
    query = select(AuditChain.seq, AuditChain.digest).with_for_update()
    found = session.execute(query).first()
    if found is None:
        # two writers at once: the database refuses one, which is run again
        start = {"seq": 0, "digest": START, "cut_seq": 0, "cut_digest": START}
        session.execute(insert(AuditChain).values(id=1, **start))
    last = Link(*found) if found else Link()
    for event in events:
        event.seq = last.seq + 1
        last = Link(event.seq, _digest(last.digest, _line(event)))
        event.digest = last.digest
    session.execute(update(AuditChain).values(seq=last.seq, digest=last.digest))


def system_lines(session: Session, *, after: int = 0, until: int | None = None) -> Iterator[Line]:
    """Events in the order of the chain, as JSON has them; few at a time are in memory."""
    columns = [getattr(AuditEvent, name) for name in ("seq", *SAID, "digest")]
    query = select(*columns).order_by(AuditEvent.seq).limit(BATCH)
    if until is not None:
        query = query.where(AuditEvent.seq <= until)
    while True:
        rows = session.execute(query.where(AuditEvent.seq > after)).all()
        yield from map(_line, rows)
        if len(rows) < BATCH:
            return
        after = rows[-1].seq


def check_lines(lines: Iterable[Line], start: Link, noted: Link | None = None) -> Verdict:
    """Follow the chain from a place in it, and stop at the first event that does not fit."""
    last, count = start, 0
    for line in lines:
        seq = line["seq"]
        if seq != last.seq + 1:
            what = f"{last.seq + 1} is missing" if seq > last.seq else f"{seq} is out of order"
            return Verdict(count, last, f"Event {what}.")
        digest = _digest(last.digest, line)
        if digest != line["digest"]:
            return Verdict(count, last, f"Event {seq} was altered, or stood elsewhere.")
        last, count = Link(seq, digest), count + 1
        if noted is not None and noted.seq == seq and noted.digest != digest:
            return Verdict(count, last, f"Event {seq} is not the one that was noted.")
    return Verdict(count, last)


def system_verify(session: Session, noted: Link | None = None) -> Verdict:
    """Look at all events; ``noted`` is a place in the chain that was written down earlier."""
    head = session.scalar(select(AuditChain))
    start = Link(head.cut_seq, head.cut_digest) if head else Link()
    end = Link(head.seq, head.digest) if head else Link()
    cuts = [0]

    def noting_cuts() -> Iterator[Line]:
        for line in system_lines(session, after=-1):
            if line["action"] == PRUNE:
                cuts.append(line["detail"]["until"])
            yield line

    verdict = check_lines(noting_cuts(), start, noted)
    if verdict.problem is not None:
        return verdict
    problem = None
    loose = session.scalar(select(func.min(AuditEvent.id)).where(AuditEvent.seq.is_(None)))
    if verdict.last.seq < end.seq:
        problem = f"Event {verdict.last.seq + 1} is missing, and all after it."
    elif verdict.last != end:
        problem = f"The end of the chain is not event {end.seq}, as was written down."
    elif start.seq != cuts[-1]:
        problem = f"Events up to {start.seq} were removed, and no event says by whom."
    elif loose is not None:
        problem = f"The event with the id {loose} was not written by the hub."
    elif noted is not None and not start.seq < noted.seq <= end.seq:
        problem = f"There is no event {noted.seq} any more, or not yet."
    return Verdict(verdict.count, verdict.last, problem)


def system_last_before(session: Session, moment: datetime) -> Link | None:
    """The last event of the oldest ones that are all from before a moment; None when none is."""
    first_kept = select(func.min(AuditEvent.seq)).where(AuditEvent.at >= moment).scalar_subquery()
    query = select(AuditEvent.seq, AuditEvent.digest).where(AuditEvent.at < moment)
    kept = session.scalar(select(first_kept))
    if kept is not None:
        query = query.where(AuditEvent.seq < kept)
    found = session.execute(query.order_by(AuditEvent.seq.desc()).limit(1)).first()
    return Link(found[0] or 0, found[1] or START) if found else None


def system_cut(session: Session, last: Link) -> int:
    """Remove the oldest events up to this one, and write down its digest; says how many."""
    gone = session.execute(delete(AuditEvent).where(AuditEvent.seq <= last.seq))
    session.execute(update(AuditChain).values(cut_seq=last.seq, cut_digest=last.digest))
    return int(gone.rowcount)  # type: ignore[attr-defined]
