"""The pool of temporary labs: started before anybody asks, ended when their time has come.

What is to be is in the database; this makes it so at the Hub. A worker that dies leaves rows
behind, and the next one goes on with them.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from sophon_hub import names
from sophon_hub.actions import temporary as actions
from sophon_hub.errors import SophonError
from sophon_hub.hub import HubDown, HubRefused
from sophon_hub.models import TemporaryState
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary
from sophon_hub.store.engine import Session
from sophon_hub.store.trials import Wish, system_wishes
from sophon_hub.volumes import visits
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker import countdown, keeping, trials
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")

STEP_SECONDS = 0.2
"""Between two looks at the database: a claim, or a visitor who waits, is seen so soon."""

LOOK_SECONDS = 5.0
"""Between two looks at the Hub's servers."""

PARALLEL_STARTS = 2
"""More at a time start each other late: a start takes a core for a second or two."""

HERD_SECONDS = 0.6
"""Visitors come in herds. While one finds labs that are ready, starts would slow it down."""

PARALLEL_ENDS = 4
PARALLEL_TRIALS = 2
"""A lab that keeps a copy waiting keeps others waiting, so there are not all threads for them."""

PAUSES = (2.0, 5.0, 15.0, 60.0)
"""Seconds without starts after the first, second, ... failure in a row."""


