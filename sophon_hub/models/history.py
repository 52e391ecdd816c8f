"""What people want of the versions of notebooks that a lab keeps, and what came of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sophon_hub.models.base import Base, text_enum
from sophon_hub.models.labs import Lab
from sophon_hub.models.vocabulary import HistoryState, HistoryVerb


class HistoryTask(Base):
    """One thing to be done with the history of a lab, which is in its home: the worker does it.

    ``version`` and ``since`` are ids of versions, empty where the verb needs none. ``by`` is the
    user name of whoever asked. ``result`` has what was found; see `volumes.history`. Asking
    again for the same is the same task.
    """

    __tablename__ = "history_tasks"
    __table_args__ = (UniqueConstraint("lab_id", "verb", "version", "since"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("labs.id", ondelete="CASCADE"))
    verb: Mapped[HistoryVerb] = mapped_column(text_enum(HistoryVerb))
    version: Mapped[str] = mapped_column(String(40), default="")
    since: Mapped[str] = mapped_column(String(40), default="")
    state: Mapped[HistoryState] = mapped_column(text_enum(HistoryState))
    message: Mapped[str] = mapped_column(Text, default="")
    by: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[dict[str, Any] | None]
    asked_at: Mapped[datetime]
    done_at: Mapped[datetime | None]

    lab: Mapped[Lab] = relationship(lazy="raise")
