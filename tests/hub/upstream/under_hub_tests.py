"""Puts our process spawner below everything that JupyterHub's own tests start.

Their `MockSpawner` and all its variants extend `SimpleLocalProcessSpawner`; this module has to
be loaded before them.
"""

import os
from pathlib import Path

import jupyterhub.spawner
from traitlets import default

from sophon_hub.settings import Sophon
from sophon_hub.spawner import make_project_spawner, use_settings

Made = make_project_spawner(jupyterhub.spawner.SimpleLocalProcessSpawner)


class Underneath(Made):  # type: ignore[misc]
    """Ours, with Sophon deciding about servers of people or not."""

    @default("manage_people")
    def _manage_people(self) -> bool:
        return os.environ["UPSTREAM_MANAGE_PEOPLE"] == "yes"


jupyterhub.spawner.SimpleLocalProcessSpawner = Underneath
use_settings(Sophon(data_dir=str(Path(os.environ["UPSTREAM_DATA_DIR"]))))
