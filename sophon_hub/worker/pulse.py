"""Asks running labs every few seconds how they are, and writes down who is in them.

A lab is hostile ground. What it answers is read up to a limit, held to a form, and can only be
about people who may be in this very lab; how they are called is in the portal's own records.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from sophon_hub.addresses import Addresses
from sophon_hub.clock import utcnow
from sophon_hub.errors import SophonError
from sophon_hub.lab_messages import LabMessages
from sophon_hub.models import Lab, LabState
from sophon_hub.names import MAX_USERNAME
from sophon_hub.store import labs, people
from sophon_hub.store.engine import Session
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import PATIENCE, RunningLab, find_running

log = logging.getLogger("sophon.worker")

SECONDS = 2.0
"""Between two looks: pages show who comes and goes a moment later."""

LONGEST_ANSWER = 64 * 1024
MISSED = 5
"""Answers that a lab may fail to give in a row before nobody counts as being in it."""

Where = tuple[str, str]
"""Account and server name of a lab."""


class Answer(BaseModel):
    """What a lab says of itself."""

    people: Annotated[
        list[Annotated[str, Field(max_length=MAX_USERNAME)]], Field(max_length=1000)
    ] = []


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
        answers = await asyncio.gather(*(self._ask(session, lab) for lab in running))
        asked = {(lab.account, lab.server) for lab in running}
        found = {
            (lab.account, lab.server): answer
            for lab, answer in zip(running, answers, strict=True)
            if answer is not None
        }
        self._missed = {where: self._missed[where] for where in self._missed if where in asked}
        if not found:
            return
        news = await self._context.read(partial(_news, answers=found))
        if news:
            await self._context.write(partial(_note, news=news))

    async def _ask(self, session: aiohttp.ClientSession, lab: RunningLab) -> Answer | None:
        """What this lab says; None when it has failed to, not for long yet."""
        where = (lab.account, lab.server)
        settings = self._context.settings
        path = f"{Addresses.of(settings).base_url}{lab.path}sophon/pulse"
        headers = LabMessages.of(settings).headers(path)
        try:
            async with session.post(
                lab.target + path, headers=headers, allow_redirects=False
            ) as response:
                response.raise_for_status()
                said = await _read(response)
            answer = Answer.model_validate_json(said)
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            missed = self._missed[where] = self._missed.get(where, 0) + 1
            if missed == MISSED:
                log.warning("the lab %s/%s does not say how it is: %s", *where, error)
            return None if missed < MISSED else Answer()
        self._missed[where] = 0
        return answer


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The answer, or its beginning, which is then no answer."""
    said = b""
    async for part in response.content.iter_any():
        said += part
        if len(said) > LONGEST_ANSWER:
            return said[:LONGEST_ANSWER]
    return said


def _news(session: Session, answers: Mapping[Where, Answer]) -> dict[int, list[dict[str, Any]]]:
    """Who is in labs now, by the number of the lab, where that is not what was known."""
    known = labs.system_labs_by_server(session, set(answers))
    running = {where: lab for where, lab in known.items() if lab.state is LabState.RUNNING}
    claimed: dict[int, set[str]] = {}
    for where, lab in running.items():
        claimed.setdefault(lab.project.group_id, set()).update(answers[where].people)
    insiders = people.system_insiders(session, claimed, utcnow())
    now = {
        lab: [
            _connected(person, lab)
            for person in insiders.get(lab.project.group_id, ())
            if person.username in answers[where].people
        ]
        for where, lab in running.items()
    }
    return {lab.id: inside for lab, inside in now.items() if lab.people != inside}


def _connected(person: people.Insider, lab: Lab) -> dict[str, Any]:
    """What pages and API tell of somebody: who only watches is in the portal's records, too."""
    is_locked_out = lab.locked_by_id not in (None, person.person_id)
    return {
        "username": person.username,
        "display_name": person.display_name,
        "watching": person.is_viewer or is_locked_out,
    }


def _note(session: Session, news: Mapping[int, list[dict[str, Any]]]) -> None:
    for number, inside in news.items():
        lab = session.get(Lab, number, with_for_update=True)
        if lab is not None and lab.state is LabState.RUNNING:
            lab.people = inside
