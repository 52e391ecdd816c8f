"""The material of a project: getting it, and saying where it comes from."""

from sophon_hub.actions import materials as actions
from sophon_hub.actions.forms import Nothing
from sophon_hub.actions.material_forms import (
    DeliveryWish,
    FreshCopy,
    MaterialChanges,
    MaterialSource,
)
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import MaterialKind, ResearchProject
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.pages.projects import group_brief
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, permitted, require
from sophon_hub.policy.trials import can_be_tried
from sophon_hub.store import labs, materials, personal, projects
from sophon_hub.store.engine import Session
from sophon_hub.store.paging import Paging
from sophon_hub.web import present_material as present

MOST_LABS = 200


def _place(project: ResearchProject, actor: Actor) -> Values:
    can = permitted(actor, project)
    return {
        "project": {"slug": project.slug, "name": project.name, "can": can},
        "group": group_brief(project.group),
        "deleted": project.deleted_at is not None,
    }


def _by_kind(delivery: Values) -> Values:
    """The files of a report, by what became of them."""
    found: dict[str, list[Values]] = {}
    for file in delivery["files"]:
        found.setdefault(file["became"], []).append(file)
    return found


class MaterialPage(PageHandler):
    """The material of a project, and what became of one's own files."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """Show it; a script that asks hears nothing when nothing has changed."""
        await self._show(slug, FormState())

    async def _show(self, slug: str, form: FormState) -> None:
        settings = self.portal.settings

        def work(session: Session, actor: Actor) -> Values:
            project = projects.get_project(session, actor, slug)
            row = materials.find_material(session, actor, project)
            shown = delivery = None
            has_home = False
            if row:
                source = materials.find_source(session, actor, row)
                shown = present.material(row, project, actor, source, settings)
            if row and not actor.is_guest:
                delivery = present.delivery(materials.find_delivery(session, actor, project))
                has_home = personal.find_own(session, actor).home_uid is not None
            return {
                **_place(project, actor),
                "material": shown,
                "delivery": delivery,
                "files": _by_kind(delivery) if delivery else {},
                "has_home": has_home,
                "has_visitors": settings.temporary_labs,
                "can_try": actor.is_guest and can_be_tried(row, project, settings),
                "form": form,
            }

        values = await self.read(work)
        values["mark"] = self.mark_of([values["material"], values["delivery"]])
        if not self.is_unchanged(values["mark"]):
            await self.show("materials/show.html", form.status, **values)

    async def post(self, slug: str) -> None:
        """Press a button: get, fresh, on-start, undo, publish, visitors, remove."""
        typed, settings = self.typed(), self.portal.settings
        button = typed.get("action", "")
        try:
            if button == "fresh":
                fresh = self.form(FreshCopy)
            elif button == "on-start":
                wish = self.form(DeliveryWish)
            elif button == "visitors":
                changes = self.form(MaterialChanges)
            else:
                self.form(Nothing)

            def work(session: Session, actor: Actor) -> None:
                project = projects.get_project(session, actor, slug)
                if button == "get":
                    actions.get_material(session, actor, project, settings)
                elif button == "fresh":
                    actions.get_fresh_copy(session, actor, project, fresh, settings)
                elif button == "on-start":
                    actions.wish_delivery(session, actor, project, wish)
                elif button == "undo":
                    actions.undo_delivery(session, actor, project, settings)
                elif button == "publish":
                    actions.publish_material(session, actor, project)
                elif button == "visitors":
                    actions.edit_material(session, actor, project, changes, settings)
                elif button == "remove":
                    actions.remove_material(session, actor, project)
                else:
                    raise Invalid.of("action", "There is no such button.")

            await self.act(work)
        except (Invalid, Conflict) as error:
            await self._show(slug, FormState.refused(typed, error))
            return
        self.go_on("projects", slug, "material")


class EditMaterialPage(PageHandler):
    """Where the material comes from."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """Show the form as it was last filled in."""
        await self._show(slug, None)

    async def _show(self, slug: str, form: FormState | None) -> None:
        def work(session: Session, actor: Actor) -> Values:
            project = projects.get_project(session, actor, slug)
            require(actor, Permission.PROJECT_EDIT, project)
            page = labs.list_labs(session, actor, project, Paging(MOST_LABS))
            return {
                **_place(project, actor),
                "labs": [(lab.slug, lab.name) for lab in page.items],
                "most": self.portal.settings.max_material_size,
                "form": form or _as_it_is(session, actor, project),
                "kinds": MaterialKind,
            }

        await self.show_read("materials/edit.html", work, form.status if form else 200)

    async def post(self, slug: str) -> None:
        """Publish it from there."""
        try:
            form = self.form(MaterialSource)
            await self.act(
                lambda session, actor: actions.set_material(
                    session, actor, projects.get_project(session, actor, slug), form
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(slug, FormState.refused(self.typed(), error))
            return
        self.say("The material is being published.", "info")
        self.go_on("projects", slug, "material")


def _as_it_is(session: Session, actor: Actor, project: ResearchProject) -> FormState:
    row = materials.find_material(session, actor, project)
    if row is None:
        return FormState({"kind": MaterialKind.FOLDER})
    source = materials.find_source(session, actor, row)
    if row.kind is MaterialKind.REPOSITORY:
        return FormState({"kind": row.kind, "url": row.location, "branch": row.branch})
    return FormState(
        {"kind": row.kind, "folder": row.location, "lab": source.slug if source else ""}
    )
