"""Asks running labs every few seconds how they are, and writes down what that means.

A lab is hostile ground. What it answers is read up to a limit, held to a form, and can only be
about people who may be in this very lab; how they are called is in the portal's own records.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from sophon_hub.addresses import Addresses
from sophon_hub.clock import utcnow
from sophon_hub.errors import SophonError
from sophon_hub.lab_messages import LabMessages
from sophon_hub.names import MAX_USERNAME
from sophon_hub.worker import usage
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import PATIENCE, RunningLab, find_running
from sophon_hub.worker.usage import Where

log = logging.getLogger("sophon.worker")

SECONDS = 2.0
"""Between two looks: pages show who comes and goes a moment later."""

LONGEST_ANSWER = 64 * 1024
MISSED = 5
"""Answers that a lab may fail to give in a row before nobody counts as being in it."""

LONG_AGO = 10.0 * 365 * 24 * 3600


class Answer(BaseModel):
    """What a lab says of itself."""

    people: Annotated[
        list[Annotated[str, Field(max_length=MAX_USERNAME)]], Field(max_length=1000)
    ] = []
    idle_seconds: Annotated[float, Field(ge=0, le=LONG_AGO)] | None = None
    busy: bool = False


class Pulse:
    """Asks all running labs, again and again; one for each worker."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._missed: dict[Where, int] = {}
        self._trouble = ""

    async def run(self) -> None:
        """Ask until cancelled."""
        async with aiohttp.ClientSession(timeout=PATIENCE) as session:
            while True:
                try:
                    await self.look(session)
                    self._trouble = ""
                except (aiohttp.ClientError, TimeoutError, SophonError) as error:
                    if str(error) != self._trouble:
                        log.warning("cannot look who is in labs, trying again: %s", error)
                    self._trouble = str(error)
                await asyncio.sleep(SECONDS)

    async def look(self, session: aiohttp.ClientSession) -> None:
        """Ask all running labs once, and write down what is new."""
        running = await find_running(session, self._context.settings)
        asked = {(lab.account, lab.server) for lab in running}
        self._missed = {where: self._missed[where] for where in self._missed if where in asked}
        planned = await self._context.read(partial(usage.planned_stops, where=asked))
        answers = await asyncio.gather(
            *(
                self._ask(session, lab, planned[lab.account, lab.server])
                for lab in running
                if (lab.account, lab.server) in planned
            )
        )
        reports = {where: report for where, report in answers if report is not None}
        if not reports:
            return
        compare = partial(usage.find_news, settings=self._context.settings, reports=reports)
        news = await self._context.read(compare)
        if news:
            await self._context.write(partial(usage.write_down, news=news))

    async def _ask(
        self, session: aiohttp.ClientSession, lab: RunningLab, stops_at: datetime | None
    ) -> tuple[Where, usage.Report | None]:
        """What this lab says; None when it has failed to, not for long yet."""
        where = (lab.account, lab.server)
        now = utcnow()
        left = None if stops_at is None else max(0.0, (stops_at - now).total_seconds())
        try:
            answer = await self._send(session, lab, {"stops_in": left})
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            missed = self._missed[where] = self._missed.get(where, 0) + 1
            if missed == MISSED:
                log.warning("the lab %s/%s does not say how it is: %s", *where, error)
            if missed < MISSED:
                return where, None
            answer = Answer()
        else:
            self._missed[where] = 0
        return where, usage.Report(frozenset(answer.people), answer.idle_seconds, answer.busy, now)

    async def _send(
        self, session: aiohttp.ClientSession, lab: RunningLab, told: Mapping[str, object]
    ) -> Answer:
        settings = self._context.settings
        path = f"{Addresses.of(settings).base_url}{lab.path}sophon/pulse"
        body = json.dumps(told).encode()
        headers = LabMessages.of(settings).headers(path, body)
        async with session.post(
            lab.target + path, data=body, headers=headers, allow_redirects=False
        ) as response:
            response.raise_for_status()
            return Answer.model_validate_json(await _read(response))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The answer, or its beginning, which is then no answer."""
    said = b""
    async for part in response.content.iter_any():
        said += part
        if len(said) > LONGEST_ANSWER:
            return said[:LONGEST_ANSWER]
    return said
