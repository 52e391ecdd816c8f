"""People edit at random while everything ends at random: nothing missing, nothing twice.

Everything typed is a token of its own, such as ``<e2.17>``, so that one that is missing, twice or
back after it was deleted can be told by counting. ``make soak`` lets it run for long.
"""

import asyncio
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from docker.api.client import APIClient
from hub_harness import HubLab, HubProcess, run_in
from websockets.exceptions import WebSocketException

from sophon_hub import names
from tests.editing import Editor, notebook, sources_in

pytestmark = [pytest.mark.hub, pytest.mark.docker]

SECONDS = float(os.environ.get("SOPHON_SOAK_SECONDS", "60"))
SEED = int(os.environ.get("SOPHON_SOAK_SEED", str(random.SystemRandom().randrange(10**6))))
EDITORS = 4
BEHIND_SECONDS = 10
SETTLE_SECONDS = 90
NOTEBOOK = "soak.ipynb"
TOKEN = re.compile(r"<e\d+\.\d+>")
LOST_CONNECTION = (WebSocketException, OSError, TimeoutError, AssertionError)


@dataclass
class Ledger:
    """What was typed and deleted, and when the lab said that it has it; seconds of the clock."""

    typed: dict[str, float | None] = field(default_factory=dict)
    deleted: dict[str, float | None] = field(default_factory=dict)

    def check_disk(self, found: str, moment: float) -> None:
        """Whether the file has everything that was acknowledged by this moment, and once."""
        counts = Counter(TOKEN.findall(found))
        assert TOKEN.sub("", found).strip("\n") == "", "a token was torn apart"
        assert max(counts.values(), default=1) == 1, "twice"
        due = {token for token, seen in self.typed.items() if seen is not None and seen < moment}
        gone = {token for token, seen in self.deleted.items() if seen is not None and seen < moment}
        assert due - self.deleted.keys() <= counts.keys(), "missing"
        assert not gone & counts.keys(), "deleted, and back"

    def check_all(self, found: str) -> None:
        """Whether everything ever typed and not deleted is there, once."""
        counts = Counter(TOKEN.findall(found))
        assert counts == Counter(self.typed.keys() - self.deleted.keys())


@dataclass
class Typist:
    """An editor who types, deletes and adds cells at random, with or without a connection."""

    number: int
    editor: Editor
    lab: HubLab
    ledger: Ledger
    random: random.Random
    count: int = 0

    async def work(self) -> None:
        """Go on until cancelled; a lost connection is made again, and the edits with it."""
        while True:
            await self._edit()
            with suppress(*LOST_CONNECTION):
                if not self.editor.is_connected:
                    await self.come_back()
                if self.random.random() < 0.02:
                    await self.editor.disconnect()
                elif self.random.random() < 0.3:
                    await self._hear()
            await asyncio.sleep(self.random.random() * 0.15)

    async def come_back(self) -> None:
        """Enter the lab again and take up the document with what was typed meanwhile."""
        async with asyncio.timeout(20):
            if await asyncio.to_thread(self.lab.status_in, self.editor.session) != 200:
                raise ConnectionError("the lab is away")
            await self._hear(connect=True)

    async def _hear(self, *, connect: bool = False) -> None:
        typed = [token for token, seen in self.ledger.typed.items() if self._is_open(token, seen)]
        gone = [token for token, seen in self.ledger.deleted.items() if self._is_open(token, seen)]
        await (self.editor.connect() if connect else self.editor.acknowledged())
        now = time.monotonic()
        self.ledger.typed |= dict.fromkeys(typed, now)
        self.ledger.deleted |= dict.fromkeys(gone, now)

    def _is_open(self, token: str, seen: float | None) -> bool:
        return seen is None and token.startswith(f"<e{self.number}.")

    async def _edit(self) -> None:
        cell = self.random.randrange(len(self.editor.cells))
        text, dice = self.editor.text(cell), self.random.random()
        mine = [token for token in TOKEN.findall(text) if token.startswith(f"<e{self.number}.")]
        if dice < 0.03 and len(self.editor.cells) < 30:
            self.count += 1
            await self.editor.add_cell(f"cell-{self.number}-{self.count}")
        elif dice < 0.15 and mine:
            token = self.random.choice(mine)
            self.ledger.deleted[token] = None
            start = text.index(token)
            await self.editor.delete(start, start + len(token), cell=cell)
        else:
            self.count += 1
            token = f"<e{self.number}.{self.count}>"
            self.ledger.typed[token] = None
            places = [0, *(match.end() for match in TOKEN.finditer(text))]
            await self.editor.type(token, cell=cell, at=self.random.choice(places))


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess]) -> HubProcess:
    hub = make_hub()
    hub.start()
    people = [f"editor{number}" for number in range(EDITORS)]
    hub.add_to_group(names.people_group("physics"), *people)
    return hub


