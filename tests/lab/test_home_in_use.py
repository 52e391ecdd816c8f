"""One home, one lab."""

import fcntl
import logging
from pathlib import Path

import pytest
from sophon_lab import homes
from sophon_lab.homes import LOCK, HomeInUse, take_home

LOG = logging.getLogger(__name__)


def test_a_home_is_taken_until_the_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "WAIT_SECONDS", 0.2)
    take_home(tmp_path, LOG)

    with pytest.raises(HomeInUse, match="Stop it first"):
        take_home(tmp_path, LOG)


def test_a_lab_that_is_about_to_end_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath(LOCK).parent.mkdir(parents=True)
    with tmp_path.joinpath(LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr(homes.time, "sleep", lambda seconds: held.close())

        take_home(tmp_path, LOG)


def test_where_nothing_can_be_locked_the_lab_runs_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath(".local").touch()
    take_home(tmp_path, LOG)
    tmp_path.joinpath(".local").unlink()

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(homes.fcntl, "flock", refuse)
    take_home(tmp_path, LOG)

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
