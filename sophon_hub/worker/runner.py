"""The loop: lease jobs, do them side by side, renew leases, repair."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sophon_hub import jobs, request_ids
from sophon_hub.clock import utcnow
from sophon_hub.errors import SophonError
from sophon_hub.hub import HubDown, HubRefused
from sophon_hub.metrics import heartbeat
from sophon_hub.store.engine import Session
from sophon_hub.store.trash import Kind
from sophon_hub.worker import (
    claims,
    datasets,
    departures,
    disk,
    history,
    labs,
    lessons,
    locks,
    materials,
    personal,
    reconcile,
    restart,
    trash,
)
from sophon_hub.worker.context import SYSTEM, Context
from sophon_hub.worker.room import RoomWatch

log = logging.getLogger("sophon.worker")

IDLE_SECONDS = 0.1
"""How long a new job waits at most before it is seen."""

WATCH_SECONDS = 5.0
RENEW_SECONDS = 2.0
BEAT_SECONDS = 5.0
PARALLEL_JOBS = 32
RETRY_SECONDS = 5.0

Handler = Callable[[Context, int], Awaitable[None]]

HANDLERS: dict[str, tuple[Handler, str]] = {
    "sync_group": (trash.follow_group, "group_id"),
    "sync_lock": (locks.sync_lock, "lab_id"),
    "apply_claims": (claims.apply, "person_id"),
    "settle_person": (departures.settle, "person_id"),
    "start_lab": (labs.start_lab, "lab_id"),
    "stop_lab": (labs.stop_lab, "lab_id"),
    "restart_lab": (restart.restart_lab, "lab_id"),
    "start_personal": (personal.start_personal, "personal_id"),
    "stop_personal": (personal.stop_personal, "personal_id"),
    "empty_trash": (disk.empty_trash, "personal_id"),
    "empty_lab_trash": (disk.empty_lab_trash, "lab_id"),
    "copy_lessons": (lessons.copy_lessons, "personal_id"),
    "prepare_dataset": (datasets.prepare_dataset, "dataset_id"),
    "verify_dataset": (datasets.verify_dataset, "dataset_id"),
    "publish_material": (materials.publish_material, "project_id"),
    "tidy_material": (materials.tidy_material, "project_id"),
    "deliver_material": (materials.deliver_material, "delivery_id"),
    "history": (history.do, "task_id"),
    "measure_lab": (disk.measure_lab, "lab_id"),
    "measure_personal": (disk.measure_personal, "personal_id"),
    "reconcile": (reconcile.repair_now, "number"),
    **{f"purge_{kind}": (trash.purge(kind), f"{kind}_id") for kind in Kind},
}
"""What does each kind of job, and the name of the number it is about."""


@dataclass(frozen=True)
class Leased:
    """A job that this worker has to do; ``attempt`` tells the lease from later ones."""

    id: int
    kind: str
    payload: dict[str, int]
    attempt: int


class Runner:
    """One worker. Several at once do no harm."""

    def __init__(self, context: Context, reconcile_seconds: float) -> None:
        self._context = context
        self._reconcile_seconds = reconcile_seconds
        self._running: dict[int, asyncio.Task[None]] = {}
        self._repaired: datetime | None = None
        self._done = self._failed = 0
        self._room = RoomWatch(context)

    async def run(self) -> None:
        """Work until cancelled; what is under way then is done again by the next worker."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lease_loop())
            tasks.create_task(self._renew_loop())
            tasks.create_task(self._watch_loop())
            tasks.create_task(self._beat_loop())
            tasks.create_task(self._room_loop())

    async def _lease_loop(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                for job in await self._lease():
                    task = tasks.create_task(self._do(job))
                    self._running[job.id] = task
                    task.add_done_callback(partial(self._forget, job.id))
                await asyncio.sleep(IDLE_SECONDS)

    def _forget(self, job_id: int, _: asyncio.Task[None]) -> None:
        del self._running[job_id]

    async def _lease(self) -> list[Leased]:
        context, room = self._context, PARALLEL_JOBS - len(self._running)

        def take(session: Session) -> list[Leased]:
            leased = jobs.lease(session, limit=room, now=utcnow())
            return [Leased(job.id, job.kind, job.payload, job.attempts) for job in leased]

        try:
            if room <= 0 or not await context.read(
                lambda session: jobs.is_any_due(session, utcnow())
            ):
                return []
            return await context.write(take)
        except SophonError as error:
            log.warning("cannot take jobs: %s", error)
            return []

    async def _do(self, job: Leased) -> None:
        handler, number = HANDLERS[job.kind]
        try:
            # what it does is told from what others do, and from what nobody asked for
            actor = replace(SYSTEM, request_id=request_ids.of_job(job.id))
            await handler(replace(self._context, actor=actor), job.payload[number])
        except (HubDown, HubRefused, SophonError) as error:
            log.warning(
                "job %s, %s %s, did not work, trying again: %s",
                *(job.id, job.kind, job.payload, error),
            )
            self._failed += 1
            await self._settle(
                partial(
                    jobs.fail,
                    job_id=job.id,
                    error=str(error),
                    attempt=job.attempt,
                    now=utcnow(),
                )
            )
        else:
            self._done += 1
            await self._settle(partial(jobs.finish, job_id=job.id))

    async def _settle(self, work: Callable[[Session], None]) -> None:
        try:
            await self._context.write(work)
        except SophonError as error:
            # the lease runs out, and the job is done again
            log.warning("cannot write down what became of a job: %s", error)

    async def _renew_loop(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            running = list(self._running)
            if running:
                await self._settle(partial(jobs.renew, job_ids=running, now=utcnow()))

    async def _watch_loop(self) -> None:
        looked = utcnow()
        while True:
            now, repaired = utcnow(), self._repaired
            is_due = repaired is None or (now - repaired).total_seconds() >= self._reconcile_seconds
            try:
                await reconcile.sync_ended_memberships(self._context, looked, now)
                looked = now
                await (reconcile.repair if is_due else reconcile.watch)(self._context)
                await disk.enqueue_due(self._context)
                await trash.end_due(self._context)
                self._repaired = now if is_due else repaired
            except (HubDown, HubRefused, SophonError) as error:
                log.warning("cannot compare with the hub, trying again: %s", error)
            await asyncio.sleep(WATCH_SECONDS)

    async def _room_loop(self) -> None:
        while True:
            try:
                await self._room.look()
            except SophonError as error:
                log.warning("cannot look after the disk, trying again: %s", error)
            await asyncio.sleep(WATCH_SECONDS)

    async def _beat_loop(self) -> None:
        while True:
            done, failed = self._done, self._failed
            beat = partial(
                heartbeat.beat,
                now=utcnow(),
                repaired_at=self._repaired,
                done=done,
                failed=failed,
                free_bytes=self._room.free_bytes,
            )
            try:
                await self._context.write(beat)
            except SophonError as error:
                log.warning("cannot write that the worker lives: %s", error)
            else:
                self._done -= done
                self._failed -= failed
            await asyncio.sleep(BEAT_SECONDS)
