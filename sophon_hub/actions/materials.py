"""What people do with course material: give it to a project, publish it anew, get it."""

from sqlalchemy.orm import Session

from sophon_hub import audit, clock, jobs, names
from sophon_hub.actions.labs import check_unlocked
from sophon_hub.actions.material_forms import (
    DeliveryWish,
    FreshCopy,
    MaterialChanges,
    MaterialSource,
)
from sophon_hub.actions.projects import lock_project
from sophon_hub.errors import Conflict, Invalid, NotFound
from sophon_hub.models import (
    DatasetState,
    Delivery,
    DeliveryState,
    DeliveryVerb,
    Material,
    MaterialKind,
    ResearchProject,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.policy.quota import clean_up_sentence, quota_state
from sophon_hub.policy.trials import trial_problem
from sophon_hub.settings import Sophon
from sophon_hub.store import labs as lab_store
from sophon_hub.store import materials as store
from sophon_hub.store import people
from sophon_hub.store import personal as personal_store

NO_HOME = "Your lab has no files yet. Start it once, then get the material."
NOT_YET = "The material is not ready yet; try again in a moment."


def set_material(
    session: Session, actor: Actor, project: ResearchProject, form: MaterialSource
) -> Material:
    """Say where the material of a project comes from, and have it published."""
    found = _take(session, actor, project)
    lab_uid, location, branch = _source(session, actor, project, form)
    before = _told(found) if found else None
    if found is None:
        found = Material(project=project, version=0, message="")
        session.add(found)
    found.kind, found.location, found.branch, found.lab_uid = form.kind, location, branch, lab_uid
    _enqueue(session, found)
    audit.record(session, actor, "material:set", project, before=before, after=_told(found))
    return found


def _take(session: Session, actor: Actor, project: ResearchProject) -> Material | None:
    """The material for this transaction, if the actor may change it."""
    lock_project(session, project)
    require(people.refresh_actor(session, actor), Permission.PROJECT_EDIT, project)
    return store.lock_material(session, project)


def _source(
    session: Session, actor: Actor, project: ResearchProject, form: MaterialSource
) -> tuple[str | None, str, str]:
    """The home that is copied from, if any, the place in it or address, and the branch."""
    if form.kind is MaterialKind.REPOSITORY:
        if problem := names.repository_problem(form.url):
            raise Invalid.of("url", problem)
        if not names.is_branch(form.branch):
            raise Invalid.of("branch", "Give the name of a branch, or leave it empty.")
        return None, form.url, form.branch
    if not names.is_inner_path(form.folder):
        raise Invalid.of("folder", "Give a folder of the lab such as course, without . and ..")
    try:
        lab = lab_store.get_lab(session, actor, project.slug, form.lab)
    except NotFound:
        raise Invalid.of("lab", "Give a lab of this project.") from None
    if lab.deleted_at:
        raise Invalid.of("lab", "This lab is in the trash.")
    lab_store.lock(session, lab)
    check_unlocked(actor, lab)
    return lab.uid, form.folder, ""


def _told(material: Material) -> dict[str, str]:
    told = {"kind": material.kind, "location": material.location}
    return told | ({"branch": material.branch} if material.branch else {})


def _enqueue(session: Session, material: Material) -> None:
    material.state, material.message = DatasetState.PREPARING, "Waiting for its turn"
    material.next_uid = names.new_uid()
    session.flush()
    number = material.project_id
    jobs.enqueue(session, "publish_material", f"material:{number}", project_id=number)


def publish_material(session: Session, actor: Actor, project: ResearchProject) -> Material:
    """Have the material published as its folder or repository is now."""
    found = _take(session, actor, project)
    if found is None:
        raise NotFound
    _enqueue(session, found)
    audit.record(session, actor, "material:publish", project)
    return found


def edit_material(
    session: Session,
    actor: Actor,
    project: ResearchProject,
    form: MaterialChanges,
    settings: Sophon,
) -> Material:
    """Offer the material to visitors, who try it in temporary labs, or no longer."""
    found = _take(session, actor, project)
    if found is None:
        raise NotFound
    if form.for_visitors and (problem := trial_problem(found, project, settings)):
        raise Conflict(problem)
    before, after = found.for_visitors, form.for_visitors
    found.for_visitors = after
    audit.record(session, actor, "material:visitors", project, before=before, after=after)
    return found


def remove_material(session: Session, actor: Actor, project: ResearchProject) -> None:
    """Take the material from a project; what people got of it stays in their homes."""
    found = _take(session, actor, project)
    if found is None:
        raise NotFound
    audit.record(session, actor, "material:remove", project, before=_told(found))
    session.delete(found)
    jobs.enqueue(session, "tidy_material", f"material:{project.id}", project_id=project.id)


def get_material(
    session: Session, actor: Actor, project: ResearchProject, settings: Sophon
) -> Delivery:
    """Have what is new in the material brought into one's home."""
    return _ask(session, actor, project, DeliveryVerb.GET, settings)


def get_fresh_copy(
    session: Session, actor: Actor, project: ResearchProject, form: FreshCopy, settings: Sophon
) -> Delivery:
    """Have one file brought as the material has it; one's own gets another name."""
    return _ask(session, actor, project, DeliveryVerb.FRESH, settings, form.path)


def undo_delivery(
    session: Session, actor: Actor, project: ResearchProject, settings: Sophon
) -> Delivery:
    """Have put back what getting material replaced, except what was changed since."""
    return _ask(session, actor, project, DeliveryVerb.UNDO, settings)


def wish_delivery(
    session: Session, actor: Actor, project: ResearchProject, form: DeliveryWish
) -> Delivery:
    """Have what is new brought whenever one's lab starts, or no longer."""
    lab = personal_store.lock_own(session, actor)
    store.get_material(session, actor, project)
    delivery = store.find_delivery(session, actor, project)
    delivery.on_start = form.on_start
    session.add(delivery)
    audit.record(
        session,
        actor,
        "personal:material-on-start",
        lab,
        project=project.slug,
        on_start=form.on_start,
    )
    return delivery


def _ask(
    session: Session,
    actor: Actor,
    project: ResearchProject,
    verb: DeliveryVerb,
    settings: Sophon,
    path: str = "",
) -> Delivery:
    lab = personal_store.lock_own(session, actor)
    delivery = store.find_delivery(session, actor, project)
    material = store.get_material(session, actor, project)
    _check(delivery, project, material)
    if lab.home_uid is None:
        raise Conflict(NO_HOME)
    if verb is DeliveryVerb.UNDO and not (delivery.report and delivery.report["undo"]):
        raise Conflict("There is nothing to undo.")
    state = quota_state(lab.disk_bytes, settings, filled_disk=lab.filled_disk)
    if verb is not DeliveryVerb.UNDO and state.must_clean_up:
        raise Conflict(clean_up_sentence(state, settings, own=True))
    delivery.state, delivery.verb, delivery.path = DeliveryState.WAITING, verb, path
    delivery.message, delivery.asked_at = "", clock.utcnow()
    session.add(delivery)
    session.flush()
    detail = {"path": path} if path else {}
    audit.record(session, actor, f"personal:material-{verb}", lab, project=project.slug, **detail)
    jobs.enqueue(session, "deliver_material", f"delivery:{delivery.id}", delivery_id=delivery.id)
    return delivery


def _check(delivery: Delivery, project: ResearchProject, material: Material) -> None:
    if project.deleted_at:
        raise Conflict("This project is in the trash.")
    if material.uid is None:
        raise Conflict(NOT_YET)
    if delivery.state is DeliveryState.WAITING:
        raise Conflict("Your files are being worked on; wait for that to end.")
