"""Projects: list, show, create, restore, delete, and the trash of their labs."""

from dataclasses import replace

from sophon_hub import clock
from sophon_hub.actions import idempotency
from sophon_hub.actions import projects as actions
from sophon_hub.actions.forms import NewProject
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import ResearchGroup, ResearchProject, Visibility
from sophon_hub.pages.base import FormState, PageHandler, Values, short
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, may, require, require_person
from sophon_hub.policy.trials import can_be_tried
from sophon_hub.store import groups, labs, materials, people, projects
from sophon_hub.store.effects import get_effect_of_deletion
from sophon_hub.store.engine import Session
from sophon_hub.store.paging import Paging
from sophon_hub.web import present
from sophon_hub.web.effects import effect
from sophon_hub.web.explaining import may_ask, may_ask_about_others


def group_brief(group: ResearchGroup) -> Values:
    """A group as forms and breadcrumbs name it, with the visibilities its projects can have."""
    return {
        "slug": group.slug,
        "name": group.name,
        "visibility": group.visibility,
        "allows": [one for one in Visibility if one.openness <= group.visibility.openness],
    }


def questions(actor: Actor, project: ResearchProject) -> Values:
    """Whether the actor may ask why they, and why others, can do something in a project."""
    return {"self": may_ask(actor, project), "others": may_ask_about_others(actor, project)}


def groups_for_projects(session: Session, actor: Actor) -> list[Values]:
    """The groups in which the actor may create projects, as forms name them."""
    return [group_brief(group) for group in groups_to_work_in(session, actor)]


def groups_to_work_in(session: Session, actor: Actor) -> list[ResearchGroup]:
    """The groups in which the actor may create projects, by name; admins: every group."""
    if actor.is_admin:
        page = groups.list_groups(session, actor, Paging(200), now=clock.utcnow())
        own = [summary.group for summary in page.items]
    else:
        own = list(people.list_own_groups(session, actor))
    return [group for group in own if may(actor, Permission.PROJECT_CREATE, group)]


class ProjectsPage(PageHandler):
    """The projects one may see."""

    section = "projects"

    async def get(self) -> None:
        """List them."""
        q, mine, paging = self.one_argument("q"), self.flag_argument("mine"), self.page_paging()
        word = self.one_argument("visibility")
        if word and word not in list(Visibility):
            raise Invalid.of("visibility", "Give one of: " + ", ".join(Visibility) + ".")
        visibility = Visibility(word) if word else None

        def work(session: Session, actor: Actor) -> Values:
            page = projects.list_projects(
                session, actor, paging, q=q, visibility=visibility, mine=mine
            )
            items = [
                {**present.project(item, actor), "group_name": item.project.group.name}
                for item in page.items
            ]
            return {
                "page": present.listing(page, items),
                "q": q,
                "mine": mine,
                "visibility": word,
            }

        await self.show_read("projects/list.html", work)


class NewProjectPage(PageHandler):
    """Creating a project: first the group, then the rest."""

    section = "projects"

    async def get(self) -> None:
        """Show the form, or ask for the group when there are several."""
        await self._show(FormState({"group": self.one_argument("group")}))

    async def _show(self, form: FormState) -> None:
        wanted = form.values.get("group", "")

        def work(session: Session, actor: Actor) -> Values:
            require_person(actor)
            choices = groups_for_projects(session, actor)
            group = next((one for one in choices if one["slug"] == wanted), None)
            if wanted and group is None:
                require(actor, Permission.PROJECT_CREATE, groups.get_group(session, actor, wanted))
            if group is None and len(choices) == 1:
                group = choices[0]
            shown = form
            if group is not None and not form.values.get("visibility"):
                first = Visibility.INTERNAL.within(group["visibility"]).value
                shown = replace(form, values={**form.values, "visibility": first})
            return {"groups": choices, "group": group, "form": shown, "once": self.new_key()}

        await self.show_read("projects/new.html", work, form.status)

    async def post(self) -> None:
        """Create it; sent twice, the same one."""
        try:
            form = self.form(NewProject)
            key = self.once_key()

            def work(session: Session, actor: Actor) -> Values:
                return idempotency.once(
                    session,
                    actor,
                    key,
                    key,
                    lambda: {"slug": actions.create_project(session, actor, form).slug},
                )

            made = await self.act(work)
        except (Invalid, Conflict) as error:
            await self._show(FormState.refused(self.typed(), error))
            return
        self.say(f"The project “{short(form.name)}” is there. Add a lab to work in.")
        self.go_on("projects", made["slug"])


