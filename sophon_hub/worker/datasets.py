"""Datasets: copied, checked and read in the background, one at a time."""

import asyncio
import logging

from sophon_hub.clock import utcnow
from sophon_hub.models import Dataset, DatasetKind, DatasetState
from sophon_hub.store import datasets as store
from sophon_hub.store.engine import Session
from sophon_hub.store.launch import DatasetFiles
from sophon_hub.volumes import datasets
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")


async def prepare_dataset(context: Context, dataset_id: int) -> None:
    """Copy what is to be published, check what is to be mounted, and make the manifest."""
    found = await context.read(lambda session: store.system_dataset(session, dataset_id))
    if found is None or found.state is not DatasetState.PREPARING:
        return
    files = _files(found)
    try:
        if found.kind is DatasetKind.PUBLISHED:
            await asyncio.to_thread(
                datasets.publish, context.settings, found.lab_uid or "", found.location, found.uid
            )
        made = await asyncio.to_thread(datasets.manifest, context.settings, files)
    except VolumeTrouble as error:
        log.warning("cannot prepare the dataset %s: %s", found.slug, error)
        await _note(context, dataset_id, state=DatasetState.FAILED, message=_said(error))
        return
    await _note(
        context,
        dataset_id,
        state=DatasetState.READY,
        message="",
        manifest=made.text,
        checksum=made.checksum,
        file_count=made.file_count,
        size_bytes=made.size_bytes,
        checked_at=utcnow(),
        verified_at=None,
        differences=None,
    )


async def verify_dataset(context: Context, dataset_id: int) -> None:
    """Compare the files of a dataset with its manifest, and write down how many differ."""
    found = await context.read(lambda session: store.system_dataset(session, dataset_id))
    if found is None or found.manifest is None:
        return
    try:
        made = await asyncio.to_thread(datasets.manifest, context.settings, _files(found))
    except VolumeTrouble as error:
        await _note(context, dataset_id, message=_said(error))
        return
    differing = datasets.differences(found.manifest, made.text)
    await _note(context, dataset_id, message="", verified_at=utcnow(), differences=differing)


def _files(dataset: Dataset) -> DatasetFiles:
    return DatasetFiles(dataset.kind, dataset.location, dataset.uid)


def _said(error: VolumeTrouble) -> str:
    """The last line of what went wrong: the one that was written for people."""
    return str(error).strip().rsplit("\n", 1)[-1]


async def _note(context: Context, dataset_id: int, **values: object) -> None:
    def write(session: Session) -> None:
        dataset = session.get(Dataset, dataset_id)
        if dataset is not None:
            for name, value in values.items():
                setattr(dataset, name, value)

    await context.write(write)
