"""The part of the spawner that runs labs as plain processes: for a look on loopback only.

Nothing keeps these labs apart: they run as the Hub's own user. There are no limits either.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.utils import random_port, url_path_join

from sophon_hub import paths
from sophon_hub.spawner.plan import LaunchPlan, refusal
from sophon_hub.spawner.project import ProjectMixin
from sophon_hub.spawner.ready import wait_for_answer
from sophon_hub.spawner.upstream import LocalSpawner

if TYPE_CHECKING:

    class Base(ProjectMixin, LocalSpawner):
        """What this is mixed with."""

else:
    Base = object

SERVER = "jupyterhub-singleuser"
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ")


class ProcessPart(Base):
    """Runs a plan as a process with a home below the data directory."""

    _born: str = ""

    async def start_plan(self, plan: LaunchPlan) -> Any:
        """Start the single-user server of the Hub's own virtual environment."""
        settings = self.sophon()
        home = _homes(settings.prepare_data_dir()) / plan.uid
        home.mkdir(mode=0o700, exist_ok=True)
        self.home_dir = str(home)
        self.notebook_dir = str(home)
        self.env_keep = list(KEPT_ENVIRONMENT)
        if self.cmd == [SERVER]:  # else the site has one of its own
            self.cmd = [str(Path(sys.executable).with_name(SERVER))]
        self.ip, self.port = "127.0.0.1", random_port()
        if os.geteuid() == 0:
            self._set_argument("--ServerApp.allow_root", True)
        if self._board is not None:
            self._board.post(75, "Starting the lab")
        address = await super().start_plan(plan)
        self._born = _birth(self.pid)
        if self._board is not None:
            self._board.post(85, "Waiting for JupyterLab to answer")
        url = f"http://127.0.0.1:{self.port}{url_path_join(self.server.base_url, 'api')}"
        try:
            async with asyncio.timeout(settings.start_timeout):
                await wait_for_answer(url, self._check_alive)
        except TimeoutError:
            sentence = f"The lab did not answer within {settings.start_timeout} seconds."
            raise refusal(sentence, "timeout", 500) from None
        return address

    def get_env(self) -> dict[str, str]:
        """The environment of the lab, in which its server finds `sophon_lab`, and what it shows."""
        env = super().get_env()
        if self.is_managed:
            package = paths.lab_package()
            env |= {"PYTHONPATH": str(package), "JUPYTER_PATH": str(package / "share")}
        return env

    async def _check_alive(self) -> None:
        if await self.poll() is not None:
            raise refusal("The lab ended while it was starting.", "crashed", 500)

    async def poll(self) -> Any:
        """None while the process runs; another process under its old number does not count."""
        if self.is_managed and self.proc is None and self.pid and _birth(self.pid) != self._born:
            self.clear_state()
            return 0
        return await super().poll()

    async def stop(self, now: bool = False) -> None:
        """Have the lab save, then end it."""
        if self.is_managed:
            await self.save_documents()
            # half of the time after asking once, half after asking again, and then no more
            self.interrupt_timeout = self.term_timeout = self.sophon().stop_timeout // 2
        await super().stop(now=now)

    async def remove_home(self, uids: set[str]) -> None:
        """Remove the directories of these homes."""
        homes = _homes(self.sophon().prepare_data_dir())
        for uid in uids:
            await asyncio.to_thread(shutil.rmtree, homes / uid, ignore_errors=True)

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a process that runs since before the Hub was restarted."""
        super().load_state(state)
        self._born = state.get("sophon", {}).get("born", "")

    def get_state(self) -> dict[str, Any]:
        """A process is its number and its birth: numbers are used again."""
        state = super().get_state()
        if self._born and "sophon" in state:
            state["sophon"]["born"] = self._born
        return state


def _homes(data_dir: Path) -> Path:
    homes = data_dir / "homes"
    homes.mkdir(mode=0o700, exist_ok=True)
    return homes


def _birth(pid: int) -> str:
    """When a process began, in the kernel's own clock; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    # the name in parentheses may itself contain spaces and parentheses
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
