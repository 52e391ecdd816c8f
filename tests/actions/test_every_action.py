"""What holds for all actions: one event, the right jobs, and nothing at all when refused."""

import inspect
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, joinedload

from sophon_hub import actions
from sophon_hub.actions import forms, material_forms, materials
from sophon_hub.actions.dataset_use import (
    attach_to_lab,
    attach_to_own,
    detach_from_lab,
    detach_from_own,
)
from sophon_hub.actions.datasets import (
    delete_dataset,
    edit_dataset,
    publish_dataset,
    refresh_dataset,
    register_dataset,
    restore_dataset,
    verify_dataset,
)
from sophon_hub.actions.events import prune_events
from sophon_hub.actions.groups import (
    create_group,
    create_group_for,
    delete_group,
    edit_group,
    join_group,
    leave_group,
    restore_group,
)
from sophon_hub.actions.history import compare, look, restore_version
from sophon_hub.actions.instance import edit_instance
from sophon_hub.actions.labs import (
    create_lab,
    delete_lab,
    edit_lab,
    lock_lab,
    open_lab,
    restore_lab,
    start_lab,
    stop_lab,
    unlock_lab,
)
from sophon_hub.actions.labs import empty_trash as empty_lab_trash
from sophon_hub.actions.lessons import open_lesson
from sophon_hub.actions.members import (
    approve_request,
    decline_request,
    remove_member,
    set_member,
    withdraw_request,
)
from sophon_hub.actions.personal import (
    edit_personal,
    empty_trash,
    start_personal,
    stop_personal,
)
from sophon_hub.actions.projects import (
    create_project,
    delete_project,
    edit_project,
    restore_project,
)
from sophon_hub.actions.purge import purge_now
from sophon_hub.errors import SophonError
from sophon_hub.models import (
    AuditEvent,
    Dataset,
    Delivery,
    DeliveryState,
    HistoryTask,
    Job,
    Lab,
    MaterialKind,
    PersonalLab,
    ResearchGroup,
    ResearchProject,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store.chain import Link
from sophon_hub.store.engine import reading, transact, writing
from tests import make
from tests.actions import stage
from tests.cast import actor
from tests.database import contents

SETTINGS = Sophon()
COURSE = Sophon(images={"lab": {"image": "lab", "skeleton": "/opt/lessons"}})
FOLDER = material_forms.MaterialSource(kind=MaterialKind.FOLDER, lab="bench", folder="course")
REPOSITORY = material_forms.MaterialSource(
    kind=MaterialKind.REPOSITORY, url="https://git.example.org/course.git"
)
WISH = material_forms.DeliveryWish(on_start=True)
WITHHELD = material_forms.MaterialChanges(for_visitors=False)
FRESH = material_forms.FreshCopy(path="week1/intro.ipynb")
Do = Callable[[Session, Actor], Any]


@dataclass(frozen=True)
class Case:
    """One action: by whom, refused to whom, how, and the one event and the jobs it leaves."""

    who: str
    refused_to: str
    do: Do
    event: str
    subject: str
    jobs: tuple[str, ...] = ()


CASES: dict[str, Case] = {
    "groups.create_group": Case(
        "barbara",
        "guest",
        lambda s, a: create_group(s, a, forms.NewGroup(name="Lasers")),
        "group:create",
        "lasers",
        ("sync_group lasers",),
    ),
    "groups.create_group_for": Case(
        "root",
        "barbara",
        lambda s, a: create_group_for(s, a, forms.NewGroup(name="Lasers"), "ada"),
        "group:create",
        "lasers",
        ("sync_group lasers",),
    ),
    "groups.edit_group": Case(
        "ada",
        "grace",
        lambda s, a: edit_group(s, a, stage.group(s), forms.GroupChanges(name="Light")),
        "group:edit",
        "optics",
    ),
    "groups.join_group": Case(
        "barbara",
        "guest",
        lambda s, a: join_group(s, a, stage.group(s), forms.JoinMessage()),
        "group:join",
        "optics",
        ("sync_group optics",),
    ),
    "groups.join_group by asking": Case(
        "alan",
        "barbara",
        lambda s, a: join_group(s, a, stage.group(s, "waves"), forms.JoinMessage()),
        "group:ask",
        "waves",
    ),
    "groups.leave_group": Case(
        "grace",
        "ada",
        lambda s, a: leave_group(s, a, stage.group(s)),
        "group:leave",
        "optics",
        ("sync_group optics",),
    ),
    "groups.delete_group": Case(
        "ada",
        "grace",
        lambda s, a: delete_group(s, a, stage.group(s)),
        "group:delete",
        "optics",
        ("stop_lab running", "sync_group optics"),
    ),
    "groups.restore_group": Case(
        "ada",
        "grace",
        lambda s, a: restore_group(s, a, stage.group(s, "gone")),
        "group:restore",
        "gone",
        ("sync_group gone",),
    ),
    "members.set_member": Case(
        "ada",
        "grace",
        lambda s, a: set_member(
            s, a, stage.group(s), "barbara", forms.MemberSettings.read({"role": "viewer"})
        ),
        "member:add",
        "optics",
        ("sync_group optics",),
    ),
    "members.set_member for a member": Case(
        "ada",
        "alan",
        lambda s, a: set_member(
            s, a, stage.group(s), "grace", forms.MemberSettings.read({"role": "viewer"})
        ),
        "member:change",
        "optics",
        ("sync_group optics",),
    ),
    "members.remove_member": Case(
        "ada",
        "grace",
        lambda s, a: remove_member(s, a, stage.group(s), "alan"),
        "member:remove",
        "optics",
        ("sync_group optics",),
    ),
    "members.approve_request": Case(
        "ada",
        "grace",
        lambda s, a: approve_request(s, a, stage.group(s, "waves"), "barbara", forms.Approval()),
        "request:approve",
        "waves",
        ("sync_group waves",),
    ),
    "members.decline_request": Case(
        "ada",
        "grace",
        lambda s, a: decline_request(s, a, stage.group(s, "waves"), "barbara"),
        "request:decline",
        "waves",
    ),
    "members.withdraw_request": Case(
        "barbara",
        "ada",
        lambda s, a: withdraw_request(s, a, stage.group(s, "waves"), "barbara"),
        "request:withdraw",
        "waves",
    ),
    "projects.create_project": Case(
        "grace",
        "alan",
        lambda s, a: create_project(s, a, forms.NewProject(group="optics", name="Mirror")),
        "project:create",
        "mirror",
        ("sync_group optics",),
    ),
    "projects.edit_project": Case(
        "grace",
        "alan",
        lambda s, a: edit_project(s, a, stage.project(s), forms.ProjectChanges(name="Lens 2")),
        "project:edit",
        "lens",
    ),
    "projects.edit_project by moving": Case(
        "ada",
        "grace",
        lambda s, a: edit_project(
            s, a, stage.project(s, "still"), forms.ProjectChanges(group="waves")
        ),
        "project:edit",
        "still",
        ("sync_group optics", "sync_group waves"),
    ),
    "projects.delete_project": Case(
        "ada",
        "grace",
        lambda s, a: delete_project(s, a, stage.project(s)),
        "project:delete",
        "lens",
        ("stop_lab running", "sync_group optics"),
    ),
    "projects.restore_project": Case(
        "ada",
        "grace",
        lambda s, a: restore_project(s, a, stage.project(s, "old")),
        "project:restore",
        "old",
        ("sync_group optics",),
    ),
    "labs.create_lab": Case(
        "grace",
        "alan",
        lambda s, a: create_lab(s, a, stage.project(s), forms.NewLab(name="Two"), SETTINGS),
        "lab:create",
        "lens/two",
    ),
    "labs.edit_lab": Case(
        "grace",
        "alan",
        lambda s, a: edit_lab(s, a, stage.lab(s), forms.LabChanges(name="Table"), SETTINGS),
        "lab:edit",
        "lens/bench",
    ),
    "labs.start_lab": Case(
        "grace",
        "alan",
        lambda s, a: start_lab(s, a, stage.lab(s), forms.LabStart(), SETTINGS),
        "lab:start",
        "lens/bench",
        ("start_lab bench",),
    ),
    "labs.empty_trash": Case(
        "grace",
        "alan",
        lambda s, a: empty_lab_trash(s, a, stage.lab(s)),
        "lab:empty-trash",
        "lens/bench",
        ("empty_lab_trash bench",),
    ),
    "history.look": Case(
        "alan",
        "barbara",
        lambda s, a: look(s, a, stage.lab(s)),
        "lab:history-look",
        "lens/bench",
        ("history bench",),
    ),
    "history.compare": Case(
        "alan",
        "barbara",
        lambda s, a: compare(s, a, stage.lab(s), make.SECOND_VERSION, make.FIRST_VERSION),
        "lab:history-compare",
        "lens/bench",
        ("history bench",),
    ),
    "history.restore_version": Case(
        "grace",
        "alan",
        lambda s, a: restore_version(s, a, stage.lab(s), make.FIRST_VERSION),
        "lab:history-restore",
        "lens/bench",
        ("history bench",),
    ),
    "labs.stop_lab": Case(
        "grace",
        "alan",
        lambda s, a: stop_lab(s, a, stage.lab(s, "running")),
        "lab:stop",
        "lens/running",
        ("stop_lab running",),
    ),
    "labs.open_lab": Case(
        "grace",
        "barbara",
        lambda s, a: open_lab(s, a, stage.lab(s, "running")),
        "lab:open",
        "lens/running",
    ),
    "labs.lock_lab": Case(
        "grace",
        "alan",
        lambda s, a: lock_lab(s, a, stage.lab(s), forms.LockReason(reason="exam")),
        "lab:lock",
        "lens/bench",
        ("sync_lock bench",),
    ),
    "labs.unlock_lab": Case(
        "grace",
        "alan",
        lambda s, a: unlock_lab(s, a, stage.lab(s, "locked")),
        "lab:unlock",
        "lens/locked",
        ("sync_lock locked",),
    ),
    "labs.delete_lab": Case(
        "ada",
        "grace",
        lambda s, a: delete_lab(s, a, stage.lab(s)),
        "lab:delete",
        "lens/bench",
    ),
    "labs.restore_lab": Case(
        "ada",
        "grace",
        lambda s, a: restore_lab(s, a, stage.lab(s, "lost")),
        "lab:restore",
        "lens/lost",
    ),
    "datasets.register_dataset": Case(
        "root",
        "ada",
        lambda s, a: register_dataset(
            s,
            a,
            forms.NewDataset.read({"name": "Climate", "kind": "volume", "location": "climate"}),
            SETTINGS,
        ),
        "dataset:create",
        "climate",
        ("prepare_dataset climate",),
    ),
    "datasets.publish_dataset": Case(
        "grace",
        "alan",
        lambda s, a: publish_dataset(
            s, a, stage.lab(s), forms.Publication(name="Out", folder="out")
        ),
        "dataset:create",
        "out",
        ("prepare_dataset out",),
    ),
    "datasets.edit_dataset": Case(
        "grace",
        "alan",
        lambda s, a: edit_dataset(s, a, stage.dataset(s), forms.DatasetChanges(licence="CC0")),
        "dataset:edit",
        "stars",
    ),
    "datasets.verify_dataset": Case(
        "grace",
        "alan",
        lambda s, a: verify_dataset(s, a, stage.dataset(s)),
        "dataset:verify",
        "stars",
        ("verify_dataset stars",),
    ),
    "datasets.refresh_dataset": Case(
        "grace",
        "alan",
        lambda s, a: refresh_dataset(s, a, stage.dataset(s)),
        "dataset:refresh",
        "stars",
        ("prepare_dataset stars",),
    ),
    "datasets.delete_dataset": Case(
        "ada",
        "grace",
        lambda s, a: delete_dataset(s, a, stage.dataset(s)),
        "dataset:delete",
        "stars",
    ),
    "datasets.restore_dataset": Case(
        "ada",
        "grace",
        lambda s, a: restore_dataset(s, a, stage.dataset(s, "bones")),
        "dataset:restore",
        "bones",
    ),
    "dataset_use.attach_to_lab": Case(
        "grace",
        "alan",
        lambda s, a: attach_to_lab(s, a, stage.lab(s), "stars"),
        "lab:attach",
        "lens/bench",
    ),
    "dataset_use.detach_from_lab": Case(
        "grace",
        "alan",
        lambda s, a: detach_from_lab(s, a, stage.lab(s, "running"), "used"),
        "lab:detach",
        "lens/running",
    ),
    "dataset_use.attach_to_own": Case(
        "grace",
        "guest",
        lambda s, a: attach_to_own(s, a, "stars"),
        "personal:attach",
        "grace",
    ),
    "dataset_use.detach_from_own": Case(
        "ada",
        "guest",
        lambda s, a: detach_from_own(s, a, "used"),
        "personal:detach",
        "ada",
    ),
    "materials.set_material": Case(
        "grace",
        "alan",
        lambda s, a: materials.set_material(s, a, stage.project(s), FOLDER),
        "material:set",
        "lens",
        ("publish_material lens",),
    ),
    "materials.set_material for the first time": Case(
        "grace",
        "alan",
        lambda s, a: materials.set_material(s, a, stage.project(s, "still"), REPOSITORY),
        "material:set",
        "still",
        ("publish_material still",),
    ),
    "materials.publish_material": Case(
        "grace",
        "alan",
        lambda s, a: materials.publish_material(s, a, stage.project(s)),
        "material:publish",
        "lens",
        ("publish_material lens",),
    ),
    "materials.edit_material": Case(
        "grace",
        "alan",
        lambda s, a: materials.edit_material(s, a, stage.project(s), WITHHELD, SETTINGS),
        "material:visitors",
        "lens",
    ),
    "materials.remove_material": Case(
        "grace",
        "alan",
        lambda s, a: materials.remove_material(s, a, stage.project(s)),
        "material:remove",
        "lens",
        ("tidy_material lens",),
    ),
    "materials.get_material": Case(
        "grace",
        "guest",
        lambda s, a: materials.get_material(s, a, stage.project(s), SETTINGS),
        "personal:material-get",
        "grace",
        ("deliver_material grace",),
    ),
    "materials.get_fresh_copy": Case(
        "grace",
        "guest",
        lambda s, a: materials.get_fresh_copy(s, a, stage.project(s), FRESH, SETTINGS),
        "personal:material-fresh",
        "grace",
        ("deliver_material grace",),
    ),
    "materials.wish_delivery": Case(
        "grace",
        "guest",
        lambda s, a: materials.wish_delivery(s, a, stage.project(s), WISH),
        "personal:material-on-start",
        "grace",
    ),
    "materials.undo_delivery": Case(
        "grace",
        "guest",
        lambda s, a: materials.undo_delivery(s, a, stage.project(s), SETTINGS),
        "personal:material-undo",
        "grace",
        ("deliver_material grace",),
    ),
    "personal.edit_personal": Case(
        "grace",
        "guest",
        lambda s, a: edit_personal(s, a, forms.PersonalChanges(image="lab"), SETTINGS),
        "personal:edit",
        "grace",
    ),
    "personal.start_personal": Case(
        "grace",
        "guest",
        lambda s, a: start_personal(s, a, forms.LabStart(), SETTINGS),
        "personal:start",
        "grace",
        ("start_personal grace",),
    ),
    "personal.stop_personal": Case(
        "alan",
        "guest",
        stop_personal,
        "personal:stop",
        "alan",
        ("stop_personal alan",),
    ),
    "personal.empty_trash": Case(
        "grace",
        "guest",
        empty_trash,
        "personal:empty-trash",
        "grace",
        ("empty_trash grace",),
    ),
    "lessons.open_lesson": Case(
        "alan",
        "guest",
        lambda s, a: open_lesson(s, a, "01.ipynb", forms.LessonOpening(), COURSE),
        "personal:lesson",
        "alan",
        ("copy_lessons alan",),
    ),
    "purge.purge_now": Case(
        "ada",
        "grace",
        lambda s, a: purge_now(s, a, stage.group(s, "gone"), forms.Confirmation(confirm="gone")),
        "group:purge",
        "gone",
        ("purge_group gone",),
    ),
    "purge.purge_now for a project": Case(
        "ada",
        "grace",
        lambda s, a: purge_now(s, a, stage.project(s, "old"), forms.Confirmation(confirm="old")),
        "project:purge",
        "old",
        ("purge_project old",),
    ),
    "purge.purge_now for a lab": Case(
        "ada",
        "grace",
        lambda s, a: purge_now(s, a, stage.lab(s, "lost"), forms.Confirmation(confirm="lost")),
        "lab:purge",
        "lens/lost",
        ("purge_lab lost",),
    ),
    "events.prune_events": Case(
        "root",
        "ada",
        lambda s, a: prune_events(s, a, Link()),
        "audit:prune",
        "instance",
    ),
    "instance.edit_instance": Case(
        "root",
        "ada",
        lambda s, a: edit_instance(s, a, forms.InstanceChanges(name="Our hub")),
        "instance:edit",
        "instance",
    ),
}

HELPERS = {
    "keeping.keep",  # one of those below
    "keeping.keep_again",  # tests/actions/test_keeping.py
    "keeping.keep_in_new_project",  # made of four actions, each with its event
    "keeping.keep_work",
    "keeping.note_kept",
    "personal.begin_start",  # a part of the actions that start one
    "labs.check_unlocked",
    "labs.lift_lock",
    "labs.take_lab",
    "projects.lock_project",
    "noticed.look_at",  # nobody asks for these: tests/web/test_looks.py, test_refusals.py
    "noticed.record_looks",
    "noticed.record_refusal",
    "noticed.refusal_of",
    "departures.settle_person",  # the hub itself acts; tests/actions/test_departures.py
    "claims.apply_claims",  # the hub itself acts; tests/actions/test_claims.py
    "groups.check_owner_stays",
    "groups.drop_request",
    "groups.lock_contents",
    "groups.has_expired",
    "groups.in_the_way",
    "groups.lock_for",
    "groups.sync",
    "idempotency.once",  # runs one of the actions
    "purge.cancel_deletions",  # the hub itself acts; tests/actions/test_purge.py
    "purge.end_deletion",
    "purge.finish_purge",
    "people.note_person",  # nobody acts: it writes down what the Hub says
    "slugs.choose_slug",
    # visitors are nobody, and the worker is the hub itself; tests/actions/test_temporary.py
    "temporary.ask_for_lab",
    "temporary.end_due",
    "temporary.ends_at",
    "temporary.forget",
    "temporary.give_up",
    "temporary.idle_at",
    "temporary.keep_waiting",
    "temporary.leave_lab",
    "temporary.note_brought",
    "temporary.turn_in",
    "temporary.note_ready",
    "temporary.offered",
    "temporary.refill",
    "text.clean",
    "trash.move_to_trash",
    "trash.take_from_trash",
}

every_action = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def public_functions() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(actions.__path__):
        loaded = import_module(f"{actions.__name__}.{module.name}")
        for name, thing in vars(loaded).items():
            is_own = inspect.isfunction(thing) and thing.__module__ == loaded.__name__
            if is_own and not name.startswith("_"):
                found.add(f"{module.name}.{name}")
    return found


def test_every_public_function_is_a_case_here_or_a_known_helper() -> None:
    cases = {name.split(" ")[0] for name in CASES}
    assert public_functions() == cases | HELPERS
    assert not cases & HELPERS


def test_every_action_says_what_it_does() -> None:
    for name in {name.split(" ")[0] for name in CASES}:
        module, function = name.split(".")
        thing = getattr(import_module(f"{actions.__name__}.{module}"), function)
        assert inspect.getdoc(thing), name
        assert list(inspect.signature(thing).parameters)[:2] == ["session", "actor"], name


@pytest.fixture
def hub(engine: Engine) -> Engine:
    transact(engine, stage.build)
    return engine


def snapshot(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with reading(engine) as session:
        return contents(session)


def named_jobs(session: Session) -> list[str]:
    """Jobs with the slug of what they are about."""
    named = []
    for job in session.scalars(select(Job)):
        if job.key == "datasets":
            dataset = session.get_one(Dataset, job.payload["dataset_id"])
            named.append(f"{job.kind} {dataset.slug}")
            continue
        noun, number = job.key.removeprefix("trash-").split(":")
        noun = "lab" if noun == "lock" else noun.removesuffix("-lessons")
        if noun in ("personal", "trash"):
            with_person = [joinedload(PersonalLab.person)]
            own = session.get_one(PersonalLab, int(number), options=with_person)
            assert job.payload == {"personal_id": own.id}
            named.append(f"{job.kind} {own.person.username}")
            continue
        if noun in ("material", "delivery"):
            named.append(f"{job.kind} {of_material(session, job)}")
            continue
        if noun == "history":
            assert session.get_one(HistoryTask, job.payload["task_id"]).lab_id == int(number)
            named.append(f"history {session.get_one(Lab, int(number)).slug}")
            continue
        kinds = {"lab": Lab, "project": ResearchProject, "group": ResearchGroup}
        about = session.get(kinds[noun], int(number))
        assert about
        assert job.payload == {f"{noun}_id": about.id}
        named.append(f"{job.kind} {about.slug}")
    return sorted(named)


def of_material(session: Session, job: Job) -> str:
    """The project whose material it is about, or the person who gets it."""
    if job.kind != "deliver_material":
        assert job.key == f"material:{job.payload['project_id']}"
        return session.get_one(ResearchProject, job.payload["project_id"]).slug
    assert job.key == f"delivery:{job.payload['delivery_id']}"
    with_person = [joinedload(Delivery.person)]
    found = session.get_one(Delivery, job.payload["delivery_id"], options=with_person)
    assert found.state is DeliveryState.WAITING
    return found.person.username


@every_action
def test_an_action_leaves_one_event_and_its_jobs(hub: Engine, case: Case) -> None:
    def work(session: Session) -> int | None:
        someone = actor(session, case.who, via="cli")
        case.do(session, someone)
        return someone.person_id

    person_id = transact(hub, work)
    with reading(hub) as session:
        [event] = session.scalars(select(AuditEvent)).all()
        assert (event.action, event.subject) == (case.event, case.subject)
        assert (event.actor, event.actor_id, event.via) == (case.who, person_id, "cli")
        assert json.loads(json.dumps(event.detail)) == event.detail
        assert named_jobs(session) == sorted(case.jobs)
        if case.subject == "instance" or case.event.startswith("personal:"):
            assert event.group_id is None
        else:
            check_where(session, event)


def check_where(session: Session, event: AuditEvent) -> None:
    """The event is found from the group, and from the project, that it belongs to."""
    slug = event.subject.partition("/")[0]
    if event.action.startswith("dataset:"):
        dataset = stage.dataset(session, slug)
        assert (event.group_id, event.project_id) == (dataset.group_id, None)
    elif event.action.startswith(("project:", "lab:", "material:")):
        project = stage.project(session, slug)
        assert (event.group_id, event.project_id) == (project.group_id, project.id)
    else:
        assert (event.group_id, event.project_id) == (stage.group(session, slug).id, None)


@every_action
def test_an_action_that_is_refused_changes_nothing(hub: Engine, case: Case) -> None:
    """Even if the refusal is caught and the transaction kept."""
    before = snapshot(hub)
    with writing(hub) as session:
        someone = actor(session, case.refused_to)
        with pytest.raises(SophonError) as refusal:
            case.do(session, someone)
    assert refusal.value.detail
    assert snapshot(hub) == before


@every_action
def test_an_action_that_is_rolled_back_changes_nothing(hub: Engine, case: Case) -> None:
    before = snapshot(hub)

    def work(session: Session) -> None:
        case.do(session, actor(session, case.who))
        session.flush()
        assert contents(session) != before
        raise RuntimeError("the power goes out")

    with pytest.raises(RuntimeError, match="power"):
        transact(hub, work)
    assert snapshot(hub) == before


@every_action
def test_an_administrator_may_do_what_is_not_about_themselves(hub: Engine, case: Case) -> None:
    """And a guest may do nothing at all."""
    about_oneself = {"group:leave", "group:ask", "request:withdraw", "lab:unlock"}
    about_oneself |= {"personal:detach"}

    def by(name: str) -> None:
        transact(hub, lambda session: case.do(session, actor(session, name)))

    with pytest.raises(SophonError):
        by("guest")
    if case.event not in about_oneself:
        by("root")