def on_disk(lab: HubLab) -> str:
    status, text = run_in(lab.container, "cat", f"/home/jovyan/{NOTEBOOK}")
    assert status == 0, text
    return "\n".join(sources_in(text))


def end(lab: HubLab, docker: APIClient, how: str) -> float:
    """End the lab; gives the moment up to which everything acknowledged has to be on the disk."""
    begin = time.monotonic()
    if how == "stop by the hub":
        lab.stop()
        return begin
    if how == "stop by the engine":
        docker.stop(lab.container)
        lab.wait_until_stopped()
        return begin
    docker.kill(lab.container)
    lab.wait_until_stopped()
    return begin - BEHIND_SECONDS


async def settle(typists: list[Typist], ledger: Ledger) -> None:
    """Everybody comes back, and all see the same: everything, once."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            for typist in typists:
                await typist.come_back()
            for typist in typists:  # again, for what those after them have brought
                await typist.editor.acknowledged()
            seen = [
                "\n".join(map(typist.editor.text, range(len(typist.editor.cells))))
                for typist in typists
            ]
            assert len(set(seen)) == 1, "they see different things"
            ledger.check_all(seen[0])
        except LOST_CONNECTION:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return


async def test_nothing_is_missing_and_nothing_twice_whatever_ends_whenever(
    hub: HubProcess, slug: str, docker: APIClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nSOPHON_SOAK_SEED={SEED} SOPHON_SOAK_SECONDS={SECONDS:.0f}")  # noqa: T201
    chance, ledger = random.Random(SEED), Ledger()
    lab = hub.add_lab("physics", slug, "soak")
    await asyncio.to_thread(lab.start)
    text = json.dumps(notebook("", "", ""))
    run_in(lab.container, "sh", "-c", f"cat > /home/jovyan/{NOTEBOOK} <<'EOT'\n{text}\nEOT")
    typists = [
        Typist(
            number,
            Editor(await asyncio.to_thread(hub.log_in, f"editor{number}"), lab.url, NOTEBOOK),
            lab,
            ledger,
            random.Random(SEED * 100 + number),
        )
        for number in range(EDITORS)
    ]
    try:
        begin, rounds = time.monotonic(), 0
        ends = ["kill", "stop by the hub", "stop by the engine"]
        chance.shuffle(ends)
        while time.monotonic() - begin < SECONDS:
            await settle(typists, ledger)
            ends.append(chance.choice(ends))
            await _one_round(typists, lab, docker, chance, ends.pop(0))
            rounds += 1
        await settle(typists, ledger)
    finally:
        for typist in typists:
            await typist.editor.disconnect()
            typist.editor.session.close()
    with capsys.disabled():
        said = f"{rounds} rounds, {len(ledger.typed)} tokens, {len(ledger.deleted)} deleted"
        print(said)  # noqa: T201


async def _one_round(
    typists: list[Typist], lab: HubLab, docker: APIClient, chance: random.Random, how: str
) -> None:
    """Edit for a while, end the lab in the middle of it, look at the disk, and start again."""
    ledger = typists[0].ledger
    async with asyncio.TaskGroup() as tasks:
        work: list[asyncio.Task[Any]] = [tasks.create_task(one.work()) for one in typists]
        await asyncio.sleep(chance.uniform(1, 1.5 * BEHIND_SECONDS))
        print(f"{how}")  # noqa: T201 - pytest shows it when it fails
        if chance.random() < 0.3:  # what is restarted here is the Hub with its proxy
            await asyncio.to_thread(lab.hub.stop)
            await asyncio.to_thread(lab.hub.start)
        moment = await asyncio.to_thread(end, lab, docker, how)
        for one in work:
            one.cancel()
    await asyncio.to_thread(lab.start)
    ledger.check_disk(await asyncio.to_thread(on_disk, lab), moment)
