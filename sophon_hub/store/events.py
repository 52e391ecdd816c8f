"""Reads of audit events. For those of a group the caller was found to hold ``events:see``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from sophon_hub import names
from sophon_hub.errors import Forbidden
from sophon_hub.models import AuditEvent, Lab, MemberRole, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor, Standing
from sophon_hub.policy.permissions import require_person
from sophon_hub.store.paging import Page, Paging, fetch_page, is_searchable, matches
from sophon_hub.store.trash import Kind

MOST_NOTICES = 5
ENTER = "lab:enter"
ENTRIES = ("lab:open", ENTER)
"""Who opened a lab in the portal, and who was seen in one."""
FOR_OWNERS = tuple(f"{kind}:{verb}" for kind in Kind for verb in ("look", "deny"))
"""Looks of administrators at private things, and what was refused to whom."""


def list_events(
    session: Session, actor: Actor, subject: ResearchGroup | ResearchProject, paging: Paging
) -> Page[AuditEvent]:
    """What happened in a research group or project, newest first.

    That administrators looked at something, and what was refused, is for owners to know.
    """
    if isinstance(subject, ResearchGroup):
        group_id, here = subject.id, AuditEvent.group_id == subject.id
    else:
        group_id, here = subject.group_id, AuditEvent.project_id == subject.id
    query = select(AuditEvent).where(here)
    if actor.standing_in(group_id) < Standing.OWNER:
        query = query.where(AuditEvent.action.not_in(FOR_OWNERS))
    return _newest_first(session, query, paging)


@dataclass(frozen=True)
class Wanted:
    """Which events an administrator looks for; what is empty is not asked about.

    ``action`` is one, such as ``lab:open``, or the noun of many; ``subject`` a part of the name;
    ``group`` the slug of a research group; ``until`` is the first moment that is too late.
    """

    actor: str = ""
    action: str = ""
    subject: str = ""
    group: str = ""
    via: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as conditions of SQL."""
        found = [
            _equals(AuditEvent.actor, self.actor),
            _equals(AuditEvent.via, self.via),
            _equals(AuditEvent.request_id, self.request_id),
            matches(self.subject, AuditEvent.subject) if self.subject.strip() else None,
            None if self.since is None else AuditEvent.at >= self.since,
            None if self.until is None else AuditEvent.at < self.until,
        ]
        if self.action:
            text = self.action if is_searchable(self.action) else ""
            of_noun = AuditEvent.action.startswith(f"{text}:", autoescape=True)
            found.append(or_(AuditEvent.action == text, of_noun))
        if self.group:
            slug = self.group if names.is_slug(self.group) else ""
            group_id = select(ResearchGroup.id).where(ResearchGroup.slug == slug)
            found.append(AuditEvent.group_id == group_id.scalar_subquery())
        return [condition for condition in found if condition is not None]


def _equals(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool] | None:
    if not text:
        return None
    return column == text if is_searchable(text) else false()


def search_events(
    session: Session, actor: Actor, wanted: Wanted, paging: Paging
) -> Page[AuditEvent]:
    """All events of the hub that are looked for, newest first; administrators only."""
    require_person(actor)
    if not actor.is_admin:
        raise Forbidden("Only administrators see the activity of the whole hub.")
    return _newest_first(session, select(AuditEvent).where(*wanted.conditions()), paging)


def list_entries(session: Session, actor: Actor, paging: Paging) -> Page[AuditEvent]:
    """Who entered which lab of the groups in which the actor works, newest first."""
    require_person(actor)
    own = AuditEvent.group_id.in_(sorted(actor.group_ids(MemberRole.MEMBER)))
    query = select(AuditEvent).where(AuditEvent.action.in_(ENTRIES), own)
    return _newest_first(session, query, paging)


def system_last_entry(session: Session, lab: Lab, username: str) -> datetime | None:
    """When somebody last entered a lab, or opened it in the portal; for the worker.

    Events know a lab by its name, which another one may have had.
    """
    return session.scalar(
        select(AuditEvent.at)
        .where(
            AuditEvent.actor == username,
            AuditEvent.action.in_(ENTRIES),
            AuditEvent.project_id == lab.project_id,
            AuditEvent.subject == f"{lab.project.slug}/{lab.slug}",
            AuditEvent.at >= lab.created_at,
        )
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )


def _newest_first(session: Session, query: Select[AuditEvent], paging: Paging) -> Page[AuditEvent]:
    return fetch_page(
        session,
        query,
        AuditEvent.id,
        paging,
        lambda row: row[0],
        lambda event: event.id,
        newest_first=True,
    )


PASSED = ("group:pass", "group:deserted")
"""What became of groups whose last owner's account is gone; administrators are told, too."""


def list_notices(
    session: Session, actor: Actor, since: datetime, group_id: int | None = None
) -> Sequence[AuditEvent]:
    """What the hub did unasked in the actor's own groups, or in one of them; newest first.

    Deletions that were cancelled, and groups that passed to others: of these administrators hear
    wherever it was.
    """
    owned = AuditEvent.group_id.in_(sorted(actor.group_ids(MemberRole.OWNER)))
    cancelled = AuditEvent.action.in_([f"{kind}:delete-cancelled" for kind in Kind])
    passed = AuditEvent.action.in_(PASSED)
    told = or_(and_(cancelled, owned), passed if actor.is_admin else and_(passed, owned))
    query = select(AuditEvent).where(told, AuditEvent.at > since)
    if group_id is not None:
        query = query.where(AuditEvent.group_id == group_id)
    return session.scalars(query.order_by(AuditEvent.id.desc()).limit(MOST_NOTICES)).all()
