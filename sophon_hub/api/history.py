"""The versions of notebooks that a lab keeps: listing, comparing, restoring."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from sophon_hub.actions import history as actions
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.object_parts import Time, User
from sophon_hub.api.operation import operation
from sophon_hub.models import HistoryState, HistoryVerb
from sophon_hub.policy.actor import Actor
from sophon_hub.store import history, labs
from sophon_hub.store.engine import Session
from sophon_hub.web import present_history as present


class NotebookVersion(TypedDict):
    """One version of a notebook."""

    id: str
    path: Annotated[str, Field(description="Where the notebook was, below the lab's home.")]
    at: Time
    editors: Annotated[list[User], Field(description="Who changed it since the version before.")]
    reason: Annotated[
        str,
        Field(description="Why it was kept: open, interval, close, end, before or restored."),
    ]
    size_bytes: int
    before: Annotated[str | None, Field(description="The version of the same notebook before.")]


class Restore(TypedDict):
    """How it stands with a restore."""

    version: str
    state: HistoryState
    message: str
    by: str
    done_at: Time | None


class History(TypedDict):
    """The versions that a lab kept, as the last look has found them."""

    state: HistoryState
    message: Annotated[str, Field(description="Why the last look failed.")]
    looked_at: Time | None
    restore: Annotated[Restore | None, Field(description="The one that was asked for last.")]
    items: Annotated[list[NotebookVersion], Field(description="The newest first.")]


class Changes(TypedDict):
    """What changed between two versions of a notebook."""

    version: str
    since: str
    state: HistoryState
    message: str
    text: Annotated[str | None, Field(description="As nbdime writes it; null until it is done.")]
    whole: Annotated[bool, Field(description="False when the text was cut off.")]


class HistoryAPI(ApiHandler):
    """The versions in one lab."""

    @operation({200: History})
    async def get(self, project: str, slug: str) -> None:
        """Show the versions that the last look has found; viewers."""
        await self.answer_read(
            lambda session, actor: present.known(
                session, actor, labs.get_lab(session, actor, project, slug)
            )
        )

    @operation({202: History})
    async def post(self, project: str, slug: str) -> None:
        """Have them listed anew; viewers. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            actions.look(session, actor, lab)
            return present.known(session, actor, lab)

        self.answer(await self.act(work), 202)


class RestoreVersionAPI(ApiHandler):
    """Restoring."""

    @operation({202: History})
    async def post(self, project: str, slug: str, version: str) -> None:
        """Have this become what the notebook is, and what it was a version; members."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            actions.restore_version(session, actor, lab, version)
            return present.known(session, actor, lab)

        self.answer(await self.act(work), 202)


class ChangesAPI(ApiHandler):
    """Comparing."""

    @operation({200: Changes})
    async def get(self, project: str, slug: str, version: str, since: str) -> None:
        """Show what changed between two versions, once that was asked for; viewers."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            compare = HistoryVerb.COMPARE
            for one in (version, since):
                history.get_version(session, actor, lab, one)
            return present.changes(history.find_task(session, actor, lab, compare, version, since))

        await self.answer_read(work)

    @operation({202: Changes})
    async def post(self, project: str, slug: str, version: str, since: str) -> None:
        """Have two versions compared; viewers. Does not wait."""

        def work(session: Session, actor: Actor) -> Json:
            lab = labs.get_lab(session, actor, project, slug)
            return present.changes(actions.compare(session, actor, lab, version, since))

        self.answer(await self.act(work), 202)
