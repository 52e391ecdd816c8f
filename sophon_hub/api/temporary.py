"""Temporary labs for visitors: their numbers, and taking one.

A visit belongs to whoever shows its cookies: those that `POST` sets, as the page of visitors does.
"""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from sophon_hub.actions import temporary as actions
from sophon_hub.actions.forms import VisitWish
from sophon_hub.actions.keeping import KeepWish, keep
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.object_parts import Time
from sophon_hub.api.objects import Temporary
from sophon_hub.api.operation import operation, operation_with
from sophon_hub.errors import NotFound, Unavailable
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary
from sophon_hub.store.engine import Session
from sophon_hub.web import present, visiting, visitors

STARTING = "The lab is being started; ask again in a moment, with the cookies of this answer."
FULL = "All temporary labs are in use; ask again, with the cookies of this answer, to keep a place."


class Visit(TypedDict):
    """A visitor's temporary lab, or the place in the queue for one."""

    state: Annotated[
        Literal["waiting", "filling", "ready"],
        Field(description="filling: the files of the project are being copied into it."),
    ]
    place: Annotated[int | None, Field(description="In the queue, from 1.")]
    url: Annotated[str | None, Field(description="Where the lab is entered, with the cookies.")]
    folder: Annotated[str | None, Field(description="The folder that has the project's files.")]
    message: Annotated[str, Field(description="Why the project's files are not in the lab.")]
    ends_at: Annotated[Time | None, Field(description="When it is deleted, whatever happens.")]
    idle_ends_at: Annotated[Time | None, Field(description="When it is, if nothing is done.")]
    keeping: Annotated[bool, Field(description="The files are being copied to a lab that stays.")]
    kept_as: Annotated[str | None, Field(description="The folder there that has, or gets, them.")]
    keep_message: Annotated[str, Field(description="Why the files were not copied.")]


def _visit(session: Session, visit: str, settings: Sophon) -> Json:
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is not None:
        state = "filling" if lab.is_filling else "ready"
        kept = {
            "keeping": lab.keeper_id is not None,
            "kept_as": lab.kept_as or None,
            "keep_message": lab.keep_trouble,
        }
        return {"state": state, "place": None, **visiting.shown(lab, settings), **kept}
    place = temporary.find_place(session, visit)
    if place is None:
        raise NotFound
    nothing = dict.fromkeys(("url", "folder", "ends_at", "idle_ends_at", "kept_as"))
    no_words = {"message": "", "keep_message": "", "keeping": False}
    return {"state": "waiting", "place": place, **no_words, **nothing}


class TemporaryAPI(ApiHandler):
    """Temporary labs."""

    @operation({200: Temporary})
    async def get(self) -> None:
        """Tell how many temporary labs there are; guests too."""
        settings = self.portal.settings
        await self.answer_read(
            lambda session, _: present.temporary(temporary.count_temporary(session), settings)
        )


class OfVisit(ApiHandler):
    """What belongs to the visit of who shows its cookies."""

    def _digest(self) -> str:
        secret = visitors.visit_secret(self)
        if secret is None:
            raise NotFound
        return temporary.visit_digest(secret)


class VisitAPI(OfVisit):
    """The visit itself."""

    for_guests = True

    @operation({200: Visit}, refuses=(404,))
    async def get(self) -> None:
        """Show the visit, or the place in the queue."""
        settings, visit = self.portal.settings, self._digest()
        await self.answer_read(lambda session, _: _visit(session, visit, settings))

    @operation_with(VisitWish, {200: Visit}, refuses=(404, 429))
    async def post(self, form: VisitWish) -> None:
        """Take a temporary lab; guests only.

        While none is ready 503 tells when to ask again. Who does so with the cookies keeps the
        place in the queue.
        """
        settings = self.portal.settings
        turn, visit = await visiting.ask_for_lab(self, form.project or "")
        if turn.lab is None:
            if await self.read(lambda session, _: visiting.is_full(session, turn, settings)):
                raise Unavailable(FULL, visiting.FULL_REFRESH_SECONDS)
            raise Unavailable(STARTING, visiting.REFRESH_SECONDS)
        await self.answer_read(lambda session, _: _visit(session, visit, settings))

    @operation({204: None}, refuses=(404,))
    async def delete(self) -> None:
        """End the visit: the lab is deleted with all that is in it, or the place is given up."""
        visit = self._digest()
        await self.act(lambda session, actor: actions.leave_lab(session, actor, visit))
        visitors.forget_visit(self)
        self.answer_nothing()


class KeepAPI(OfVisit):
    """Keeping what was made in it."""

    @operation_with(KeepWish, {202: Visit}, refuses=(404,))
    async def post(self, form: KeepWish) -> None:
        """Have the files copied to a new folder of one's own lab, or of a new project's.

        `GET /temporary/visit` tells how far that is.
        """
        settings, visit = self.portal.settings, self._digest()

        def work(session: Session, actor: Actor) -> Json:
            keep(session, actor, visit, form, settings)
            return _visit(session, visit, settings)

        self.answer(await self.act(work), 202)
