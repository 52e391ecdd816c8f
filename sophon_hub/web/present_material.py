"""Course material and deliveries as dictionaries, for API and pages alike."""

from sophon_hub.clock import rfc3339
from sophon_hub.models import Delivery, Lab, Material, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, permitted
from sophon_hub.policy.trials import trial_problem
from sophon_hub.settings import Sophon
from sophon_hub.web.present import Json


def material(
    row: Material, project: ResearchProject, actor: Actor, source: Lab | None, settings: Sophon
) -> Json:
    """The material of a project; where it comes from is told to those who may change it.

    ``source`` is the lab it comes from, as far as the caller may know of it.
    """
    inside = Permission.PROJECT_EDIT in permitted(actor, project)
    return {
        "kind": row.kind,
        "location": row.location if inside else None,
        "branch": row.branch if inside else None,
        "lab": source.slug if inside and source else None,
        "state": row.state,
        "message": row.message if inside else "",
        "version": row.version,
        "file_count": row.file_count,
        "size_bytes": row.size_bytes,
        "published_at": rfc3339(row.published_at),
        "folder": project.slug,
        "for_visitors": row.for_visitors,
        "visitors_message": trial_problem(row, project, settings) if inside else "",
    }


def delivery(row: Delivery) -> Json:
    """What of a project's material was brought into the caller's home."""
    report = row.report or {"counts": {}, "files": {}, "undo": False}
    return {
        "on_start": row.on_start,
        "state": row.state,
        "verb": row.verb,
        "path": row.path,
        "message": row.message,
        "version": row.version,
        "counts": report["counts"],
        "files": [
            {"path": path, "became": became, "other_name": other or None}
            for became, pairs in report["files"].items()
            for path, other in pairs
        ],
        "can_undo": report["undo"],
        "done_at": rfc3339(row.done_at),
    }
