"""What labs and personal labs have in common, as the REST contract tells it: a server, a home."""

from typing import Any

from sophon_hub.amounts import limit_bytes
from sophon_hub.clock import rfc3339
from sophon_hub.models import Lab, PersonalLab
from sophon_hub.policy.quota import quota_state
from sophon_hub.settings import Sophon

Json = dict[str, Any]

_RESTART_REASONS = {
    "image": "the image was changed",
    "internet": "Internet access was changed",
    "cpu_limit": "the processor limit was changed",
    "memory_limit": "the memory limit was changed",
}


def restart_reasons(lab: Lab | PersonalLab) -> list[str]:
    """Why a running lab does not have the settings it should have."""
    if not lab.state.has_server or lab.started_with is None:
        return []
    before, wanted = lab.started_with, lab.launch_settings()
    reasons = [
        reason
        for name, reason in _RESTART_REASONS.items()
        if (before.get(name) or None) != (wanted.get(name) or None)
    ]
    had, has = set(before.get("datasets") or ()), set(wanted["datasets"] or ())
    changes = (("added", has - had), ("removed", had - has))
    return reasons + [f"a dataset was {what}" for what, which in changes if which]


def run(row: Lab | PersonalLab, *, told: bool = True) -> Json:
    """When it was started and stopped last, and will be; why is told to its people only."""
    return {
        "started_at": rfc3339(row.started_at),
        "stopped_at": rfc3339(row.stopped_at),
        "stop_reason": row.stop_reason if told else "",
        "stops_at": rfc3339(row.stops_at),
        "last_activity": rfc3339(row.last_activity),
    }


def disk(row: Lab | PersonalLab, settings: Sophon) -> Json:
    """What a home holds, in bytes, as far as it is known, and what it may hold."""
    return {
        "bytes": row.disk_bytes,
        "trash_bytes": row.trash_bytes,
        "measured_at": rfc3339(row.disk_measured_at),
        "soft_quota": limit_bytes(settings.home_soft_quota),
        "hard_quota": limit_bytes(settings.home_hard_quota),
        "state": quota_state(row.disk_bytes, settings, filled_disk=row.filled_disk),
    }
