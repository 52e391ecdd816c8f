"""Datasets: list, show, register, publish, check, and use in labs."""

from sophon_hub.actions import dataset_use as use
from sophon_hub.actions import datasets as actions
from sophon_hub.actions.forms import Confirmation, DatasetChanges, NewDataset, Publication
from sophon_hub.actions.purge import purge_now
from sophon_hub.api import objects
from sophon_hub.api.arguments import DATASET_GROUP, PAGING, SEARCH, TRASH
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.labs import LabHandler
from sophon_hub.api.operation import ListOf, operation, operation_with
from sophon_hub.api.personal import OwnLabHandler
from sophon_hub.models import Dataset
from sophon_hub.policy.actor import Actor
from sophon_hub.store import datasets, labs
from sophon_hub.store.engine import Session
from sophon_hub.web import present


def _shown(session: Session, actor: Actor, dataset: Dataset) -> Json:
    session.flush()
    return present.dataset(dataset, actor)


class DatasetsAPI(ApiHandler):
    """Datasets."""

    @operation({200: ListOf(objects.Dataset)}, arguments=(SEARCH, DATASET_GROUP, TRASH, *PAGING))
    async def get(self) -> None:
        """List the datasets the caller may see."""
        q, paging, trash = self.one_argument("q"), self.paging(), self.flag_argument("trash")
        group = self.one_argument("group") or None

        def work(session: Session, actor: Actor) -> Json:
            page = datasets.list_datasets(session, actor, paging, q=q, group=group, trash=trash)
            return present.listing(page, [present.dataset(row, actor) for row in page.items])

        await self.answer_read(work)

    @operation_with(NewDataset, {201: objects.Dataset})
    async def post(self, form: NewDataset) -> None:
        """Register a directory or volume of the machine; admins. Does not wait for the check."""
        settings = self.portal.settings
        await self.answer_created(
            lambda session, actor: _shown(
                session, actor, actions.register_dataset(session, actor, form, settings)
            )
        )


class DatasetAPI(ApiHandler):
    """One dataset."""

    @operation({200: objects.Dataset})
    async def get(self, slug: str) -> None:
        """Show it."""
        await self.answer_read(
            lambda session, actor: present.dataset(
                datasets.get_dataset(session, actor, slug), actor
            )
        )

    @operation_with(DatasetChanges, {200: objects.Dataset})
    async def patch(self, form: DatasetChanges, slug: str) -> None:
        """Change what is said about it; members, for visibility owners."""

        def work(session: Session, actor: Actor) -> Json:
            dataset = datasets.get_dataset(session, actor, slug)
            return _shown(session, actor, actions.edit_dataset(session, actor, dataset, form))

        self.answer(await self.act(work))

    @operation({204: None})
    async def delete(self, slug: str) -> None:
        """Move it to the trash; owners. Labs have it until they are stopped."""
        await self.act(
            lambda session, actor: actions.delete_dataset(
                session, actor, datasets.get_dataset(session, actor, slug)
            )
        )
        self.answer_nothing()


class DatasetRestoreAPI(ApiHandler):
    """A dataset in the trash."""

    @operation({200: objects.Dataset})
    async def post(self, slug: str) -> None:
        """Take it out of the trash; owners."""

        def work(session: Session, actor: Actor) -> Json:
            dataset = datasets.get_dataset(session, actor, slug)
            return _shown(session, actor, actions.restore_dataset(session, actor, dataset))

        self.answer(await self.act(work))


class DatasetPurgeAPI(ApiHandler):
    """A dataset in the trash whose time is not over."""

    @operation_with(Confirmation, {202: objects.Dataset})
    async def post(self, form: Confirmation, slug: str) -> None:
        """Remove it for good, if it was published with its files, without waiting; owners."""

        def work(session: Session, actor: Actor) -> Json:
            dataset = datasets.get_dataset(session, actor, slug)
            purge_now(session, actor, dataset, form)
            return _shown(session, actor, dataset)

        self.answer(await self.act(work), 202)


class DatasetVerifyAPI(ApiHandler):
    """The files against the manifest."""

    @operation({202: objects.Dataset})
    async def post(self, slug: str) -> None:
        """Have them compared; members. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            dataset = datasets.get_dataset(session, actor, slug)
            return _shown(session, actor, actions.verify_dataset(session, actor, dataset))

        self.answer(await self.act(work), 202)


class DatasetRefreshAPI(ApiHandler):
    """A new manifest."""

    @operation({202: objects.Dataset})
    async def post(self, slug: str) -> None:
        """Have it made from the files as they are; members. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            dataset = datasets.get_dataset(session, actor, slug)
            return _shown(session, actor, actions.refresh_dataset(session, actor, dataset))

        self.answer(await self.act(work), 202)


class ManifestAPI(ApiHandler):
    """The checksums of a dataset."""

    @operation({200: "text/plain"})
    async def get(self, slug: str) -> None:
        """Send them as `sha256sum --check` reads them."""
        text = await self.read(lambda session, actor: datasets.get_manifest(session, actor, slug))
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(text)


class LabPublishAPI(ApiHandler):
    """Publishing."""

    @operation_with(Publication, {201: objects.Dataset})
    async def post(self, form: Publication, project: str, slug: str) -> None:
        """Copy a folder of the lab into a new dataset of its group; members. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            return _shown(session, actor, actions.publish_dataset(session, actor, lab, form))

        await self.answer_created(work)


class LabDatasetAPI(LabHandler):
    """A dataset of a lab."""

    @operation({200: objects.Lab})
    async def put(self, project: str, lab: str, dataset: str) -> None:
        """Give the lab this dataset from its next start on; members."""

        def work(session: Session, actor: Actor) -> Json:
            row = labs.get_lab(session, actor, project, lab)
            use.attach_to_lab(session, actor, row, dataset)
            return self.show(session, actor, row)

        self.answer(await self.act(work))

    @operation({200: objects.Lab})
    async def delete(self, project: str, lab: str, dataset: str) -> None:
        """Take it away at the next start; members."""

        def work(session: Session, actor: Actor) -> Json:
            row = labs.get_lab(session, actor, project, lab)
            use.detach_from_lab(session, actor, row, dataset)
            return self.show(session, actor, row)

        self.answer(await self.act(work))


class OwnDatasetAPI(OwnLabHandler):
    """A dataset of one's own lab."""

    @operation({200: objects.OwnLab})
    async def put(self, dataset: str) -> None:
        """Have it from the next start on."""
        self.answer(
            await self.act(
                lambda session, actor: self.show(
                    session, actor, use.attach_to_own(session, actor, dataset)
                )
            )
        )

    @operation({200: objects.OwnLab})
    async def delete(self, dataset: str) -> None:
        """Do without it from the next start on."""
        self.answer(
            await self.act(
                lambda session, actor: self.show(
                    session, actor, use.detach_from_own(session, actor, dataset)
                )
            )
        )
