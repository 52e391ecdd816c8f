"""What people do with their own personal lab: choose its image, start, stop, empty its trash."""

from sqlalchemy.orm import Session

from sophon_hub import audit, clock, jobs
from sophon_hub.actions.forms import LabStart, PersonalChanges
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import LabState, PersonalLab
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.quota import clean_up_sentence, quota_state
from sophon_hub.settings import Sophon
from sophon_hub.store import personal as store


def edit_personal(
    session: Session, actor: Actor, form: PersonalChanges, settings: Sophon
) -> PersonalLab:
    """Choose the image of one's personal lab; it takes effect at the next start."""
    lab = store.lock_own(session, actor)
    changes = form.changes()
    if form.image is not None and form.image not in settings.images:
        raise Invalid.of("image", "Give one of: " + ", ".join(sorted(settings.images)) + ".")
    before = {name: getattr(lab, name) for name in changes}
    for name, value in changes.items():
        setattr(lab, name, value)
    audit.record(session, actor, "personal:edit", lab, before=before, after=changes)
    return lab


def start_personal(
    session: Session, actor: Actor, form: LabStart, settings: Sophon
) -> tuple[PersonalLab, bool]:
    """Have one's personal lab started; True unless it runs, or starts, already."""
    lab = store.lock_own(session, actor)
    if lab.state in (LabState.RUNNING, LabState.STARTING):
        return lab, False
    if lab.state is LabState.STOPPING:
        raise Conflict("Your lab is just being stopped; start it again in a moment.")
    state = quota_state(lab.disk_bytes, settings, filled_disk=lab.filled_disk)
    if state.must_clean_up and not form.clean_up:
        raise Conflict(clean_up_sentence(state, settings, own=True))
    lab.clean_up = state.must_clean_up
    begin_start(session, lab)
    audit.record(session, actor, "personal:start", lab, clean_up=lab.clean_up)
    return lab, True


def begin_start(session: Session, lab: PersonalLab) -> None:
    """Have a personal lab started that is stopped; what asks for it writes the event."""
    lab.state, lab.progress, lab.message = LabState.STARTING, 0, "Waiting for its turn"
    lab.started_with = lab.launch_settings()
    lab.started_at, lab.stopped_at, lab.stop_reason = clock.utcnow(), None, ""
    jobs.enqueue(session, "start_personal", f"personal:{lab.id}", personal_id=lab.id)


def stop_personal(session: Session, actor: Actor) -> tuple[PersonalLab, bool]:
    """Have one's personal lab stopped; True unless it is stopped, or being stopped, already."""
    lab = store.lock_own(session, actor)
    if lab.state not in (LabState.RUNNING, LabState.STARTING):
        return lab, False
    lab.state, lab.message = LabState.STOPPING, "Stopping"
    lab.stopped_at, lab.stop_reason = clock.utcnow(), ""
    audit.record(session, actor, "personal:stop", lab)
    jobs.enqueue(session, "stop_personal", f"personal:{lab.id}", personal_id=lab.id)
    return lab, True


def keep_personal(session: Session, actor: Actor) -> PersonalLab:
    """Let one's running lab go on that would be stopped unused: this counts as work."""
    lab = store.lock_own(session, actor)
    if lab.state is not LabState.RUNNING:
        raise Conflict("Your lab is not running; start it.")
    lab.last_activity, lab.stops_at = clock.utcnow(), None
    audit.record(session, actor, "personal:keep", lab)
    return lab


def empty_trash(session: Session, actor: Actor) -> PersonalLab:
    """Have the trash in the home of one's personal lab emptied, whether it runs or not."""
    lab = store.lock_own(session, actor)
    audit.record(session, actor, "personal:empty-trash", lab)
    jobs.enqueue(session, "empty_trash", f"trash:{lab.id}", personal_id=lab.id)
    return lab
