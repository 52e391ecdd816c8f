"""Browsers come back to a document from earlier lives of the server, with what they have unsent."""

import asyncio
import json
from pathlib import Path

import pytest
from jupyter_server_ydoc.utils import SERVER_SESSION
from sophon_lab.sessions import KEPT, refusal, remember

NOTEBOOK, TEXT = "2.0.0", "1.0.0"
"""Versions of documents."""


class Memory:
    """The sessions that the server of one home remembers."""

    def __init__(self, home: Path) -> None:
        self.path = home / "state" / "sessions.json"
        self.home = str(home)

    async def opened(self, session: str, document: str = NOTEBOOK, version: str = "3.0") -> None:
        """A document was opened while the server had this session."""
        store = str(self.path)
        await remember(self.home, session, version, asyncio.Lock(), document, store)

    def refused(self, session: str, document: str = NOTEBOOK, version: str = "3.0") -> str:
        """Why a browser that comes from this session is refused; empty when it is not."""
        is_refused, reason = refusal(self.home, session, version, document, str(self.path))
        assert is_refused is bool(reason)
        return reason


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path)


async def test_who_slept_over_many_starts_comes_back(memory: Memory) -> None:
    for start in range(20):
        await memory.opened(f"session-{start}")
    assert memory.refused("session-0") == ""
    assert memory.refused("another") == "unknown_session"
    assert memory.refused(SERVER_SESSION) == ""


async def test_the_oldest_sessions_are_forgotten_in_the_end(memory: Memory) -> None:
    await memory.opened("session-0")
    first = json.loads(memory.path.read_text())["session-0"]
    memory.path.write_text(json.dumps({f"session-{start}": first for start in range(KEPT)}))
    await memory.opened("another")
    assert memory.refused("session-0") == "unknown_session"
    assert memory.refused("session-1") == memory.refused("another") == ""


async def test_documents_of_several_kinds_are_taken_up_again(memory: Memory) -> None:
    await memory.opened("session", NOTEBOOK)
    await memory.opened("session", TEXT)
    assert memory.refused("session", NOTEBOOK) == ""
    assert memory.refused("session", TEXT) == ""


async def test_what_another_version_made_is_loaded_anew(memory: Memory) -> None:
    await memory.opened("session")
    assert memory.refused("session", document="3.0.0") == "version_mismatch"
    assert memory.refused("session", version="3.1") == "version_mismatch"


@pytest.mark.parametrize("content", ["", "[]", '{"session": {"version": "3.0"}}', '{"session": 1}'])
async def test_a_file_that_means_nothing_is_begun_anew(memory: Memory, content: str) -> None:
    memory.path.parent.mkdir()
    memory.path.write_text(content)
    assert memory.refused("session") == "unknown_session"
    await memory.opened("session")
    assert memory.refused("session") == ""


async def test_a_file_that_cannot_be_written_is_no_reason_to_refuse_anybody(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    memory.path.mkdir(parents=True)
    await memory.opened("session")
    assert "Cannot note the session of the server" in caplog.text
