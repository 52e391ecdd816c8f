"""Changing a project, and moving it to another group."""

from sophon_hub.actions.forms import ProjectChanges
from sophon_hub.actions.projects import edit_project
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import ResearchProject
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.pages.projects import group_brief, groups_to_work_in
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, permitted, require
from sophon_hub.store import projects
from sophon_hub.store.effects import Effect, get_effects_of_move
from sophon_hub.store.engine import Session
from sophon_hub.store.labs import list_running_labs
from sophon_hub.web.effects import effect, of_lowering

FIELDS = ("name", "description", "visibility")
MOVE = "move"


class EditProjectPage(PageHandler):
    """Name, description, visibility and group of a project."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """Show the forms."""
        await self._show(slug)

    async def _show(
        self, slug: str, form: FormState | None = None, move: FormState | None = None
    ) -> None:
        def work(session: Session, actor: Actor) -> Values:
            project = projects.get_project(session, actor, slug)
            require(actor, Permission.PROJECT_EDIT, project)
            can = permitted(actor, project)
            lowers = Permission.PROJECT_VISIBILITY in can
            return {
                "effects": of_lowering(session, actor, project) if lowers else {},
                "project": {"slug": project.slug, "name": project.name, "can": can},
                "group": group_brief(project.group),
                "form": form or _as_it_is(project),
                "move": move or FormState(),
                "groups": _elsewhere(session, actor, project, can),
                "obstacle": _to_moving(session, project, can),
            }

        status = max((form or FormState()).status, (move or FormState()).status)
        await self.show_read("projects/edit.html", work, status)

    async def post(self, slug: str) -> None:
        """Change or move it."""
        typed = self.typed()
        moving = typed.get("action") == MOVE
        try:
            form = self.form(ProjectChanges)
            if moving and not typed.get("group"):
                raise Invalid.of("group", "Choose where it is to go.")
            await self.act(
                lambda session, actor: edit_project(
                    session, actor, projects.get_project(session, actor, slug), form
                )
            )
        except (Invalid, Conflict) as error:
            state = FormState.refused(typed, error)
            await (self._show(slug, move=state) if moving else self._show(slug, state))
            return
        self.say("The project is moved." if moving else "The changes are saved.")
        self.go_on("projects", slug)


def _as_it_is(project: ResearchProject) -> FormState:
    return FormState({name: str(getattr(project, name)) for name in FIELDS})


def _elsewhere(
    session: Session, actor: Actor, project: ResearchProject, can: list[str]
) -> list[Values]:
    """The groups the project can be moved to, and what each move would change for whom."""
    if Permission.PROJECT_MOVE not in can:
        return []
    others = [one for one in groups_to_work_in(session, actor) if one.id != project.group_id]
    found = get_effects_of_move(session, actor, project, others)
    return [{**group_brief(one), "effect": _said(found[one.slug])} for one in others]


def _said(found: Effect) -> str:
    changes = found.projects or found.leaving or found.coming
    return str(effect(found)["sentence"]) if changes else "Nothing changes for anybody."


def _to_moving(session: Session, project: ResearchProject, can: list[str]) -> str | None:
    """What is in the way of a move."""
    if Permission.PROJECT_MOVE not in can:
        return None
    return obstacles.to_moving([lab.name for lab in list_running_labs(session, project)])
