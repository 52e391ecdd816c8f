"""Runs labs: JupyterHub spawners that know projects, and the only code that talks to Docker."""

from typing import Any

from dockerspawner import DockerSpawner
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner

from sophon_hub.settings import Sophon
from sophon_hub.spawner.access import drop_roles_with_groups
from sophon_hub.spawner.containers import DockerPart
from sophon_hub.spawner.images import describe_images, visitors_image
from sophon_hub.spawner.networks import LabNetworks, ensure_networks
from sophon_hub.spawner.processes import ProcessPart
from sophon_hub.spawner.project import ProjectMixin

__all__ = [
    "LabNetworks",
    "SophonDockerSpawner",
    "SophonProcessSpawner",
    "describe_images",
    "ensure_networks",
    "make_project_spawner",
    "use_settings",
    "visitors_image",
]


def make_project_spawner(base: type, name: str = "", module: str = __name__) -> Any:
    """A spawner class that runs labs of projects on top of any other spawner class.

    Over Docker and local processes it also brings homes, limits and isolation; over others it
    decides who may run what and leaves the running to ``base``.
    """
    parts: list[type] = []
    if issubclass(base, DockerSpawner):
        parts = [DockerPart]
    elif issubclass(base, LocalProcessSpawner):
        parts = [ProcessPart]
    namespace = {"__module__": module, "__doc__": ProjectMixin.__doc__}
    return type(name or f"Sophon{base.__name__}", (*parts, ProjectMixin, base), namespace)


def use_settings(settings: Sophon) -> None:
    """Let all spawners of this process use these settings instead of the environment's."""
    ProjectMixin.settings = settings
    drop_roles_with_groups()


SophonDockerSpawner = make_project_spawner(DockerSpawner)
SophonProcessSpawner = make_project_spawner(SimpleLocalProcessSpawner, "SophonProcessSpawner")
