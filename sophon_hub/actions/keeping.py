"""Keeping what was made in a temporary lab: a visitor signs in and has it copied.

The visit goes on; what is copied is a folder of its own in the home of a lab that stays.
"""

from sqlalchemy.orm import Session

from sophon_hub import audit, clock
from sophon_hub.actions.forms import Form, LabStart, NewLab, NewProject
from sophon_hub.actions.labs import create_lab, start_lab, take_lab
from sophon_hub.actions.personal import begin_start
from sophon_hub.actions.projects import create_project
from sophon_hub.actions.temporary import offered
from sophon_hub.actions.text import Name
from sophon_hub.errors import Conflict, Invalid, NotFound
from sophon_hub.models import Lab, LabState, PersonalLab, TemporaryLab
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require_person
from sophon_hub.policy.quota import clean_up_sentence, quota_state
from sophon_hub.settings import Sophon
from sophon_hub.store import labs, personal, temporary

BUSY = "Your work is being copied already; that takes a moment."
GONE = "The lab that has your work is gone; keep it in your own lab, or in a new project."
HALF = "A new project has both a group and a name."
FIRST_LAB = "Lab"
"""Name of the lab of a project that is made for what somebody keeps."""


class KeepWish(Form):
    """Where the work of a visit is copied: into one's own lab, or that of a new project.

    A new project has ``group`` and ``name``. With ``again`` it is the lab of the last time.
    """

    group: str | None = None
    name: Name | None = None
    again: bool = False


def keep(
    session: Session, actor: Actor, visit: str, wish: KeepWish, settings: Sophon
) -> TemporaryLab:
    """Have the files of the browser's temporary lab copied where the wish says.

    Raises:
        Invalid: the wish names half a project; and all that is raised by the functions below.
    """
    if wish.again:
        return keep_again(session, actor, visit, settings)
    if wish.group is None and wish.name is None:
        return keep_work(session, actor, visit, settings)
    if wish.group is None or wish.name is None:
        raise Invalid.of("name" if wish.name is None else "group", HALF)
    form = NewProject(group=wish.group, name=wish.name)
    return keep_in_new_project(session, actor, visit, form, settings)


def keep_work(session: Session, actor: Actor, visit: str, settings: Sophon) -> TemporaryLab:
    """Have the files of the browser's temporary lab copied into one's personal lab.

    Who has never started that one has it started, since its home is made then.

    Raises:
        Unauthenticated: nobody is signed in.
        NotFound: the browser has no temporary lab.
        Conflict: they are being copied already, or the home is full.
    """
    lab = _visited(session, actor, visit, settings)
    own = personal.lock_own(session, actor)
    _check_room(own, settings)
    if own.home_uid is None and own.state in (LabState.STOPPED, LabState.FAILED):
        begin_start(session, own)
    lab.keep_lab_id = None
    return _begin(session, actor, lab, own)


def keep_in_new_project(
    session: Session, actor: Actor, visit: str, form: NewProject, settings: Sophon
) -> TemporaryLab:
    """Have the files copied into the lab of a new project, which is started.

    Raises:
        Unauthenticated, NotFound, Conflict: as `keep_work`.
        Invalid, Forbidden: the project cannot be made like this, or not by this person.
    """
    temporary_lab = _visited(session, actor, visit, settings)
    project = create_project(session, actor, form)
    made = create_lab(session, actor, project, NewLab(name=FIRST_LAB), settings)
    lab = labs.get_lab(session, actor, project.slug, made.slug)
    start_lab(session, actor, lab, LabStart(), settings)
    temporary_lab.keep_lab_id = lab.id
    return _begin(session, actor, temporary_lab, lab)


def keep_again(session: Session, actor: Actor, visit: str, settings: Sophon) -> TemporaryLab:
    """Have the files copied once more into the lab that has those of the last time.

    Raises:
        Unauthenticated, NotFound, Conflict: as `keep_work`; or that lab is gone.
        Forbidden: not by this person, or somebody else has locked it.
    """
    temporary_lab = _visited(session, actor, visit, settings)
    if temporary_lab.keep_lab_id is None:
        return keep_work(session, actor, visit, settings)
    lab = labs.find_lab(session, actor, temporary_lab.keep_lab_id)
    if lab is None or lab.deleted_at or lab.project.deleted_at:
        raise Conflict(GONE)
    take_lab(session, actor, Permission.LAB_OPEN, lab)
    _check_room(lab, settings)
    return _begin(session, actor, temporary_lab, lab)


def _visited(session: Session, actor: Actor, visit: str, settings: Sophon) -> TemporaryLab:
    """The temporary lab of this browser, whose files somebody who is signed in wants."""
    offered(settings)
    require_person(actor)
    temporary.system_pass_turnstile(session)
    lab = temporary.find_lab_of_visit(session, visit)
    if lab is None:
        raise NotFound
    if lab.keeper_id is not None:
        raise Conflict(BUSY)
    return lab


def _check_room(lab: Lab | PersonalLab, settings: Sophon) -> None:
    state = quota_state(lab.disk_bytes, settings, filled_disk=lab.filled_disk)
    if state.must_clean_up:
        own = isinstance(lab, PersonalLab)
        raise Conflict(clean_up_sentence(state, settings, own=own))


def _begin(
    session: Session, actor: Actor, lab: TemporaryLab, subject: Lab | PersonalLab
) -> TemporaryLab:
    lab.keeper_id, lab.keep_trouble = require_person(actor), ""
    lab.kept_as = f"From a temporary lab {clock.utcnow():%Y-%m-%d %H.%M}"
    audit.record(session, actor, "temporary:keep", subject, lab=lab.name, folder=lab.kept_as)
    return lab


def note_kept(session: Session, name: str, *, folder: str = "", trouble: str = "") -> None:
    """The files are copied, into ``folder``; or they are not, for this reason."""
    lab = session.get(TemporaryLab, name)
    if lab is not None:
        lab.keeper_id, lab.kept_as, lab.keep_trouble = None, folder, trouble
