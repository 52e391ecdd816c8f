"""People who type in a notebook without a browser: the same messages, nothing to draw."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pycrdt import (
    Array,
    Awareness,
    Doc,
    Map,
    Text,
    YMessageType,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)
from websockets.asyncio.client import ClientConnection, connect

from tests.bench.live import Door, Lab

READY_SECONDS = 60


@dataclass
class Typist:
    """Somebody who has the notebook open and types into one cell, letter by letter."""

    url: str
    headers: dict[str, str]
    cell: int
    letter: str
    pause: float

    @classmethod
    def sit_down(
        cls, door: Door, lab: Lab, notebook: str, *, cell: int, letter: str, pause: float
    ) -> "Typist":
        """Enter the lab and find the notebook's room."""
        door.enter(lab)
        path = lab.url.removeprefix(lab.site.url)
        xsrf = str(door.session.cookies.get("_xsrf", path=f"{path}/"))
        answer = door.session.put(
            f"{lab.url}/api/collaboration/session/{notebook}",
            json={"format": "json", "type": "notebook"},
            headers={"X-XSRFToken": xsrf},
            timeout=30,
        )
        assert answer.ok, f"{answer.status_code} {answer.text}"
        room = answer.json()
        cookies = [
            f"{cookie.name}={cookie.value}"
            for cookie in door.session.cookies
            if cookie.path.startswith(path) or cookie.path == "/"
        ]
        return cls(
            url=f"{lab.url}/api/collaboration/room/json:notebook:{room['fileId']}"
            f"?sessionId={room['sessionId']}".replace("http", "ws", 1),
            headers={
                "Cookie": "; ".join(cookies),
                "X-XSRFToken": xsrf,
            },
            cell=cell,
            letter=letter,
            pause=pause,
        )

    async def work(self, ready: asyncio.Barrier) -> None:
        """Load the notebook, wait for the others, then type for ever."""
        document: Doc[Any] = Doc()
        cells = document.get("cells", type=Array)
        async with connect(self.url, additional_headers=self.headers, max_size=None) as socket:
            await socket.send(create_sync_message(document))
            while len(cells) <= self.cell:
                await self._take(await socket.recv(), document, socket)
            await ready.wait()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(document, socket))
                tasks.create_task(self._type(document, cells, socket))

    async def _listen(self, document: Doc[Any], socket: ClientConnection) -> None:
        async for message in socket:
            await self._take(message, document, socket)

    async def _take(
        self, message: bytes | str, document: Doc[Any], socket: ClientConnection
    ) -> None:
        if isinstance(message, bytes) and message[0] == YMessageType.SYNC:
            reply = handle_sync_message(message[1:], document)
            if reply:
                await socket.send(reply)

    async def _type(self, document: Doc[Any], cells: Array[Any], socket: ClientConnection) -> None:
        cell: Map[Any] = cells[self.cell]
        source: Text = cell["source"]
        awareness = Awareness(document)
        while True:
            before = document.get_state()
            source += self.letter
            await socket.send(create_update_message(document.get_update(before)))
            # a browser also says where its caret is
            awareness.set_local_state({"cursors": [len(source)]})
            state = awareness.encode_awareness_update([awareness.client_id])
            await socket.send(create_awareness_message(state))
            await asyncio.sleep(self.pause)


@contextmanager
def typing(typists: list[Typist]) -> Iterator[None]:
    """All of them type meanwhile, in one thread."""
    loop = asyncio.new_event_loop()
    begun = threading.Event()
    failed: list[BaseException] = []

    async def work() -> None:
        ready = asyncio.Barrier(len(typists) + 1)
        async with asyncio.TaskGroup() as tasks:
            for typist in typists:
                tasks.create_task(typist.work(ready))
            await ready.wait()
            begun.set()

    async def work_until_cancelled() -> None:
        try:
            await work()
        except Exception as error:
            failed.append(error)
            begun.set()

    task = loop.create_task(work_until_cancelled())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])))
    thread.start()
    try:
        assert begun.wait(READY_SECONDS), "the typists did not begin"
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
    if failed:
        raise failed[0]
