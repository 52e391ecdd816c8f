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
