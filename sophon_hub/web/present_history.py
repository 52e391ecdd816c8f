"""Versions of notebooks as dictionaries, for API and pages alike."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sophon_hub.clock import rfc3339
from sophon_hub.models import HistoryTask, HistoryVerb, Lab
from sophon_hub.policy.actor import Actor
from sophon_hub.store import history as store
from sophon_hub.store.engine import Session
from sophon_hub.store.history import KnownVersion
from sophon_hub.web.present import Json


def known(session: Session, actor: Actor, lab: Lab) -> Json:
    """The history of a lab, as it was at the last look."""
    versions = store.list_versions(session, actor, lab)
    return history(
        store.find_task(session, actor, lab, HistoryVerb.LOOK),
        store.find_last_restore(session, actor, lab),
        versions,
        store.list_display_names(session, actor, lab, versions),
    )


def history(
    look: HistoryTask,
    restore: HistoryTask | None,
    versions: list[KnownVersion],
    people: Mapping[str, str],
) -> Json:
    """What is known of a lab's history; ``people`` are display names by user name."""
    before: dict[str, str] = {}
    items = []
    for one in reversed(versions):
        items.append(_version(one, before.get(one.path), people))
        before[one.path] = one.id
    return {
        "state": look.state,
        "message": look.message,
        "looked_at": rfc3339(look.done_at),
        "restore": task(restore) if restore else None,
        "items": items[::-1],
    }


def _version(one: KnownVersion, before: str | None, people: Mapping[str, str]) -> Json:
    return {
        "id": one.id,
        "path": one.path,
        "at": rfc3339(datetime.fromtimestamp(one.at / 1000, UTC)),
        "editors": [
            {"username": name, "display_name": people.get(name, name)} for name in one.editors
        ],
        "reason": one.reason,
        "size_bytes": one.size,
        "before": before,
    }


def task(row: HistoryTask) -> Json:
    """How it stands with a restore."""
    return {
        "version": row.version,
        "state": row.state,
        "message": row.message,
        "by": row.by,
        "done_at": rfc3339(row.done_at),
    }


def changes(row: HistoryTask) -> Json:
    """What changed between two versions."""
    found = row.result or {}
    return {
        "version": row.version,
        "since": row.since,
        "state": row.state,
        "message": row.message,
        "text": found.get("text"),
        "whole": found.get("whole", True),
    }
