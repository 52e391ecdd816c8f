"""Temporary labs for visitors: their numbers, and taking one.

A visit belongs to whoever shows its cookies: those that `POST` sets, as the page of visitors does.
"""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from sophon_hub.actions import temporary as actions
from sophon_hub.actions.forms import VisitWish
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.object_parts import Time
from sophon_hub.api.objects import Temporary
from sophon_hub.api.operation import operation, operation_with
from sophon_hub.errors import NotFound, Unavailable
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


def _visit(session: Session, visit: str, settings: Sophon) -> Json:
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is not None:
        state = "filling" if lab.is_filling else "ready"
        return {"state": state, "place": None, **visiting.shown(lab, settings)}
    place = temporary.find_place(session, visit)
    if place is None:
        raise NotFound
    nothing = dict.fromkeys(("url", "folder", "ends_at", "idle_ends_at"))
    return {"state": "waiting", "place": place, "message": "", **nothing}


class TemporaryAPI(ApiHandler):
    """Temporary labs."""

    @operation({200: Temporary})
    async def get(self) -> None:
        """Tell how many temporary labs there are; guests too."""
        settings = self.portal.settings
        await self.answer_read(
            lambda session, _: present.temporary(temporary.count_temporary(session), settings)
        )


class VisitAPI(ApiHandler):
    """The visit of who shows its cookies."""

    for_guests = True

    def _digest(self) -> str:
        secret = visitors.visit_secret(self)
        if secret is None:
            raise NotFound
        return temporary.visit_digest(secret)

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
