"""Keeping what was made in a temporary lab: a visitor signs in and has it copied.

The visit goes on; what is copied is a folder of its own in the home of the personal lab.
"""

from sqlalchemy.orm import Session

from sophon_hub import audit, clock
from sophon_hub.actions.personal import begin_start
from sophon_hub.actions.temporary import offered
from sophon_hub.errors import Conflict, NotFound
from sophon_hub.models import LabState, TemporaryLab
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import require_person
from sophon_hub.policy.quota import clean_up_sentence, quota_state
from sophon_hub.settings import Sophon
from sophon_hub.store import personal, temporary

BUSY = "Your work is being copied already; that takes a moment."


def keep_work(session: Session, actor: Actor, visit: str, settings: Sophon) -> TemporaryLab:
    """Have the files of the browser's temporary lab copied into one's personal lab.

    Who has never started that one has it started, since its home is made then.

    Raises:
        Unauthenticated: nobody is signed in.
        NotFound: the browser has no temporary lab.
        Conflict: they are being copied already, or the home is full.
    """
    offered(settings)
    person_id = require_person(actor)
    temporary.system_pass_turnstile(session)
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is None:
        raise NotFound
    if lab.keeper_id is not None:
        raise Conflict(BUSY)
    own = personal.lock_own(session, actor)
    state = quota_state(own.disk_bytes, settings, filled_disk=own.filled_disk)
    if state.must_clean_up:
        raise Conflict(clean_up_sentence(state, settings, own=True))
    if own.home_uid is None and own.state in (LabState.STOPPED, LabState.FAILED):
        begin_start(session, own)
    lab.keeper_id, lab.keep_trouble = person_id, ""
    lab.kept_as = f"From a temporary lab {clock.utcnow():%Y-%m-%d %H.%M}"
    audit.record(session, actor, "temporary:keep", own, lab=lab.name, folder=lab.kept_as)
    return lab


def note_kept(session: Session, name: str, *, folder: str = "", trouble: str = "") -> None:
    """The files are copied, into ``folder``; or they are not, for this reason."""
    lab = session.get(TemporaryLab, name)
    if lab is not None:
        lab.keeper_id, lab.kept_as, lab.keep_trouble = None, folder, trouble
