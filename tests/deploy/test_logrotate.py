"""deploy/logrotate/sophon-hub: logrotate understands it, and the hub goes on writing."""

import gzip
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "deploy" / "logrotate" / "sophon-hub"
LOG = "/var/log/sophon-hub/hub.log"
WRITER = """
import sys
for line in sys.stdin:
    print(line, end="", flush=True)
    print("written", file=sys.stderr, flush=True)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    directory = tmp_path / "log"
    directory.mkdir(mode=0o750)
    return directory / "hub.log"


@pytest.fixture
def configuration(tmp_path: Path, log: Path) -> Path:
    """The shipped one, for another file and the account that the tests run as."""
    text = SHIPPED.read_text()
    assert LOG in text
    assert "su sophon sophon" in text
    name = pwd.getpwuid(log.parent.stat().st_uid).pw_name
    path = tmp_path / "sophon-hub"
    path.write_text(text.replace(LOG, str(log)).replace("su sophon sophon", f"su {name} {name}"))
    path.chmod(0o644)
    return path


def logrotate(configuration: Path, *options: str) -> subprocess.CompletedProcess[str]:
    state = configuration.with_name("state")
    return subprocess.run(
        ["/usr/sbin/logrotate", f"--state={state}", *options, str(configuration)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_finds_nothing_wrong(configuration: Path, log: Path) -> None:
    log.write_text("something\n")
    good = logrotate(configuration, "--debug")
    assert good.returncode == 0
    assert "error" not in good.stderr
    assert str(log) in good.stderr
    configuration.write_text(configuration.read_text().replace("maxsize", "maxxsize"))
    assert "error" in logrotate(configuration, "--debug").stderr


def test_no_line_is_lost_and_old_ones_are_few(configuration: Path, log: Path) -> None:
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-c", WRITER],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
        ) as writer,
    ):
        assert writer.stdin is not None
        assert writer.stderr is not None
        for number in range(20):
            writer.stdin.write(f"line {number}\n".encode())
            writer.stdin.flush()
            assert writer.stderr.readline() == b"written\n"
            done = logrotate(configuration, "--force")
            assert (done.returncode, done.stderr) == (0, "")
        writer.stdin.write(b"after\n")
        writer.stdin.close()
        assert writer.stderr.readline() == b"written\n"
    assert log.read_text() == "after\n"
    old = sorted(log.parent.glob("hub.log.*"), key=lambda path: int(path.name.split(".")[2]))
    assert len(old) == 14
    texts = [
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in old
    ]
    assert texts == [f"line {number}\n".encode() for number in range(19, 5, -1)]


def test_the_guide_tells_how_to_write_the_file_that_is_rotated() -> None:
    guide = (REPOSITORY / "docs" / "admins.md").read_text()
    assert f">>{LOG}" in guide
    assert "deploy/logrotate/sophon-hub" in guide
