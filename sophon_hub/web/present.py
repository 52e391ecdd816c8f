"""The objects of the REST contract as dictionaries; pages show the same ones."""

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from sophon_hub import __version__, names
from sophon_hub.clock import rfc3339
from sophon_hub.content.markdown import render
from sophon_hub.models import (
    AuditEvent,
    Dataset,
    Instance,
    JoinRequest,
    Lab,
    Membership,
    Person,
    PersonalLab,
)
from sophon_hub.policy.actor import Actor, Standing
from sophon_hub.policy.permissions import Permission, permitted
from sophon_hub.settings import Sophon
from sophon_hub.store.groups import GroupSummary
from sophon_hub.store.paging import Page
from sophon_hub.store.projects import ProjectSummary
from sophon_hub.store.temporary import TemporaryCounts
from sophon_hub.web.present_run import disk, restart_reasons, run

Json = dict[str, Any]

NO_DATASETS: Mapping[str, Dataset] = MappingProxyType({})


def instance(row: Instance, settings: Sophon) -> Json:
    """The hub itself."""
    return {
        "name": row.name,
        "description": row.description,
        "description_html": render(row.description),
        "version": __version__,
        "features": [f"spawner:{settings.spawner}"],
    }


def temporary(counts: TemporaryCounts, settings: Sophon) -> Json:
    """Temporary labs in numbers."""
    return {
        "offered": settings.temporary_labs,
        "capacity": settings.temporary_capacity,
        "pool": settings.temporary_pool,
        **asdict(counts),
        "image": settings.temporary_image_name,
        "version": __version__,
    }


def user(person: Person) -> Json:
    """Somebody, without e-mail address."""
    return {"username": person.username, "display_name": person.display_name}


def me(actor: Actor, slugs: dict[int, str], own_lab: PersonalLab | None, address: str) -> Json:
    """The caller; ``address`` is where a person finds the personal lab."""
    if actor.is_guest:
        return {
            "username": None,
            "display_name": None,
            "admin": False,
            "memberships": [],
            "personal_lab": None,
        }
    memberships = [
        {
            "group": slugs[group_id],
            "role": membership.role,
            "expires_at": rfc3339(membership.expires_at),
        }
        for group_id, membership in actor.memberships.items()
        if group_id in slugs
    ]
    return {
        "username": actor.username,
        "display_name": actor.display_name,
        "admin": actor.is_admin,
        "memberships": sorted(memberships, key=lambda entry: str(entry["group"])),
        "personal_lab": {"state": own_lab.state, "url": address} if own_lab else None,
    }


def group(summary: GroupSummary, actor: Actor) -> Json:
    """A research group."""
    row = summary.group
    return {
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "description_html": render(row.description),
        "visibility": row.visibility,
        "access": row.access,
        "member_count": summary.member_count,
        "project_count": summary.project_count,
        "role": actor.role_in(row.id),
        "can": permitted(actor, row),
        "created_at": rfc3339(row.created_at),
        "deleted_at": rfc3339(row.deleted_at),
    }


def member(row: Membership) -> Json:
    """Somebody in a research group."""
    return {
        **user(row.person),
        "role": row.role,
        "source": row.source,
        "expires_at": rfc3339(row.expires_at),
        "added_by": names.shown_username(row.added_by.username) if row.added_by else None,
        "added_at": rfc3339(row.added_at),
    }


def request(row: JoinRequest) -> Json:
    """Somebody who asked to join."""
    return {**user(row.person), "message": row.message, "created_at": rfc3339(row.created_at)}


def project(summary: ProjectSummary, actor: Actor) -> Json:
    """A project."""
    row = summary.project
    return {
        "slug": row.slug,
        "group": row.group.slug,
        "name": row.name,
        "description": row.description,
        "description_html": render(row.description),
        "visibility": row.visibility,
        "lab_count": summary.lab_count,
        "can": permitted(actor, row),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "deleted_at": rfc3339(row.deleted_at),
    }


