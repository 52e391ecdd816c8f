"""People with a document open, without browsers: the same messages, nothing to draw."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from pycrdt import (
    Array,
    Decoder,
    Doc,
    Encoder,
    Map,
    Text,
    YMessageType,
    YSyncMessageType,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ANSWER_SECONDS = 30
RAW = 2
"""Messages about a document that are not part of it."""


@dataclass
class Editor:
    """Somebody who has one document of a lab open.

    ``session`` is a browser's, which has been let into the lab at ``lab_url``. What is typed
    stays in `document` across reconnects, as it does in a browser.
    """

    session: requests.Session
    lab_url: str
    path: str
    kind: str = "notebook"
    document: Doc[Any] = field(default_factory=Doc)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cells = self.document.get("cells", type=Array)
        self.source = self.document.get("source", type=Text)
        self._socket: ClientConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self._answers = 0
        self._answered = asyncio.Condition()
        self._saved: asyncio.Future[str]
        self._room = ""

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open, as far as one knows on this side."""
        return self._listener is not None and not self._listener.done()

    async def connect(self) -> None:
        """Open the document, or join it again with what was typed meanwhile."""
        if not self._room:
            self._room = await asyncio.to_thread(self._find_room)
        await self.disconnect()
        self._socket = await connect(self._room, additional_headers=self._headers(), max_size=None)
        self._listener = asyncio.create_task(self._listen(self._socket))
        await self.acknowledged()

    async def disconnect(self) -> None:
        """Be gone without a word, as a laptop that sleeps."""
        if self._socket is None or self._listener is None:
            return
        self._socket.transport.abort()
        with contextlib.suppress(ConnectionClosed):
            await self._listener
        self._socket = self._listener = None

    async def acknowledged(self, seconds: float = ANSWER_SECONDS) -> None:
        """Wait until the lab has everything typed so far; it answers in order."""
        assert self._socket is not None
        wanted = self._answers + 1
        await self._socket.send(create_sync_message(self.document))
        async with asyncio.timeout(seconds), self._answered:
            await self._answered.wait_for(lambda: self._answers >= wanted or not self.is_connected)
        assert self._answers >= wanted, "the connection was lost"

    def text(self, cell: int) -> str:
        """What is in a cell, seen from here."""
        return str(self.cells[cell]["source"])

    async def type(self, text: str, *, cell: int = 0, at: int | None = None) -> None:
        """Type into a cell, or the text file, at its end unless told."""
        before = self.document.get_state()
        source: Text = self.cells[cell]["source"] if self.kind == "notebook" else self.source
        source.insert(len(source) if at is None else at, text)
        await self._send_since(before)

    async def delete(self, start: int, end: int, *, cell: int = 0) -> None:
        """Delete some bytes of a cell."""
        before = self.document.get_state()
        del self.cells[cell]["source"][start:end]
        await self._send_since(before)

    async def add_cell(self, cell_id: str, text: str = "") -> None:
        """Add a cell at the end."""
        before = self.document.get_state()
        self.cells.append(
            Map(
                {
                    "id": cell_id,
                    "cell_type": "code",
                    "source": Text(text),
                    "metadata": Map({}),
                    "outputs": Array([]),
                    "execution_count": None,
                    "execution_state": "idle",
                }
            )
        )
        await self._send_since(before)

    async def save(self) -> str:
        """Ask for a save, as Ctrl+S does, and give the lab's answer."""
        assert self._socket is not None
        encoder = Encoder()
        encoder.write_var_uint(RAW)
        encoder.write_var_string("save")
        encoder.write_var_uint(1)
        self._saved = asyncio.get_running_loop().create_future()
        await self._socket.send(encoder.to_bytes())
        async with asyncio.timeout(ANSWER_SECONDS):
            return str(await self._saved)

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """What the lab tells everybody who has a page of it open."""
        url = f"{self.lab_url}/api/events/subscribe".replace("http", "ws", 1)
        async with connect(url, additional_headers=self._headers()) as socket:
            yield (json.loads(message) async for message in socket)

    async def _send_since(self, before: bytes) -> None:
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):  # typed on, to be sent later
                await self._socket.send(create_update_message(self.document.get_update(before)))

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                if isinstance(message, bytes) and message[0] == RAW:
                    said = json.loads(Decoder(message[1:]).read_var_string())
                    if said["type"] == "save":
                        self._saved.set_result(said["status"])
                elif isinstance(message, bytes) and message[0] == YMessageType.SYNC:
                    reply = handle_sync_message(message[1:], self.document)
                    if reply:
                        await socket.send(reply)
                    if message[1] == YSyncMessageType.SYNC_STEP2:
                        async with self._answered:
                            self._answers += 1
                            self._answered.notify_all()
        except ConnectionClosed:
            pass
        finally:
            async with self._answered:
                self._answered.notify_all()

    def _find_room(self) -> str:
        xsrf = str(self.session.cookies.get("_xsrf", path=urlsplit(self.lab_url).path + "/"))
        answer = self.session.put(
            f"{self.lab_url}/api/collaboration/session/{self.path}",
            json={"format": "json" if self.kind == "notebook" else "text", "type": self.kind},
            headers={"X-XSRFToken": xsrf},
            timeout=ANSWER_SECONDS,
        )
        assert answer.ok, f"{answer.status_code} {answer.text}"
        room = answer.json()
        return (
            f"{self.lab_url}/api/collaboration/room/{room['format']}:{room['type']}:{room['fileId']}"
            f"?sessionId={room['sessionId']}"
        ).replace("http", "ws", 1)

    def _headers(self) -> dict[str, str]:
        path = urlsplit(self.lab_url).path
        cookies = [
            f"{cookie.name}={cookie.value}"
            for cookie in self.session.cookies
            if cookie.path.startswith(path) or cookie.path == "/"
        ]
        return {
            "Cookie": "; ".join(cookies),
            "X-XSRFToken": str(self.session.cookies.get("_xsrf", path=f"{path}/")),
        }


def notebook(*sources: str) -> dict[str, Any]:
    """A notebook with a code cell for each text."""
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(sources)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def sources_in(text: str) -> list[str]:
    """The texts of the cells of a notebook file."""
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
