"""What to run for a server: decided here, from Sophon's records and settings and nothing else.

Whatever people send with a start request (``user_options``) never gets this far.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyterhub.spawner import SpawnException

from sophon_hub.amounts import parse_bytes
from sophon_hub.policy.quota import clean_up_sentence, quota_state
from sophon_hub.settings import Sophon
from sophon_hub.store.launch import DatasetFiles, LaunchSpec
from sophon_hub.store.personal import PersonalSpec

PERSONAL = uuid.UUID("6c2f2d0a-8f0b-4f6c-9a52-6f0b0d9c5a11")
"""Name space of the ids of personal homes."""

CLEAN_UP_CPU = 0.5
"""Cores of a lab that is started only to delete files; it has no Internet either."""

VISITOR_PIDS = 128
"""Most processes and threads in a temporary lab."""

VISITOR_ARGUMENTS = {
    "--ServerApp.terminals_enabled": False,
    # a visitor is alone; without it the server is smaller and starts sooner
    "--YDocExtension.disable_rtc": True,
}
"""What JupyterLab does not have for visitors, whatever the image says."""

VISITOR_ENVIRONMENT = {
    # seconds between two reports of what was done: idle labs end in minutes, not hours
    "JUPYTERHUB_ACTIVITY_INTERVAL": "60",
}

Kind = Literal["lab", "personal", "temporary"]


@dataclass(frozen=True)
class LaunchPlan:
    """Everything that decides how one server runs.

    ``image`` is a reference, limits are cores and bytes and always set. The home belongs to
    ``uid``, which is never used twice; that of a temporary lab is in memory. ``group``,
    ``project`` and ``lab`` are slugs, empty for personal and temporary labs. ``seeded`` are the
    folders of images that the home was given already; None for homes that get none.
    ``datasets`` are what is mounted read-only, by slug.
    """

    kind: Kind
    uid: str
    group: str
    project: str
    lab: str
    image: str
    image_name: str
    internet: bool
    cpu_limit: float
    memory_limit: int
    pids_limit: int
    seeded: frozenset[str] | None = None
    datasets: Mapping[str, DatasetFiles] = field(default_factory=dict)

    def labels(self, namespace: str) -> dict[str, str]:
        """Labels of the container and the volume, by which administrators find them."""
        return {
            "org.sophon.namespace": namespace,
            "org.sophon.kind": self.kind,
            "org.sophon.uid": self.uid,
            "org.sophon.project": self.project,
            "org.sophon.lab": self.lab,
        }


def refusal(sentence: str, reason: str, status: int) -> SpawnException:
    """The exception that the Hub shows as a sentence, without a traceback in its log."""
    return SpawnException(sentence, reason=reason, status_code=status)


def lab_plan(settings: Sophon, spec: LaunchSpec | None) -> LaunchPlan:
    """The plan of a project's lab; refused when Sophon does not know the lab."""
    if spec is None:
        raise refusal("There is no such lab.", "lab-unknown", 404)
    if spec.deleted:
        raise refusal("This lab is in the trash. Restore it first.", "lab-deleted", 404)
    cpu_limit = min(spec.cpu_limit or settings.cpu_limit, settings.max_cpu_limit)
    _check_room(settings, spec, own=False)
    return LaunchPlan(
        kind="lab",
        uid=spec.uid,
        group=spec.group_slug,
        project=spec.project_slug,
        lab=spec.lab_slug,
        image=_reference(settings, spec.image),
        image_name=spec.image,
        internet=spec.internet and not spec.clean_up,
        cpu_limit=min(cpu_limit, CLEAN_UP_CPU) if spec.clean_up else cpu_limit,
        memory_limit=min(
            spec.memory_limit or settings.memory_limit_bytes, settings.max_memory_limit_bytes
        ),
        pids_limit=settings.pids_limit,
        datasets=spec.datasets,
    )


def personal_plan(settings: Sophon, uid: str, spec: PersonalSpec) -> LaunchPlan:
    """The plan of a personal lab: the image the person chose, on the home of this person."""
    image = spec.image or settings.default_image
    _check_room(settings, spec, own=True)
    return LaunchPlan(
        kind="personal",
        uid=uid,
        group="",
        project="",
        lab="",
        image=_reference(settings, image),
        image_name=image,
        internet=not spec.clean_up,
        cpu_limit=min(settings.cpu_limit, CLEAN_UP_CPU) if spec.clean_up else settings.cpu_limit,
        memory_limit=settings.memory_limit_bytes,
        pids_limit=settings.pids_limit,
        seeded=spec.seeded,
        datasets=spec.datasets,
    )


def temporary_plan(settings: Sophon, uid: str) -> LaunchPlan:
    """The plan of a temporary lab: little of everything, and no way out."""
    return LaunchPlan(
        kind="temporary",
        uid=uid,
        group="",
        project="",
        lab="",
        image=settings.temporary_reference,
        image_name=settings.temporary_image_name,
        internet=False,
        cpu_limit=settings.temporary_cpu_limit,
        memory_limit=parse_bytes(settings.temporary_memory_limit),
        pids_limit=min(settings.pids_limit, VISITOR_PIDS),
    )


def personal_uid(hub_user: Any) -> str:
    """Immutable id of a person's home.

    Made of the number and the creation time of the hub user, so that it survives a change of
    name, and so that a new account under an old name (or number) inherits nothing.
    """
    return uuid.uuid5(PERSONAL, f"{hub_user.id}/{hub_user.created}").hex


def _check_room(settings: Sophon, spec: LaunchSpec | PersonalSpec, *, own: bool) -> None:
    """Refuse a full home; a lab that is to clean up gets enough to look at files and delete."""
    state = quota_state(spec.disk_bytes, settings, filled_disk=spec.filled_disk)
    if state.must_clean_up and not spec.clean_up:
        raise refusal(clean_up_sentence(state, settings, own=own), "home-full", 409)


def _reference(settings: Sophon, image: str) -> str:
    try:
        return str(settings.images[image]["image"])
    except (KeyError, TypeError):
        raise refusal(
            f"The image “{image}” is not offered any more. Choose another one in the lab's"
            " settings.",
            "image-unknown",
            409,
        ) from None
