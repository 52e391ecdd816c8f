"""What people do with lessons: open them in their own lab."""

from sqlalchemy.orm import Session

from sophon_hub import audit, jobs
from sophon_hub.actions.forms import LabStart, LessonOpening
from sophon_hub.actions.personal import start_personal
from sophon_hub.errors import Conflict
from sophon_hub.models import LabState, PersonalLab
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.lessons import brings_lessons, image_with_lessons
from sophon_hub.settings import Sophon
from sophon_hub.store import personal as store


def open_lesson(
    session: Session, actor: Actor, notebook: str, form: LessonOpening, settings: Sophon
) -> PersonalLab:
    """Have a lesson's notebook put into the home of one's own lab, and the lab started.

    A notebook of that name that is there stays as it is.
    """
    lab = store.lock_own(session, actor)
    if lab.state in (LabState.STOPPING, LabState.STARTING):
        raise Conflict(f"Your lab is {lab.state} just now; try again in a moment.")
    _choose_image(lab, form, settings)
    lab.wanted = [*(name for name in lab.wanted if name != notebook), notebook]
    if lab.state is LabState.RUNNING:
        audit.record(session, actor, "personal:lesson", lab, notebook=notebook)
        jobs.enqueue(session, "copy_lessons", f"personal-lessons:{lab.id}", personal_id=lab.id)
        return lab
    return start_personal(session, actor, LabStart(), settings)[0]


def _choose_image(lab: PersonalLab, form: LessonOpening, settings: Sophon) -> None:
    if brings_lessons(lab.image, settings):
        return
    image = image_with_lessons(settings)
    if image is None:
        raise Conflict("No software of this hub brings the lessons.")
    title = settings.images[image].get("title", image)
    if lab.state is LabState.RUNNING:
        raise Conflict(f"Your lab runs with software without lessons. Stop it, then use {title}.")
    if not form.use_image:
        raise Conflict(f"The software of your lab does not bring the lessons. Use {title}.")
    lab.image = image
