"""`sophon-hub explain`, `members`, `purge` and `reconcile`, from a shell."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from sophon_hub import cli, jobs
from sophon_hub.clock import rfc3339, utcnow
from sophon_hub.models import (
    AuditEvent,
    Job,
    MemberRole,
    Membership,
    MembershipSource,
    Person,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.settings import Sophon
from sophon_hub.store import chain
from sophon_hub.store.engine import make_engine, reading, transact, writing
from tests import make
from tests.cast import Cast

OK, FAILED, NO, LATE = 0, 1, 3, 4
Say = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def engine(settings: Sophon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The cast around a private project with a lab, in the database the commands work with."""
    monkeypatch.setenv("SOPHON_DATA_DIR", str(tmp_path / "data"))
    assert cli.main(["migrate"]) == 0
    engine = make_engine(f"sqlite:///{tmp_path}/data/sophon.sqlite")
    with writing(engine) as session:
        cast = Cast.enter(session)
        project = make.project(session, cast.group, "lens", visibility=Visibility.PRIVATE)
        make.lab(session, project, "bench")
        make.dataset(session, "stars", group=cast.group)
    return engine


@pytest.fixture
def say(engine: Engine, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command: its exit status and what it says."""

    def run(*words: str) -> tuple[int, list[str]]:
        capsys.readouterr()
        status = cli.main(words)
        both = capsys.readouterr()
        return status, [*both.out.splitlines(), *both.err.splitlines()]

    return run


# explain


@pytest.mark.parametrize(
    ("user", "permission", "address", "answer", "rule"),
    [
        ("grace", "lab:open", "projects/lens/labs/bench", OK, "at least member of the group"),
        ("alan", "lab:open", "projects/lens/labs/bench", NO, "at least member of the group"),
        ("ada", "group:edit", "groups/optics", OK, "at least owner of the group"),
        ("root", "project:delete", "projects/lens", OK, "at least owner of the group"),
        ("barbara", "project:see", "/services/sophon/projects/lens/", NO, "visibility private"),
        ("-", "group:see", "https://hub.example.edu/x/services/sophon/groups/optics", OK, "visib"),
        ("-", "dataset:see", "datasets/stars", NO, "visibility internal"),
    ],
)
def test_a_decision_is_explained(
    say: Say, user: str, permission: str, address: str, answer: int, rule: str
) -> None:
    status, lines = say("explain", user, permission, address)
    assert status == answer
    assert lines[0] == ("yes" if answer == OK else "no")
    assert lines[1].startswith(f"rule: {rule}")
    status, [line] = say("explain", user, permission, address, "--json")
    found = json.loads(line)
    assert (status, found["allowed"]) == (answer, answer == OK)
    assert lines[2] == f"source: {found['source']}"


def test_an_explanation_says_until_when(say: Say, engine: Engine) -> None:
    end = datetime(2100, 1, 1, tzinfo=UTC)
    with writing(engine) as session:
        for membership in session.scalars(select(Membership)):
            membership.expires_at = end
    assert say("explain", "alan", "project:see", "projects/lens")[1][-1] == f"until: {rfc3339(end)}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody", "group:see", "groups/optics"), "nobody called nobody"),
        (("ada", "group:see", "groups/nowhere"), "There is no groups/nowhere"),
        (("ada", "group:see", "optics"), "no address"),
        (("ada", "lab:open", "groups/optics"), "not about groups/optics"),
        (("ada", "lab:open", "datasets/stars"), "not about datasets/stars"),
        (("ada", "dataset:see", "projects/lens"), "not about projects/lens"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(
    say: Say, words: tuple[str, ...], said: str
) -> None:
    status, [line] = say("explain", *words)
    assert status == FAILED
    assert said in line


# members


def members(engine: Engine) -> dict[str, tuple[str, datetime | None]]:
    with reading(engine) as session:
        rows = session.execute(
            select(Person.username, Membership.role, Membership.expires_at).join(
                Person, Membership.person_id == Person.id
            )
        )
        return {name: (str(role), end) for name, role, end in rows}


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        file = tmp_path / "people.csv"
        file.write_text(text, encoding="utf-8-sig")
        return str(file)

    return write


FILE = """username;role;expires_at
barbara;member;2100-01-31T12:00:00Z
grace;viewer;
alan;remove;
ada;owner;
"""


def test_people_come_change_and_go_by_a_file(say: Say, engine: Engine, csv: Any) -> None:
    before = members(engine)
    file = csv(FILE)
    status, lines = say("members", "optics", file, "--dry-run")
    assert status == OK
    said = [
        "line 2: barbara: added, member",
        "line 3: grace: changed, viewer",
        "line 4: alan: removed",
        "line 5: ada: unchanged",
    ]
    assert lines == [*said, "4 lines would be done."]
    assert members(engine) == before
    assert say("members", "optics", file) == (OK, [*said, "4 lines are done."])
    end = datetime(2100, 1, 31, 12, tzinfo=UTC)
    assert members(engine) == {
        "ada": ("owner", None),
        "barbara": ("member", end),
        "grace": ("viewer", None),
    }
    with reading(engine) as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert [(event.action, event.via) for event in events] == [
            ("member:add", "cli"),
            ("member:change", "cli"),
            ("member:remove", "cli"),
        ]
        assert chain.system_verify(session).problem is None
    status, [line] = say("members", "optics", csv(FILE.replace("alan;remove;\n", "")), "--json")
    assert status == OK
    assert json.loads(line) == {
        "done": True,
        "lines": [
            {"line": number, "username": name, "result": "unchanged", "problem": None}
            for number, name in ((2, "barbara"), (3, "grace"), (4, "ada"))
        ],
    }


def test_what_the_sign_on_decided_becomes_a_decision_of_the_file(
    say: Say, engine: Engine, csv: Any
) -> None:
    with writing(engine) as session:
        for membership in session.scalars(select(Membership)):
            membership.source = MembershipSource.SIGN_ON
    assert say("members", "optics", csv("username,role\ngrace,member\n"))[1][0] == (
        "line 2: grace: changed, member"
    )


def test_one_refused_line_keeps_all_others_from_being_done(
    say: Say, engine: Engine, csv: Any
) -> None:
    before = members(engine)
    file = csv(
        "role,username\nmember,barbara\nmember,nobody\nboss,grace\nremove,barbara\n"
        "viewer,ada\nremove,root\n"
    )
    for words in ((), ("--dry-run",)):
        status, lines = say("members", "optics", file, *words)
        assert status == NO
        assert lines == [
            "line 2: barbara: added, member",
            "line 3: nobody: There is no account “nobody” at this hub.",
            "line 4: grace: Give one of: viewer, member, owner.",
            "line 5: barbara: removed",
            "line 6: ada: A group needs an owner without an end date. Make somebody else an owner"
            " first.",
            "line 7: root: root does not belong to the group.",
            "4 of 6 lines are refused, so nothing is changed.",
        ]
        assert members(engine) == before
    with reading(engine) as session:
        assert session.scalars(select(AuditEvent)).all() == []
        assert session.scalars(select(Job)).all() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,role\n", "name the columns"),
        ("username,role,role\n", "name the columns"),
        ("", "name the columns"),
        ("username,role\na,b,c\n", "Line 2 of"),
        ('username,role\n"a,b\n', "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(say: Say, csv: Any, text: str, said: str) -> None:
    status, [line] = say("members", "optics", csv(text))
    assert status == FAILED
    assert said in line


def test_a_group_or_file_that_is_not_there_is_refused(say: Say, csv: Any, tmp_path: Path) -> None:
    assert say("members", "nowhere", csv(FILE))[1] == ["sophon-hub: There is no groups/nowhere."]
    status, [line] = say("members", "optics", str(tmp_path / "none.csv"))
    assert status == FAILED
    assert "cannot be read" in line
    (tmp_path / "latin").write_bytes(b"username,role\n\xe4,member\n")
    assert say("members", "optics", str(tmp_path / "latin"))[0] == FAILED


# purge and reconcile: the worker is another process; tests/journeys/test_trash_ends.py


@pytest.fixture
def old(engine: Engine) -> int:
    """A project that was deleted long ago; its number."""
    with writing(engine) as session:
        lens = session.scalars(select(ResearchProject)).one()
        lens.deleted_at = utcnow() - timedelta(days=31)
        return lens.id


def purging(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return [job.kind for job in session.scalars(select(Job)) if job.kind.startswith("purge")]


def test_what_is_due_is_named_and_handed_to_the_worker(say: Say, engine: Engine, old: int) -> None:
    assert say("purge", "--dry-run") == (OK, ["projects/lens: would be removed"])
    assert purging(engine) == []
    assert say("purge", "--wait", "0") == (LATE, ["projects/lens: is being removed"])
    assert purging(engine) == ["purge_project"]
    assert say("purge", "--wait", "0") == (OK, ["Nothing in the trash is due."])


def test_what_nobody_stands_by_is_kept(say: Say, engine: Engine, old: int) -> None:
    with writing(engine) as session:
        alan = session.scalars(select(Person).where(Person.username == "alan")).one()
        session.get_one(ResearchProject, old).deleted_by_id = alan.id
    status, [line] = say("purge", "--json", "--wait", "0")
    assert status == OK
    assert json.loads(line) == {"projects/lens": "kept, since who deleted it is no longer an owner"}


def test_one_thing_is_removed_when_its_slug_is_given_twice(
    say: Say, engine: Engine, old: int
) -> None:
    with writing(engine) as session:
        session.scalars(select(ResearchGroup)).one().deleted_at = utcnow()
    lab = "projects/lens/labs/bench"
    assert "to the trash first" in say("purge", lab, "--confirm", "bench")[1][0]
    assert say("purge", lab, "--dry-run") == (OK, [f"{lab}: would be removed"])
    assert say("purge", "groups/optics")[0] == FAILED
    assert say("purge", "groups/optics", "--confirm", "lens")[0] == FAILED
    assert purging(engine) == []
    status, lines = say("purge", "groups/optics", "--confirm", "optics", "--wait", "0")
    assert (status, lines) == (LATE, ["groups/optics: is being removed"])
    assert "cannot come back" in say("purge", lab, "--confirm", "bench")[1][0]


def test_a_purge_that_the_worker_has_done_is_said_to_be(
    say: Say, engine: Engine, old: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(seconds: float) -> None:
        with writing(engine) as session:
            session.delete(session.get_one(ResearchProject, old))
            assert seconds < 1

    monkeypatch.setattr("time.sleep", work)
    assert say("purge") == (OK, ["projects/lens: removed"])


def test_reconcile_asks_the_worker_and_says_whether_it_did(
    say: Say, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, [line] = say("reconcile", "--wait", "0")
    assert status == LATE
    assert "Is the hub running?" in line

    def work(_: float) -> None:
        def finish(session: Any) -> None:
            for job in session.scalars(select(Job)):
                assert (job.kind, job.payload) == ("reconcile", {"number": 0})
                jobs.finish(session, job.id)

        transact(engine, finish)

    monkeypatch.setattr("time.sleep", work)
    assert say("reconcile", "--json") == (OK, ['{"done": true}'])
    assert say("reconcile")[1][0].startswith("Portal and hub were compared")


def test_every_role_can_be_given(say: Say, engine: Engine, csv: Any) -> None:
    for role in MemberRole:
        assert say("members", "optics", csv(f"username\trole\nbarbara\t{role}\n"))[0] == OK
        assert members(engine)["barbara"] == (role, None)


# groups


GROUPS = """slug,name,owner,visibility,access,description
lasers,Lasers,barbara,private,request,"Light, *amplified*"
optics,Fine optics,ada,,,
waves,Waves,root,internal,,
"""


def group_rows(engine: Engine) -> dict[str, tuple[str, str, str, str]]:
    with reading(engine) as session:
        return {
            row.slug: (row.name, row.visibility, row.access, row.description)
            for row in session.scalars(select(ResearchGroup))
        }


def test_groups_come_and_change_by_a_file(say: Say, engine: Engine, csv: Any) -> None:
    before, file = group_rows(engine), csv(GROUPS)
    said = [
        "line 2: lasers: created, private, owned by barbara",
        "line 3: optics: changed, name",
        "line 4: waves: created, internal, owned by root",
    ]
    status, lines = say("groups", "import", file, "--dry-run")
    assert (status, lines) == (OK, [*said, "3 lines would be done."])
    assert group_rows(engine) == before
    assert say("groups", "import", file) == (OK, [*said, "3 lines are done."])
    assert group_rows(engine) == {
        "optics": ("Fine optics", *before["optics"][1:]),
        "lasers": ("Lasers", "private", "request", "Light, *amplified*"),
        "waves": ("Waves", "internal", "manual", ""),
    }
    with reading(engine) as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert [(event.action, event.subject, event.via) for event in events] == [
            ("group:create", "lasers", "cli"),
            ("group:edit", "optics", "cli"),
            ("group:create", "waves", "cli"),
        ]
        assert events[0].detail["owner"] == "barbara"
        owner = session.scalars(
            select(Membership)
            .join(Person, Membership.person_id == Person.id)
            .where(Person.username == "barbara")
        ).one()
        assert (owner.role, owner.expires_at) == (MemberRole.OWNER, None)
    status, [line] = say("groups", "import", file, "--json")
    assert status == OK
    assert json.loads(line)["lines"][1] == {
        "line": 3,
        "slug": "optics",
        "result": "unchanged",
        "problem": None,
    }


def test_one_refused_group_keeps_all_others_from_being_made(
    say: Say, engine: Engine, csv: Any
) -> None:
    before = group_rows(engine)
    with writing(engine) as session:
        make.group(session, "gone", deleted_at=utcnow())
        session.flush()
        gone = session.scalars(select(ResearchGroup).where(ResearchGroup.slug == "gone")).one()
        ada = session.scalars(select(Person).where(Person.username == "ada")).one()
        make.membership(session, gone, ada, MemberRole.OWNER)
        dataset = make.dataset(session, "public-stars", visibility=Visibility.PUBLIC)
        dataset.group_id = session.scalars(
            select(ResearchGroup.id).where(ResearchGroup.slug == "optics")
        ).one()
    file = csv(
        "slug,name,owner,visibility\nlasers,Lasers,barbara,\nmirrors,Mirrors,nobody,\n"
        "optics,Optics,grace,\noptics,Optics,nobody,\noptics,Optics,ada,private\n"
        "gone,Gone,ada,\nX,Y,ada,\nrays,Rays,ada,secret\n"
    )
    for words in ((), ("--dry-run",)):
        status, lines = say("groups", "import", file, *words)
        assert status == NO
        assert lines[0] == "line 2: lasers: created, public, owned by barbara"
        assert [line.partition(": ")[2].partition(": ")[2][:38] for line in lines[1:8]] == [
            "There is no account “nobody” at this h",
            "The group is there already, and grace ",
            "The group is there already, and nobody",
            "A private group cannot have datasets t",
            "The group is in the trash; restore it ",
            "Use small letters a to z, digits and s",
            "Give one of: public, internal, private",
        ], lines
        assert lines[-1] == "7 of 8 lines are refused, so nothing is changed."
        assert set(group_rows(engine)) == {*before, "gone"}
    with reading(engine) as session:
        assert session.scalars(select(AuditEvent)).all() == []


def test_groups_are_listed_page_by_page(
    say: Say, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(engine) as session:
        make.group(session, "waves", visibility=Visibility.PRIVATE)
        make.group(session, "gone", deleted_at=utcnow())
    monkeypatch.setattr("sophon_hub.groups_command.MAX_LIMIT", 1)
    assert say("groups", "list") == (
        OK,
        ["optics  public  open  3  1  Optics", "waves  private  manual  0  0  Waves"],
    )
    _, lines = say("groups", "list", "--trash", "--json")
    assert [json.loads(line)["slug"] for line in lines] == ["gone"]
    assert json.loads(lines[0]) == {
        "slug": "gone",
        "visibility": "public",
        "access": "manual",
        "people": 0,
        "projects": 0,
        "name": "Gone",
    }


# users


def test_people_are_listed_and_searched(
    say: Say, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(engine) as session:
        make.person(session, "charles").gone_at = utcnow()
        past = session.scalars(
            select(Membership)
            .join(Person, Membership.person_id == Person.id)
            .where(Person.username == "alan")
        ).one()
        past.expires_at = utcnow() - timedelta(days=1)
    monkeypatch.setattr("sophon_hub.users_command.MAX_LIMIT", 2)
    assert say("users", "list") == (
        OK,
        [
            "ada  -  1  Ada",
            "alan  -  0  Alan",
            "barbara  -  0  Barbara",
            "grace  -  1  Grace",
            "root  admin  0  Root",
        ],
    )
    _, [line] = say("users", "list", "--search", "BARB", "--json")
    assert json.loads(line) == {
        "username": "barbara",
        "admin": False,
        "groups": 0,
        "display_name": "Barbara",
    }


def test_somebody_is_shown_with_groups_and_requests(say: Say, engine: Engine) -> None:
    end = datetime(2100, 1, 1, tzinfo=UTC)
    with writing(engine) as session:
        grace = session.scalars(select(Person).where(Person.username == "grace")).one()
        for membership in session.scalars(
            select(Membership).where(Membership.person_id == grace.id)
        ):
            membership.expires_at = end
        make.request(session, make.group(session, "waves"), grace)
        joined = rfc3339(grace.created_at)
    assert say("users", "show", "grace") == (
        OK,
        [
            f"grace (Grace), known since {joined}",
            f"member of optics, until {rfc3339(end)}, by person",
            "asks to join waves",
        ],
    )
    assert say("users", "show", "root")[1][1].startswith("administrator")
    assert json.loads(say("users", "show", "grace", "--json")[1][0]) == {
        "username": "grace",
        "display_name": "Grace",
        "admin": False,
        "known_since": joined,
        "memberships": [
            {
                "group": "optics",
                "role": "member",
                "expires_at": rfc3339(end),
                "source": "person",
            }
        ],
        "requests": ["waves"],
    }


@pytest.mark.parametrize("verb", ["show", "lock-out"])
def test_somebody_unknown_or_gone_is_one_sentence(say: Say, engine: Engine, verb: str) -> None:
    with writing(engine) as session:
        make.person(session, "charles").gone_at = utcnow()
    for name in ("nobody", "charles"):
        status, [line] = say("users", verb, name)
        assert (status, line) == (FAILED, f"sophon-hub: The portal knows nobody called {name}.")


def test_who_is_locked_out_leaves_all_groups_and_asks_for_none(say: Say, engine: Engine) -> None:
    with writing(engine) as session:
        ada = session.scalars(select(Person).where(Person.username == "ada")).one()
        waves = make.group(session, "waves")
        make.membership(session, waves, ada, MemberRole.VIEWER)
        barbara = session.scalars(select(Person).where(Person.username == "barbara")).one()
        make.membership(session, waves, barbara, MemberRole.OWNER)
        make.request(session, make.group(session, "xray"), ada)
    said = [
        "line 1: optics: A group needs an owner without an end date. Make somebody else an owner"
        " first.",
        "line 2: waves: removed",
        "line 3: xray: request declined",
    ]
    status, lines = say("users", "lock-out", "ada", "--dry-run")
    assert (status, lines) == (NO, [*said, "1 of 3 lines is refused. 2 lines would be done."])
    with reading(engine) as session:
        assert session.scalars(select(AuditEvent)).all() == []
    # one group without another owner does not keep somebody in all others
    assert say("users", "lock-out", "ada") == (
        NO,
        [*said, "1 of 3 lines is refused. 2 lines are done."],
    )
    with reading(engine) as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert [(event.action, event.subject, event.via) for event in events] == [
            ("member:remove", "waves", "cli"),
            ("request:decline", "xray", "cli"),
        ]
        assert [job.kind for job in session.scalars(select(Job))] == ["sync_group"]
    assert say("users", "lock-out", "grace") == (OK, ["line 1: optics: removed", "1 line is done."])
    assert set(members(engine)) == {"ada", "alan", "barbara"}
    assert say("users", "lock-out", "grace", "--json") == (OK, ['{"done": true, "lines": []}'])
