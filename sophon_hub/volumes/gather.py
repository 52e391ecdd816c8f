"""What helper containers do to make a version of course material, in Python.

A version is a volume with the ``files`` and a ``manifest.json`` that has the SHA-256 of each, by
path. Runs from source text with nothing but the standard library and `inside`.
"""

import contextlib
import errno
import hashlib
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from sophon_hub.volumes.inside import DIRECTORY, FILE, open_below

MOST_FILES = 10_000
TOO_LARGE = os.strerror(errno.EFBIG)
TOO_MUCH = "It holds more than may be published as material."
PIECE = 1024 * 1024
SKIPPED = {".git", ".ipynb_checkpoints", ".sophon", "__pycache__"}
"""What is no material wherever it is found."""

QUIET_GIT = {
    "GIT_ALLOW_PROTOCOL": "https",
    "GIT_ASKPASS": "/bin/false",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
}
"""No other protocol, no password, no settings of anybody."""

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class Version:
    """A version that grows; what an interrupted attempt left of it is removed first."""

    def __init__(self, place: str, most: str) -> None:
        self.place, self.room = Path(place), int(most)
        self.listed: dict[str, tuple[str, bool]] = {}
        self.size = 0
        for old in self.place.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()

    def add(self, path: str, source: IO[bytes], *, program: bool) -> None:
        """Copy one file; stops when there are too many, or too much."""
        try:
            path.encode()
        except UnicodeEncodeError:
            raise SystemExit(f"The name of {path!r} is no text in UTF-8; rename it.") from None
        if len(self.listed) >= MOST_FILES:
            raise SystemExit(f"There are more than {MOST_FILES:,} files; that is no material.")
        target = self.place / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("xb") as new:
            while piece := source.read(PIECE):
                self.size += len(piece)
                if self.size > self.room:
                    raise SystemExit(TOO_MUCH)
                digest.update(piece)
                new.write(piece)
        target.chmod(0o755 if program else 0o644)
        self.listed[path] = (digest.hexdigest(), program)

    def close(self) -> None:
        """Write the manifest, and print the number of files and their bytes."""
        if not self.listed:
            raise SystemExit("There are no files in it.")
        (self.place / "manifest.json").write_text(json.dumps(self.listed), encoding="utf-8")
        print(len(self.listed), self.size)  # noqa: T201 - it is read by who started this


def folder(root: str, path: str, place: str, most: str) -> None:
    """Copy a folder of a home. Links are left out: what they lead to may be anything."""
    version = Version(place, most)
    _walk(open_below(root, path), "", version)
    version.close()


def _walk(at: int, above: str, version: Version) -> None:
    try:
        for name in sorted({*os.listdir(at)} - SKIPPED):
            kind = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
            if stat.S_ISDIR(kind):
                _walk(os.open(name, DIRECTORY, dir_fd=at), f"{above}{name}/", version)
            elif stat.S_ISREG(kind):
                with os.fdopen(os.open(name, FILE, dir_fd=at), "rb") as file:
                    version.add(above + name, file, program=bool(kind & stat.S_IXUSR))
    finally:
        os.close(at)


def repository(url: str, branch: str, place: str, most: str) -> None:
    """Fetch the newest state of a branch, the default one when it is empty, and take its files."""
    version = Version(place, most)
    bare = version.place / "repository.git"
    # neither a single file nor the packed history may be larger than the material
    resource.setrlimit(resource.RLIMIT_FSIZE, (version.room, version.room))
    chosen = ["--branch", branch] if branch else []
    clone = ["clone", "--bare", "--depth=1", "--single-branch", "--no-tags", "--template="]
    environment = {**QUIET_GIT, "PATH": os.environ["PATH"], **_trust(version.place)}
    _git(environment, *clone, *chosen, "--", url, str(bare))
    archive = ["git", f"--git-dir={bare}", "archive", "--format=tar", "HEAD"]
    with subprocess.Popen(archive, stdout=subprocess.PIPE, env=environment) as git:  # noqa: S603
        assert git.stdout  # noqa: S101 - for the type checker
        # an archive without files is none that can be read
        with (
            contextlib.suppress(tarfile.ReadError),
            tarfile.open(fileobj=git.stdout, mode="r|") as files,
        ):
            for file in files:
                content = files.extractfile(file) if file.isreg() else None
                if content and not SKIPPED & {*file.name.split("/")}:
                    version.add(file.name, content, program=bool(file.mode & stat.S_IXUSR))
    if git.returncode:
        raise SystemExit("git: the files of the repository cannot be read")
    shutil.rmtree(bare)
    (version.place / "authorities.pem").unlink(missing_ok=True)
    version.close()


def _trust(place: Path) -> dict[str, str]:
    """Trust the certificates in SOPHON_CA as well, if there are any."""
    more = os.environ.get("SOPHON_CA", "")
    if not more:
        return {}
    trusted = place / "authorities.pem"
    usual = AUTHORITIES.read_text(encoding="ascii") if AUTHORITIES.exists() else ""
    trusted.write_text(f"{usual}\n{more}", encoding="ascii")
    return {"GIT_SSL_CAINFO": str(trusted)}


def _git(environment: dict[str, str], *arguments: str) -> None:
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    done = subprocess.run(  # noqa: S603 - no shell, and what people gave is behind --
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
        restore_signals=False,  # so that git says what is too large, instead of being killed
    )
    if TOO_LARGE in done.stderr:
        raise SystemExit(TOO_MUCH)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith(("fatal:", "error:"))]
        raise SystemExit("git: " + (said or ["it did not work"])[-1].partition(": ")[2])


COMMANDS: dict[str, Callable[..., None]] = {"folder": folder, "repository": repository}


def main(command: str, *arguments: str) -> int:
    """Do one of `COMMANDS`."""
    COMMANDS[command](*arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
