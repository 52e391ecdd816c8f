"""What happened in a research group or project, in sentences."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from sophon_hub import clock
from sophon_hub.models import AuditEvent
from sophon_hub.pages.base import PageHandler, Values
from sophon_hub.pages.projects import group_brief
from sophon_hub.pages.words import WAYS, entry, last_day, memory
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.store import events, groups, projects
from sophon_hub.store.engine import Session
from sophon_hub.store.trash import Kind
from sophon_hub.web import present

Detail = Mapping[str, Any]

NOTICE = timedelta(days=14)
"""How long owners are told on their pages; in the events it stays."""

_FIELDS = {
    "name": "the name",
    "description": "the description",
    "visibility": "the visibility",
    "access": "who may join",
    "group": "the group",
    "image": "the image",
    "internet": "Internet access",
    "restart_on_removal": "the restart when somebody loses access",
    "cpu_limit": "the processor limit",
    "memory_limit": "the memory limit",
    "licence": "the licence",
    "source": "the source",
}
_VALUES: dict[str, Callable[[Any], str]] = {
    "memory_limit": lambda value: memory(value) or "the default",
    "cpu_limit": lambda value: "the default" if value is None else f"{value:g} cores",
    "internet": lambda value: "on" if value else "off",
    "restart_on_removal": lambda value: "on" if value else "off",
}


_BECAUSE = {"sign-on": ", as the sign-on says", "account": ", as the account is gone"}


def _changes(detail: Detail) -> str:
    """Which fields were changed from what to what; long texts only by name."""
    before, after = detail.get("before") or {}, detail.get("after") or {}
    parts = []
    for name, value in after.items():
        old = before.get(name)
        if old == value:
            continue
        part = _FIELDS.get(name, name)
        if name != "description":
            write = _VALUES.get(name, str)
            part += f" from “{write(old)}” to “{write(value)}”"
        parts.append(part)
    return "changed " + ", ".join(parts) if parts else "saved it without changes"


def _until(values: Detail) -> str:
    end = values.get("expires_at")
    return f", until {last_day(end)}" if end else ""


def _member(detail: Detail) -> str:
    before, after = detail.get("before") or {}, detail.get("after") or {}
    who = detail.get("username", "somebody")
    if not before:
        return f"added {who} as {after.get('role')}{_until(after)}{_because(detail)}"
    was = f"{before.get('role')}{_until(before)}"
    return f"changed {who} from {was} to {after.get('role')}{_until(after)}{_because(detail)}"


def _removed(detail: Detail) -> str:
    return f"removed {detail.get('username')} from the group{_because(detail)}"


def _kept(detail: Detail) -> str:
    who = detail.get("username")
    return f"kept {who} as the last owner, although the sign-on no longer says so"


def _cancelled(noun: str, detail: Detail) -> str:
    return f"kept the {noun}: {detail.get('username')}, who had deleted it, is no longer an owner"


def _denied(detail: Detail) -> str:
    return f"was refused “{detail.get('permission')}”"


def _looked(noun: str, _: Detail) -> str:
    return f"looked at the private {noun}, as an administrator"


def _because(detail: Detail) -> str:
    return _BECAUSE.get(detail.get("source", ""), "")


def _passed(detail: Detail) -> str:
    heir, former = detail.get("username"), detail.get("former")
    return f"made {heir} the owner: the account of {former}, the last one, is gone"


def _deserted(detail: Detail) -> str:
    return f"left the group without people: the account of {detail.get('username')} is gone"


def _material(detail: Detail) -> str:
    after = detail.get("after") or {}
    what = "the repository" if after.get("kind") == "repository" else "the folder"
    return f"published {what} {after.get('location')} as material"


def _visitors(detail: Detail) -> str:
    return "let visitors try the material" + ("" if detail.get("after") else " no longer")


def _restored(detail: Detail) -> str:
    day, _, time = str(detail.get("was_at")).partition("T")
    return f"restored {detail.get('path')} as it was on {day} at {time[:5]} UTC"


def _reason(detail: Detail) -> str:
    return f": {detail['reason']}" if detail.get("reason") else ""


_SENTENCES: dict[str, Callable[[Detail], str]] = {
    "group:create": lambda of: " for ".join(filter(None, ["created the group", of.get("owner")])),
    "group:edit": _changes,
    "group:join": lambda _: "joined the group",
    "group:ask": lambda _: "asked to join the group",
    "group:leave": lambda _: "left the group",
    "group:delete": lambda _: "moved the group to the trash",
    "group:restore": lambda _: "took the group out of the trash",
    "group:pass": _passed,
    "group:deserted": _deserted,
    "member:add": _member,
    "member:change": _member,
    "member:remove": _removed,
    "member:keep": _kept,
    "request:approve": lambda detail: f"let {detail.get('username')} in as {detail.get('role')}",
    "request:decline": lambda detail: f"declined the request of {detail.get('username')}",
    "request:withdraw": lambda _: "withdrew the request to join",
    "project:create": lambda _: "created the project",
    "project:edit": _changes,
    "project:delete": lambda _: "moved the project to the trash",
    "project:restore": lambda _: "took the project out of the trash",
    "person:sign-in": lambda _: "signed in",
    "person:sign-out": lambda _: "signed out",
    "person:refuse": lambda detail: f"refused a sign-in{_reason(detail)}",
    "person:delete": lambda _: "was told that the account is deleted",
    "person:rename": lambda detail: f"was told that the account {detail.get('before')} is renamed",
    "lab:create": lambda _: "created the lab",
    "lab:edit": _changes,
    "lab:start": lambda _: "started the lab",
    "lab:stop": lambda _: "stopped the lab",
    "lab:halt": lambda detail: f"stopped the lab{_reason(detail)}",
    "lab:restart": lambda _: "restarted the lab, since somebody lost the right to work in it",
    "lab:empty-trash": lambda _: "emptied the trash of the lab",
    "lab:open": partial(entry, "opened"),
    "lab:enter": partial(entry, "entered"),
    "personal:deny": _denied,
    "lab:lock": lambda detail: f"locked the lab{_reason(detail)}",
    "lab:unlock": lambda _: "unlocked the lab",
    "lab:delete": lambda _: "moved the lab to the trash",
    "lab:history-look": lambda _: "looked at the history of the lab",
    "lab:history-compare": lambda detail: f"compared versions of {detail.get('path')}",
    "lab:history-restore": _restored,
    "temporary:keep": lambda detail: f"kept the work of a visit in “{detail.get('folder')}” of",
    "lab:attach": lambda detail: f"gave the lab the dataset {detail.get('dataset')}",
    "lab:detach": lambda detail: f"took the dataset {detail.get('dataset')} from the lab",
    "dataset:create": lambda detail: f"added the dataset “{detail.get('name')}”",
    "dataset:edit": _changes,
    "dataset:verify": lambda _: "had the files of the dataset compared with its manifest",
    "dataset:refresh": lambda _: "had the dataset read anew",
    "dataset:delete": lambda _: "moved the dataset to the trash",
    "dataset:restore": lambda _: "took the dataset out of the trash",
    "material:set": _material,
    "material:publish": lambda _: "published the material anew",
    "material:visitors": _visitors,
    "material:remove": lambda _: "took the material from the project",
    **{f"{noun}:look": partial(_looked, noun) for noun in Kind},
    **{f"{noun}:deny": _denied for noun in Kind},
    "lab:restore": lambda _: "took the lab out of the trash",
    **{
        f"{noun}:{verb}": write
        for noun in Kind
        for verb, write in (
            ("purge", lambda _, noun=noun: f"had the {noun} removed for good"),
            ("purged", lambda _, noun=noun: f"removed the {noun} for good"),
            ("delete-cancelled", partial(_cancelled, noun)),
        )
    },
}
_ICONS = {
    "group": "fa-users",
    "member": "fa-user",
    "request": "fa-envelope",
    "project": "fa-folder",
    "lab": "fa-flask",
    "dataset": "fa-database",
    "material": "fa-book-open",
}


def sentence(action: str, detail: Detail) -> str:
    """What was done, to follow the name of who did it."""
    write = _SENTENCES.get(action)
    if write:
        return write(detail)
    noun, _, verb = action.partition(":")
    return f"did “{verb.replace('-', ' ')}” to the {noun}"


def line(event: AuditEvent) -> Values:
    """An event as a line of the page."""
    shown = present.event(event)
    noun = event.action.partition(":")[0]
    subject = event.subject
    address = None
    if event.action.endswith(":purged"):
        noun = ""  # there is nothing at that address any more
    if noun == "lab" and "/" in subject:
        project, _, lab = subject.partition("/")
        address = f"projects/{project}/labs/{lab}"
    elif noun == "material":
        address = f"projects/{subject}/material"
    elif noun in ("project", "dataset"):
        address = f"{noun}s/{subject}"
    return {
        "at": shown["at"],
        "actor": event.actor or "The hub",
        "sentence": sentence(event.action, event.detail),
        "icon": _ICONS.get(event.action.partition(":")[0], "fa-circle-info"),
        "subject": subject if address else None,
        "address": address,
        "way": WAYS.get(event.via, ""),
    }


def notices(session: Session, actor: Actor, group_id: int | None = None) -> list[Values]:
    """What the hub did unasked: in a group, or in all that the actor owns or administers."""
    since = clock.utcnow() - NOTICE
    return [_notice(event) for event in events.list_notices(session, actor, since, group_id)]


def _notice(event: AuditEvent) -> Values:
    shown = {**line(event), "subject": event.subject}
    if event.action in events.PASSED:
        shown |= {"address": f"groups/{event.subject}", "passed": True}
    return shown


class GroupEventsPage(PageHandler):
    """What happened in a research group."""

    section = "groups"

    async def get(self, slug: str) -> None:
        """List it, newest first."""
        paging = self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            group = groups.get_group(session, actor, slug)
            require(actor, Permission.EVENTS_SEE, group)
            page = events.list_events(session, actor, group, paging)
            lines = [line(event) for event in page.items]
            return {"group": group_brief(group), "page": present.listing(page, lines)}

        await self.show_read("groups/events.html", work)


class ProjectEventsPage(PageHandler):
    """What happened in a project."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """List it, newest first."""
        paging = self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            project = projects.get_project(session, actor, slug)
            require(actor, Permission.EVENTS_SEE, project)
            page = events.list_events(session, actor, project, paging)
            return {
                "project": {"slug": project.slug, "name": project.name},
                "group": group_brief(project.group),
                "page": present.listing(page, [line(event) for event in page.items]),
            }

        await self.show_read("projects/events.html", work)
