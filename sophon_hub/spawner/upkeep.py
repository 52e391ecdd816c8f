"""The life of a container after its start: looking after it, ending it, clearing it away."""

import asyncio
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import maybe_future
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.spawner import crashes
from sophon_hub.spawner.plan import refusal
from sophon_hub.spawner.project import ProjectMixin
from sophon_hub.spawner.upstream import ContainerSpawner
from sophon_hub.volumes import engine

if TYPE_CHECKING:

    class Base(ProjectMixin, ContainerSpawner):
        """What this is mixed with."""

else:
    Base = object

LOOK_SECONDS = 0.1
REMOVAL_SECONDS = 30


class ContainerUpkeep(Base):
    """Poll, stop and clear away containers, keeping the last words of those that died."""

    _started_at: str = ""
    _answered: bool = False

    async def poll(self) -> Any:
        """None while the lab runs; else why it does not."""
        if not self.is_managed:
            return await super().poll()
        if not self.object_id:
            return 0  # never started by this hub, or cleared away
        container = await self.get_object()
        if container is None:
            return "The container is gone."
        state = container["State"]
        if not state["Running"]:
            return _how_it_ended(state)
        if self._started_at and state["StartedAt"] != self._started_at:
            # what guards its network was lost with the old one
            return "The container was restarted from outside the Hub."
        await self.check_group()
        return None

    async def stop(self, now: bool = False) -> None:
        """Have the lab save, end it within the setting `stop_timeout`, remove its container."""
        if not self.is_managed:
            await super().stop(now=now)
            return
        self.log.info("Stopping %s", self._log_name)
        if self._answered:
            await self.save_documents()
        elif not now:
            await self._keep_last_words("The lab was stopped before it had answered.")
        await self._end(self.object_id, 0 if now else self.sophon().stop_timeout)
        self.object_id = ""
        self.clear_state()

    async def run_post_stop_hook(self) -> None:
        """Clear away whatever is left, however the lab came to its end."""
        if self.is_managed:
            try:
                await self._clear_away()
            except (DockerException, RequestException, SpawnException) as error:
                self.log.warning("Left the container of %s behind: %s", self._log_name, error)
        await maybe_future(super().run_post_stop_hook())

    async def _clear_away(self) -> None:
        name = await self._find_name()
        container = await self._inspect(name) if name else None
        if container is None:
            return
        state = container["State"]
        self.object_id = container["Id"]
        died = not state["Running"] and state["Status"] != "created"
        if died and (state["ExitCode"] or not self._answered):
            await self._keep_last_words(_how_it_ended(state))
        await self._end(container["Id"], self.sophon().stop_timeout)
        self.object_id = ""

    async def _find_name(self) -> str:
        if not self._uid:  # the Hub was killed before it could note it down
            try:
                self._uid = (await self._make_plan()).uid
            except SpawnException:
                return ""
        return names.container_name(self.sophon().namespace, self._uid)

    async def _end(self, container: str, seconds: float) -> None:
        """Ask a container to end, insist after some time, and remove it.

        The engine's own ``stop`` would hold a thread for all of that time.
        """
        try:
            if seconds:
                await self.docker("kill", container, signal="SIGTERM")
                await self._wait_until(container, gone=False, seconds=seconds)
        except APIError as error:
            if not engine.is_status(error, 404) and not engine.is_status(error, 409):
                raise  # else it is gone or not running
        try:
            await self.docker("remove_container", container, v=True, force=True)
        except APIError as error:
            if engine.is_status(error, 409):  # somebody else is removing it
                await self._wait_until(container, gone=True, seconds=REMOVAL_SECONDS)
            elif not engine.is_status(error, 404):
                raise

    async def _wait_until(self, container: str, *, gone: bool, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            found = await self._inspect(container)
            if found is None or (not gone and not found["State"]["Running"]):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _inspect(self, container: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = await self.docker("inspect_container", container)
        except APIError as error:
            if engine.is_status(error, 404):
                return None
            raise
        return found

    async def _keep_last_words(self, reason: str) -> str:
        """Write the end of the container's log to a file; its name, empty when it failed."""
        try:
            said = await self.docker(
                "logs", self.object_id, tail=crashes.KEPT_LINES, timestamps=True
            )
            path = await asyncio.to_thread(
                crashes.keep_log, self.sophon(), self._uid, f"{self._log_name}: {reason}", said
            )
        except (DockerException, RequestException, OSError):
            self.log.exception("Cannot keep the last words of %s", self._log_name)
            return ""
        self.log.error("%s: %s Its last words are in %s", self._log_name, reason, path)
        return path.name

    async def _failed_start(
        self, sentence: str, reason: str, *, detail: str = ""
    ) -> SpawnException:
        """Keep what the container said, remove it, and give the exception to raise."""
        file = ""
        if self.object_id:
            file = await self._keep_last_words(f"{sentence} {detail}")
            await self._end(self.object_id, 0)
            self.object_id = ""
        hint = f" Administrators find its last words in crash-logs/{file}." if file else ""
        return refusal(sentence + hint, reason, 500)

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a container that runs since before the Hub was restarted."""
        super().load_state(state)
        if self.is_managed:
            self._started_at = state.get("sophon", {}).get("started_at", "")
            self._answered = bool(self.object_id)

    def get_state(self) -> dict[str, Any]:
        """When the container was started is part of who it is."""
        state = super().get_state()
        if self._started_at and "sophon" in state:
            state["sophon"]["started_at"] = self._started_at
        return state

    def clear_state(self) -> None:
        """Forget the container; the home's id stays."""
        super().clear_state()
        self._started_at = ""


def _how_it_ended(state: dict[str, Any]) -> str:
    if state["OOMKilled"]:
        return "The lab ran out of memory."
    error = f" {state['Error']}" if state["Error"] else ""
    return f"The lab ended by itself with exit code {state['ExitCode']}.{error}"
