"""Sophon's own database in the Hub's process: short transactions in worker threads."""

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from jupyterhub.spawner import SpawnException
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sophon_hub.errors import SophonError
from sophon_hub.models import Lab
from sophon_hub.settings import Sophon
from sophon_hub.spawner.plan import refusal
from sophon_hub.store.engine import make_engine, reading, transact
from sophon_hub.store.launch import LaunchSpec, system_launch_spec
from sophon_hub.store.personal import PersonalSpec, system_note_seeded, system_personal_spec
from sophon_hub.store.temporary import system_may_start

log = logging.getLogger(__name__)

T = TypeVar("T")


@cache
def _engine(url: str) -> Engine:
    return make_engine(url)


async def launch_spec(settings: Sophon, username: str, server_name: str) -> LaunchSpec | None:
    """The lab behind a server of a collaboration account, None when there is none."""
    return await _read(settings, lambda session: system_launch_spec(session, username, server_name))


async def personal_spec(settings: Sophon, username: str, uid: str) -> PersonalSpec:
    """What to run as somebody's personal lab, whose home has this id."""
    return await _write(settings, lambda session: system_personal_spec(session, username, uid))


async def note_seeded(settings: Sophon, uid: str, folder: str) -> None:
    """Remember that a folder of an image was copied into the home with this id."""
    await _write(settings, lambda session: system_note_seeded(session, uid, folder))


async def is_temporary_lab(settings: Sophon, username: str) -> bool:
    """Whether the portal wants this temporary lab started."""
    return await _read(settings, lambda session: system_may_start(session, username))


async def uids_in_use(settings: Sophon, uids: set[str]) -> set[str]:
    """Those of the uids that belong to a lab which is not in the trash."""

    def find(session: Session) -> set[str]:
        query = select(Lab.uid).where(Lab.uid.in_(uids), Lab.deleted_at.is_(None))
        return set(session.scalars(query))

    return await _read(settings, find)


async def _read(settings: Sophon, work: Callable[[Session], T]) -> T:
    def run() -> T:
        with reading(_engine(settings.database_url)) as session:
            return work(session)

    return await _in_thread(run)


async def _write(settings: Sophon, work: Callable[[Session], T]) -> T:
    return await _in_thread(lambda: transact(_engine(settings.database_url), work))


async def _in_thread(run: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(run)
    except (SQLAlchemyError, SophonError) as error:
        log.exception("Cannot read Sophon's database")
        raise unreadable() from error


def unreadable() -> SpawnException:
    """Said when the database does not answer."""
    return refusal(
        "The hub cannot read its records right now. Try again in a minute.",
        "records-unavailable",
        503,
    )
