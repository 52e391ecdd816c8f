"""Homes while no lab looks after them: how much they hold, their trash, their first files."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from docker.api.client import APIClient
from docker.errors import DockerException
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.settings import Sophon
from sophon_hub.volumes import inside
from sophon_hub.volumes.engine import connect
from sophon_hub.volumes.helper import HOME, Helper, VolumeTrouble, any_image, has_volume, run

T = TypeVar("T")

SKELETON_LABEL = "org.sophon.skeleton"
"""Label of an image: the folder in it that is copied into homes, such as /opt/course/lessons."""

INSIDE_SOURCE = Path(inside.__file__).read_text(encoding="utf-8")
PYTHON = ("python3", "-I", "-S", "-c", INSIDE_SOURCE)
TRASH = "/".join(inside.TRASH)

DU = 'du -sxB1 "$1"; test -d "$1/$2" && du -sxB1 "$1/$2"; true'
"""Twice, since du counts nothing a second time; what it cannot read is left out."""

MEASURE_SECONDS = 120

CRASH_LOGS = "crash-logs"
"""Directory below the data directory; each file's name begins with the id of a home."""


@dataclass(frozen=True)
class Usage:
    """What a home takes on the disk, in bytes, and how much of that is in its trash."""

    disk_bytes: int
    trash_bytes: int


def measure(settings: Sophon, uid: str, image: str | None = None) -> Usage:
    """Measure the home with this id; one that does not exist holds nothing.

    ``image`` is the name of the lab image to use, when it is there. A home of many files may
    take a minute.

    Raises:
        VolumeTrouble: it took too long, or the engine did not do it.
    """
    if settings.spawner == "process":
        home = _process_home(settings, uid)
        return _usage(_run_here("sh", "-c", DU, "du", str(home), TRASH)) if home else Usage(0, 0)

    def work(client: APIClient, volume: str) -> Usage:
        helper = Helper(
            image=any_image(client, settings, image),
            command=["sh", "-c", DU, "du", HOME, TRASH],
            binds={volume: {"bind": HOME, "mode": "ro"}},
            kind="measure",
            user="0:0",
            rights=["DAC_READ_SEARCH"],
            seconds=MEASURE_SECONDS,
        )
        return _usage(run(client, settings, helper))

    return _with_home(settings, uid, work) or Usage(0, 0)


def _usage(said: str) -> Usage:
    amounts = [int(line.split("\t", 1)[0]) for line in said.splitlines()[:2]]
    if not amounts:
        raise VolumeTrouble("measure: du said nothing")
    return Usage(amounts[0], amounts[1] if len(amounts) > 1 else 0)


def empty_trash(settings: Sophon, uid: str, image: str | None = None) -> None:
    """Remove what is in JupyterLab's trash in this home, and nothing else.

    Raises:
        VolumeTrouble: it did not work; some of it may be gone.
    """
    if settings.spawner == "process":
        home = _process_home(settings, uid)
        if home:
            _run_here(sys.executable, *PYTHON[1:], "empty-trash", str(home))
        return

    def work(client: APIClient, volume: str) -> None:
        helper = Helper(
            image=any_image(client, settings, image),
            command=[*PYTHON, "empty-trash", HOME],
            binds={volume: {"bind": HOME, "mode": "rw"}},
            kind="empty-trash",
            seconds=MEASURE_SECONDS,
        )
        run(client, settings, helper)

    _with_home(settings, uid, work)


def remove(settings: Sophon, uid: str) -> None:
    """Remove a lab's home for good, with containers that hold it and what its crashes left.

    Raises:
        VolumeTrouble: something still uses it, or no engine answers; what is gone stays gone.
    """
    for log in (settings.data_path / CRASH_LOGS).glob(f"{uid}-*"):
        log.unlink(missing_ok=True)
    if settings.spawner == "process":
        home = _process_home(settings, uid)
        if home:
            _remove_tree(home)
        return

    def work(client: APIClient, volume: str) -> None:
        labels = [f"org.sophon.namespace={settings.namespace}", f"org.sophon.uid={uid}"]
        for container in client.containers(all=True, filters={"label": labels}):
            client.remove_container(container["Id"], force=True, v=True)
        client.remove_volume(volume)

    _with_home(settings, uid, work)


def _remove_tree(home: Path) -> None:
    try:
        shutil.rmtree(home)
    except OSError as error:
        raise VolumeTrouble(str(error)) from error


def skeleton_of(client: APIClient, image: str) -> str | None:
    """The folder in an image, given by its reference, that belongs into homes; None without."""
    return skeleton_in(client.inspect_image(image)["Config"]["Labels"] or {})


def skeleton_in(labels: Mapping[str, str]) -> str | None:
    """The folder that the labels of an image name for homes; None when it can be none."""
    path = PurePosixPath(labels.get(SKELETON_LABEL, ""))
    if not path.is_absolute() or ".." in path.parts or not path.name:
        return None
    return str(path)


def seed(client: APIClient, settings: Sophon, image: str, volume: str, folder: str) -> None:
    """Copy a folder of the image into the home in this volume, unless its name is taken there.

    Raises:
        VolumeTrouble: the image has no such folder, or the disk is full.
    """
    helper = Helper(
        image=image,
        command=[*PYTHON, "seed", folder, HOME],
        binds={volume: {"bind": HOME, "mode": "rw"}},
        kind="seed",
    )
    run(client, settings, helper)


def copy_files(settings: Sophon, uid: str, image: str, folder: str, files: Collection[str]) -> None:
    """Copy these files of an image's folder for homes into a home that is there.

    ``image`` is a reference. What lies beside them in the folder's own folders comes along; what
    is in the home stays as it is.

    Raises:
        VolumeTrouble: there is no such home, something else has the folder's name, or the disk is
            full.
    """

    def work(client: APIClient, volume: str) -> bool:
        helper = Helper(
            image=image,
            command=[*PYTHON, "copy-files", folder, HOME, *sorted(files)],
            binds={volume: {"bind": HOME, "mode": "rw"}},
            kind="copy-files",
        )
        run(client, settings, helper)
        return True

    if settings.spawner == "process" or not _with_home(settings, uid, work):
        raise VolumeTrouble("copy-files: there is no such home")


def _with_home(settings: Sophon, uid: str, work: Callable[[APIClient, str], T]) -> T | None:
    """Do something with the volume of a home; None when there is no such volume."""
    volume = names.volume_name(settings.namespace, uid)
    try:
        with contextlib.closing(connect()) as client:
            return work(client, volume) if has_volume(client, volume) else None
    except (DockerException, RequestException) as error:
        raise VolumeTrouble(str(error)) from error


def _process_home(settings: Sophon, uid: str) -> Path | None:
    home = settings.data_path / "homes" / uid
    return home if home.is_dir() else None


def _run_here(*command: str) -> str:
    """The same for labs that are processes, whose homes are directories of the hub's user."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, timeout=MEASURE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise VolumeTrouble(str(error)) from error
    return done.stdout