Datasets = Mapping[str, Dataset]
"""Datasets by uid, as far as the caller may know of them."""


def attached(row: Lab | PersonalLab, datasets: Datasets) -> list[str]:
    """The slugs of a lab's datasets that the caller may know of."""
    return sorted(datasets[uid].slug for uid in row.dataset_uids if uid in datasets)


def lab(row: Lab, actor: Actor, settings: Sophon, datasets: Datasets = NO_DATASETS) -> Json:
    """A lab. Who locked or started it, and who is in it, is told to people of the group only."""
    inside = actor.standing_in(row.project.group_id) >= Standing.VIEWER
    return {
        "slug": row.slug,
        "project": row.project.slug,
        "name": row.name,
        "image": row.image,
        "state": row.state,
        "locked_by": row.locked_by.username if inside and row.locked_by else None,
        "lock_reason": row.lock_reason if inside else "",
        "internet": row.internet,
        "restart_on_removal": row.restart_on_removal,
        "cpu_limit": row.cpu_limit if row.cpu_limit is not None else settings.cpu_limit,
        "memory_limit": (
            row.memory_limit if row.memory_limit is not None else settings.memory_limit_bytes
        ),
        **run(row, told=inside),
        "started_by": user(row.started_by) if inside and row.started_by else None,
        "stopped_by": user(row.stopped_by) if inside and row.stopped_by else None,
        "users": [one["username"] for one in row.people] if inside else None,
        "people": row.people if inside else None,
        "restart_needed": restart_reasons(row),
        "datasets": attached(row, datasets),
        "message": row.message if inside else "",
        "clean_up": row.clean_up,
        "disk": disk(row, settings) if inside else None,
        "can": permitted(actor, row),
        "created_at": rfc3339(row.created_at),
        "deleted_at": rfc3339(row.deleted_at),
    }


def personal_lab(
    row: PersonalLab, actor: Actor, settings: Sophon, datasets: Datasets = NO_DATASETS
) -> Json:
    """The caller's own lab."""
    return {
        "state": row.state,
        "message": row.message,
        "url": settings.base_url + names.personal_path(actor.username or ""),
        "image": row.image or settings.default_image,
        "clean_up": row.clean_up,
        **run(row),
        "restart_needed": restart_reasons(row),
        "datasets": attached(row, datasets),
        "disk": disk(row, settings),
    }


def dataset(row: Dataset, actor: Actor) -> Json:
    """A dataset. Where its files come from is told to those who may change it."""
    can = permitted(actor, row)
    inside = Permission.DATASET_EDIT in can
    return {
        "slug": row.slug,
        "group": row.group.slug if row.group else None,
        "name": row.name,
        "description": row.description,
        "description_html": render(row.description),
        "licence": row.licence,
        "source": row.source,
        "visibility": row.visibility,
        "kind": row.kind,
        "location": row.location if inside else None,
        "path": names.dataset_path(row.slug),
        "state": row.state,
        "message": row.message if inside else "",
        "file_count": row.file_count,
        "size_bytes": row.size_bytes,
        "checksum": row.checksum,
        "checked_at": rfc3339(row.checked_at),
        "verified_at": rfc3339(row.verified_at),
        "differences": row.differences,
        "can": can,
        "created_at": rfc3339(row.created_at),
        "deleted_at": rfc3339(row.deleted_at),
    }


def event(row: AuditEvent) -> Json:
    """An audit event."""
    return {
        "id": row.id,
        "at": rfc3339(row.at),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
        "via": row.via,
        "request_id": row.request_id,
    }


def images(settings: Sophon) -> list[Json]:
    """The images people may choose."""
    return [
        {
            "name": name,
            "title": image.get("title", name),
            "description": image.get("description", ""),
            "languages": list(image.get("languages", ())),
            "available": bool(image.get("available", True)),
        }
        for name, image in sorted(settings.images.items())
    ]


def listing(page: Page[Any], items: list[Json]) -> Json:
    """A list as every list route answers it."""
    return {"items": items, "next": page.next, "total": page.total}
