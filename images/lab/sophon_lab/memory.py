"""When the memory of the lab is used up, a kernel or terminal ends and not the server for all.

The engine's limit is for the container, and Linux ends the process there that it finds most
expendable. Kernels and terminals say of themselves that they are; any process may do that.
"""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from terminado.management import TermManagerBase

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab

EXPENDABLE = 1000
"""The highest ``oom_score_adj`` of proc(5)."""

USED_UP = "urn:sophon:memory-used-up:v1"
"""Schema of the event that JupyterLab hears; ``share/labextensions`` shows it."""

COUNTERS = ("memory.events", "memory/memory.oom_control")
"""Where control groups, of version 2 and 1, count processes that were ended for memory."""


class KernelWatch:
    """Tells everybody when a kernel was ended because the memory of the lab was used up."""

    def __init__(self, server: Any, root: Path = Path("/sys/fs/cgroup")) -> None:
        self._server = server
        self._files = [root / name for name in COUNTERS]
        self._known = self._count()
        server.event_logger.register_event_schema(
            {
                "$id": USED_UP,
                "version": "1",
                "title": "A kernel was ended because the memory of the lab was used up",
                "type": "object",
                "properties": {
                    "path": {"type": "string", "title": "The notebook; empty when unknown"},
                    "limit": {"type": "number", "title": "Bytes; 0 when unknown"},
                },
                "required": ["path", "limit"],
            }
        )

    async def look_at(self, kernel_id: str, status: int | None) -> None:
        """A kernel has ended by itself with this status: say so if memory was the reason."""
        ended = self._count()
        if status != -signal.SIGKILL or ended <= self._known:
            return
        self._known = ended
        limit = os.environ.get("MEM_LIMIT", "")
        data = {
            "path": await self._notebook(kernel_id),
            "limit": int(limit) if limit.isdecimal() else 0,
        }
        self._server.log.warning("A kernel was ended: the memory is used up (%s)", data["path"])
        self._server.event_logger.emit(schema_id=USED_UP, data=data)

    def _count(self) -> int:
        for file in self._files:
            try:
                lines = file.read_text().splitlines()
            except OSError:  # the other version, or none
                continue
            return next((int(n) for name, n in map(str.split, lines) if name == "oom_kill"), 0)
        return 0

    async def _notebook(self, kernel_id: str) -> str:
        sessions = await self._server.session_manager.list_sessions()
        found = [one["path"] for one in sessions if one["kernel"]["id"] == kernel_id]
        return str(found[0]) if found else ""


def load(app: "SophonLab") -> None:
    """Make kernels and terminals that are started from now on expendable, and watch kernels."""
    watch = KernelWatch(app.server)
    provisioner: Any = LocalProvisioner
    terminals: Any = TermManagerBase
    launch, poll, new_terminal = (
        provisioner.launch_kernel,
        provisioner.poll,
        terminals.new_terminal,
    )

    async def launch_kernel(self: Any, *arguments: Any, **options: Any) -> Any:
        connection = await launch(self, *arguments, **options)
        _make_expendable(self.pid)
        self.sophon_reported = False
        return connection

    async def poll_kernel(self: Any) -> int | None:
        status: int | None = await poll(self)
        if status and not self.sophon_reported:
            self.sophon_reported = True
            await watch.look_at(self.kernel_id, status)
        return status

    def open_terminal(self: Any, **options: Any) -> Any:
        terminal = new_terminal(self, **options)
        _make_expendable(terminal.ptyproc.pid)
        return terminal

    provisioner.launch_kernel, provisioner.poll = launch_kernel, poll_kernel
    terminals.new_terminal = open_terminal


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""


def _make_expendable(pid: int) -> None:
    try:
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(EXPENDABLE))
    except OSError:  # it has ended already, or this is not Linux
        return
