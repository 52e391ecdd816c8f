"""What the lab uses of what it may: memory and processor, for the people in it.

The engine's control group is asked, since its limits are what counts: a sum over processes would
miss files in memory, such as those in ``/tmp``.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_server.base.handlers import APIHandler
from tornado import web

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab

USED = ("memory.current", "memory/memory.usage_in_bytes")
"""Files of control groups of version 2, and 1."""

STATISTICS = ("memory.stat", "memory/memory.stat")
GIVEN_BACK = ("inactive_file", "total_inactive_file")
"""Copies of files that Linux drops when memory is wanted; `docker stats` leaves them out, too."""

PROCESSOR = ("cpu.stat", "cpuacct/cpuacct.usage")
LEAST_SECONDS = 1.0
"""Between two looks at the processor: what is asked for more often is what was found last."""


class Resources:
    """What the control group of this container says; of nothing else than containers."""

    def __init__(self, root: Path = Path("/sys/fs/cgroup")) -> None:
        self._root = root
        self._looked_at, self._spent, self._cores = time.monotonic(), self._processor(), 0.0

    def now(self) -> dict[str, float | None]:
        """Bytes and cores, used and allowed; None for what is not known."""
        if "MEM_LIMIT" not in os.environ:  # the whole machine's would be taken for the lab's
            return dict.fromkeys(("memory", "memory_limit", "cpu", "cpu_limit"))
        return {
            "memory": self._memory(),
            "memory_limit": _number(os.environ.get("MEM_LIMIT", "")),
            "cpu": self._used_cores(),
            "cpu_limit": _number(os.environ.get("CPU_LIMIT", "")),
        }

    def _memory(self) -> float | None:
        used = _number(self._read(USED))
        if used is None:
            return None
        lines = [line.split() for line in self._read(STATISTICS).splitlines()]
        given_back = max((float(value) for name, value in lines if name in GIVEN_BACK), default=0)
        return max(0.0, used - given_back)

    def _used_cores(self) -> float | None:
        seconds = time.monotonic() - self._looked_at
        if seconds >= LEAST_SECONDS:
            spent = self._processor()
            if spent is None or self._spent is None:
                return None
            self._cores = (spent - self._spent) / seconds
            self._looked_at, self._spent = self._looked_at + seconds, spent
        return self._cores

    def _processor(self) -> float | None:
        """Seconds of processor time since the container was started."""
        text = self._read(PROCESSOR)
        for line in text.splitlines():
            if line.startswith("usage_usec "):
                return float(line.split()[1]) / 1e6
        nanoseconds = _number(text)
        return None if nanoseconds is None else nanoseconds / 1e9

    def _read(self, names: tuple[str, ...]) -> str:
        for name in names:
            try:
                return (self._root / name).read_text()
            except OSError:  # the other version, or none
                continue
        return ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class ResourcesHandler(APIHandler):
    """``GET sophon/resources``: asked every few seconds by each page that somebody looks at."""

    _track_activity = False  # a page that is open is no sign of anybody at work

    def initialize(self, resources: Resources) -> None:
        """``resources`` are those of this lab."""
        self._resources = resources

    @web.authenticated
    async def get(self) -> None:
        """``memory`` and ``memory_limit`` in bytes, ``cpu`` and ``cpu_limit`` in cores, or null."""
        self.finish(self._resources.now())


def load(app: "SophonLab") -> None:
    """Add the handler of this part."""
    app.handlers.append((r"/sophon/resources", ResourcesHandler, {"resources": Resources()}))


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""
