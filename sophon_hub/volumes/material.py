"""Course material: made into versions, each in a volume, and brought into homes."""

import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.amounts import parse_bytes
from sophon_hub.models import DeliveryVerb
from sophon_hub.settings import Sophon
from sophon_hub.store.materials import DeliverySpec
from sophon_hub.volumes import deliver, delivered, gather, inside, tree
from sophon_hub.volumes.engine import connect, is_status
from sophon_hub.volumes.helper import HOME, Helper, VolumeTrouble, any_image, has_volume, run

T = TypeVar("T")

PLACE = "/material"
MAKE_SECONDS = 15 * 60
BRING_SECONDS = 10 * 60

KINDS = frozenset(
    (  # noqa: SIM905 - a list of words reads better as text
        "added updated kept conflict deleted withdrawn blocked fresh restored left same forgotten"
    ).split()
)
"""What can become of a file: see `deliver.decide`; ``restored`` and ``left`` are of an undo."""
MOST_NAMES = 200
NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


def _source(main: ModuleType, *parts: ModuleType) -> str:
    """One text with a module and those of ours that it imports: helpers have nothing else."""
    lines = ["import sys, types"]
    for part in parts:
        text = Path(part.__file__ or "").read_text(encoding="utf-8")
        lines += [
            f"part = sys.modules[{part.__name__!r}] = types.ModuleType({part.__name__!r})",
            f"exec(compile({text!r}, {part.__name__!r}, 'exec'), part.__dict__)",
        ]
    return "\n".join([*lines, Path(main.__file__ or "").read_text(encoding="utf-8")])


PYTHON = ("python3", "-I", "-S", "-c")
DELIVER = (*PYTHON, _source(deliver, tree, delivered))
GATHER = (*PYTHON, _source(gather, inside))


@dataclass(frozen=True)
class Size:
    """How many files a version has, and their bytes."""

    file_count: int
    size_bytes: int


def publish_folder(settings: Sophon, project_id: int, uid: str, home_uid: str, folder: str) -> Size:
    """Copy a folder of a lab's home into the volume of a new version.

    Raises:
        VolumeTrouble: there is no such folder, or it is no material; the text says why.
    """

    def work(client: APIClient) -> Size:
        home = names.volume_name(settings.namespace, home_uid)
        if not has_volume(client, home):
            raise VolumeTrouble("The lab has no files yet; start it once.")
        binds = {home: {"bind": "/home", "mode": "ro"}}
        arguments = ["folder", "/home", folder]
        return _make(client, settings, project_id, uid, arguments, binds, ["DAC_READ_SEARCH"])

    return _with_engine(settings, work)


def publish_repository(settings: Sophon, project_id: int, uid: str, url: str, branch: str) -> Size:
    """Fetch a branch of a git repository, by https and without any password.

    Raises:
        VolumeTrouble: it cannot be fetched, or is no material; the text says why.
    """
    return _with_engine(
        settings,
        lambda client: _make(
            client,
            settings,
            project_id,
            uid,
            ["repository", url, branch],
            {},
            [],
            network=f"{settings.namespace}-internet",
            environment=_authorities(settings),
        ),
    )


def _authorities(settings: Sophon) -> dict[str, str]:
    if not settings.material_ca_file:
        return {}
    try:
        return {"SOPHON_CA": Path(settings.material_ca_file).read_text(encoding="ascii")}
    except (OSError, ValueError) as error:
        raise VolumeTrouble(f"material_ca_file cannot be read: {error}") from error


def _make(
    client: APIClient,
    settings: Sophon,
    project_id: int,
    uid: str,
    arguments: list[str],
    binds: dict[str, dict[str, str]],
    rights: list[str],
    network: str | None = None,
    environment: Mapping[str, str] = NO_ENVIRONMENT,
) -> Size:
    volume = names.material_volume_name(settings.namespace, uid)
    client.create_volume(volume, labels=_labels(settings, project_id) | {"org.sophon.uid": uid})
    helper = Helper(
        image=any_image(client, settings),
        command=[*GATHER, *arguments, PLACE, str(parse_bytes(settings.max_material_size))],
        binds={**binds, volume: {"bind": PLACE, "mode": "rw"}},
        kind="material",
        user="0:0",
        rights=rights,
        seconds=MAKE_SECONDS,
        network=network,
        environment=environment,
    )
    try:
        count, size = run(client, settings, helper).split()
    except VolumeTrouble:
        client.remove_volume(volume)
        raise
    return Size(int(count), int(size))


