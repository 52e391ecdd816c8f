"""What a lab says of the memory and processor that it uses; the files are control groups'."""

from pathlib import Path

import pytest
from sophon_lab import resources
from sophon_lab.resources import Resources


class Clock:
    """Seconds, as the test says."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(resources, "time", clock)
    monkeypatch.setenv("MEM_LIMIT", "2147483648")
    monkeypatch.setenv("CPU_LIMIT", "1.5")
    return clock


def test_control_groups_of_version_2(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "memory.current").write_text("500\n")
    (tmp_path / "memory.stat").write_text("anon 300\nfile 200\ninactive_file 150\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 4000000\nuser_usec 1\n")
    seen = Resources(tmp_path)
    clock.now += 2
    (tmp_path / "cpu.stat").write_text("usage_usec 5000000\nuser_usec 1\n")

    assert seen.now() == {"memory": 350, "memory_limit": 2**31, "cpu": 0.5, "cpu_limit": 1.5}
    # sooner asked again, the processor is as it was
    (tmp_path / "cpu.stat").write_text("usage_usec 9000000\nuser_usec 1\n")
    clock.now += 0.5
    assert seen.now()["cpu"] == 0.5


def test_control_groups_of_version_1(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpuacct").mkdir()
    (tmp_path / "memory/memory.usage_in_bytes").write_text("500\n")
    (tmp_path / "memory/memory.stat").write_text("inactive_file 100\ntotal_inactive_file 120\n")
    (tmp_path / "cpuacct/cpuacct.usage").write_text("1000000000\n")
    seen = Resources(tmp_path)
    clock.now += 4
    (tmp_path / "cpuacct/cpuacct.usage").write_text("2000000000\n")

    assert seen.now() == {"memory": 380, "memory_limit": 2**31, "cpu": 0.25, "cpu_limit": 1.5}


def test_what_is_not_known_is_not_made_up(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEM_LIMIT", "")
    monkeypatch.setenv("CPU_LIMIT", "")
    seen = Resources(tmp_path)
    clock.now += 2

    assert set(seen.now().values()) == {None}


def test_outside_a_container_nothing_is_known(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.current").write_text("500\n")
    monkeypatch.delenv("MEM_LIMIT")

    assert set(Resources(tmp_path).now().values()) == {None}
