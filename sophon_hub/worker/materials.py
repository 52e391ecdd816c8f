"""Course material: versions made, old ones removed, and brought into homes."""

import asyncio
import logging
from typing import Any

from sqlalchemy import update

from sophon_hub import jobs
from sophon_hub.clock import utcnow
from sophon_hub.models import (
    DatasetState,
    Delivery,
    DeliveryState,
    DeliveryVerb,
    Material,
    MaterialKind,
    PersonalLab,
)
from sophon_hub.store import materials as store
from sophon_hub.store.engine import Session
from sophon_hub.volumes import material as volumes
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")

Report = dict[str, Any]

GONE = "There is no material any more, or your lab has no files yet."


async def publish_material(context: Context, project_id: int) -> None:
    """Make the version of a project's material that was asked for; people get it from then on."""
    found = await context.read(lambda session: store.system_material(session, project_id))
    if found is None or found.state is not DatasetState.PREPARING:
        return
    try:
        size = await asyncio.to_thread(_make, context, found)
    except VolumeTrouble as error:
        log.warning("cannot publish the material of project %s: %s", project_id, error)
        values: dict[str, Any] = {"state": DatasetState.FAILED, "message": said(error)}
    else:
        values = {
            "state": DatasetState.READY,
            "message": "",
            "uid": found.next_uid,
            "version": found.version + 1,
            "file_count": size.file_count,
            "size_bytes": size.size_bytes,
            "published_at": utcnow(),
        }

    def write(session: Session) -> None:
        # nothing happens when another version was asked for meanwhile: its job comes next
        session.execute(
            update(Material)
            .where(Material.id == found.id, Material.next_uid == found.next_uid)
            .values(values)
        )
        jobs.enqueue(session, "tidy_material", f"material:{project_id}", project_id=project_id)

    await context.write(write)


def _make(context: Context, found: Material) -> volumes.Size:
    settings, uid = context.settings, found.next_uid
    if found.kind is MaterialKind.FOLDER:
        return volumes.publish_folder(
            settings, found.project_id, uid, found.lab_uid or "", found.location
        )
    return volumes.publish_repository(settings, found.project_id, uid, found.location, found.branch)


async def tidy_material(context: Context, project_id: int) -> None:
    """Remove the versions of a project's material that nobody gets any more."""
    needed = await context.read(lambda session: store.system_material_uids(session, project_id))
    try:
        await asyncio.to_thread(volumes.tidy, context.settings, project_id, needed)
    except VolumeTrouble as error:
        # they go with the next version
        log.warning("cannot remove old material of project %s: %s", project_id, error)


def enqueue_for_start(session: Session, lab: PersonalLab) -> None:
    """Have brought what somebody wants when their lab, which has just started, starts."""
    if lab.clean_up:
        return
    for delivery in store.system_due_at_start(session, lab):
        delivery.state, delivery.verb, delivery.path = DeliveryState.WAITING, DeliveryVerb.GET, ""
        delivery.message, delivery.asked_at = "", utcnow()
        number = delivery.id
        jobs.enqueue(session, "deliver_material", f"delivery:{number}", delivery_id=number)


async def deliver_material(context: Context, delivery_id: int) -> None:
    """Bring material into somebody's home, and write down what became of each file."""
    spec = await context.read(lambda session: store.system_delivery(session, delivery_id))
    values: dict[str, Any] = {"state": DeliveryState.FAILED, "message": GONE, "done_at": utcnow()}
    if spec is not None:
        try:
            day = utcnow().strftime("%Y-%m-%d")
            report = await asyncio.to_thread(volumes.bring, context.settings, spec, day)
        except VolumeTrouble as error:
            log.warning("cannot bring material into the home %s: %s", spec.home_uid, error)
            values["message"] = said(error)
        else:
            if spec.verb is DeliveryVerb.FRESH:
                report = merged(spec.report, report, spec.path)
            else:
                values["version"] = spec.version
            values |= {"state": DeliveryState.DONE, "message": "", "report": report}
        values["done_at"] = utcnow()

    def write(session: Session) -> None:
        session.execute(
            update(Delivery)
            .where(Delivery.id == delivery_id, Delivery.state == DeliveryState.WAITING)
            .values(values)
        )

    await context.write(write)


def merged(before: Report | None, one: Report, path: str) -> Report:
    """The report of before, in which one file has become something else."""
    if before is None:
        return one
    counts = dict(before["counts"])
    files = {kind: list(pairs) for kind, pairs in before["files"].items()}
    for kind, pairs in list(files.items()):
        files[kind] = [pair for pair in pairs if pair[0] != path]
        counts[kind] = counts.get(kind, 0) - len(pairs) + len(files[kind])
    for kind, pairs in one["files"].items():
        files[kind] = [*files.get(kind, []), *pairs]
        counts[kind] = counts.get(kind, 0) + len(pairs)
    kept = {kind: pairs for kind, pairs in files.items() if pairs}
    return {
        "counts": {kind: count for kind, count in counts.items() if count},
        "files": kept,
        "undo": one["undo"],
    }


def said(error: VolumeTrouble) -> str:
    """What went wrong, without what the helper is called."""
    text = str(error).strip()
    if "timed out" in text:
        return "It took too long and was ended. Try again; if it happens again, use fewer files."
    return text.rsplit("\n", 1)[-1].partition(" ended with 1: ")[2] or text.rsplit("\n", 1)[-1]
