"""The document protocol: what those who watch may send, and under which name people are seen.

A message begins with its kind: 0 synchronises, 1 is awareness (who is where), 2 asks to save.
Synchronising is asking for what one does not have (0) or sending what others do not have (1, 2).
Each browser that has a document open is a client, with a number of its own, and says in its state
whose it is. That is only a claim, so the lab writes it anew.
See https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md.
"""

import json
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from jupyterhub.singleuser.extension import JupyterHubUser
from pycrdt import Decoder, Encoder, create_awareness_message

SYNC, AWARENESS, RAW = 0, 1, 2
ASK, ANSWER, UPDATE = 0, 1, 2
MAX_CLIENT, MAX_CLOCK = 2**53, 2**32
MALFORMED = 1007
"""Close code for data that does not fit its type (RFC 6455, 7.4.1)."""
NOT_THE_PROTOCOL = "This is not the protocol of documents."
MOST_REFUSED = 20
"""Names that one browser claims and are logged: the log is not filled by it."""


class OwnState:
    """What one browser says of itself in one room: passed on under the name of who it is.

    Clients also repeat what they hear of others; that goes no further, as all have heard it.
    """

    _owners: ClassVar[WeakKeyDictionary[Any, dict[int, str]]] = WeakKeyDictionary()
    """User names by client, for each room: a number belongs to who has used it first."""

    def __init__(self, handler: Any, user: JupyterHubUser, note: str = "") -> None:
        self._handler = handler
        self._user = user
        self._note = note
        self._client: int | None = None
        self._refused: set[str] = set()

    def pass_on(self, content: bytes) -> bytes | None:
        """The message as it may go on, or None; any exception when it is malformed."""
        decoder = Decoder(content)
        mine = None
        for _ in range(decoder.read_var_uint()):
            client, clock = decoder.read_var_uint(), decoder.read_var_uint()
            state = json.loads(decoder.read_var_string())
            _check_numbers(client, clock)
            if self._is_mine(client, state):
                self._client = client
                mine = (client, clock, self._signed(state))
        if mine is None:
            return None
        encoder = Encoder()
        for number in (1, *mine[:2]):
            encoder.write_var_uint(number)
        encoder.write_var_string(json.dumps(mine[2]))  # ASCII: the encoder counts characters
        return create_awareness_message(encoder.to_bytes())

    def _is_mine(self, client: int, state: Any) -> bool:
        room = self._handler.room
        owners = self._owners.setdefault(room, {room.awareness.client_id: ""})
        name, me = _name(state), self._user.username
        owner = owners.get(client)
        if self._client in (None, client) and owner in (None, me) and name in (None, me):
            owners[client] = me
            return True
        if name not in (None, me, owner):
            self._note_refused(name)
        return client == self._client

    def _note_refused(self, name: Any) -> None:
        """Log, once for each name, that somebody claims to be somebody else."""
        if len(self._refused) < MOST_REFUSED and str(name) not in self._refused:
            self._refused.add(str(name))
            me = self._user.username
            self._handler.log.warning("%s claimed to be %r in a document", me, str(name)[:100])

    def _signed(self, state: Any) -> Any:
        if state is None:
            return None
        user = self._handler.identity_provider.identity_model(self._user)
        user["display_name"] += self._note
        return {**state, "user": user, **({"autosave": False} if self._note else {})}


class Editor:
    """What somebody who edits sends to one document: all of it, but under no other name."""

    def __init__(self, handler: Any, user: JupyterHubUser) -> None:
        self._handler = handler
        self._take = handler.on_message
        self._own = OwnState(handler, user)

    async def on_message(self, message: bytes | str) -> None:
        """Pass everything on, and who it is as it is known here."""
        passed: bytes | str | None = message
        if isinstance(message, bytes) and message[:1] == bytes([AWARENESS]):
            try:
                passed = self._own.pass_on(_content(message[1:]))
            except Exception:
                self._handler.close(MALFORMED, NOT_THE_PROTOCOL)
                return
        if passed is not None:
            await self._take(passed)


def vouch(handler: Any, user: JupyterHubUser) -> None:
    """Have the socket of somebody who edits pass on no other name than theirs."""
    handler.on_message = Editor(handler, user).on_message


class Watcher:
    """What one watcher sends to one document, and what of it is let through."""

    def __init__(self, handler: Any, user: JupyterHubUser) -> None:
        self._handler = handler
        self._take = handler.on_message
        self._own = OwnState(handler, user, " (watching)")

    async def on_message(self, message: bytes | str) -> None:
        """Pass what changes nothing; drop what would, as JupyterLab sends it unasked."""
        try:
            passed = self._check(message)
        except Exception:
            self._handler.close(MALFORMED, NOT_THE_PROTOCOL)
            return
        if passed is not None:
            await self._take(passed)

    def _check(self, message: bytes | str) -> bytes | None:
        """The message as it may go on, or None; any exception when it is malformed."""
        if not isinstance(message, bytes):
            raise TypeError("a text")
        kind = message[0]
        if kind == SYNC:
            if message[1] not in (ASK, ANSWER, UPDATE):
                raise ValueError("no kind of synchronising")
            if message[1] != ASK:
                return None
            _check_state_vector(_content(message[2:]))
            return message
        if kind == AWARENESS:
            return self._own.pass_on(_content(message[1:]))
        if kind == RAW:
            return None
        raise ValueError("no kind of message")


def _name(state: Any) -> str | None:
    user = state.get("user") if isinstance(state, dict) else None
    return user.get("username") if isinstance(user, dict) else None


def _content(message: bytes) -> bytes:
    """The one piece of data that a message holds, with its length before it."""
    decoder = Decoder(message)
    content = decoder.read_message()
    if content is None or decoder.i0 != len(message):
        raise ValueError("more or less than one piece of data")
    return content


def _check_state_vector(content: bytes) -> None:
    """Refuse what is no list of clients and clocks: the room's own parser may not survive it."""
    decoder = Decoder(content)
    for _ in range(decoder.read_var_uint()):
        _check_numbers(decoder.read_var_uint(), decoder.read_var_uint())
    if decoder.i0 != len(content):
        raise ValueError("data after the state vector")


def _check_numbers(client: int, clock: int) -> None:
    if client >= MAX_CLIENT or clock >= MAX_CLOCK:
        raise ValueError("a number that no client has")
