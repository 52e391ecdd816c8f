"""`sophon-hub dataset`: registering what is on the machine, from a shell."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from sophon_hub import cli
from sophon_hub.models import AuditEvent, Dataset, Job
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import make_engine, reading


@pytest.fixture
def database(settings: Sophon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The commands work with the settings of the environment; gives the database's URL."""
    data = tmp_path / "data"
    monkeypatch.setenv("SOPHON_DATA_DIR", str(data))
    monkeypatch.setenv("SOPHON_DATASET_ROOTS", '["/srv/data"]')
    assert cli.main(["migrate"]) == 0
    return f"sqlite:///{data}/sophon.sqlite"


def test_a_directory_is_registered_and_listed(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dataset", "add", "Night sky", "--directory", "/srv/data/sky", "--licence", "CC0"]
    assert cli.main(words) == 0
    assert cli.main(["dataset", "add", "Climate", "--volume", "climate"]) == 0
    capsys.readouterr()
    assert cli.main(["dataset", "list"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in said] == [
        ["climate", "preparing", "internal", "climate"],
        ["night-sky", "preparing", "internal", "/srv/data/sky"],
    ]
    engine = make_engine(database)
    with reading(engine) as session:
        events = session.scalars(select(AuditEvent)).all()
        assert [(event.action, event.actor, event.via) for event in events] == [
            ("dataset:create", None, "cli")
        ] * 2
        assert {job.kind for job in session.scalars(select(Job))} == {"prepare_dataset"}
    engine.dispose()


def test_programs_read_json(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["dataset", "add", "Night sky", "--directory", "/srv/data/sky", "--json"]
    capsys.readouterr()
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"slug": "night-sky"}
    assert cli.main(["dataset", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "slug": "night-sky",
        "state": "preparing",
        "visibility": "internal",
        "location": "/srv/data/sky",
        "message": "Waiting for its turn",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Sky", "--directory", "/etc"], "/srv/data"),
        (["Sky", "--volume", "../x"], "name of a volume"),
        (["Sky", "--directory", "/srv/data/x", "--visibility", "all"], "visibility"),
        (["Sky", "--directory", "/srv/data/x", "--group", "nowhere"], "no such group"),
        ([" ", "--directory", "/srv/data/x"], "name"),
    ],
)
def test_what_breaks_a_rule_is_one_sentence_and_registers_nothing(
    database: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dataset", "add", *words]) == 1
    assert said in capsys.readouterr().err
    engine = make_engine(database)
    with reading(engine) as session:
        assert session.scalars(select(Dataset)).all() == []
    engine.dispose()


@pytest.mark.parametrize(
    "words", [["Sky"], ["Sky", "--directory", "/srv/data/x", "--volume", "x"], []]
)
def test_a_dataset_is_in_one_place(
    database: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["dataset", "add", *words])
    assert "usage" in capsys.readouterr().err
