"""Why somebody may do something in a project, or not, in plain words."""

from sophon_hub.errors import Invalid
from sophon_hub.models import Visibility
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.pages.projects import group_brief, questions
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import (
    DATASET_PERMISSIONS,
    GROUP_PERMISSIONS,
    LAB_PERMISSIONS,
    LOCK_RULE,
    PURGE_RULE,
    SEEING,
    TRASH_RULE,
    Permission,
)
from sophon_hub.store import labs, projects
from sophon_hub.store.engine import Session
from sophon_hub.store.paging import MAX_LIMIT, Paging
from sophon_hub.web.explaining import Explained, Question, explain, require_may_ask

ASKED = tuple(one for one in Permission if one not in DATASET_PERMISSIONS)
"""What is asked about a project; datasets do not belong to one."""

ACTS = {
    Permission.GROUP_SEE: "see the group",
    Permission.GROUP_EDIT: "change the group's name, description and settings",
    Permission.GROUP_PEOPLE: "decide who belongs to the group",
    Permission.GROUP_DELETE: "delete or restore the group",
    Permission.PROJECT_CREATE: "create projects in the group",
    Permission.PROJECT_SEE: "see the project",
    Permission.PROJECT_EDIT: "change the project's name, description and material",
    Permission.PROJECT_VISIBILITY: "decide who sees the project",
    Permission.PROJECT_MOVE: "move the project to another group",
    Permission.PROJECT_DELETE: "delete or restore the project",
    Permission.LAB_CREATE: "create labs in the project",
    Permission.LAB_EDIT: "change a lab's settings and datasets",
    Permission.LAB_START: "start a lab",
    Permission.LAB_STOP: "stop a lab",
    Permission.LAB_OPEN: "open a lab and work in it",
    Permission.LAB_WATCH: "watch a lab",
    Permission.LAB_LOCK: "lock a lab",
    Permission.LAB_UNLOCK: "unlock a lab",
    Permission.LAB_DELETE: "delete or restore a lab",
    Permission.DATASET_CREATE: "create datasets of the group",
    Permission.EVENTS_SEE: "see who did what",
}
_ROLES = {"viewer": "a viewer", "member": "a member", "owner": "an owner"}
_RULES = {
    "at least viewer of the group": "Everybody who belongs to the group may do this.",
    "at least member of the group": "Members and owners of the group may do this.",
    "at least owner of the group": "Only owners of the group may do this.",
    TRASH_RULE: "What is in the trash can only be restored.",
    PURGE_RULE: "What is being removed for good cannot come back.",
    LOCK_RULE: "In a locked lab nobody works but who locked it.",
}
_NEED_NO_LOCK = frozenset(LAB_PERMISSIONS) - {Permission.LAB_WATCH, Permission.LAB_UNLOCK}


class ExplainPage(PageHandler):
    """A question about somebody and a permission, and its answer."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """Show the form, and the answer once something is asked."""
        typed = {
            name: self.one_argument(name).strip() for name in ("permission", "username", "lab")
        }
        values = await self.read(lambda session, actor: _frame(session, actor, slug, typed["lab"]))
        form, answer = FormState({**typed, "permission": Permission.LAB_OPEN}), None
        if "permission" in self.request.query_arguments:
            form = FormState(typed)
            try:
                answer = await explain(self, slug, Question(**typed), in_words, ASKED)
            except Invalid as error:
                form = FormState.refused(typed, error)
        await self.show("projects/explain.html", form.status, **values, form=form, answer=answer)


def _frame(session: Session, actor: Actor, slug: str, asked_lab: str) -> Values:
    project = projects.get_project(session, actor, slug)
    require_may_ask(actor, project, actor.username)
    page = labs.list_labs(session, actor, project, Paging(MAX_LIMIT))
    options = {lab.slug: lab.name for lab in page.items}
    if asked_lab:
        options.setdefault(asked_lab, asked_lab)
    return {
        "project": {"slug": project.slug, "name": project.name},
        "group": group_brief(project.group),
        "asks": questions(actor, project),
        "acts": [(one.value, f"{ACTS[one].capitalize()} ({one})") for one in ASKED],
        "labs": list(options.items()),
    }


def in_words(explained: Explained) -> Values:
    """The answer as the page says it."""
    decision, permission, lab = explained.decision, explained.permission, explained.lab
    about_lab = permission in LAB_PERMISSIONS
    is_self = explained.person.username == explained.asker.username
    lock = obstacles.of_lock(explained.person, lab) if lab else None
    return {
        "allowed": decision.allowed,
        "who": "you" if is_self else explained.person.display_name,
        "act": ACTS[permission],
        "lab": lab.name if lab and about_lab else None,
        "any_lab": about_lab and lab is None,
        "rule": _rule(explained),
        "source": _source(explained, "You" if is_self else explained.person.display_name),
        "until": decision.until,
        # the right is one thing, what is in the way of using it another
        "lock": lock if permission in _NEED_NO_LOCK else None,
    }


def _rule(explained: Explained) -> str:
    decision, permission = explained.decision, explained.permission
    if permission in SEEING:
        word, _, trash = decision.rule.removeprefix("visibility ").partition(", ")
        if trash:
            return "What is in the trash is seen by owners of the group only."
        noun = "group" if permission in GROUP_PERMISSIONS else "project"
        return f"The {noun} is {word}. Who sees it: {Visibility(word).meaning.lower()}."
    if permission is Permission.LAB_UNLOCK and decision.source != "trash":
        return "Whoever locked a lab and owners of the group may do this."
    return _RULES[decision.rule]


def _source(explained: Explained, who: str) -> str:
    group = explained.project.group.name
    kind, _, word = explained.decision.source.partition(":")
    be = "are" if who == "You" else "is"
    match kind:
        case "admin":
            return f"{who} {be} an administrator of the hub and may do all that owners may."
        case "membership":
            return f"{who} {be} {_ROLES[word]} of {group}."
        case "lock" if explained.decision.allowed:
            return f"{who} locked it."
        case "lock":
            return "Somebody else locked it; watching is possible."
        case "trash":
            return "It is in the trash."
    belongs = "do not belong" if who == "You" else "does not belong"
    return f"{who} {belongs} to {group}."
