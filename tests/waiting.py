"""Waiting in tests: look again and again until a deadline, never just sleep."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0


def wait_for(look: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """What ``look`` gives once it is true; fails with the last thing seen when it never is."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"gave up waiting for {what}: {seen!r}")
        # the only pause in the tests: between two looks, never instead of one
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
