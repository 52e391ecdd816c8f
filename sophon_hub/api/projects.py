"""Projects: list, show, create, change, explain."""

from sophon_hub.actions import projects as actions
from sophon_hub.actions.forms import Confirmation, NewProject, ProjectChanges
from sophon_hub.actions.purge import purge_now
from sophon_hub.api.arguments import (
    GROUP,
    LAB,
    MINE,
    PAGING,
    PERMISSION,
    SEARCH,
    TRASH,
    USERNAME,
    VISIBILITY,
)
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.objects import Event, Explanation, Project
from sophon_hub.api.operation import ListOf, operation, operation_with
from sophon_hub.clock import rfc3339
from sophon_hub.errors import Invalid
from sophon_hub.models import Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.store import events, projects
from sophon_hub.store.engine import Session
from sophon_hub.web import present
from sophon_hub.web.explaining import Explained, Question, explain


def _one(session: Session, actor: Actor, slug: str) -> Json:
    session.flush()
    return present.project(projects.get_summary(session, actor, slug), actor)


class ProjectsAPI(ApiHandler):
    """Projects."""

    @operation({200: ListOf(Project)}, arguments=(SEARCH, GROUP, VISIBILITY, MINE, TRASH, *PAGING))
    async def get(self) -> None:
        """List the projects the caller may see."""
        q, paging = self.one_argument("q"), self.paging()
        group = self.one_argument("group") or None
        mine, trash = self.flag_argument("mine"), self.flag_argument("trash")
        visibility = self._visibility()

        def work(session: Session, actor: Actor) -> Json:
            page = projects.list_projects(
                session,
                actor,
                paging,
                q=q,
                group=group,
                visibility=visibility,
                mine=mine,
                trash=trash,
            )
            return present.listing(page, [present.project(item, actor) for item in page.items])

        await self.answer_read(work)

    def _visibility(self) -> Visibility | None:
        word = self.one_argument("visibility")
        if not word:
            return None
        if word not in list(Visibility):
            raise Invalid.of("visibility", "Give one of: " + ", ".join(Visibility) + ".")
        return Visibility(word)

    @operation_with(NewProject, {201: Project})
    async def post(self, form: NewProject) -> None:
        """Create a project; members of its group."""
        await self.answer_created(
            lambda session, actor: _one(
                session, actor, actions.create_project(session, actor, form).slug
            )
        )


class ProjectAPI(ApiHandler):
    """One project."""

    @operation({200: Project})
    async def get(self, slug: str) -> None:
        """Show it."""
        await self.answer_read(lambda session, actor: _one(session, actor, slug))

    @operation_with(ProjectChanges, {200: Project})
    async def patch(self, form: ProjectChanges, slug: str) -> None:
        """Change it; members, for visibility and group owners."""

        def work(session: Session, actor: Actor) -> Json:
            project = projects.get_project(session, actor, slug)
            actions.edit_project(session, actor, project, form)
            return _one(session, actor, slug)

        self.answer(await self.act(work))

    @operation({204: None})
    async def delete(self, slug: str) -> None:
        """Move it to the trash; owners."""
        await self.act(
            lambda session, actor: actions.delete_project(
                session, actor, projects.get_project(session, actor, slug)
            )
        )
        self.answer_nothing()


class ProjectRestoreAPI(ApiHandler):
    """A project in the trash."""

    @operation({200: Project})
    async def post(self, slug: str) -> None:
        """Take it out of the trash; owners."""

        def work(session: Session, actor: Actor) -> Json:
            project = projects.get_project(session, actor, slug)
            actions.restore_project(session, actor, project)
            return _one(session, actor, slug)

        self.answer(await self.act(work))


class ProjectPurgeAPI(ApiHandler):
    """A project in the trash whose time is not over."""

    @operation_with(Confirmation, {202: Project})
    async def post(self, form: Confirmation, slug: str) -> None:
        """Remove it for good, with its labs, without waiting; owners."""

        def work(session: Session, actor: Actor) -> Json:
            purge_now(session, actor, projects.get_project(session, actor, slug), form)
            return _one(session, actor, slug)

        self.answer(await self.act(work), 202)


class ProjectExplainAPI(ApiHandler):
    """Why somebody may do something, or not."""

    @operation({200: Explanation}, arguments=(PERMISSION, USERNAME, LAB))
    async def get(self, slug: str) -> None:
        """Explain; members about themselves, owners about anyone."""
        question = Question(
            self.one_argument("permission"), self.one_argument("username"), self.one_argument("lab")
        )
        self.answer(await explain(self, slug, question, _explanation))


def _explanation(explained: Explained) -> Json:
    decision = explained.decision
    return {
        "allowed": decision.allowed,
        "rule": decision.rule,
        "source": decision.source,
        "until": rfc3339(decision.until),
    }


class ProjectEventsAPI(ApiHandler):
    """What happened in a project."""

    @operation({200: ListOf(Event)}, arguments=PAGING)
    async def get(self, slug: str) -> None:
        """List events, newest first; members."""
        paging = self.paging()

        def work(session: Session, actor: Actor) -> Json:
            project = projects.get_project(session, actor, slug)
            require(actor, Permission.EVENTS_SEE, project)
            page = events.list_events(session, actor, project, paging)
            return present.listing(page, [present.event(row) for row in page.items])

        await self.answer_read(work)
