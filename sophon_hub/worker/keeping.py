"""Copying what visitors made into the home of whoever they turned out to be."""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from sophon_hub.actions.keeping import note_kept
from sophon_hub.models import Lab, LabState, PersonalLab
from sophon_hub.store import temporary
from sophon_hub.store.engine import Session
from sophon_hub.volumes import visits
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")

DID_NOT_WORK = (
    "The files were not copied. Look whether the lab starts and has room for them, and try again."
)


@dataclass(frozen=True)
class Wanted:
    """One copy: from which lab, into which home, as which folder."""

    lab: str
    home_uid: str | None
    folder: str


def wanted(session: Session) -> list[Wanted]:
    """The copies that can be made now; homes of labs that just start may not be there yet."""
    return [
        Wanted(lab.name, _home(target), lab.kept_as)
        for lab, target in temporary.system_keepers(session)
        if target is None or target.state is not LabState.STARTING
    ]


def _home(lab: Lab | PersonalLab | None) -> str | None:
    return lab.uid if isinstance(lab, Lab) else lab.home_uid if lab else None


async def keep(context: Context, copy: Wanted) -> None:
    """Make one copy and write down what became of it."""
    try:
        folder = await asyncio.to_thread(
            visits.keep, context.settings, copy.lab, copy.home_uid, copy.folder
        )
    except VolumeTrouble as error:
        log.warning("cannot copy the files of the temporary lab %s: %s", copy.lab, error)
        told = str(error) if str(error) in visits.SENTENCES else DID_NOT_WORK
        await context.write(partial(note_kept, name=copy.lab, trouble=told))
    else:
        await context.write(partial(note_kept, name=copy.lab, folder=folder))
