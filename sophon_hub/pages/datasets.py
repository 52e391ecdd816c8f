"""Datasets: list, show, register, edit."""

from sophon_hub.actions import datasets as actions
from sophon_hub.actions import idempotency
from sophon_hub.actions.forms import DatasetChanges, NewDataset, Nothing
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound
from sophon_hub.models import Dataset, DatasetKind, ResearchGroup, Visibility
from sophon_hub.pages.base import FormState, PageHandler, Values, short
from sophon_hub.pages.choices import without_refused
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, may, require, require_person
from sophon_hub.store import datasets, groups
from sophon_hub.store.effects import get_effect_of_deletion
from sophon_hub.store.engine import Session
from sophon_hub.web import present
from sophon_hub.web.effects import effect, of_lowering

LOWERS = Permission.DATASET_VISIBILITY
FIELDS = ("name", "description", "licence", "source", "visibility")


class DatasetsPage(PageHandler):
    """The datasets one may see."""

    section = "datasets"

    async def get(self) -> None:
        """List them."""
        q, group = self.one_argument("q"), self.one_argument("group")
        paging = self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            page = datasets.list_datasets(session, actor, paging, q=q, group=group or None)
            items = [
                {**present.dataset(row, actor), "group_name": row.group and row.group.name}
                for row in page.items
            ]
            return {"page": present.listing(page, items), "q": q, "of_group": group}

        await self.show_read("datasets/list.html", work)


class NewDatasetPage(PageHandler):
    """Registering what is on the machine."""

    section = "datasets"

    async def get(self) -> None:
        """Show the form."""
        roots = self.portal.settings.dataset_roots
        kind = DatasetKind.DIRECTORY if roots else DatasetKind.VOLUME
        values = {"kind": kind, "visibility": "internal", "group": self.one_argument("group")}
        await self._show(FormState(values))

    async def _show(self, form: FormState) -> None:
        roots = self.portal.settings.dataset_roots

        def work(session: Session, actor: Actor) -> Values:
            require_person(actor)
            if not actor.is_admin:
                raise Forbidden("Only administrators register what is on the machine.")
            allows = _allowed(_group(session, actor, form.values.get("group", "")))
            return {
                "form": without_refused(form, set(Visibility) - set(allows), allows[0]),
                "roots": roots,
                "allows": allows,
                "once": self.new_key(),
            }

        await self.show_read("datasets/new.html", work, form.status)

    async def post(self) -> None:
        """Register it; sent twice, the same one."""
        settings = self.portal.settings
        try:
            form, key = self.form(NewDataset), self.once_key()

            def create(session: Session, actor: Actor) -> Values:
                return {"slug": actions.register_dataset(session, actor, form, settings).slug}

            made = await self.act(
                lambda session, actor: idempotency.once(
                    session, actor, key, key, lambda: create(session, actor)
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(FormState.refused(self.typed(), error))
            return
        self.say(f"The dataset “{short(form.name)}” is registered and is being checked.")
        self.go_on("datasets", made["slug"])


class DatasetBase(PageHandler):
    """What the pages of one dataset share."""

    section = "datasets"

    async def show_dataset(
        self, template: str, slug: str, form: FormState, needs: Permission | None = None
    ) -> None:
        """Show a page about the dataset to those who hold the permission."""

        def work(session: Session, actor: Actor) -> Values:
            row = datasets.get_dataset(session, actor, slug)
            if needs:
                require(actor, needs, row)
            return {
                "dataset": present.dataset(row, actor),
                "group": row.group and {"slug": row.group.slug, "name": row.group.name},
                "allows": _allowed(row.group),
                "effects": of_lowering(session, actor, row)
                if needs is Permission.DATASET_EDIT and may(actor, LOWERS, row)
                else {},
                "effect": "" if needs else _of_deletion(session, actor, row),
                "days": self.portal.settings.retention_days,
                "waits": obstacles.to_restoring(row),
                "form": form,
            }

        values = await self.read(work)
        values["mark"] = self.mark_of(values["dataset"])
        if not self.is_unchanged(values["mark"]):
            await self.show(template, form.status, **values)


def _of_deletion(session: Session, actor: Actor, row: Dataset) -> str:
    """What deleting it would hide from whom; nothing to those who may not."""
    if row.deleted_at is not None or not may(actor, Permission.DATASET_DELETE, row):
        return ""
    return str(effect(get_effect_of_deletion(session, actor, row))["sentence"])


def _group(session: Session, actor: Actor, slug: str) -> ResearchGroup | None:
    try:
        return groups.get_group(session, actor, slug)
    except NotFound:
        return None


def _allowed(group: ResearchGroup | None) -> list[Visibility]:
    """What a dataset of this group, or of none, can be."""
    most = group.visibility if group else Visibility.PUBLIC
    return [one for one in Visibility if one.openness <= most.openness]


class DatasetPage(DatasetBase):
    """One dataset."""

    async def get(self, slug: str) -> None:
        """Show it; a script that asks hears nothing when nothing has changed."""
        await self.show_dataset("datasets/show.html", slug, FormState())

    async def post(self, slug: str) -> None:
        """Press a button: verify, refresh, delete, restore."""
        verbs = {
            "verify": (actions.verify_dataset, "The files are being compared with the manifest."),
            "refresh": (actions.refresh_dataset, "The files are being read anew."),
            "delete": (actions.delete_dataset, "The dataset is in the trash."),
            "restore": (actions.restore_dataset, "The dataset is back."),
        }
        found = verbs.get(self.typed().get("action", ""))
        if found is None:
            raise Invalid.of("action", "There is no such button.")
        verb, said = found
        try:
            self.form(Nothing)
            await self.act(
                lambda session, actor: verb(
                    session, actor, datasets.get_dataset(session, actor, slug)
                )
            )
        except (Invalid, Conflict) as error:
            state = FormState.refused(self.typed(), error)
            await self.show_dataset("datasets/show.html", slug, state)
            return
        self.say(said, "info")
        self.go_on("datasets", slug)


class EditDatasetPage(DatasetBase):
    """What is said about a dataset, and who sees it."""

    async def get(self, slug: str) -> None:
        """Show the form."""
        row = await self.read(lambda session, actor: datasets.get_dataset(session, actor, slug))
        values = {name: str(getattr(row, name)) for name in FIELDS}
        await self._show(slug, FormState(values))

    async def _show(self, slug: str, form: FormState) -> None:
        await self.show_dataset("datasets/edit.html", slug, form, Permission.DATASET_EDIT)

    async def post(self, slug: str) -> None:
        """Change it."""
        try:
            form = self.form(DatasetChanges)
            await self.act(
                lambda session, actor: actions.edit_dataset(
                    session, actor, datasets.get_dataset(session, actor, slug), form
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(slug, FormState.refused(self.typed(), error))
            return
        self.say("The changes are saved.")
        self.go_on("datasets", slug)
