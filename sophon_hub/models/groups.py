"""Research groups, who belongs to them, and who asked to."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sophon_hub.models.base import NEVER_AGAIN, Base, text_enum
from sophon_hub.models.people import Person
from sophon_hub.models.vocabulary import AccessMode, MemberRole, MembershipSource, Visibility
from sophon_hub.names import MAX_SLUG


class ResearchGroup(Base):
    """People who own projects together.

    This and all that has a trash: from ``purge_started_at`` on it is being removed for good, and
    cannot come back.
    """

    __tablename__ = "research_groups"
    __table_args__ = NEVER_AGAIN

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(MAX_SLUG), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    visibility: Mapped[Visibility] = mapped_column(text_enum(Visibility))
    access: Mapped[AccessMode] = mapped_column(text_enum(AccessMode))
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    purge_started_at: Mapped[datetime | None]


class Membership(Base):
    """One person in one research group, with a role and perhaps an end date.

    ``source`` says who decided it. What the sign-on system decided follows what it says, has no
    end date, and becomes a person's decision as soon as a person changes it.
    """

    __tablename__ = "memberships"
    __table_args__ = (Index("ix_memberships_person_id", "person_id"),)

    group_id: Mapped[int] = mapped_column(
        ForeignKey("research_groups.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[MemberRole] = mapped_column(text_enum(MemberRole))
    source: Mapped[MembershipSource] = mapped_column(
        text_enum(MembershipSource), default=MembershipSource.PERSON
    )
    expires_at: Mapped[datetime | None]
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    added_at: Mapped[datetime]

    person: Mapped[Person] = relationship(foreign_keys=[person_id], lazy="raise")
    added_by: Mapped[Person | None] = relationship(foreign_keys=[added_by_id], lazy="raise")


class JoinRequest(Base):
    """Somebody asked to join a research group whose access mode is ``request``."""

    __tablename__ = "join_requests"

    group_id: Mapped[int] = mapped_column(
        ForeignKey("research_groups.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), primary_key=True
    )
    message: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]

    person: Mapped[Person] = relationship(lazy="raise")
