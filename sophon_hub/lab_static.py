"""JupyterLab's own files, taken out of the images of labs, so that browsers load them only once.

Every lab serves these files below its own address, where a browser that has them from another
lab loads all of them again. So the portal serves them, too, at an address for all labs. A part
of that is the digest of the files: what is at such an address never changes, browsers keep it,
and images with the same JupyterLab have the same address. They come from images only, and
nothing that runs in a lab can change them.
"""

import gzip
import hashlib
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Self

from sophon_hub.settings import Sophon

DIGEST = "[0-9a-f]{64}"
NAME = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,199}"
"""A name of a file; without slashes, so nothing leads out of the folder."""

FOLDER = "lab-static"
"""Directory below the data directory."""

PACKED = frozenset({".css", ".eot", ".js", ".json", ".map", ".svg", ".ttf", ".txt"})
"""Endings of what gets much smaller; pictures and newer fonts are packed already."""

TEMPLATE = ".html"
"""What each lab fills in for itself."""


class Unusual(Exception):
    """These files are not as JupyterLab makes them; labs serve them themselves."""


@dataclass(frozen=True)
class Found:
    """A file; ``is_gzip`` when the content has to be unpacked."""

    content: bytes
    is_gzip: bool


@dataclass(frozen=True)
class Taken:
    """What an image has: the digest of its files, and JupyterLab's folder in the image.

    Both are empty when there is nothing that labs could share.
    """

    digest: str = ""
    app_dir: str = ""


@dataclass(frozen=True)
class LabStatic:
    """The directory: a folder of files for each digest, and a note for each image."""

    root: Path

    @classmethod
    def of(cls, settings: Sophon) -> Self:
        """The directory of this hub."""
        return cls(settings.data_path / FOLDER)

    def read(self, digest: str, name: str) -> Found | None:
        """A file by the parts of its address; None when there is none."""
        if not (re.fullmatch(DIGEST, digest) and re.fullmatch(NAME, name)):
            return None
        for kind in ("gzip", "plain"):
            path = self.root / digest / kind / name
            if path.is_file():
                return Found(path.read_bytes(), kind == "gzip")
        return None

    def taken(self, image: str) -> Taken | None:
        """What was taken out of the image with this id; None when nobody has looked yet."""
        try:
            note = Taken(**json.loads(self._note(image).read_text()))
        except (FileNotFoundError, TypeError, ValueError):
            return None
        return note if not note.digest or (self.root / note.digest).is_dir() else None

    def keep(self, image: str, app_dir: str, archive: IO[bytes]) -> Taken:
        """Unpack JupyterLab's files, given as an archive of their folder.

        Raises:
            Unusual: there is something else in it.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
        try:
            digest = _unpack(archive, folder)
            if not (self.root / digest).is_dir():
                folder.rename(self.root / digest)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self.note(image, Taken(digest, app_dir))

    def note(self, image: str, taken: Taken) -> Taken:
        """Remember what an image has."""
        note = self._note(image)
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = note.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(taken)))
        unfinished.replace(note)
        return taken

    def tidy(self, is_there: Callable[[str], bool]) -> None:
        """Forget images that are gone, and remove the files that no other image has.

        Nobody may be keeping something meanwhile.
        """
        used = set()
        for note in list((self.root / "images").iterdir()):
            taken = self.taken(note.name)
            if taken is None or not is_there(note.name):
                note.unlink()
            else:
                used.add(taken.digest)
        for folder in list(self.root.iterdir()):
            if folder.name not in {"images", *used}:
                shutil.rmtree(folder)

    def _note(self, image: str) -> Path:
        return self.root / "images" / image.rpartition(":")[2]


def _unpack(archive: IO[bytes], folder: Path) -> str:
    """Write the files where `LabStatic.read` finds them, and give the digest of all of them."""
    digests: dict[str, str] = {}
    for kind in ("gzip", "plain"):
        (folder / kind).mkdir()
    with tarfile.open(fileobj=archive) as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts
            if member.isdir() and len(parts) == 1:
                continue
            file = tar.extractfile(member) if member.isfile() else None
            if file is None or len(parts) != 2 or not re.fullmatch(NAME, parts[1]):
                raise Unusual(member.name)
            name, content = parts[1], file.read()
            digests[name] = hashlib.sha256(content).hexdigest()
            suffix = PurePosixPath(name).suffix
            if suffix in PACKED:
                (folder / "gzip" / name).write_bytes(gzip.compress(content, 6, mtime=0))
            elif suffix != TEMPLATE:
                (folder / "plain" / name).write_bytes(content)
    if not digests:
        raise Unusual("nothing")
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
