"""Why somebody may do something in a project, or not: the API and a page ask it here."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from sophon_hub.clock import utcnow
from sophon_hub.errors import Forbidden, Invalid, NotFound, Unauthenticated
from sophon_hub.models import Lab, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Decision, Permission, decide, may, require
from sophon_hub.store import labs, people, projects
from sophon_hub.store.engine import Session
from sophon_hub.web import accounts
from sophon_hub.web.handlers import BaseHandler

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """What is asked, as it was typed.

    Without ``username`` it is about who asks, without ``lab`` about the project.
    """

    permission: str
    username: str = ""
    lab: str = ""


@dataclass(frozen=True)
class Explained:
    """The decision of the policy, with what it was made from; ``asker`` may be ``person``."""

    decision: Decision
    permission: Permission
    asker: Actor
    person: Actor
    project: ResearchProject
    lab: Lab | None


async def explain(
    handler: BaseHandler,
    slug: str,
    question: Question,
    tell: Callable[[Explained], T],
    among: Collection[Permission] = tuple(Permission),
) -> T:
    """What ``tell`` makes of the answer while the session is open.

    Raises:
        Invalid: the permission is not one of ``among``, or there is no such person or lab.
        NotFound, Unauthenticated, Forbidden: the caller may not ask this about the project.
    """
    permission = _permission(question.permission, among)

    def ask(session: Session, actor: Actor) -> ResearchProject:
        project = projects.get_project(session, actor, slug)
        require_may_ask(actor, project, question.username or actor.username)
        return project

    def work(session: Session, actor: Actor) -> T:
        project = ask(session, actor)
        person = _asked_about(session, actor, question.username or actor.username or "")
        lab = _lab(session, actor, project, question.lab) if question.lab else None
        decision = decide(person, permission, lab or project)
        return tell(Explained(decision, permission, actor, person, project, lab))

    if question.username:
        await handler.read(ask)
        await accounts.ensure_known(handler, question.username)
    return await handler.read(work)


def may_ask(actor: Actor, project: ResearchProject) -> bool:
    """Whether the actor asks about themselves: everybody in the group, and administrators."""
    return actor.role_in(project.group_id) is not None or actor.is_admin


def may_ask_about_others(actor: Actor, project: ResearchProject) -> bool:
    """Whether the actor asks about anyone: who decides about the people of the group."""
    return may(actor, Permission.GROUP_PEOPLE, project.group)


def require_may_ask(actor: Actor, project: ResearchProject, username: str | None) -> None:
    """Pass when the actor may ask about the person with this name; else raise what to tell them."""
    if actor.is_guest:
        raise Unauthenticated
    if username != actor.username:
        require(actor, Permission.GROUP_PEOPLE, project.group)
    elif not may_ask(actor, project):
        raise Forbidden("Only people of the group ask this.")


def _permission(word: str, among: Collection[Permission]) -> Permission:
    if word not in list(among):
        raise Invalid.of("permission", "Give one of: " + ", ".join(among) + ".")
    return Permission(word)


def _asked_about(session: Session, actor: Actor, username: str) -> Actor:
    """The person the question is about."""
    if username == actor.username:
        return actor
    person = people.find_person(session, username)
    if person is None:
        raise Invalid.of("username", f"There is no account “{username}” at this hub.")
    other = people.find_actor(
        session, username, is_admin=person.is_admin, via=actor.via, now=utcnow()
    )
    return other or Actor()


def _lab(session: Session, actor: Actor, project: ResearchProject, slug: str) -> Lab:
    """The lab of the project that the question is about."""
    try:
        return labs.get_lab(session, actor, project.slug, slug)
    except NotFound:
        raise Invalid.of("lab", f"There is no lab “{slug}” in this project.") from None