class TemporaryPool:
    """Keeps temporary labs ready, and clears them away."""

    def __init__(self, context: Context, settings: Sophon) -> None:
        self._context = context
        self._settings = settings
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._copies: dict[str, asyncio.Task[None]] = {}
        self._trials: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Task[None]] = {}
        self._failures = 0
        self._paused_until = 0.0
        self._looked = 0.0
        self._ready = 0

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    await self._step(tasks)
                except (HubDown, HubRefused, SophonError) as error:
                    log.warning("cannot look after temporary labs, trying again: %s", error)
                    await asyncio.sleep(LOOK_SECONDS)
                await asyncio.sleep(STEP_SECONDS)

    async def _step(self, tasks: asyncio.TaskGroup) -> None:
        labs = await self._context.read(_states)
        if not labs and not self._settings.temporary_labs:
            return
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            await self._look(labs)
            self._looked = time.monotonic()
            labs = await self._context.read(_states)
        for copy in await self._context.read(keeping.wanted):
            if copy.lab not in self._copies:
                self._copies[copy.lab] = tasks.create_task(self._copy(copy))
        for wish in await self._context.read(partial(system_wishes, settings=self._settings)):
            if wish.lab not in self._trials and len(self._trials) < PARALLEL_TRIALS:
                self._trials[wish.lab] = tasks.create_task(self._fulfil(wish))
        for name in [name for name, state in labs.items() if state is TemporaryState.ENDING]:
            if name not in self._ends and len(self._ends) < PARALLEL_ENDS:
                self._ends[name] = tasks.create_task(self._end(name))
        if time.monotonic() < self._paused_until:
            return
        starting = [name for name, state in labs.items() if state is TemporaryState.STARTING]
        starting += await self._refill(labs, room=PARALLEL_STARTS - len(starting))
        for name in starting:
            if name not in self._starts and len(self._starts) < PARALLEL_STARTS:
                self._starts[name] = tasks.create_task(self._start(name))

    async def _refill(self, labs: dict[str, TemporaryState], *, room: int) -> list[str]:
        """Write down new labs; without taking the write lock when none can be wanted."""
        if room <= 0 or not self._settings.temporary_labs:
            return []
        counts = await self._context.read(temporary.count_temporary)
        fewer, self._ready = counts.ready < self._ready, counts.ready
        if fewer and not counts.waiting:
            self._paused_until = time.monotonic() + HERD_SECONDS
            return []
        enough = counts.ready + counts.starting >= self._settings.temporary_pool + counts.waiting
        if enough or len(labs) >= self._settings.temporary_capacity:
            return []
        return await self._context.write(
            partial(actions.refill, settings=self._settings, room=room)
        )

    async def _start(self, name: str) -> None:
        try:
            await self._start_server(name)
        except HubDown as error:
            # the Hub is busy, or away: the row stays, and is tried again
            self._pause(f"cannot start temporary labs right now: {error}")
        except HubRefused as error:
            self._pause(f"a temporary lab did not start: {error}")
            await self._write(partial(actions.give_up, name=name))
        else:
            self._failures = 0
            await self._write(partial(actions.note_ready, name=name))
        finally:
            del self._starts[name]

    async def _start_server(self, name: str) -> None:
        hub = self._context.hub
        await hub.make_group(names.TEMPORARY_GROUP)
        await hub.make_user(name)
        # the worker's right to start and stop its server is bound to this group
        await hub.add_to_group(names.TEMPORARY_GROUP, [name])
        await hub.start_server(name, "", "Temporary lab")
        async for step in hub.follow_start(name, ""):
            if step.ready:
                return
            if step.failed:
                raise HubRefused(500, step.message)
        raise HubDown("The hub stopped telling how the start goes on.")

    def _pause(self, message: str) -> None:
        seconds = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        self._paused_until = time.monotonic() + seconds
        log.warning("%s", message)

    async def _end(self, name: str) -> None:
        """Remove every trace at the Hub; what does not work is tried again at the next look."""
        hub = self._context.hub
        try:
            if await hub.has_user(name):
                # asked for by itself first: of a user whose server starts, the Hub would forget
                # the server and leave it running
                await hub.stop_server(name, "")
                await hub.delete_user(name)
            await self._context.write(partial(actions.forget, name=name))
        except (HubDown, HubRefused, SophonError) as error:
            log.info("the temporary lab %s is not gone yet: %s", name, error)
            await asyncio.sleep(1)
        finally:
            del self._ends[name]

    async def _copy(self, copy: keeping.Wanted) -> None:
        try:
            await keeping.keep(self._context, copy)
        except SophonError as error:
            log.warning("cannot write down what was copied, trying again: %s", error)
        finally:
            del self._copies[copy.lab]

    async def _fulfil(self, wish: Wish) -> None:
        try:
            await trials.fulfil(self._context, wish)
        except SophonError as error:
            log.warning("cannot write down what was copied, trying again: %s", error)
        finally:
            del self._trials[wish.lab]

    async def _write(self, work: partial[None]) -> None:
        try:
            await self._context.write(work)
        except SophonError as error:
            log.warning("cannot write down what became of a temporary lab: %s", error)

    async def _look(self, labs: dict[str, TemporaryState]) -> None:
        """Compare with the Hub's servers, end what is due, and delete what nobody knows."""
        hub = self._context.hub
        servers: dict[str, datetime | None] = {}
        async for account in hub.accounts(active_only=True):
            if names.is_temporary(account.username):
                for server in account.servers:
                    seen = server.last_activity
                    servers[server.username] = datetime.fromisoformat(seen) if seen else None
        settled = {
            name
            for name, state in labs.items()
            if state in (TemporaryState.READY, TemporaryState.CLAIMED)
        }
        outdated = await self._outdated(settled)
        await self._context.write(
            partial(
                actions.end_due,
                settings=self._settings,
                servers=servers,
                settled=settled,
                outdated=outdated,
            )
        )
        await countdown.tell_visits(self._context)
        known = await self._context.read(_states)
        for name in (await hub.group_members(names.TEMPORARY_GROUP) or set()) - set(known):
            if name not in self._ends:
                log.warning("deleting %s, which the portal does not know", name)
                await hub.stop_server(name, "")
                await hub.delete_user(name)

    async def _outdated(self, labs: Iterable[str]) -> set[str]:
        """Those of these labs whose image was replaced under its name."""
        if self._settings.spawner == "process":
            return set()
        try:
            uids = await asyncio.to_thread(visits.outdated, self._settings)
        except VolumeTrouble as error:
            log.warning("cannot ask the engine for the image of temporary labs: %s", error)
            return set()
        return {name for name in labs if names.temporary_uid(name) in uids}


def _states(session: Session) -> dict[str, TemporaryState]:
    return {lab.name: lab.state for lab in temporary.system_temporary_labs(session)}
