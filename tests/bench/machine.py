"""The machine that measures: what it has, what runs on it, how busy it is."""

import contextlib
import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

from docker.errors import DockerException

from tests.bench.report import Json
from tests.engine import docker_client


def load() -> list[float]:
    """Load averages over 1, 5 and 15 minutes."""
    return [round(number, 2) for number in os.getloadavg()]


def describe() -> Json:
    """Processors, memory and the versions of what is measured."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": _memory_mb(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            "jupyterhub": version("jupyterhub"),
            "dockerspawner": version("dockerspawner"),
            "sqlalchemy": version("sqlalchemy"),
            "sqlite": sqlite3.sqlite_version,
            "docker engine": _engine_version(),
        },
    }


def _memory_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def _engine_version() -> str | None:
    with contextlib.suppress(DockerException), contextlib.closing(docker_client()) as engine:
        return str(engine.version()["Version"])
    return None
