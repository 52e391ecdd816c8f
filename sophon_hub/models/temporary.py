"""Temporary labs: started before anybody asks, given to one browser, gone after the visit."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import Base, text_enum
from sophon_hub.models.vocabulary import TemporaryState

DIGEST = 64
"""Hexadecimal digits of SHA-256."""


class TemporaryLab(Base):
    """One temporary lab: to the Hub, the server of a user nobody can sign in as.

    ``visit`` is the digest of the secret in the visitor's cookie: who has it owns the lab.
    ``image`` is the reference the lab was started with; other ones are not given away any more.
    ``keeper_id`` is who signed in and wants the files, while they are copied; ``kept_as`` the
    folder they are, or were, copied to, ``keep_trouble`` why that did not work. ``keep_lab_id``
    is the lab that has this folder; None for the personal lab.
    ``wish_id`` is the project whose material the visitor wants in it, ``brought_as`` the folder
    that has it, ``bring_trouble`` why it is not there.
    """

    __tablename__ = "temporary_labs"
    __table_args__ = (Index("ix_temporary_labs_state", "state", "made_at"),)

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[TemporaryState] = mapped_column(text_enum(TemporaryState))
    image: Mapped[str] = mapped_column(String(300))
    made_at: Mapped[datetime]
    visit: Mapped[str | None] = mapped_column(String(DIGEST), unique=True)
    claimed_at: Mapped[datetime | None]
    last_activity: Mapped[datetime | None]
    keeper_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    kept_as: Mapped[str] = mapped_column(String(100), default="")
    keep_lab_id: Mapped[int | None] = mapped_column(ForeignKey("labs.id", ondelete="SET NULL"))
    keep_trouble: Mapped[str] = mapped_column(String(300), default="")
    wish_id: Mapped[int | None] = mapped_column(
        ForeignKey("research_projects.id", ondelete="SET NULL")
    )
    brought_as: Mapped[str] = mapped_column(String(100), default="")
    bring_trouble: Mapped[str] = mapped_column(String(300), default="")

    @property
    def is_filling(self) -> bool:
        """Whether the visitor's wish is still to be fulfilled."""
        return self.wish_id is not None and not self.brought_as and not self.bring_trouble


class TemporaryVisit(Base):
    """A browser that waits for a temporary lab; who has the lowest number is next.

    Those that were not seen for a while have gone away. ``wish_id`` is the project whose material
    is wanted in the lab.
    """

    __tablename__ = "temporary_visits"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit: Mapped[str] = mapped_column(String(DIGEST), unique=True)
    seen_at: Mapped[datetime]
    wish_id: Mapped[int | None] = mapped_column(
        ForeignKey("research_projects.id", ondelete="SET NULL")
    )
