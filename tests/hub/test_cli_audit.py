"""`sophon-hub audit`: verify, export and prune, from a shell."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sophon_hub import audit, cli, clock
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import make_engine, transact, writing
from tests.conftest import StoppedClock

BROKEN = 3


@pytest.fixture
def trail(
    settings: Sophon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stopped_clock: StoppedClock,
) -> Engine:
    """Four events, one a day, in the database that the commands work with."""
    monkeypatch.setenv("SOPHON_DATA_DIR", str(tmp_path / "data"))
    assert cli.main(["migrate"]) == 0
    engine = make_engine(f"sqlite:///{tmp_path}/data/sophon.sqlite")
    stopped_clock.now = datetime(2027, 3, 1, tzinfo=UTC)
    for name in ("ada", "grace", "ädä\n", "alan"):
        actor = Actor(username=name)
        transact(engine, lambda session, actor=actor: audit.record(session, actor, "t:x", None))
        stopped_clock.forward(days=1)
    capsys.readouterr()
    return engine


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def change(engine: Engine, statement: str) -> None:
    with writing(engine) as session:
        session.execute(text(statement))


def verify(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = cli.main(["audit", "verify", "--json", *words])
    [line] = said(capsys)
    return status, json.loads(line)


def test_a_whole_trail_is_said_to_be_whole_with_an_end_to_keep(
    trail: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", "verify"]) == 0
    sentence, end = said(capsys)
    assert sentence.startswith("4 events, and none was changed.")
    assert verify(capsys, "--noted", end) == (
        0,
        {"whole": True, "count": 4, "last": end, "problem": None},
    )
    change(trail, "DELETE FROM audit_events")
    change(trail, "DELETE FROM audit_chain")
    for _ in range(5):
        transact(trail, lambda session: audit.record(session, Actor(), "t:x", None))
    assert verify(capsys)[0] == 0
    status, found = verify(capsys, "--noted", end)
    assert (status, found["problem"]) == (BROKEN, "Event 4 is not the one that was noted.")


def test_the_first_event_that_was_changed_is_named(
    trail: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    change(trail, "UPDATE audit_events SET actor = 'eve' WHERE seq = 2")
    assert cli.main(["audit", "verify"]) == BROKEN
    [sentence] = said(capsys)
    assert sentence.startswith("Event 2 was altered")
    assert "The 1 events before it" in sentence
    assert verify(capsys)[1]["whole"] is False


def test_events_are_exported_one_a_line_and_can_be_verified_elsewhere(
    trail: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["audit", "export"]) == 0
    lines = said(capsys)
    events = [json.loads(line) for line in lines]
    assert [event["actor"] for event in events] == ["ada", "grace", "ädä\n", "alan"]
    assert events[0]["at"] == "2027-03-01T00:00:00.000000+00:00"
    assert cli.main(["audit", "export", "--after", "2"]) == 0
    later = said(capsys)
    assert later == lines[2:]
    for name, part in (("all", lines), ("later", later), ("none", [])):
        file = tmp_path / name
        file.write_text("".join(f"{line}\n" for line in part))
        status, found = verify(capsys, "--file", str(file))
        assert (status, found["problem"]) == (0, None)
    file.write_text("\n".join([lines[0], lines[2]]))
    assert verify(capsys, "--file", str(file))[1]["problem"] == "Event 2 is missing."


@pytest.mark.parametrize("content", [None, "no JSON", "[]", '{"id": 1}'])
def test_a_file_that_holds_no_events_is_refused(
    trail: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    assert cli.main(["audit", "verify", "--file", str(file)]) == 1
    assert "cannot be read as exported events" in capsys.readouterr().err


def test_pruned_events_are_in_the_archive_and_the_rest_is_whole(
    trail: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    archive = tmp_path / "2027.jsonl"
    prune = ["audit", "prune", "--before", "2027-03-03", "--archive", str(archive)]
    assert cli.main(prune) == 0
    assert said(capsys) == [f"2 events are in {archive} and no longer in the database."]
    assert archive.stat().st_mode & 0o777 == 0o600
    assert verify(capsys, "--file", str(archive))[1]["count"] == 2
    status, found = verify(capsys)
    assert (status, found["count"], found["problem"]) == (0, 3, None)
    assert cli.main(["audit", "export"]) == 0
    last = json.loads(said(capsys)[-1])
    assert (last["action"], last["via"]) == ("audit:prune", "cli")
    assert len(last["request_id"]) == len("7f1cf0cd6f3e4cf3a8b07f0c1d2b2b63")
    assert cli.main(prune) == 0
    assert said(capsys) == ["There are no events from before 2027-03-03."]


def test_nothing_is_removed_that_is_not_in_an_archive_or_from_a_trail_that_was_changed(
    trail: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    prune = ["audit", "prune", "--before", f"{clock.utcnow():%Y-%m-%d}", "--archive"]
    assert cli.main([*prune, str(taken)]) == 1
    assert "cannot be written" in capsys.readouterr().err
    change(trail, "DELETE FROM audit_events WHERE seq = 2")
    assert cli.main([*prune, str(tmp_path / "new")]) == 1
    assert "Event 2 is missing." in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "--noted", "x"],
        ["verify", "--noted", "5:short"],
        ["prune", "--before", "soon", "--archive", "x"],
        ["prune", "--before", "2027-01-01"],
        [],
    ],
)
def test_a_command_that_cannot_be_understood_is_explained(
    trail: Engine, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["audit", *words])
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
