"""Labs: the shared servers of a project, their settings and what state they are in."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sophon_hub.models.base import NEVER_AGAIN, Base
from sophon_hub.models.people import Person
from sophon_hub.models.projects import ResearchProject
from sophon_hub.models.servers import HasServer
from sophon_hub.names import MAX_LAB_SLUG


class Lab(HasServer, Base):
    """A project's shared server: to the Hub, a named server of the collaboration account.

    ``uid`` never changes and is never used again; the home volume is named after it.
    Who started and stopped it last is None where the hub did it.
    ``restart_on_removal``: started anew when somebody who could work in it no longer can.
    ``cpu_limit`` is in cores, ``memory_limit`` in bytes; None means the hub's default.
    """

    __tablename__ = "labs"
    __table_args__ = (
        UniqueConstraint("project_id", "slug", name="uq_labs_project_id_slug"),
        Index("ix_labs_state", "state"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("research_projects.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(MAX_LAB_SLUG))
    name: Mapped[str] = mapped_column(String(200))
    image: Mapped[str] = mapped_column(String(100))
    internet: Mapped[bool] = mapped_column(default=True)
    restart_on_removal: Mapped[bool] = mapped_column(default=False)
    cpu_limit: Mapped[float | None]
    memory_limit: Mapped[int | None] = mapped_column(BigInteger)
    started_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    stopped_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    locked_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    lock_reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    purge_started_at: Mapped[datetime | None]

    project: Mapped[ResearchProject] = relationship(lazy="raise")
    started_by: Mapped[Person | None] = relationship(foreign_keys=[started_by_id], lazy="raise")
    stopped_by: Mapped[Person | None] = relationship(foreign_keys=[stopped_by_id], lazy="raise")
    locked_by: Mapped[Person | None] = relationship(foreign_keys=[locked_by_id], lazy="raise")

    def launch_settings(self) -> dict[str, Any]:
        """The settings that a running server cannot change: what `started_with` is compared to."""
        return {
            "image": self.image,
            "internet": self.internet,
            "cpu_limit": self.cpu_limit,
            "memory_limit": self.memory_limit,
            "datasets": self.dataset_uids,
        }
