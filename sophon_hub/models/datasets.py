"""Datasets: directories and volumes that labs read and nobody in them writes."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sophon_hub.models.base import NEVER_AGAIN, Base, text_enum
from sophon_hub.models.groups import ResearchGroup
from sophon_hub.models.vocabulary import DatasetKind, DatasetState, Visibility
from sophon_hub.names import MAX_SLUG


class Dataset(Base):
    """Files that are mounted read-only at ``/srv/datasets/<slug>``.

    ``uid`` never changes and is never used again: labs remember it, and a published dataset's
    volume is named after it. Without a group it is the hub's own. ``location`` is a directory of
    the machine, the name of a volume, or, of a published one, the folder of the home ``lab_uid``
    it was copied from. ``manifest`` has a line ``<SHA-256>  ./<path>`` a file, ``checksum`` is the
    SHA-256 of it; ``differences`` is how many files were found to differ from it at
    ``verified_at``.
    """

    __tablename__ = "datasets"
    __table_args__ = (
        Index("ix_datasets_visible", "group_id", "visibility", "deleted_at"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    slug: Mapped[str] = mapped_column(String(MAX_SLUG), unique=True)
    group_id: Mapped[int | None] = mapped_column(
        ForeignKey("research_groups.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    licence: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(Text, default="")
    visibility: Mapped[Visibility] = mapped_column(text_enum(Visibility))
    kind: Mapped[DatasetKind] = mapped_column(text_enum(DatasetKind))
    location: Mapped[str] = mapped_column(Text)
    lab_uid: Mapped[str | None] = mapped_column(String(32))
    state: Mapped[DatasetState] = mapped_column(text_enum(DatasetState))
    message: Mapped[str] = mapped_column(Text, default="")
    file_count: Mapped[int | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    checksum: Mapped[str | None] = mapped_column(String(64))
    manifest: Mapped[str | None] = mapped_column(Text, deferred=True, deferred_raiseload=True)
    checked_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    differences: Mapped[int | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    purge_started_at: Mapped[datetime | None]

    group: Mapped[ResearchGroup | None] = relationship(lazy="raise")
