"""The versions of notebooks in a home: listed, compared and restored by the package of labs.

`sophon_lab.history_command` does it, in a container of the lab's own image that sees the home and
nothing else, so nothing of a notebook is ever worked on by the hub. What it prints is in the end
what people wrote: it is checked here, and shown as text only.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from docker.api.client import APIClient
from docker.errors import DockerException
from requests.exceptions import RequestException

from sophon_hub import names, paths
from sophon_hub.amounts import parse_bytes
from sophon_hub.settings import Sophon
from sophon_hub.volumes.engine import connect
from sophon_hub.volumes.helper import HOME, Helper, VolumeTrouble, any_image, has_volume, run

MODULE = ("-m", "sophon_lab.history_command")
SECONDS = 60
MOST_VERSIONS = 1000
MOST_SAID = 2 * 1024**2
LONGEST_PATH = 1000
LONGEST_NAME = 255
LONGEST_TEXT = 200_000
LATEST = 4_102_444_800_000
"""The year 2100, in milliseconds since 1970: no version is younger."""

VERSION = re.compile(r"[0-9]{13}-[0-9a-f]{16}")
REASONS = frozenset(("open", "interval", "close", "end", "before", "restored"))

NO_VERSIONS: Mapping[str, Any] = {"versions": []}
OLD_IMAGE = "The image of this lab has an older package of labs, or none; have it built again."
STRANGE = "What is kept in this lab could not be understood."


def look(settings: Sophon, uid: str, image: str) -> dict[str, Any]:
    """List the versions in the home with this id, as ``versions``, the newest first.

    Each has ``id``, ``path``, ``at`` in milliseconds since 1970, ``editors``, ``reason`` and
    ``size`` in bytes. A home that does not exist has none.

    Raises:
        VolumeTrouble: it did not work; the text says why.
    """
    said = _run(settings, uid, image, "list")
    if said is None:
        return dict(NO_VERSIONS)
    return read_list(said)


def read_list(said: str) -> dict[str, Any]:
    """What was said about the versions in a home, without what no lab of ours would write.

    Raises:
        VolumeTrouble: it is no list.
    """
    found = _read(said)
    if not isinstance(found, list):
        raise VolumeTrouble(STRANGE)
    versions = [one for one in map(_version, found[:MOST_VERSIONS]) if one is not None]
    return {"versions": versions}


def _version(found: Any) -> dict[str, Any] | None:
    one: dict[str, Any]
    try:
        one = {
            "id": str(found["id"]),
            "path": _text(found["path"], LONGEST_PATH),
            "at": int(found["at"]),
            "editors": [_text(name, LONGEST_NAME) for name in found["editors"]],
            "reason": str(found["reason"]),
            "size": int(found["size"]),
        }
    except (LookupError, TypeError, ValueError, OverflowError):
        return None
    is_ours = VERSION.fullmatch(one["id"]) and one["reason"] in REASONS
    return one if is_ours and 0 <= one["at"] < LATEST and 0 <= one["size"] < 2**53 else None


def _text(value: Any, longest: int) -> str:
    """A text that a database takes, and no page is too small for."""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise ValueError("no text, or a long one")
    value.encode()  # UnicodeEncodeError is a ValueError
    return value


def compare(settings: Sophon, uid: str, image: str, version: str, since: str) -> dict[str, Any]:
    """What changed from the version ``since``: ``text``, and whether that is the ``whole``.

    Raises:
        VolumeTrouble: it did not work; the text says why.
    """
    said = _run(settings, uid, image, "compare", since, version)
    if said is None:
        raise VolumeTrouble("This lab has no files.")
    return read_changes(said)


def read_changes(said: str) -> dict[str, Any]:
    """What was said about changes, as far as a page shows it.

    Raises:
        VolumeTrouble: it says nothing about changes.
    """
    found = _read(said)
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise VolumeTrouble(STRANGE)
    text = found["text"].encode(errors="replace").decode().replace("\0", "�")
    return {"text": text[:LONGEST_TEXT], "whole": bool(found.get("whole"))}


def restore(settings: Sophon, uid: str, image: str, version: str, by: str) -> None:
    """Make a version what the notebook is, while no lab runs on this home.

    Raises:
        VolumeTrouble: it did not work; the text says why, and nothing has changed.
    """
    limits = str(settings.history_versions), str(parse_bytes(settings.history_size))
    if _run(settings, uid, image, "restore", version, by, *limits) is None:
        raise VolumeTrouble("This lab has no files.")


def _read(said: str) -> Any:
    try:
        return json.loads(said) if len(said) <= MOST_SAID else None
    except (ValueError, RecursionError) as error:
        raise VolumeTrouble(STRANGE) from error


def _run(settings: Sophon, uid: str, image: str, verb: str, *arguments: str) -> str | None:
    """What the package of labs says; None when there is no such home."""
    if settings.spawner == "process":
        return _run_here(settings, uid, verb, *arguments)
    volume = names.volume_name(settings.namespace, uid)
    try:
        with contextlib.closing(connect()) as client:
            if not has_volume(client, volume):
                return None
            return _run_there(client, settings, volume, image, verb, *arguments)
    except (DockerException, RequestException) as error:
        raise VolumeTrouble(str(error)) from error


def _run_there(
    client: APIClient, settings: Sophon, volume: str, image: str, verb: str, *arguments: str
) -> str:
    helper = Helper(
        image=any_image(client, settings, image),
        command=["python3", "-I", *MODULE, verb, HOME, *arguments],
        binds={volume: {"bind": HOME, "mode": "rw" if verb == "restore" else "ro"}},
        kind="history",
        seconds=SECONDS,
    )
    try:
        return run(client, settings, helper)
    except VolumeTrouble as error:
        if "No module named" in str(error):
            raise VolumeTrouble(OLD_IMAGE) from error
        raise


def _run_here(settings: Sophon, uid: str, verb: str, *arguments: str) -> str | None:
    """The same for labs that are processes, whose homes are directories of the hub's user."""
    home = settings.data_path / "homes" / uid
    if not home.is_dir():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, *MODULE, verb, str(home), *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(paths.lab_package())},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise VolumeTrouble(str(error)) from error
    if done.returncode:
        raise VolumeTrouble(f"history ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
