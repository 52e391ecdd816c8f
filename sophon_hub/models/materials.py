"""Course material of projects, and what of it was brought into whose home."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sophon_hub.models.base import Base, text_enum
from sophon_hub.models.people import Person
from sophon_hub.models.projects import ResearchProject
from sophon_hub.models.vocabulary import DatasetState, DeliveryState, DeliveryVerb, MaterialKind


class Material(Base):
    """The files that a project gives to whoever sees it, as they were when last published.

    ``location`` is a folder of the home ``lab_uid``, or the https address of a git repository
    with its ``branch``, empty for the default one. ``uid`` names the volume of the version people
    get, None before the first; ``next_uid`` the one that is being made. ``version`` counts them.
    ``for_visitors``: while the project is public, it can be tried in a temporary lab.
    """

    __tablename__ = "materials"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("research_projects.id", ondelete="CASCADE"), unique=True
    )
    kind: Mapped[MaterialKind] = mapped_column(text_enum(MaterialKind))
    location: Mapped[str] = mapped_column(Text)
    branch: Mapped[str] = mapped_column(Text, default="")
    lab_uid: Mapped[str | None] = mapped_column(String(32))
    state: Mapped[DatasetState] = mapped_column(text_enum(DatasetState))
    message: Mapped[str] = mapped_column(Text, default="")
    uid: Mapped[str | None] = mapped_column(String(32))
    next_uid: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(default=0)
    file_count: Mapped[int | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    published_at: Mapped[datetime | None]
    for_visitors: Mapped[bool] = mapped_column(default=False)

    project: Mapped[ResearchProject] = relationship(lazy="raise")


class Delivery(Base):
    """What was last brought, or is to be brought, from a project's material into a home.

    ``on_start``: what is new is brought whenever the person's lab starts. ``verb`` and ``path`` say
    what was asked for. ``report`` has what became of each file; see
    `volumes.material`. ``version`` is that of the material when it was brought.
    """

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("project_id", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("research_projects.id", ondelete="CASCADE"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    on_start: Mapped[bool] = mapped_column(default=False)
    state: Mapped[DeliveryState] = mapped_column(text_enum(DeliveryState))
    verb: Mapped[DeliveryVerb] = mapped_column(text_enum(DeliveryVerb))
    path: Mapped[str] = mapped_column(Text, default="")
    message: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int | None]
    report: Mapped[dict[str, Any] | None]
    asked_at: Mapped[datetime]
    done_at: Mapped[datetime | None]

    project: Mapped[ResearchProject] = relationship(lazy="raise")
    person: Mapped[Person] = relationship(lazy="raise")