class ProjectPage(PageHandler):
    """One project with its labs."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """Show it; a script that asks hears nothing when nothing has changed."""
        await self._show(slug, FormState())

    async def _show(self, slug: str, form: FormState) -> None:
        paging, settings = self.page_paging(), self.portal.settings

        def work(session: Session, actor: Actor) -> Values:
            summary = projects.get_summary(session, actor, slug)
            page = labs.list_labs(session, actor, summary.project, paging)
            items = [present.lab(row, actor, settings) for row in page.items]
            material = materials.find_material(session, actor, summary.project)
            return {
                "project": present.project(summary, actor),
                "group": group_brief(summary.project.group),
                "page": present.listing(page, items),
                "has_material": material is not None,
                "can_try": actor.is_guest and can_be_tried(material, summary.project, settings),
                "waits": obstacles.to_restoring(summary.project),
                "asks": questions(actor, summary.project),
                "form": form,
            }

        values = await self.read(work)
        values["mark"] = self.mark_of(values["page"]["items"])
        if not self.is_unchanged(values["mark"]):
            await self.show("projects/show.html", form.status, **values)

    async def post(self, slug: str) -> None:
        """Restore it from the trash."""
        if self.typed().get("action") != "restore":
            raise Invalid.of("action", "There is no such button.")
        try:
            await self.act(
                lambda session, actor: actions.restore_project(
                    session, actor, projects.get_project(session, actor, slug)
                )
            )
        except Conflict as error:
            await self._show(slug, FormState.refused(self.typed(), error))
            return
        self.say("The project is back, with its labs.")
        self.go_on("projects", slug)


class DeleteProjectPage(PageHandler):
    """Moving a project to the trash, after its address was typed."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """Ask."""
        await self._show(slug, FormState())

    async def _show(self, slug: str, form: FormState) -> None:
        def work(session: Session, actor: Actor) -> Values:
            summary = projects.get_summary(session, actor, slug)
            require(actor, Permission.PROJECT_DELETE, summary.project)
            found = get_effect_of_deletion(session, actor, summary.project)
            return {
                "project": present.project(summary, actor),
                "group": group_brief(summary.project.group),
                "effect": effect(found)["sentence"],
                "form": form,
                "days": self.portal.settings.retention_days,
            }

        await self.show_read("projects/delete.html", work, form.status)

    async def post(self, slug: str) -> None:
        """Delete it."""
        try:
            self.check_typed_address(slug)
            await self.act(
                lambda session, actor: actions.delete_project(
                    session, actor, projects.get_project(session, actor, slug)
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(slug, FormState.refused(self.typed(), error))
            return
        self.say("The project is in the trash. Its labs are being stopped.", "info")
        self.go_on("trash")


class ProjectTrashPage(PageHandler):
    """Deleted labs of a project."""

    section = "projects"

    async def get(self, slug: str) -> None:
        """List them, for those who may restore them."""
        paging, settings = self.page_paging(), self.portal.settings

        def work(session: Session, actor: Actor) -> Values:
            project = projects.get_project(session, actor, slug)
            require(actor, Permission.PROJECT_DELETE, project)
            page = labs.list_labs(session, actor, project, paging, trash=True)
            items = [
                {**present.lab(row, actor, settings), "waits": obstacles.to_restoring(row)}
                for row in page.items
            ]
            return {
                "project": {"slug": project.slug, "name": project.name},
                "group": group_brief(project.group),
                "page": present.listing(page, items),
                "days": settings.retention_days,
            }

        await self.show_read("projects/trash.html", work)
