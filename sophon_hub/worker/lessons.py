"""Putting lessons into the homes of personal labs."""

import asyncio
import logging
from dataclasses import dataclass

from sophon_hub.settings import Sophon
from sophon_hub.store import personal
from sophon_hub.store.engine import Session
from sophon_hub.volumes import homes
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")


@dataclass(frozen=True)
class Wanted:
    """Files of an image's folder, given by its reference, that somebody wants in a home.

    ``is_seeded``: the home was given the folder before, so the next start does not bring it.
    """

    home: str
    image: str
    folder: str
    files: list[str]
    is_seeded: bool


async def copy_lessons(context: Context, personal_id: int) -> None:
    """Copy what is wanted; where it cannot be copied it is wanted no more."""
    await _copy(context, personal_id)


async def copy_before_start(context: Context, personal_id: int) -> None:
    """Copy what the start itself will not bring, so that it is there when the lab answers."""
    await _copy(context, personal_id, seeded_only=True)


async def _copy(context: Context, personal_id: int, *, seeded_only: bool = False) -> None:
    def read(session: Session) -> Wanted | None:
        return _wanted(session, personal_id, context.settings)

    wanted = await context.read(read)
    if wanted is None or (seeded_only and not wanted.is_seeded):
        return
    try:
        await asyncio.to_thread(
            homes.copy_files,
            context.settings,
            wanted.home,
            wanted.image,
            wanted.folder,
            wanted.files,
        )
    except VolumeTrouble as error:
        log.warning("cannot copy lessons into the home %s: %s", wanted.home, error)
    await context.write(
        lambda session: personal.system_note_copied(session, personal_id, wanted.files)
    )


def _wanted(session: Session, personal_id: int, settings: Sophon) -> Wanted | None:
    lab = personal.system_personal_lab(session, personal_id)
    if lab is None or not lab.wanted or lab.home_uid is None:
        return None
    image = settings.images.get(lab.image or settings.default_image, {})
    folder = image.get("skeleton", "")
    return Wanted(lab.home_uid, image.get("image", ""), folder, lab.wanted, folder in lab.seeded)
