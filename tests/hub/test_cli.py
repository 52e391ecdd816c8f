"""`sophon-hub`: the commands, over real databases, in processes of their own and in this one."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from running import RunningHub
from sqlalchemy import func, select

from sophon_hub import cli, demo
from sophon_hub.authenticator import LocalAuthenticator
from sophon_hub.models import (
    AuditEvent,
    Lab,
    MemberRole,
    Membership,
    Person,
    ResearchGroup,
    ResearchProject,
)
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.store import schema
from sophon_hub.store.engine import make_engine, reading


@pytest.fixture
def here(settings: Sophon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands work with the settings of the environment; this is their data directory."""
    data = tmp_path / "data"
    monkeypatch.setenv("SOPHON_DATA_DIR", str(data))
    monkeypatch.setenv("SOPHON_SPAWNER", "process")
    return data


def run(*words: str) -> None:
    assert cli.main(words) == 0


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one sentence with which a command fails."""
    assert cli.main(words) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert said.err.startswith("sophon-hub: ")
    return said.err


def rows(kind: Any) -> Any:
    with reading(make_engine(Sophon.load().database_url)) as session:
        return session.scalars(select(kind)).all()


def test_migrate_makes_the_database_and_says_where_it_is(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = make_engine(f"sqlite:///{here}/sophon.sqlite")
    for _ in range(2):
        run("migrate")
        assert capsys.readouterr().out == f"The database is at revision {schema.head()}.\n"
        schema.check(engine)
    run("migrate", "--json")
    assert json.loads(capsys.readouterr().out) == {"revision": schema.head()}
    assert here.stat().st_mode & 0o777 == 0o700
    engine.dispose()


@pytest.mark.postgres
def test_migrate_makes_a_postgresql_database(
    here: Path, fresh_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPHON_DATABASE_URL", fresh_postgres_url)
    run("migrate")
    engine = make_engine(fresh_postgres_url)
    schema.check(engine)
    engine.dispose()
    assert not here.exists()


def test_settings_lists_what_holds_without_passwords(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql+psycopg://sophon:very-secret@db.example.org/sophon"
    monkeypatch.setenv("SOPHON_DATABASE_URL", url)
    monkeypatch.setenv("SOPHON_HUB_DATABASE_URL", url.replace("/sophon", "/jupyterhub"))
    monkeypatch.setenv("SOPHON_PORT", "9000")
    run("settings")
    said = capsys.readouterr().out
    assert "very-secret" not in said
    assert "SOPHON_DATABASE_URL=postgresql+psycopg://sophon:***@db.example.org/sophon" in said
    assert "SOPHON_PORT=9000" in said
    assert f"SOPHON_DATA_DIR={here}" in said
    lines = dict(line.split("=", 1) for line in said.splitlines())
    assert set(lines) == set(Sophon.load().environment())
    run("settings", "--json")
    assert json.loads(capsys.readouterr().out) == lines


@pytest.mark.parametrize("command", ["migrate", "settings", "seed-demo", "check"])
def test_a_wrong_setting_is_one_sentence(
    here: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOPHON_PORT", "many")
    assert "SOPHON_PORT='many'" in refusal(capsys, command)


@pytest.mark.parametrize("command", ["migrate", "settings", "seed-demo"])
@pytest.mark.parametrize("url", ["nonsense", "postgresql+pg8000://"])
def test_a_database_url_that_cannot_be_is_one_sentence(
    here: Path,
    command: str,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SOPHON_DATABASE_URL", url)
    if command == "settings" and "://" in url:
        run(command)  # readable, whether or not its driver is installed
    else:
        assert "database" in refusal(capsys, command)


def test_a_command_is_required(here: Path) -> None:
    for words in ((), ("no-such",)):
        with pytest.raises(SystemExit):
            cli.main(words)


# the sample -------------------------------------------------------------------------------


def test_seeding_needs_the_tables(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "run: sophon-hub migrate" in refusal(capsys, "seed-demo")
    run("migrate")
    run("seed-demo")


def test_the_sample_is_what_the_guide_says(here: Path) -> None:
    run("migrate")
    run("seed-demo")
    assert {person.username: person.display_name for person in rows(Person)} == demo.PEOPLE
    (group,) = rows(ResearchGroup)
    assert (group.visibility, group.access) == ("public", "open")
    assert Counter(project.visibility for project in rows(ResearchProject)) == {
        "public": 1,
        "internal": 1,
        "private": 1,
    }
    assert {row.role for row in rows(Membership)} == set(MemberRole)
    (lab,) = rows(Lab)
    notebook = json.loads((here / "homes" / lab.uid / "bernoulli.ipynb").read_text())
    assert notebook["nbformat"] == 4
    # made by actions, so that the log tells where it all came from
    events = rows(AuditEvent)
    assert {(event.actor, event.via) for event in events} == {("ada", "cli")}
    assert len(events) == 7


def test_the_code_of_the_sample_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = [source for kind, source in demo.NOTEBOOK if kind == "code"]
    exec("\n".join(code), {})
    assert "B10 = 5/66" in capsys.readouterr().out


def test_a_second_seeding_changes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("migrate")
    run("seed-demo")
    before = (here / demo.PASSWORDS_FILE).read_text()
    events = len(rows(AuditEvent))
    LocalAuthenticator().set_password("ada", "engine-of-brass-1843")
    capsys.readouterr()
    run("seed-demo")
    assert "nothing is added" in capsys.readouterr().out
    assert (here / demo.PASSWORDS_FILE).read_text() == before
    assert len(rows(AuditEvent)) == events
    assert LocalAuthenticator().check_password("ada", "engine-of-brass-1843")


def test_sample_passwords_are_private_and_differ_between_people_and_hubs(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for place in (here, tmp_path / "other"):
        monkeypatch.setenv("SOPHON_DATA_DIR", str(place))
        run("migrate")
        run("seed-demo")
        path = place / demo.PASSWORDS_FILE
        assert path.stat().st_mode & 0o777 == 0o600
        made += demo.read_passwords(path).values()
    assert len(set(made)) == 2 * len(demo.PEOPLE)
    path.chmod(0o644)
    with pytest.raises(BadSetting, match="chmod 600"):
        demo.read_passwords(path)


def test_a_hub_with_groups_gets_no_sample(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("migrate")
    run("seed-demo")
    engine = make_engine(Sophon.load().database_url)
    with engine.begin() as connection:
        connection.execute(ResearchGroup.__table__.update().values(slug="our-own"))
    run("seed-demo")
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(ResearchGroup)) == 1
    engine.dispose()
    assert "nothing is added" in capsys.readouterr().out


def test_without_local_accounts_the_sample_has_people_and_no_passwords(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPHON_AUTHENTICATOR", "dummy")
    run("migrate")
    run("seed-demo")
    assert not (here / demo.PASSWORDS_FILE).exists()
    assert len(rows(Person)) == len(demo.PEOPLE)


# a running hub ----------------------------------------------------------------------------


@pytest.mark.hub
def test_announce_prints_how_to_sign_in_once_the_hub_answers(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path)
    assert hub.command("check").returncode == 0
    assert hub.command("migrate").returncode == 0
    assert hub.command("seed-demo").returncode == 0
    hub.start()
    try:
        told = hub.command("announce").stdout
        assert f"Sophon Hub is ready: {hub.url}/" in told
        assert "NOT ISOLATED" in told
        found = re.search(r"grace +(\S+)", told)
        assert found is not None
        assert hub.browser().sign_in("grace", found[1]).status_code == 302
        refused = hub.command("check")
        assert refused.returncode == 1
        assert "already running" in refused.stderr
        hub.environment["SOPHON_PUBLIC_URL"] = "https://hub.example.edu"
        assert "Sophon Hub is ready: https://hub.example.edu/\n" in hub.command("announce").stdout
    finally:
        hub.end()


COMPLETE = """
source "$1"
words=(sophon-hub $2)
COMP_WORDS=("${words[@]}" "$3")
COMP_CWORD=${#words[@]}
COMP_LINE="sophon-hub $2 $3"
COMP_POINT=${#COMP_LINE}
COMPREPLY=()
_shtab_sophon_hub
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("before", "begun", "offered"),
    [
        ("", "mi", {"migrate"}),
        ("audit", "ver", {"verify"}),
        ("members", "--j", {"--json"}),
        ("members optics", "peop", {"people.csv"}),
        ("check --config", "jup", {"jupyterhub_config.py"}),
        ("explain ada", "lab:st", {"lab:start", "lab:stop"}),
    ],
)
def test_a_shell_completes_commands_words_and_files(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    before: str,
    begun: str,
    offered: set[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--print-completion", "bash"])
    assert end.value.code == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    for name in ("people.csv", "jupyterhub_config.py"):
        (tmp_path / name).touch()
    said = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", str(script), before, begun],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(said.stdout.split()) == offered
