"""Who loses or gains a right while others act: no group is without an owner, nobody acts after
they are gone, and what two change at once is changed by both.

Each pair runs on both databases. On PostgreSQL everybody knows their rights before anybody acts.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations_with_replacement, pairwise

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sophon_hub.actions import (
    dataset_use,
    datasets,
    forms,
    groups,
    history,
    labs,
    materials,
    members,
    projects,
    purge,
)
from sophon_hub.clock import utcnow
from sophon_hub.errors import Conflict, Forbidden, NotFound
from sophon_hub.models import (
    AccessMode,
    JoinRequest,
    Lab,
    LabState,
    MemberRole,
    Membership,
    Person,
    ResearchProject,
    Visibility,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store import chain
from sophon_hub.store.engine import reading, transact
from sophon_hub.store.groups import count_lasting_owners
from tests import make
from tests.actions import stage
from tests.actions.races import Do, at_once, errors
from tests.database import events

SETTINGS = Sophon()
NOBODY = 0
"""The number of no person."""


@pytest.fixture
def hub(engine: Engine) -> Iterator[Engine]:
    """Ada and Grace own optics, which is open and private."""

    def build(session: Session) -> None:
        stage.build(session)
        stage.group(session).visibility = Visibility.PRIVATE
        for project in session.scalars(select(ResearchProject)):
            project.visibility = Visibility.PRIVATE
        row = session.get_one(Membership, (stage.group(session).id, person(session, "grace").id))
        row.role = MemberRole.OWNER

    transact(engine, build)
    yield engine
    with reading(engine) as session:
        assert chain.system_verify(session).problem is None
        for slug in ("optics", "waves"):
            assert count_lasting_owners(session, stage.group(session, slug), NOBODY)


def person(session: Session, name: str) -> Person:
    return session.scalars(select(Person).filter_by(username=name)).one()


def role_of(engine: Engine, name: str, group: str = "optics") -> MemberRole | None:
    with reading(engine) as session:
        number = stage.group(session, group).id
        row = session.get(Membership, (number, person(session, name).id))
        return row and row.role


def trail(engine: Engine) -> list[tuple[str, str | None]]:
    """What was done by whom, in the order of the audit trail."""
    with reading(engine) as session:
        return [(event.action, event.actor) for event in events(session)]


def settings_of(role: MemberRole, *, days: int | None = None) -> forms.MemberSettings:
    end = utcnow() + timedelta(days=days) if days else None
    return forms.MemberSettings(role=role, expires_at=end)


def put(name: str, form: forms.MemberSettings, group: str = "optics") -> Do:
    return lambda session, actor: members.set_member(
        session, actor, stage.group(session, group), name, form
    )


def remove(name: str) -> Do:
    return lambda session, actor: members.remove_member(session, actor, stage.group(session), name)


def leave(session: Session, actor: Actor) -> None:
    groups.leave_group(session, actor, stage.group(session))


def join(group: str) -> Do:
    return lambda session, actor: groups.join_group(
        session, actor, stage.group(session, group), forms.JoinMessage()
    )


WAYS_TO_GO: dict[str, Callable[[str, str], Do]] = {
    "leave": lambda own, other: leave,
    "step down": lambda own, other: put(own, settings_of(MemberRole.MEMBER)),
    "end of one's own": lambda own, other: put(own, settings_of(MemberRole.OWNER, days=1)),
    "remove the other": lambda own, other: remove(other),
    "demote the other": lambda own, other: put(other, settings_of(MemberRole.VIEWER)),
}


@pytest.mark.parametrize(("one", "two"), [*combinations_with_replacement(WAYS_TO_GO, 2)])
def test_however_two_owners_go_at_once_one_stays(hub: Engine, one: str, two: str) -> None:
    at_once(
        hub,
        ("ada", WAYS_TO_GO[one]("ada", "grace")),
        ("grace", WAYS_TO_GO[two]("grace", "ada")),
    )
    roles = {role_of(hub, "ada"), role_of(hub, "grace")}
    assert MemberRole.OWNER in roles
    assert roles != {MemberRole.OWNER} or "end of one's own" in {one, two}


def lab(session: Session) -> Lab:
    return stage.lab(session)


ACTS: dict[str, Do] = {
    "join": join("optics"),
    "come back": put("grace", settings_of(MemberRole.OWNER)),
    "bring a friend": put("barbara", settings_of(MemberRole.OWNER)),
    "edit the group": lambda session, actor: groups.edit_group(
        session, actor, stage.group(session), forms.GroupChanges(access=AccessMode.MANUAL)
    ),
    "delete the group": lambda session, actor: groups.delete_group(
        session, actor, stage.group(session)
    ),
    "make a project": lambda session, actor: projects.create_project(
        session, actor, forms.NewProject(group="optics", name="Mine")
    ),
    "edit a project": lambda session, actor: projects.edit_project(
        session, actor, stage.project(session), forms.ProjectChanges(name="Mine")
    ),
    "delete a project": lambda session, actor: projects.delete_project(
        session, actor, stage.project(session)
    ),
    "restore a project": lambda session, actor: projects.restore_project(
        session, actor, stage.project(session, "old")
    ),
    "publish a dataset": lambda session, actor: datasets.publish_dataset(
        session, actor, lab(session), forms.Publication(name="Mine", folder="data", licence="CC0")
    ),
    "edit a dataset": lambda session, actor: datasets.edit_dataset(
        session, actor, stage.dataset(session), forms.DatasetChanges(name="Mine")
    ),
    "delete a dataset": lambda session, actor: datasets.delete_dataset(
        session, actor, stage.dataset(session)
    ),
    "restore a dataset": lambda session, actor: datasets.restore_dataset(
        session, actor, stage.dataset(session, "bones")
    ),
    "verify a dataset": lambda session, actor: datasets.verify_dataset(
        session, actor, stage.dataset(session)
    ),
    "read a dataset anew": lambda session, actor: datasets.refresh_dataset(
        session, actor, stage.dataset(session)
    ),
    "publish the material": lambda session, actor: materials.publish_material(
        session, actor, stage.project(session)
    ),
    "make a lab": lambda session, actor: labs.create_lab(
        session, actor, stage.project(session), forms.NewLab(name="Table"), SETTINGS
    ),
    "start a lab": lambda session, actor: labs.start_lab(
        session, actor, lab(session), forms.LabStart(), SETTINGS
    ),
    "stop a lab": lambda session, actor: labs.stop_lab(
        session, actor, stage.lab(session, "running")
    ),
    "keep a lab running": lambda session, actor: labs.keep_lab(
        session, actor, stage.lab(session, "running")
    ),
    "open a lab": lambda session, actor: labs.open_lab(
        session, actor, stage.lab(session, "running")
    ),
    "edit a lab": lambda session, actor: labs.edit_lab(
        session, actor, lab(session), forms.LabChanges(name="Mine"), SETTINGS
    ),
    "lock a lab": lambda session, actor: labs.lock_lab(
        session, actor, lab(session), forms.LockReason()
    ),
    "unlock a lab": lambda session, actor: labs.unlock_lab(
        session, actor, stage.lab(session, "locked")
    ),
    "empty the trash of a lab": lambda session, actor: labs.empty_trash(
        session, actor, lab(session)
    ),
    "delete a lab": lambda session, actor: labs.delete_lab(session, actor, lab(session)),
    "restore a lab": lambda session, actor: labs.restore_lab(
        session, actor, stage.lab(session, "lost")
    ),
    "give a lab a dataset": lambda session, actor: dataset_use.attach_to_lab(
        session, actor, lab(session), "stars"
    ),
    "look at the history of a lab": lambda session, actor: history.look(
        session, actor, lab(session)
    ),
    "restore a version": lambda session, actor: history.restore_version(
        session, actor, lab(session), make.FIRST_VERSION
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_nobody_does_anything_after_they_were_removed(hub: Engine, act: str) -> None:
    removed, done = at_once(hub, ("ada", remove("grace")), ("grace", ACTS[act]))
    told = trail(hub)
    if isinstance(removed, Forbidden):
        # nobody is removed from a group in the trash
        assert told == [("group:delete", "grace")]
        return
    assert removed is None
    assert role_of(hub, "grace") is None
    assert told[-1] == ("member:remove", "ada")
    assert len(told) == (1 if errors([done]) else 2)


def test_a_request_is_decided_once_whoever_decides(hub: Engine) -> None:
    def decide(do: Callable[..., object], *more: object) -> Do:
        return lambda session, actor: do(
            session, actor, stage.group(session, "waves"), "barbara", *more
        )

    results = at_once(
        hub,
        ("ada", decide(members.approve_request, forms.Approval())),
        ("root", decide(members.decline_request)),
        ("barbara", decide(members.withdraw_request)),
        ("ada", decide(members.approve_request, forms.Approval(role=MemberRole.VIEWER))),
    )
    assert [type(error) for error in errors(results)] == [NotFound] * 3
    [(done, _)] = trail(hub)
    assert (role_of(hub, "barbara", "waves") is None) == (done != "request:approve")
    with reading(hub) as session:
        assert session.scalars(select(JoinRequest)).all() == []


def test_who_is_let_in_and_given_a_role_at_once_belongs_once(hub: Engine) -> None:
    def approve(session: Session, actor: Actor) -> Membership:
        group = stage.group(session, "waves")
        return members.approve_request(session, actor, group, "barbara", forms.Approval())

    add = put("barbara", settings_of(MemberRole.VIEWER), "waves")
    results = at_once(hub, ("ada", approve), ("root", add))
    assert all(isinstance(error, NotFound) for error in errors(results))
    assert role_of(hub, "barbara", "waves") is MemberRole.VIEWER
    assert trail(hub)[-1] == ("member:add" if errors(results) else "member:change", "root")


def test_each_of_many_roles_given_at_once_follows_the_one_before(hub: Engine) -> None:
    roles = [MemberRole.VIEWER, MemberRole.MEMBER, MemberRole.OWNER]
    at_once(hub, *[("ada", put("barbara", settings_of(role))) for role in roles])
    with reading(hub) as session:
        details = [event.detail for event in events(session)]
    assert details[0]["before"] is None
    for earlier, later in pairwise(details):
        assert later["before"] == earlier["after"]
    assert role_of(hub, "barbara") == details[-1]["after"]["role"]


def change_group(**fields: str) -> Do:
    return lambda session, actor: groups.edit_group(
        session, actor, stage.group(session), forms.GroupChanges.read(fields)
    )


def change_project(**fields: str) -> Do:
    return lambda session, actor: projects.edit_project(
        session, actor, stage.project(session), forms.ProjectChanges.read(fields)
    )


def change_lab(**fields: object) -> Do:
    return lambda session, actor: labs.edit_lab(
        session, actor, lab(session), forms.LabChanges.read(fields), SETTINGS
    )


def test_what_two_change_at_once_is_changed_by_both(hub: Engine) -> None:
    results = at_once(
        hub,
        ("ada", change_group(name="Optics 2")),
        ("grace", change_group(description="Light")),
        ("ada", change_project(name="Lens 2")),
        ("grace", change_project(description="Glass")),
        ("ada", change_lab(name="Bench 2")),
        ("grace", change_lab(internet=False)),
    )
    assert errors(results) == []
    with reading(hub) as session:
        group, project, bench = stage.group(session), stage.project(session), lab(session)
        assert (group.name, group.description) == ("Optics 2", "Light")
        assert (project.name, project.description) == ("Lens 2", "Glass")
        assert (bench.name, bench.internet) == ("Bench 2", False)


INSIDE = (
    "make a project",
    "edit a project",
    "restore a project",
    "make a lab",
    "start a lab",
    "lock a lab",
    "join",
)


@pytest.mark.parametrize("act", INSIDE)
def test_nothing_goes_on_in_a_group_that_goes_to_the_trash(hub: Engine, act: str) -> None:
    who = "root" if act == "join" else "grace"
    results = at_once(hub, ("ada", ACTS["delete the group"]), (who, ACTS[act]))
    assert results[0] is None
    with reading(hub) as session:
        group = stage.group(session)
        assert group.deleted_at is not None
        inside = session.scalars(select(ResearchProject).filter_by(group_id=group.id)).all()
        assert all(project.deleted_at for project in inside)
        for one in session.scalars(select(Lab)):
            assert one.deleted_at is not None
            assert one.state not in {LabState.STARTING, LabState.RUNNING}


def test_a_lab_is_not_restored_into_a_project_that_goes_to_the_trash(hub: Engine) -> None:
    def restore(session: Session, actor: Actor) -> None:
        labs.restore_lab(session, actor, stage.lab(session, "lost"))

    refused = errors(at_once(hub, ("ada", ACTS["delete a project"]), ("grace", restore)))
    with reading(hub) as session:
        assert stage.lab(session, "lost").deleted_at is not None
    assert [type(error) for error in refused] in ([], [Conflict])


def test_what_is_restored_and_removed_for_good_at_once_is_one_of_both(hub: Engine) -> None:
    def restore(session: Session, actor: Actor) -> None:
        groups.restore_group(session, actor, stage.group(session, "gone"))

    def remove_for_good(session: Session, actor: Actor) -> None:
        form = forms.Confirmation(confirm="gone")
        purge.purge_now(session, actor, stage.group(session, "gone"), form)

    results = at_once(hub, ("ada", restore), ("root", remove_for_good))
    assert len(errors(results)) == 1
    with reading(hub) as session:
        gone = stage.group(session, "gone")
        assert (gone.deleted_at is None) == (gone.purge_started_at is None)
        assert (gone.deleted_at is None) == (results[0] is None)
