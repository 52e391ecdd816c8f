"""When somebody last worked in the lab: edits, executions, programs that run; no open tabs."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from jupyter_server_terminals.handlers import TermSocket
from jupyter_server_ydoc.handlers import YDocWebSocketHandler

from sophon_lab.documents import SYNC, UPDATE

READING = ("GET", "HEAD", "OPTIONS")
FILES = "/api/contents"


class Activity:
    """Remembers when somebody last did something here, since the server started."""

    def __init__(self) -> None:
        self._worked_at = time.monotonic()

    def note(self) -> None:
        """Somebody works, at this moment."""
        self._worked_at = time.monotonic()

    def idle_seconds(self, server: Any) -> float:
        """Seconds since somebody last edited, typed or ran something."""
        now = datetime.now(UTC)
        spans: list[float] = [
            (now - kernel.last_activity).total_seconds() for kernel in _kernels(server)
        ]
        return max(0.0, min([time.monotonic() - self._worked_at, *spans]))

    def follow(self, handler: Any) -> None:
        """Notice what somebody does with this request, if that is work."""
        path = handler.request.path.removeprefix(handler.base_url.rstrip("/"))
        if isinstance(handler, YDocWebSocketHandler):
            self._follow_socket(handler, _is_edit)
        elif isinstance(handler, TermSocket):
            self._follow_socket(handler, _is_typed)
        elif handler.request.method not in READING and path.startswith(FILES):
            self.note()

    def _follow_socket(self, handler: Any, is_work: Any) -> None:
        take = handler.on_message

        async def on_message(message: bytes | str) -> None:
            if is_work(message):
                self.note()
            await take(message)

        handler.on_message = on_message


def is_busy(server: Any) -> bool:
    """Whether a kernel calculates, or a program runs in a terminal."""
    terminals = server.web_app.settings.get("terminal_manager")
    shells = [] if terminals is None else [each.ptyproc for each in terminals.terminals.values()]
    return any(kernel.execution_state == "busy" for kernel in _kernels(server)) or any(
        _runs_program(shell) for shell in shells
    )


def _kernels(server: Any) -> Iterator[Any]:
    manager = server.kernel_manager
    for kernel_id in manager.list_kernel_ids():
        kernel = manager.get_kernel(kernel_id)
        if hasattr(kernel, "last_activity"):  # set once it has been started
            yield kernel


def _runs_program(shell: Any) -> bool:
    """Whether something else than the shell itself is in the foreground."""
    try:
        return bool(os.tcgetpgrp(shell.fd) != shell.pid)
    except OSError:  # it has just ended
        return False


def _is_edit(message: bytes | str) -> bool:
    return isinstance(message, bytes) and message[:2] == bytes([SYNC, UPDATE])


def _is_typed(message: bytes | str) -> bool:
    return isinstance(message, str) and message.startswith('["stdin"')
