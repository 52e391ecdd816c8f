"""A home and course material as directories, and the helper's program run on them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sophon_hub.volumes.material import DELIVER, PYTHON, read_report

FOLDER = "optics"
DAY = "2026-11-22"
PROGRAM = (sys.executable, *DELIVER[1:])
assert DELIVER[: len(PYTHON)] == PYTHON

Tree = dict[str, bytes]


@dataclass
class World:
    """A home, and the material that is brought into it."""

    root: Path
    said: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.publish({})

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def top(self) -> Path:
        return self.home / FOLDER

    def publish(self, tree: Tree, programs: frozenset[str] = frozenset()) -> None:
        """Make this the newest version."""
        place = self.root / "material"
        shutil.rmtree(place, ignore_errors=True)
        (place / "files").mkdir(parents=True)
        for path, content in tree.items():
            (place / "files" / path).parent.mkdir(parents=True, exist_ok=True)
            (place / "files" / path).write_bytes(content)
        listed = {
            path: (hashlib.sha256(content).hexdigest(), path in programs)
            for path, content in tree.items()
        }
        (place / "manifest.json").write_text(json.dumps(listed))

    def run(self, command: str, *arguments: str, **options: Any) -> dict[str, Any] | None:
        """Do it; the report, or None when it was refused, which `said` tells."""
        place = [] if command == "undo" else [str(self.root / "material")]
        done = subprocess.run(
            [*PROGRAM, command, str(self.home), FOLDER, *place, DAY, *arguments],
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        self.said = done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return read_report(done.stdout) if done.returncode == 0 else None

    def pull(self, tree: Tree | None = None) -> dict[str, list[tuple[str, str]]]:
        """Publish, if that is given, and get it; what became of which file."""
        if tree is not None:
            self.publish(tree)
        report = self.run("pull")
        assert report is not None, self.said
        return files(report)

    def fresh(self, path: str) -> dict[str, list[tuple[str, str]]]:
        report = self.run("fresh", path)
        assert report is not None, self.said
        return files(report)

    def undo(self) -> dict[str, list[tuple[str, str]]]:
        report = self.run("undo")
        assert report is not None, self.said
        return files(report)

    def write(self, path: str, content: bytes) -> None:
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_bytes(content)

    def tree(self) -> Tree:
        """What the person has, without what was kept for undo."""
        return tree_of(self.top)


def files(report: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    return {kind: [(path, name) for path, name in pairs] for kind, pairs in report["files"].items()}


def tree_of(top: Path) -> Tree:
    """All plain files below a directory."""
    found = {}
    for directory, _, names in os.walk(top):
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                found[str(path.relative_to(top))] = path.read_bytes()
    return found
