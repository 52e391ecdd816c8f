"""What labs of projects and personal labs have in common: a server, and a home on a disk."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import text_enum
from sophon_hub.models.vocabulary import LabState


class HasServer:
    """State of a server, and how much its home holds.

    ``started_with`` are the settings the running server was started with: where they differ
    from the row, a restart is needed. ``disk_bytes`` is what the home takes, ``trash_bytes`` the
    part of it that is in JupyterLab's trash; None until the home was measured. ``dataset_uids``
    are the datasets it is to have; whether each may be mounted is asked at every start.
    ``clean_up`` says that the server was started to delete files, without Internet.
    ``people`` are those who are connected, as ``username``, ``display_name`` and ``watching``.
    ``last_activity`` is when somebody last worked in it, ``busy`` whether a program runs in it, and
    ``stops_at`` when it is stopped if nobody works; people are warned from the moment it is known.
    ``stop_reason`` is why the hub stopped it, empty when somebody did.
    ``filled_disk``: it was stopped because it was filling the disk, which has no room again yet.
    """

    state: Mapped[LabState] = mapped_column(text_enum(LabState))
    progress: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Text, default="")
    started_with: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    last_activity: Mapped[datetime | None]
    busy: Mapped[bool] = mapped_column(default=False)
    stops_at: Mapped[datetime | None]
    stop_reason: Mapped[str] = mapped_column(Text, default="")
    people: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    disk_bytes: Mapped[int | None] = mapped_column(BigInteger)
    trash_bytes: Mapped[int | None] = mapped_column(BigInteger)
    disk_measured_at: Mapped[datetime | None]
    dataset_uids: Mapped[list[str]] = mapped_column(JSON, default=list)
    clean_up: Mapped[bool] = mapped_column(default=False)
    filled_disk: Mapped[bool] = mapped_column(default=False)
