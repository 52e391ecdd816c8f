"""The part of the spawner that starts labs in Docker containers."""

import asyncio
import inspect
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from shlex import quote
from typing import Any

from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import url_path_join
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.settings import BadSetting
from sophon_hub.spawner import crashes, homes, records, static_files
from sophon_hub.spawner.confinement import DEFAULTS, confine
from sophon_hub.spawner.networks import LabNetworks, ensure_networks
from sophon_hub.spawner.plan import LaunchPlan, refusal
from sophon_hub.spawner.project import IDENTITY_PROVIDER, PULL_SECONDS
from sophon_hub.spawner.pull import PullCancelled, has_image, pull
from sophon_hub.spawner.ready import rehearse, wait_for_answer
from sophon_hub.spawner.upkeep import ContainerUpkeep
from sophon_hub.volumes import datasets, engine
from sophon_hub.volumes import homes as volumes
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.volumes.protection import GATE, GuardFailed, protect

CREATE_ATTEMPTS = 3
COPY = "cp -r --no-preserve=mode,ownership {} {}/\n"


class DockerPart(ContainerUpkeep):
    """Runs a plan in a container: its own home, no rights, its own network."""

    _skeleton: str | None = None
    """The folder of the image that a home in memory begins with."""

    _static: Sequence[str] = ()
    """Arguments by which the lab uses the files of JupyterLab that all labs share."""

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Threads for short calls, shared by all servers: one slow call stalls nobody."""
        return engine.CALLS

    async def start_plan(self, plan: LaunchPlan) -> Any:
        """Make and start the container of this plan, and wait until JupyterLab answers."""
        self._started_at, self._answered, self.object_id = "", False, ""
        try:
            client = await engine.call(lambda: self.client)
            await self._get_image(client, plan)
            async with asyncio.timeout(self.sophon().start_timeout):
                return await self._run(client, plan)
        except TimeoutError:
            sentence = f"The lab did not answer within {self.sophon().start_timeout} seconds."
            raise await self._failed_start(sentence, "timeout") from None
        except GuardFailed as error:
            self.log.exception("Cannot protect the network of %s", self._log_name)
            sentence = "The lab's network could not be protected."
            raise await self._failed_start(sentence, "guard") from error
        except VolumeTrouble as error:
            sentence = f"{error} Take it from the lab's datasets, or tell an administrator."
            raise await self._failed_start(sentence, "dataset") from error
        except (DockerException, RequestException, BadSetting) as error:
            raise await self._engine_trouble(error) from error

    async def _engine_trouble(self, error: Exception) -> SpawnException:
        if isinstance(error, BadSetting) or engine.is_engine_down(error):
            self.log.error("Cannot start %s: %s", self._log_name, error)
            return refusal(
                "Labs cannot be started right now: the Docker engine does not answer. Please"
                " tell an administrator.",
                "engine-down",
                503,
            )
        self.log.exception("Docker refused %s", self._log_name, exc_info=error)
        return await self._failed_start(
            "The lab could not be started.", "engine-refused", detail=str(error)
        )

    def _post(self, progress: int, message: str) -> None:
        if self._board is not None:
            self._board.post(progress, message)

    async def _get_image(self, client: APIClient, plan: LaunchPlan) -> None:
        self._post(5, "Looking for the image")
        if await engine.call(has_image, client, plan.image):
            return
        self.log.info("Downloading the image %s for %s", plan.image, self._log_name)
        self._post(10, "Downloading the image")
        board, cancelled = self._board, threading.Event()

        def report(percent: int) -> None:
            if board is not None and percent:
                text = f"Downloading the image: {percent} %"
                board.post_threadsafe(10 + percent // 2, text)

        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(engine.PULLS, pull, client, plan.image, report, cancelled)
        try:
            async with asyncio.timeout(PULL_SECONDS):
                await work
        except (DockerException, RequestException, TimeoutError, PullCancelled) as error:
            self.log.warning("Cannot download %s: %s", plan.image, error)
            raise refusal(
                f"The image “{plan.image_name}” could not be downloaded. Please tell an"
                " administrator.",
                "image-unavailable",
                503,
            ) from error
        finally:
            cancelled.set()

    async def _run(self, client: APIClient, plan: LaunchPlan) -> Any:
        settings = self.sophon()
        self._post(65, "Preparing the home")
        networks = await engine.call(ensure_networks, settings, client)
        self._static = await static_files.arguments(client, settings, plan.image)
        if plan.kind == "temporary":
            self._skeleton = await engine.call(volumes.skeleton_of, client, plan.image)
            await self._configure(plan, networks, [])
            self.extra_host_config["tmpfs"][homes.HOME] = homes.in_memory(plan)
            await self._create()
        else:
            await self._create_with_home(client, plan, networks)
        self._post(75, "Starting the lab")
        await self.docker("start", self.object_id)
        await engine.call(
            protect,
            client,
            self.object_id,
            plan.image,
            plan.labels(settings.namespace),
            internet=plan.internet,
        )
        if plan.internet:
            await self.docker("connect_container_to_network", self.object_id, networks.internet)
        ip, port = await self._wait_for_answer()
        self._answered = True
        if plan.kind == "temporary":
            scheme = "https" if self.internal_ssl else "http"
            page = url_path_join(self.server.base_url, "lab")
            await rehearse(f"{scheme}://{ip}:{port}{page}", self.hub.url, self.user.name)
        return ip, port

    async def _create_with_home(
        self, client: APIClient, plan: LaunchPlan, networks: LabNetworks
    ) -> None:
        """Make the container of a lab whose files stay."""
        volume = await engine.call(homes.ensure_home, client, self.sophon(), plan)
        home = {"source": volume, "target": homes.HOME, "type": "volume"}
        data = await engine.call(datasets.mounts, client, self.sophon(), plan.datasets)
        await self._configure(plan, networks, [home, *data])
        await self._create()
        await engine.call(homes.ensure_owner, client, self.sophon(), plan, self.object_id, volume)
        await self._seed(client, plan, volume)

    async def _seed(self, client: APIClient, plan: LaunchPlan, volume: str) -> None:
        """Give a home the folder that its image brings for homes: once, and never again."""
        if plan.seeded is None:
            return
        folder = await engine.call(volumes.skeleton_of, client, plan.image)
        if folder is None or folder in plan.seeded:
            return
        self._post(70, "Copying files into the home")
        try:
            await engine.call(volumes.seed, client, self.sophon(), plan.image, volume, folder)
        except VolumeTrouble:
            # nobody is kept from working by this; the next start tries again
            self.log.exception("Cannot copy %s into the home %s", folder, plan.uid)
            return
        await records.note_seeded(self.sophon(), plan.uid, folder)

    async def _wait_for_answer(self) -> tuple[str, int]:
        self._post(85, "Waiting for JupyterLab to answer")
        container = await self._inspect(self.object_id)
        if container is None:
            raise await self._failed_start("The lab's container vanished.", "vanished")
        self._started_at = container["State"]["StartedAt"]
        ip = str(self.get_network_ip(container["NetworkSettings"]))
        scheme = "https" if self.internal_ssl else "http"
        prefix = url_path_join(self.server.base_url, "api")
        await wait_for_answer(f"{scheme}://{ip}:{self.port}{prefix}", self._check_alive)
        return ip, self.port

    async def _check_alive(self) -> None:
        container = await self._inspect(self.object_id)
        if container is None or not container["State"]["Running"]:
            if container is not None and container["State"]["OOMKilled"]:
                sentence = "The lab ran out of memory while it was starting."
            elif container is not None and await self._lacks_package():
                sentence = (
                    "This software cannot run in a lab: its image lacks the package sophon-lab,"
                    " which keeps the rules of a lab. Please tell an administrator."
                )
                raise await self._failed_start(sentence, "image-unprotected")
            else:
                sentence = "The lab ended while it was starting."
            raise await self._failed_start(sentence, "crashed")

    async def _lacks_package(self) -> bool:
        """Whether the server ended since it could not load what watches over labs."""
        said = await self.docker("logs", self.object_id, tail=crashes.KEPT_LINES)
        return f"'{IDENTITY_PROVIDER}' could not be imported".encode() in said

    async def _configure(
        self, plan: LaunchPlan, networks: LabNetworks, mounts: list[dict[str, Any]]
    ) -> None:
        """Set every trait that decides how the container is made; what sites add stays."""
        namespace = self.sophon().namespace
        self.image = plan.image
        self.object_name = names.container_name(namespace, plan.uid)
        self.cmd = self.cmd or ["jupyterhub-singleuser"]
        self.remove = self.use_internal_ip = True
        self.network_name = networks.labs
        self.mem_limit, self.cpu_limit = plan.memory_limit, plan.cpu_limit
        others = [mount for mount in self.mounts if not _is_ours(mount["target"])]
        self.mounts = [*others, *mounts]
        self.extra_create_kwargs = await self._evaluate(self.extra_create_kwargs) | {
            "user": f"{homes.OWNER}:{homes.OWNER}",
            "working_dir": homes.HOME,
            "hostname": "lab",  # other labs can ask the engine for it: not the lab's own name
            "labels": plan.labels(namespace),
        }
        chosen = await self._evaluate(self.extra_host_config)
        self.extra_host_config = {**DEFAULTS, **chosen, **confine(plan, networks.labs)}

    @property
    def mount_binds(self) -> list[dict[str, Any]]:
        """The mounts as the engine takes them; what else is mounted inside a dataset stays out."""
        found: list[dict[str, Any]] = super().mount_binds
        for mount in found:
            if mount["Type"] == "bind" and _is_ours(mount["Target"]):
                mount["BindOptions"] = {"NonRecursive": True}
        return found

    async def _evaluate(self, value: Any) -> dict[str, Any]:
        result = value(self) if callable(value) else value
        return dict(await result if inspect.isawaitable(result) else result)

    async def _create(self) -> None:
        """Make the container; one that a killed Hub has left under its name is removed."""
        for attempt in range(1, CREATE_ATTEMPTS + 1):
            try:
                self.object_id = (await self.create_object())["Id"]
            except APIError as error:
                if not engine.is_status(error, 409) or attempt == CREATE_ATTEMPTS:
                    raise
                self.log.warning("Removing the leftover container %s", self.object_name)
                await self._end(self.object_name, self.sophon().stop_timeout)
            else:
                return

    async def get_command(self) -> list[str]:
        """The server's command, behind the gate that opens once the network is protected."""
        command = await super().get_command()
        if not self.is_managed:
            return command
        begin = COPY.format(quote(self._skeleton), homes.HOME) if self._skeleton else ""
        return ["sh", "-c", begin + GATE, *static_files.add(command, self._static)]

    def get_env(self) -> dict[str, str]:
        """The environment of the lab; nothing of the Hub's own."""
        env: dict[str, str] = super().get_env()
        if self.is_managed:
            env |= {"HOME": homes.HOME, "USER": "jovyan"}
        return env

    async def remove_home(self, uids: set[str]) -> None:
        """Remove the volumes of these homes, and containers that still hold them."""
        settings = self.sophon()
        client = await engine.call(lambda: self.client)
        for uid in sorted(uids):
            await self._end(names.container_name(settings.namespace, uid), 0)
            await engine.call(homes.remove_home, client, settings, uid)
            self.log.info("Removed the home %s of %s", uid, self._log_name)

    async def find_homes(self) -> set[str]:
        """Ids of the volumes that carry this project's and lab's slugs."""
        client = await engine.call(lambda: self.client)
        project = names.project_of_account(self.user.name) or ""
        return await engine.call(homes.find_homes, client, self.sophon(), project, self.name)


def _is_ours(target: str) -> bool:
    """Whether only Sophon decides what is mounted at this place."""
    return target == homes.HOME or target.startswith(names.dataset_path(""))
