"""Asking for a temporary lab: the same for the page of visitors and for the API."""

from urllib.parse import quote

from sophon_hub.actions import temporary as actions
from sophon_hub.actions.temporary import Turn
from sophon_hub.addresses import Addresses
from sophon_hub.clock import rfc3339
from sophon_hub.models import TemporaryLab
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary, trials
from sophon_hub.store.engine import Session
from sophon_hub.web import visitors
from sophon_hub.web.handlers import BaseHandler
from sophon_hub.web.present import Json

REFRESH_SECONDS = 2
FULL_REFRESH_SECONDS = 10


async def ask_for_lab(handler: BaseHandler, project: str) -> tuple[Turn, str]:
    """Give this browser a lab, or a place in the queue, and the secret that both are known by.

    Gives the digest of that, too.

    Raises:
        NotFound: temporary labs are not offered, or the project with this slug cannot be tried.
        Conflict: somebody who is signed in has a lab already.
        TooMany: the address of the request has asked too often.
        Unavailable: too many are waiting.
    """
    settings = handler.portal.settings
    actions.offered(settings)
    if project:  # what cannot be tried costs no claim
        await handler.read(
            lambda session, actor: trials.get_trial(session, actor, project, settings)
        )
    secret = visitors.visit_secret(handler)
    known = secret is not None and await _is_known(handler, temporary.visit_digest(secret))
    if not known and (await handler.caller()).username is None:
        visitors.take_claim(handler)
    secret = secret or visitors.new_visit_secret()
    visit = temporary.visit_digest(secret)
    turn = await handler.act(
        lambda session, actor: actions.ask_for_lab(session, actor, visit, settings, project=project)
    )
    if not known:
        handler.portal.metrics.observe_visit(ready=turn.lab is not None)
    visitors.keep_visit(handler, secret)
    return turn, visit


async def _is_known(handler: BaseHandler, visit: str) -> bool:
    return await handler.read(lambda session, _: turn_of(session, visit)) is not None


def turn_of(session: Session, visit: str) -> Turn | None:
    """What the browser with this digest has; None for nothing."""
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is not None:
        return actions.turn_in(lab)
    place = temporary.find_place(session, visit)
    return None if place is None else Turn(place=place)


def is_full(session: Session, turn: Turn, settings: Sophon) -> bool:
    """Whether who waits has to wait until somebody leaves."""
    counts = temporary.count_temporary(session)
    return turn.place > settings.temporary_capacity - counts.claimed - counts.ending


def shown(lab: TemporaryLab, settings: Sophon) -> Json:
    """A visitor's lab: where it is entered, what is in it, and until when it is there."""
    folder = f"/tree/{quote(lab.brought_as)}" if lab.brought_as else ""
    return {
        "url": Addresses.of(settings).temporary_lab(lab.name) + folder,
        "folder": lab.brought_as or None,
        "message": lab.bring_trouble,
        "ends_at": rfc3339(actions.ends_at(lab, settings)),
        "idle_ends_at": rfc3339(
            min(actions.ends_at(lab, settings), actions.idle_at(lab, settings))
        ),
    }
