"""The objects of the REST contract as dictionaries; pages show the same ones."""

from dataclasses import asdict
from typing import Any

from sophon_hub import __version__
from sophon_hub.clock import rfc3339
from sophon_hub.content.markdown import render
from sophon_hub.models import AuditEvent, Instance, JoinRequest, Lab, Membership, Person
from sophon_hub.policy.actor import Actor, Standing
from sophon_hub.policy.permissions import permitted
from sophon_hub.settings import Sophon
from sophon_hub.store.groups import GroupSummary
from sophon_hub.store.paging import Page
from sophon_hub.store.projects import ProjectSummary
from sophon_hub.store.temporary import TemporaryCounts

Json = dict[str, Any]


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


def me(actor: Actor, slugs: dict[int, str], settings: Sophon) -> Json:
    """The caller."""
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
        "personal_lab": {"state": None, "url": f"{settings.base_url}hub/home"},
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
        "added_by": row.added_by.username if row.added_by else None,
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


_RESTART_REASONS = {
    "image": "the image was changed",
    "internet": "Internet access was changed",
    "cpu_limit": "the processor limit was changed",
    "memory_limit": "the memory limit was changed",
}


def restart_reasons(lab: Lab) -> list[str]:
    """Why a running lab does not have the settings it should have."""
    if not lab.state.has_server or lab.started_with is None:
        return []
    wanted = lab.launch_settings()
    return [
        reason
        for name, reason in _RESTART_REASONS.items()
        if lab.started_with.get(name) != wanted[name]
    ]


def lab(row: Lab, actor: Actor, settings: Sophon) -> Json:
    """A lab. Who locked it is told to people of the group only."""
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
        "cpu_limit": row.cpu_limit if row.cpu_limit is not None else settings.cpu_limit,
        "memory_limit": (
            row.memory_limit if row.memory_limit is not None else settings.memory_limit_bytes
        ),
        "last_activity": rfc3339(row.last_activity),
        "users": None,
        "restart_needed": restart_reasons(row),
        "message": row.message if inside else "",
        "can": permitted(actor, row),
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
    }


def images(settings: Sophon) -> list[Json]:
    """The images people may choose."""
    return [
        {
            "name": name,
            "title": image.get("title", name),
            "description": image.get("description", ""),
            "available": True,
        }
        for name, image in sorted(settings.images.items())
    ]


def listing(page: Page[Any], items: list[Json]) -> Json:
    """A list as every list route answers it."""
    return {"items": items, "next": page.next, "total": page.total}
