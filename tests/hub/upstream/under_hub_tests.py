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
from sophon_hub.store.engine import make_engine
from sophon_hub.store.schema import upgrade

Made = make_project_spawner(jupyterhub.spawner.SimpleLocalProcessSpawner)


class Underneath(Made):  # type: ignore[misc]
    """Ours, with Sophon deciding about servers of people or not."""

    @default("manage_people")
    def _manage_people(self) -> bool:
        return os.environ["UPSTREAM_MANAGE_PEOPLE"] == "yes"


jupyterhub.spawner.SimpleLocalProcessSpawner = Underneath
settings = Sophon(data_dir=str(Path(os.environ["UPSTREAM_DATA_DIR"])))
Path(settings.data_dir).mkdir(parents=True, exist_ok=True)
upgrade(make_engine(settings.database_url))
use_settings(settings)
