"""What images there are, what they are made from, and what their content is called."""

from __future__ import annotations

import dataclasses
import graphlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = "sophon-hub"

SITE = {"hub": "", "database": "deploy/database", "web": "deploy/web"}
"""Images that are no labs, and the folders of the checkout that have their Dockerfiles."""

IGNORED = re.compile(r"__pycache__|\..*_cache|.*\.egg-info|.*\.pyc|README\.md|requirements\.in")
"""Names that change nothing in an image; each folder's .dockerignore says the same."""


class BuildError(Exception):
    """What went wrong, as a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Image:
    """One folder with a Dockerfile."""

    name: str
    folder: Path
    title: str
    arguments: Mapping[str, str]
    """The Dockerfile's ``ARG`` lines with a default."""
    sources: tuple[str, ...]
    """What it is made from: every ``FROM`` and ``COPY --from``, with arguments filled in."""
    context: tuple[str, ...] = ("",)
    """What of the folder goes into it: files and folders, everything unless said otherwise."""

    @property
    def reference(self) -> str:
        """The image's name without a tag."""
        return f"{REPOSITORY}/{self.name}"

    def files(self) -> list[Path]:
        """Every file that goes into the image, relative to its folder."""
        found = set()
        for part in self.context:
            path = self.folder / part
            found.update(file for file in (path, *path.rglob("*")) if file.is_file())
        relative = (file.relative_to(self.folder) for file in found)
        return sorted(path for path in relative if not any(map(IGNORED.fullmatch, path.parts)))

    @property
    def parents(self) -> tuple[str, ...]:
        """Folder names of those images of ours that this one is made from."""
        return tuple(filter(None, map(own_name, self.sources)))


def own_name(reference: str) -> str | None:
    """Return the folder an image reference stands for, if it is one of ours."""
    found = re.fullmatch(rf"{REPOSITORY}/([^:@]+)(?:[:@].*)?", reference)
    return found[1] if found and found[1] != "debian" else None


def read_image(folder: Path) -> Image:
    """Read from a Dockerfile what building it needs."""
    text = (folder / "Dockerfile").read_text().replace("\\\n", " ")
    arguments = dict(re.findall(r"(?m)^ARG\s+(\w+)=(\S+)", text))
    found = re.findall(r"(?m)^FROM\s+(?:--\S+\s+)*(\S+)|^COPY\s+.*--from=(\S+)", text)
    sources = (
        re.sub(r"\$\{?(\w+)\}?", lambda match: arguments.get(match[1], match[0]), one or other)
        for one, other in found
    )
    title = re.search(r'org\.sophon\.title="([^"]*)"', text)
    return Image(folder.name, folder, title[1] if title else folder.name, arguments, tuple(sources))


def read_site(name: str, checkout: Path = HERE.parent) -> Image:
    """Describe the Hub or what runs beside it; a .dockerignore names, with "!", what goes in."""
    image = dataclasses.replace(read_image(checkout / SITE[name]), name=name)
    listed = image.folder / ".dockerignore"
    if not listed.exists():
        return image
    return dataclasses.replace(image, context=tuple(re.findall(r"(?m)^!(.+)$", listed.read_text())))


def discover(root: Path = HERE) -> dict[str, Image]:
    """Find every image below ``root``, each after those it is made from."""
    found = {
        file.parent.name: read_image(file.parent) for file in sorted(root.glob("*/Dockerfile"))
    }
    for image in found.values():
        for parent in image.parents:
            if parent not in found:
                raise BuildError(
                    f"images/{image.name} is made from {parent}, which has no folder here."
                )
    try:
        graph = {name: image.parents for name, image in found.items()}
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        raise BuildError(
            f"Images are made from each other: {' <- '.join(error.args[1])}."
        ) from None
    return {name: found[name] for name in order}


def select(images: Mapping[str, Image], names: list[str]) -> list[Image]:
    """Return the named images and all they are made from, in building order; all without names."""
    wanted = set(names or images)
    if unknown := sorted(wanted - set(images)):
        raise BuildError(f"There is no image {', '.join(unknown)}; there is {', '.join(images)}.")
    for name in reversed(list(images)):
        if name in wanted:
            wanted.update(images[name].parents)
    return [image for name, image in images.items() if name in wanted]


def content_tags(images: Mapping[str, Image]) -> dict[str, str]:
    """Name each image by its folder, its parents and the base a site chose."""
    tags: dict[str, str] = {}
    for name, image in images.items():
        digest = hashlib.sha256(os.environ.get("SOPHON_BASE_IMAGE", "").encode())
        digest.update(repr([tags[parent] for parent in image.parents]).encode())
        for path in image.files():
            file = image.folder / path
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{path} {os.access(file, os.X_OK)} {content}\n".encode())
        tags[name] = f"{image.reference}:{digest.hexdigest()[:12]}"
    return tags
