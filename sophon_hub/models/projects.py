"""Research projects: what a research group works on."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sophon_hub.models.base import NEVER_AGAIN, Base, text_enum
from sophon_hub.models.groups import ResearchGroup
from sophon_hub.models.vocabulary import Visibility
from sophon_hub.names import MAX_SLUG


class ResearchProject(Base):
    """A project of one research group; its labs belong to its collaboration account."""

    __tablename__ = "research_projects"
    __table_args__ = (
        # all that decides who sees a project, so that counting reads the index only
        Index("ix_research_projects_visible", "group_id", "visibility", "deleted_at"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(MAX_SLUG), unique=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("research_groups.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    visibility: Mapped[Visibility] = mapped_column(text_enum(Visibility))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    purge_started_at: Mapped[datetime | None]

    group: Mapped[ResearchGroup] = relationship(lazy="raise")