def _labels(settings: Sophon, project_id: int) -> dict[str, str]:
    return {
        "org.sophon.namespace": settings.namespace,
        "org.sophon.kind": "material",
        "org.sophon.project-id": str(project_id),
    }


def tidy(settings: Sophon, project_id: int, needed: Collection[str]) -> bool:
    """Remove the versions of a project's material, except those with these ids and those in use.

    Gives whether none is left that is not needed.

    Raises:
        VolumeTrouble: the engine would not do it.
    """
    if settings.spawner == "process":
        return True

    def work(client: APIClient) -> bool:
        all_gone = True
        labels = [f"{name}={value}" for name, value in _labels(settings, project_id).items()]
        for volume in client.volumes(filters={"label": labels})["Volumes"] or []:
            if volume["Labels"].get("org.sophon.uid") not in needed:
                try:
                    client.remove_volume(volume["Name"])
                except APIError as error:
                    # somebody is just getting it; the next time it goes
                    if not (is_status(error, 409) or is_status(error, 404)):
                        raise
                    all_gone = all_gone and is_status(error, 404)
        return all_gone

    return _with_engine(settings, work)


def bring(settings: Sophon, spec: DeliverySpec, day: str) -> dict[str, Any]:
    """Do what a delivery asks for, and give what became of each file.

    ``counts`` has a number for each of `KINDS` that came up, ``files`` up to 200 pairs of path
    and other name, ``undo`` says whether that can be undone.

    Raises:
        VolumeTrouble: it did not work; the text says why. What is in the home is as it was.
    """

    def work(client: APIClient) -> dict[str, Any]:
        home = names.volume_name(settings.namespace, spec.home_uid)
        material = names.material_volume_name(settings.namespace, spec.material_uid)
        if not has_volume(client, home):
            raise VolumeTrouble("Your lab has no files yet; start it once.")
        if not has_volume(client, material):
            raise VolumeTrouble("The material is gone; publish it again.")
        commands = {
            DeliveryVerb.GET: ["pull", HOME, spec.folder, PLACE, day],
            DeliveryVerb.FRESH: ["fresh", HOME, spec.folder, PLACE, day, spec.path],
            DeliveryVerb.UNDO: ["undo", HOME, spec.folder, day],
        }
        helper = Helper(
            image=any_image(client, settings, spec.image),
            command=[*DELIVER, *commands[spec.verb]],
            binds={
                home: {"bind": HOME, "mode": "rw"},
                material: {"bind": PLACE, "mode": "ro"},
            },
            kind="deliver",
            seconds=BRING_SECONDS,
        )
        return read_report(run(client, settings, helper))

    return _with_engine(settings, work)


def read_report(said: str) -> dict[str, Any]:
    """What a helper said about files in a home, checked: names in there are anybody's.

    Raises:
        VolumeTrouble: it is no report.
    """
    try:
        read = json.loads(said)
        counts = {str(kind): int(count) for kind, count in read["counts"].items()}
        files = {
            str(kind): [[str(path), str(name)] for path, name in pairs[:MOST_NAMES]]
            for kind, pairs in read["files"].items()
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise VolumeTrouble("What was done with the files could not be understood.") from error
    if not ({*counts} | {*files}) <= KINDS:
        raise VolumeTrouble("What was done with the files could not be understood.")
    return {"counts": counts, "files": files, "undo": bool(read.get("undo"))}


def _with_engine(settings: Sophon, work: Callable[[APIClient], T]) -> T:
    if settings.spawner == "process":
        raise VolumeTrouble("Course material needs labs in containers (SOPHON_SPAWNER=docker).")
    try:
        with contextlib.closing(connect()) as client:
            return work(client)
    except (DockerException, RequestException) as error:
        raise VolumeTrouble(str(error)) from error
