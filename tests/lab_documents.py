"""A document of a lab as a browser has it: what one writes, and what one hears of others."""

import json
from typing import Any

from pycrdt import (
    Array,
    Awareness,
    Decoder,
    Doc,
    Map,
    Text,
    YMessageType,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)
from websockets.sync.client import ClientConnection

from tests.lab_visitor import Visitor
from tests.waiting import wait_for

CELL = {"cell_type": "code", "source": "", "metadata": {}, "outputs": [], "id": "first"}
ONE_CELL: dict[str, Any] = {
    "cells": [{**CELL, "execution_count": None}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


class Copy:
    """Somebody's copy of a notebook, kept equal to the lab's as long as the lab takes changes."""

    def __init__(self, visitor: Visitor, path: str) -> None:
        self.socket: ClientConnection = visitor.socket(path)
        self.document: Doc[Any] = Doc()
        self.cells = self.document.get("cells", type=Array)
        self.states: dict[int, Any] = {}
        self.socket.send(create_sync_message(self.document))
        wait_for(lambda: self.listen() and len(self.cells) > 0, "the notebook to come")

    def listen(self) -> bool:
        """Take what has come; True, for waiting."""
        while True:
            try:
                message = self.socket.recv(timeout=0.01)
            except TimeoutError:
                return True
            assert isinstance(message, bytes)
            if message[0] == YMessageType.SYNC:
                reply = handle_sync_message(message[1:], self.document)
                if reply:
                    self.socket.send(reply)
            elif message[0] == YMessageType.AWARENESS:
                self._hear(message[1:])

    def _hear(self, message: bytes) -> None:
        decoder = Decoder(Decoder(message).read_message() or b"")
        for _ in range(decoder.read_var_uint()):
            client, _clock = decoder.read_var_uint(), decoder.read_var_uint()
            self.states[client] = json.loads(decoder.read_var_string())

    @property
    def source(self) -> str:
        """What is in the first cell."""
        self.listen()
        cell: Map[Any] = self.cells[0]
        return str(cell["source"])

    def write(self, text: str) -> None:
        """Type at the end of the first cell."""
        before = self.document.get_state()
        cell: Map[Any] = self.cells[0]
        source: Text = cell["source"]
        source += text
        self.socket.send(create_update_message(self.document.get_update(before)))

    def say_who(self, client: int | None = None, **state: Any) -> int:
        """Tell the others where one is, as this client or as another."""
        awareness = Awareness(Doc(client_id=client) if client else self.document)
        awareness.set_local_state(state)
        update = awareness.encode_awareness_update([awareness.client_id])
        self.socket.send(create_awareness_message(update))
        return awareness.client_id
