"""Versions of notebooks in labs: listed, compared and restored.

Helper containers do that, and a lab that runs restores by itself: people have notebooks open.
"""

import asyncio
import json
import logging
from typing import Any

from sqlalchemy import update

from sophon_hub import jobs
from sophon_hub.clock import utcnow
from sophon_hub.models import HistoryState, HistoryTask, HistoryVerb, LabState
from sophon_hub.store import history as store
from sophon_hub.store.engine import Session
from sophon_hub.store.history import TaskSpec
from sophon_hub.volumes import history as volumes
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import NoAnswer, ask_lab
from sophon_hub.worker.materials import said

log = logging.getLogger("sophon.worker")

RESTORE = "sophon/restore"
LONGEST_MESSAGE = 500
NO_ANSWER = "The lab does not answer; try again."


async def do(context: Context, task_id: int) -> None:
    """Do what somebody wants of a lab's history, and write down what came of it."""
    spec = await context.read(lambda session: store.system_task(session, task_id))
    if spec is None:
        return
    values: dict[str, Any] = {"state": HistoryState.DONE, "message": ""}
    try:
        if spec.verb is HistoryVerb.RESTORE:
            await _restore(context, spec)
        else:
            values["result"] = await asyncio.to_thread(_read, context, spec)
    except VolumeTrouble as error:
        log.warning("cannot %s versions in the home %s: %s", spec.verb, spec.home_uid, error)
        values = {"state": HistoryState.FAILED, "message": said(error)[:LONGEST_MESSAGE]}

    def write(session: Session) -> None:
        is_it = HistoryTask.id == task_id, HistoryTask.state == HistoryState.WAITING
        session.execute(update(HistoryTask).where(*is_it).values(**values, done_at=utcnow()))
        if spec.verb is HistoryVerb.RESTORE:
            _look_again(session, spec.lab_id)

    await context.write(write)


def _look_again(session: Session, lab_id: int) -> None:
    """A restore makes versions: whoever asked for it sees them without asking again."""
    look = store.system_look(session, lab_id)
    if look is not None:
        look.state = HistoryState.WAITING
        jobs.enqueue(session, "history", f"history:{lab_id}", task_id=look.id)


def _read(context: Context, spec: TaskSpec) -> dict[str, Any]:
    settings, uid, image = context.settings, spec.home_uid, spec.image
    if spec.verb is HistoryVerb.LOOK:
        return volumes.look(settings, uid, image)
    return volumes.compare(settings, uid, image, spec.version, spec.since)


async def _restore(context: Context, spec: TaskSpec) -> None:
    if spec.state is not LabState.RUNNING:
        # a lab that starts meanwhile holds its home, and then nothing is done
        await asyncio.to_thread(
            volumes.restore, context.settings, spec.home_uid, spec.image, spec.version, spec.by
        )
        return
    body = json.dumps({"version": spec.version, "by": spec.by}).encode()
    try:
        status, text = await ask_lab(context, spec.account, spec.server, RESTORE, body)
    except NoAnswer as error:
        raise VolumeTrouble(NO_ANSWER) from error
    if status != 200:
        raise VolumeTrouble(_problem(text))


def _problem(text: bytes) -> str:
    """What a lab says about itself, or that it says nothing that can be understood."""
    try:
        problem = json.loads(text)["problem"]
    except (ValueError, LookupError, TypeError, RecursionError):
        problem = None
    if not isinstance(problem, str):
        return "The lab did not restore the version, and does not say why."
    return problem.encode(errors="replace").decode().replace("\0", "�")
