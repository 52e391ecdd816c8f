"""Whatever people do in whatever order, these hold at every moment; on both databases.

Actions are the real ones, each in a transaction of its own, and the worker's jobs are done by its
own handlers. Only the Hub is one in memory. That hidden and missing things are answered alike is
shown for every route in tests/web/test_api_access.py and test_api_errors.py; here, that what is
found is what the rules say.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, joinedload

from sophon_hub import clock, jobs, names
from sophon_hub.actions import forms, groups, labs, members, projects
from sophon_hub.errors import NotFound, SophonError
from sophon_hub.models import (
    AccessMode,
    AuditEvent,
    Base,
    Job,
    Lab,
    LabState,
    MemberRole,
    Membership,
    Person,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store import chain
from sophon_hub.store import groups as group_store
from sophon_hub.store import labs as lab_store
from sophon_hub.store import projects as project_store
from sophon_hub.store.engine import WRITE, reading, transact, writing
from sophon_hub.worker import reconcile, trash
from sophon_hub.worker.context import Context
from sophon_hub.worker.runner import HANDLERS
from tests import make
from tests.cast import ADMIN, actor
from tests.worker.memory_hub import MemoryHub

PEOPLE = ("ada", "grace", "alan", "barbara", ADMIN)
GROUPS = ("optics", "waves")
PROJECTS = ("lens", "tide")
LABS = ("bench", "table")
BEGIN = datetime(2027, 3, 1, 12, tzinfo=UTC)
UTCNOW = clock.utcnow
MARK = "written in the lab"

anybody = st.sampled_from(PEOPLE)
# who may do most asks most often, about what there is from the beginning: else most is refused
somebody = st.sampled_from(("ada",) * 4 + (ADMIN,) * 3 + PEOPLE)
a_group = st.sampled_from(("optics",) * 3 + GROUPS)
a_project = st.sampled_from(("lens",) * 2 + PROJECTS)
a_lab = st.tuples(a_project, st.sampled_from(("bench",) * 2 + LABS))
a_visibility = st.sampled_from(Visibility)
a_role = st.sampled_from(MemberRole)

Key = tuple[str, str]
Held = tuple[MemberRole, datetime | None]


@dataclass(frozen=True)
class View:
    """What there is at one moment, by slugs; memberships that have ended as well."""

    now: datetime
    events: int
    held: dict[Key, Held]
    groups: dict[str, tuple[Visibility, AccessMode, bool]]
    projects: dict[str, tuple[str, str, Visibility, bool]]
    labs: dict[Key, tuple[str, str, str | None, bool]]
    states: dict[Key, LabState]

    def standing(self, who: str, group: str) -> Held | None:
        """A membership that holds."""
        found = self.held.get((group, who))
        ended = found is not None and found[1] is not None and found[1] <= self.now
        return None if ended else found


def level(held: Held | None) -> int:
    return held[0].level if held else 0


def _group(session: Session, slug: str) -> ResearchGroup:
    return _or_not_found(session.scalar(select(ResearchGroup).filter_by(slug=slug)))


def _project(session: Session, slug: str) -> ResearchProject:
    query = select(ResearchProject).options(joinedload(ResearchProject.group))
    return _or_not_found(session.scalar(query.filter_by(slug=slug)))


def _lab(session: Session, address: Key) -> Lab:
    query = select(Lab).join(Lab.project).where(ResearchProject.slug == address[0])
    query = query.options(
        joinedload(Lab.project).joinedload(ResearchProject.group), joinedload(Lab.locked_by)
    )
    return _or_not_found(session.scalar(query.where(Lab.slug == address[1])))


def _or_not_found(found: Any) -> Any:
    if found is None:
        raise NotFound
    return found


class Hub(RuleBasedStateMachine):
    """People, and a worker that now and then does what is to be done."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.patches = [
            mock.patch.object(module, "utcnow", self.moment)
            for name, module in list(sys.modules.items())
            if name.startswith("sophon_hub") and getattr(module, "utcnow", None) is UTCNOW
        ]
        for patch in self.patches:
            patch.start()
        self.data = Path(tempfile.mkdtemp())
        self.settings = Sophon(data_dir=str(self.data), spawner="process", proxy_api_port=1)
        self.hub = MemoryHub(PEOPLE, {ADMIN})
        self.context = Context(self.engine, self.hub, self.settings)  # type: ignore[arg-type]
        self.loop = asyncio.Runner()
        with writing(self.engine) as session:
            for name in PEOPLE:
                make.person(session, name, is_admin=name == ADMIN)

    def moment(self) -> datetime:
        """The time, which passes only by a rule."""
        return self.now

    def teardown(self) -> None:
        try:
            self.worker_does_its_work()
            with reading(self.engine) as session:
                verdict = chain.system_verify(session)
                assert (verdict.problem, verdict.count) == (None, self.look(session).events)
        finally:
            self.loop.close()
            self.context.executor.shutdown()
            shutil.rmtree(self.data)
            for patch in self.patches:
                patch.stop()
            _empty(self.engine)

    # what there is

    def look(self, session: Session) -> View:
        held = session.execute(
            select(ResearchGroup.slug, Person.username, Membership.role, Membership.expires_at)
            .join(Membership, Membership.group_id == ResearchGroup.id)
            .join(Person, Membership.person_id == Person.id)
        )
        with_group = select(ResearchProject).options(joinedload(ResearchProject.group))
        with_project = select(Lab).options(joinedload(Lab.project), joinedload(Lab.locked_by))
        rooms = {
            (one.project.slug, one.slug): one for one in session.scalars(with_project).unique()
        }
        return View(
            now=self.now,
            events=session.scalar(select(func.count()).select_from(AuditEvent)) or 0,
            held={(group, who): (role, end) for group, who, role, end in held},
            groups={
                one.slug: (one.visibility, one.access, one.deleted_at is not None)
                for one in session.scalars(select(ResearchGroup))
            },
            projects={
                one.slug: (one.group.slug, one.name, one.visibility, one.deleted_at is not None)
                for one in session.scalars(with_group)
            },
            labs={
                key: (
                    one.uid,
                    one.name,
                    one.locked_by.username if one.locked_by else None,
                    one.deleted_at is not None,
                )
                for key, one in rooms.items()
            },
            states={key: one.state for key, one in rooms.items()},
        )

    def view(self) -> View:
        with reading(self.engine) as session:
            return self.look(session)

    # what people do

    def attempt(self, who: str, do: Callable[[Session, Actor], Any]) -> bool:
        """Somebody tries something; it leaves one event, or nothing at all."""
        self.now += timedelta(milliseconds=1)
        before = self.view()
        try:
            result = transact(self.engine, lambda session: do(session, actor(session, who)))
        except SophonError:
            assert self.view() == before
            return False
        after = self.view()
        is_done = result is not False  # what was so already
        assert after.events - before.events == is_done
        self.no_right_is_above_who_gave_it(who, before, after)
        return is_done

    def no_right_is_above_who_gave_it(self, who: str, before: View, after: View) -> None:
        for group, whom in after.held:
            own, had = before.standing(who, group), before.standing(whom, group)
            held = after.standing(whom, group)
            if held is None:
                continue
            if whom == who and had is not None and had[1] is not None and who != ADMIN:
                assert held[1] is not None, "prolonged by oneself"
                assert held[1] <= had[1], "prolonged by oneself"
            if level(held) <= level(had) or who == ADMIN:
                continue
            if own is None and whom == who:
                made = group not in before.groups
                joined = not made and before.groups[group][1] is AccessMode.OPEN
                assert made or (joined and held == (MemberRole.MEMBER, None))
            else:
                assert level(own) >= MemberRole.OWNER.level >= level(held)

    @initialize(visibility=a_visibility, access=st.sampled_from(AccessMode))
    def there_is_a_lab(self, visibility: Visibility, access: AccessMode) -> None:
        self.makes_a_group("ada", "optics", visibility, access)
        self.makes_a_project("ada", "optics", "lens", None)
        self.makes_a_lab("ada", ("lens", "bench"))
        self.gives_a_role("ada", "optics", "grace", MemberRole.OWNER, 9)

    @rule(who=somebody, slug=a_group, visibility=a_visibility, access=st.sampled_from(AccessMode))
    def makes_a_group(
        self, who: str, slug: str, visibility: Visibility, access: AccessMode
    ) -> None:
        form = forms.NewGroup(name=slug, slug=slug, visibility=visibility, access=access)
        if self.attempt(who, lambda s, a: groups.create_group(s, a, form)):
            view = self.view()
            # whatever had this address before has left nothing
            assert [key for key in view.held if key[0] == slug] == [(slug, who)]
            assert [one for one in view.projects.values() if one[0] == slug] == []

    @rule(
        who=anybody,
        group=a_group,
        slug=a_project,
        visibility=st.none() | st.sampled_from(Visibility),
    )
    def makes_a_project(
        self, who: str, group: str, slug: str, visibility: Visibility | None
    ) -> None:
        form = forms.NewProject(group=group, name=slug, slug=slug, visibility=visibility)
        self.attempt(who, lambda s, a: projects.create_project(s, a, form))

    @rule(who=somebody, address=a_lab)
    def makes_a_lab(self, who: str, address: Key) -> None:
        form = forms.NewLab(name=address[1], slug=address[1])
        if self.attempt(
            who, lambda s, a: labs.create_lab(s, a, _project(s, address[0]), form, self.settings)
        ):
            home = self.home(self.view().labs[address][0])
            assert not home.exists()
            home.mkdir(parents=True)
            (home / "notes").write_text(MARK)

    @rule(who=somebody, slug=a_group, visibility=a_visibility, access=st.sampled_from(AccessMode))
    def changes_a_group(
        self, who: str, slug: str, visibility: Visibility, access: AccessMode
    ) -> None:
        form = forms.GroupChanges(visibility=visibility, access=access)
        self.attempt(who, lambda s, a: groups.edit_group(s, a, _group(s, slug), form))

    @rule(who=somebody, slug=a_project, visibility=a_visibility, group=st.none() | a_group)
    def changes_a_project(
        self, who: str, slug: str, visibility: Visibility, group: str | None
    ) -> None:
        fields = {"visibility": visibility} | ({"group": group} if group else {})
        form = forms.ProjectChanges.read(fields)
        self.attempt(who, lambda s, a: projects.edit_project(s, a, _project(s, slug), form))

    @rule(who=somebody, slug=a_group, whom=anybody, role=a_role, days=st.sampled_from([None, 1, 9]))
    def gives_a_role(
        self, who: str, slug: str, whom: str, role: MemberRole, days: int | None
    ) -> None:
        end = self.now + timedelta(days=days) if days else None
        form = forms.MemberSettings(role=role, expires_at=end)
        self.attempt(who, lambda s, a: members.set_member(s, a, _group(s, slug), whom, form))

    @rule(slug=a_group, days=st.sampled_from([None, 5, 20]))
    def who_has_an_end_gives_themselves_another(self, slug: str, days: int | None) -> None:
        for (group, who), (role, end) in self.view().held.items():
            if group == slug and end is not None:
                self.gives_a_role(who, slug, who, role, days)

    @rule(who=somebody, slug=a_group, whom=anybody)
    def removes_somebody(self, who: str, slug: str, whom: str) -> None:
        self.attempt(who, lambda s, a: members.remove_member(s, a, _group(s, slug), whom))

    @rule(who=somebody, slug=a_group, joins=st.booleans())
    def joins_or_leaves(self, who: str, slug: str, joins: bool) -> None:
        if joins:
            message = forms.JoinMessage()
            self.attempt(who, lambda s, a: groups.join_group(s, a, _group(s, slug), message))
        else:
            self.attempt(who, lambda s, a: groups.leave_group(s, a, _group(s, slug)))

    @rule(who=somebody, slug=a_group, whom=anybody, role=a_role)
    def approves(self, who: str, slug: str, whom: str, role: MemberRole) -> None:
        form = forms.Approval(role=role)
        self.attempt(who, lambda s, a: members.approve_request(s, a, _group(s, slug), whom, form))

    @rule(who=somebody, address=a_lab, verb=st.sampled_from(["start", "stop", "lock", "unlock"]))
    def uses_a_lab(self, who: str, address: Key, verb: str) -> None:
        do: dict[str, Callable[[Session, Actor, Lab], Any]] = {
            "start": lambda s, a, lab: labs.start_lab(s, a, lab, forms.LabStart(), self.settings),
            "stop": labs.stop_lab,
            "lock": lambda s, a, lab: labs.lock_lab(s, a, lab, forms.LockReason()),
            "unlock": labs.unlock_lab,
        }
        self.attempt(who, lambda s, a: do[verb](s, a, _lab(s, address)))

    # the trash

    def move(self, who: str, what: str | Key, *, back: bool) -> bool:
        """Delete or restore a group, a project or a lab."""
        if isinstance(what, tuple):
            verb = labs.restore_lab if back else labs.delete_lab
            return self.attempt(who, lambda s, a: verb(s, a, _lab(s, what)))
        if what in GROUPS:
            of_group = groups.restore_group if back else groups.delete_group
            return self.attempt(who, lambda s, a: of_group(s, a, _group(s, what)))
        of_project = projects.restore_project if back else projects.delete_project
        return self.attempt(who, lambda s, a: of_project(s, a, _project(s, what)))

    @rule(who=somebody, what=a_group | a_project | a_lab, back=st.booleans())
    def deletes_or_restores(self, who: str, what: str | Key, back: bool) -> None:
        self.move(who, what, back=back)

    @rule(who=somebody, what=a_group | a_project | a_lab, days=st.sampled_from([0, 29]))
    def deletes_and_has_all_of_it_back(self, who: str, what: str | Key, days: int) -> None:
        before = self.view()
        if not self.move(who, what, back=False):
            return
        self.now += timedelta(days=days)
        self.worker_does_its_work()
        if self.move(ADMIN, what, back=True):
            after = self.view()
            # what was in the trash before may be gone for good by now, and stays there else
            for one in ("groups", "projects", "labs"):
                then, now = getattr(before, one), getattr(after, one)
                assert now == {key: value for key, value in then.items() if key in now}
                assert all(value[-1] for key, value in then.items() if key not in now)
            assert after.held == {key: before.held[key] for key in after.held}

    # time, and the worker

    @rule(days=st.sampled_from([1, 10, 31]))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(who=somebody, slug=a_group, kind=st.sampled_from(["people", "watchers"]))
    def somebody_changes_the_hub_by_hand(self, who: str, slug: str, kind: str) -> None:
        name = getattr(names, f"{kind}_group")(slug)
        if name in self.hub.members:
            self.hub.members[name] ^= {who}

    @rule()
    def worker_does_its_work(self) -> None:
        self.loop.run(self._work())
        self.hub_is_what_the_portal_says()

    async def _work(self) -> None:
        await trash.end_due(self.context)
        await self._do_jobs()
        await reconcile.repair(self.context)
        await self._do_jobs()

    async def _do_jobs(self) -> None:
        while True:
            due = await self.context.write(partial(_lease, now=self.now))
            if not due:
                return
            for number, kind, payload in due:
                handler, name = HANDLERS[kind]
                if not kind.startswith("measure"):
                    await handler(self.context, payload[name])
                await self.context.write(partial(jobs.finish, job_id=number))

    def hub_is_what_the_portal_says(self) -> None:
        view = self.view()
        expected: dict[str, set[str]] = {}
        running: dict[str, set[str]] = {}
        for slug, (_, _, deleted) in view.groups.items():
            standing = {who: view.standing(who, slug) for who in PEOPLE}
            inside = {who: held[0] for who, held in standing.items() if held and not deleted}
            watchers = {who for who, role in inside.items() if role is MemberRole.VIEWER}
            expected[names.watchers_group(slug)] = watchers
            expected[names.people_group(slug)] = inside.keys() - watchers
            expected[names.accounts_group(slug)] = {
                names.account_name(project)
                for project, (group, _, _, gone) in view.projects.items()
                if group == slug and not gone
            }
        for (project, lab), state in view.states.items():
            assert state in {LabState.RUNNING, LabState.STOPPED}
            if state is LabState.RUNNING:
                running.setdefault(names.account_name(project), set()).add(lab)
        own = {name: who for name, who in self.hub.members.items() if name in expected}
        assert own == expected
        assert self.hub.members.keys() <= expected.keys() | {names.ALL_ACCOUNTS_GROUP}
        assert {name: one for name, one in self.hub.users.items() if one} == running
        accounts = {names.account_name(project) for project in view.projects}
        assert self.hub.users.keys() - set(PEOPLE) <= accounts
        homes = {path.name for path in (self.data / "homes").glob("*")}
        assert homes == {uid for uid, *_ in view.labs.values()}

    def home(self, uid: str) -> Path:
        return self.data / "homes" / uid

    # what holds at every moment

    @invariant()
    def rules_hold(self) -> None:
        view = self.view()
        for slug in view.groups:
            lasting = [
                who for who in PEOPLE if view.held.get((slug, who)) == (MemberRole.OWNER, None)
            ]
            assert lasting, f"{slug} has no owner"
        for slug, (group, _, visibility, deleted) in view.projects.items():
            above, _, above_deleted = view.groups[group]
            assert visibility.openness <= above.openness, slug
            assert deleted or not above_deleted, slug
        for (project, slug), (uid, _, _, deleted) in view.labs.items():
            assert deleted or not view.projects[project][3], slug
            assert (self.home(uid) / "notes").read_text() == MARK
            if deleted:
                assert view.states[project, slug] not in {LabState.STARTING, LabState.RUNNING}

    @rule(who=somebody | st.just("guest"))
    def finds_what_the_rules_say(self, who: str) -> None:
        view = self.view()
        with reading(self.engine) as session:
            asking = actor(session, who)
            for slug in GROUPS:
                seen = slug in view.groups and _sees(view, who, slug, *view.groups[slug][::2])
                assert _finds(group_store.get_group, session, asking, slug) is seen
            for slug in PROJECTS:
                group, _, *rest = view.projects.get(slug, ("", "", Visibility.PUBLIC, False))
                seen = slug in view.projects and _sees(view, who, group, *rest)
                assert _finds(project_store.get_project, session, asking, slug) is seen
                for lab in LABS:
                    gone = view.labs.get((slug, lab), (None, None, None, None))[3]
                    there = gone is not None and seen
                    allowed = there and (not gone or _sees(view, who, group, rest[0], True))
                    assert _finds(lab_store.get_lab, session, asking, slug, lab) is allowed


def _sees(view: View, who: str, group: str, visibility: Visibility, deleted: bool) -> bool:
    """The rule in plain words."""
    held = view.standing(who, group)
    if who == ADMIN:
        return True
    if deleted:
        return level(held) == MemberRole.OWNER.level
    if visibility is Visibility.PUBLIC:
        return True
    return held is not None or (visibility is Visibility.INTERNAL and who != "guest")


def _finds(read: Callable[..., object], session: Session, asking: Actor, *address: str) -> bool:
    try:
        read(session, asking, *address)
    except NotFound:
        return False
    return True


def _lease(session: Session, now: datetime) -> list[tuple[int, str, dict[str, int]]]:
    leased: list[Job] = list(jobs.lease(session, limit=50, now=now))
    return [(job.id, job.kind, job.payload) for job in leased]


def _empty(engine: Engine) -> None:
    with engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


def test_whatever_people_do_the_rules_hold(engine: Engine) -> None:
    machine = type("Hub", (Hub,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
