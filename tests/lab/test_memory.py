"""Whether a kernel was ended for memory; the files that say so are control groups'."""

import signal
from pathlib import Path
from typing import Any

import pytest
from jupyter_events.logger import EventLogger
from sophon_lab.memory import USED_UP, KernelWatch

KERNEL = "11111111-2222-3333-4444-555555555555"
VERSION_2 = ("memory.events", "low 0\nhigh 0\nmax 7\noom 3\noom_kill {}\noom_group_kill 0\n")
VERSION_1 = ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n")


class Server:
    """As much of a Jupyter server as is asked, with what it has told everybody."""

    def __init__(self, log: Any) -> None:
        self.log = log
        self.event_logger = EventLogger()
        self.session_manager = self
        self.told: list[dict[str, Any]] = []

    async def list_sessions(self) -> list[dict[str, Any]]:
        return [{"path": "thesis.ipynb", "kernel": {"id": KERNEL}}]

    async def hear(self, *, data: dict[str, Any], **_: Any) -> None:
        self.told.append(data)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("MEM_LIMIT", "2147483648")
    return Server(EventLogger().log)


def watched(server: Server, root: Path) -> KernelWatch:
    watch = KernelWatch(server, root)
    server.event_logger.add_listener(schema_id=USED_UP, listener=lambda *_, **k: server.hear(**k))
    return watch


@pytest.mark.parametrize(("name", "text"), [VERSION_2, VERSION_1], ids=["version 2", "version 1"])
async def test_a_kernel_that_was_ended_for_memory_is_named_once(
    server: Server, tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text.format(1))  # somebody's terminal, before
    watch = watched(server, tmp_path)

    await watch.look_at(KERNEL, -signal.SIGKILL)  # ended by hand: the count is as it was
    file.write_text(text.format(2))
    await watch.look_at(KERNEL, 1)  # ended by an error of its own
    await server.event_logger.gather_listeners()
    assert server.told == []

    await watch.look_at(KERNEL, -signal.SIGKILL)
    await watch.look_at(KERNEL, -signal.SIGKILL)  # the same count means the same kernel
    await server.event_logger.gather_listeners()
    assert server.told == [{"path": "thesis.ipynb", "limit": 2147483648}]


@pytest.mark.parametrize("text", [None, "low 0\nhigh 0\n"], ids=["no file", "an old Linux"])
async def test_where_nothing_is_counted_nothing_is_said(
    server: Server, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "memory.events").write_text(text)
    watch = watched(server, tmp_path)

    await watch.look_at(KERNEL, -signal.SIGKILL)

    await server.event_logger.gather_listeners()
    assert server.told == []
