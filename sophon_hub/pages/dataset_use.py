"""The datasets of a lab, of one's own lab, and publishing a folder of a lab as one."""

from sophon_hub.actions import dataset_use as use
from sophon_hub.actions import datasets as actions
from sophon_hub.actions import idempotency
from sophon_hub.actions.forms import Publication
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import Dataset, DatasetState, Lab
from sophon_hub.models.servers import HasServer
from sophon_hub.pages.base import FormState, PageHandler, Values, short
from sophon_hub.pages.projects import group_brief
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.datasets import may_be_in_labs_of
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.store import datasets, labs, personal
from sophon_hub.store.engine import Session
from sophon_hub.web import present


def _why_not(dataset: Dataset, group_id: int | None) -> str:
    """Why a dataset will not be there at the next start; empty when it will."""
    if dataset.state is DatasetState.PREPARING:
        return "is being prepared"
    if dataset.state is DatasetState.FAILED:
        return "cannot be read"
    if group_id is not None and not may_be_in_labs_of(dataset, group_id):
        return "is private to another group now"
    return ""


def attached(session: Session, actor: Actor, lab: HasServer, group_id: int | None) -> list[Values]:
    """The datasets of a lab that the actor may know of, with what keeps them from it."""
    found = datasets.find_attached(session, actor, [lab]).values()
    return [
        {**present.dataset(row, actor), "why_not": _why_not(row, group_id)}
        for row in sorted(found, key=lambda row: row.name)
    ]


def _offered(session: Session, actor: Actor, lab: HasServer, group_id: int | None) -> list[Values]:
    rows = datasets.list_usable(session, actor, group_id)
    return [present.dataset(row, actor) for row in rows if row.uid not in lab.dataset_uids]


class UsePage(PageHandler):
    """What both pages share: a list with a button each, and a choice of others."""

    def pressed(self) -> tuple[str, str]:
        """The button, and the dataset it is about."""
        typed = self.typed()
        button = typed.get("action", "")
        if button not in {"attach", "detach"}:
            raise Invalid.of("action", "There is no such button.")
        if not typed.get("dataset"):
            raise Invalid.of("dataset", "Choose a dataset.")
        return button, typed["dataset"]


class LabDatasetsPage(UsePage):
    """The datasets of a lab."""

    section = "projects"

    async def get(self, project: str, slug: str) -> None:
        """Show them, and those that could be added."""
        await self._show(project, slug, FormState())

    async def _show(self, project: str, slug: str, form: FormState) -> None:
        def work(session: Session, actor: Actor) -> Values:
            lab = labs.get_lab(session, actor, project, slug)
            require(actor, Permission.LAB_EDIT, lab)
            group_id = lab.project.group_id
            return {
                **_place(lab),
                "lab": present.lab(lab, actor, self.portal.settings),
                "datasets": attached(session, actor, lab, group_id),
                "offered": _offered(session, actor, lab, group_id),
                "form": form,
            }

        await self.show_read("datasets/use.html", work, form.status)

    async def post(self, project: str, slug: str) -> None:
        """Add or remove one."""
        try:
            button, dataset = self.pressed()
            verb = use.attach_to_lab if button == "attach" else use.detach_from_lab
            await self.act(
                lambda session, actor: verb(
                    session, actor, labs.get_lab(session, actor, project, slug), dataset
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(project, slug, FormState.refused(self.typed(), error))
            return
        self.go_on("projects", project, "labs", slug, "datasets")


def _place(lab: Lab) -> Values:
    project = lab.project
    return {
        "project": {"slug": project.slug, "name": project.name},
        "group": group_brief(project.group),
    }


class OwnDatasetsPage(UsePage):
    """The datasets of one's own lab."""

    section = "lab"

    async def get(self) -> None:
        """Show them, and those that could be added."""
        await self._show(FormState())

    async def _show(self, form: FormState) -> None:
        def work(session: Session, actor: Actor) -> Values:
            lab = personal.find_own(session, actor)
            return {
                "lab": present.personal_lab(lab, actor, self.portal.settings),
                "datasets": attached(session, actor, lab, None),
                "offered": _offered(session, actor, lab, None),
                "form": form,
            }

        await self.show_read("datasets/use.html", work, form.status)

    async def post(self) -> None:
        """Add or remove one."""
        try:
            button, dataset = self.pressed()
            verb = use.attach_to_own if button == "attach" else use.detach_from_own
            await self.act(lambda session, actor: verb(session, actor, dataset))
        except (Invalid, Conflict) as error:
            await self._show(FormState.refused(self.typed(), error))
            return
        self.go_on("lab", "datasets")


class PublishPage(PageHandler):
    """Publishing a folder of a lab."""

    section = "projects"

    async def get(self, project: str, slug: str) -> None:
        """Show the form."""
        await self._show(project, slug, FormState({"visibility": "private"}))

    async def _show(self, project: str, slug: str, form: FormState) -> None:
        def work(session: Session, actor: Actor) -> Values:
            lab = labs.get_lab(session, actor, project, slug)
            require(actor, Permission.LAB_EDIT, lab)
            return {
                **_place(lab),
                "lab": present.lab(lab, actor, self.portal.settings),
                "most": self.portal.settings.max_dataset_size,
                "form": form,
                "once": self.new_key(),
            }

        await self.show_read("labs/publish.html", work, form.status)

    async def post(self, project: str, slug: str) -> None:
        """Publish it; sent twice, once."""
        try:
            form, key = self.form(Publication), self.once_key()

            def create(session: Session, actor: Actor) -> Values:
                lab = labs.get_lab(session, actor, project, slug)
                return {"slug": actions.publish_dataset(session, actor, lab, form).slug}

            made = await self.act(
                lambda session, actor: idempotency.once(
                    session, actor, key, key, lambda: create(session, actor)
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(project, slug, FormState.refused(self.typed(), error))
            return
        self.say(f"The dataset “{short(form.name)}” is being copied.")
        self.go_on("datasets", made["slug"])
