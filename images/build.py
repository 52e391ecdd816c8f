#!/usr/bin/env python3
"""Build the lab images: ``python images/build.py [names...]``; or, when named, those of a site.

Every folder beside this file with a Dockerfile is a lab image; ``hub`` is the Hub's own,
``database`` and ``web`` are what compose.yaml runs beside it. An image is called
``sophon-hub/<folder>`` and tagged ``latest`` and by its content, so an image that is already
there is not built again.
README.md beside this file says what a Dockerfile may rely on and which variables are read.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from catalogue import (
    REPOSITORY,
    SITE,
    BuildError,
    Image,
    content_tags,
    discover,
    own_name,
    read_site,
    select,
)

DEFAULT_BASE = "debian:trixie-slim"
BOOTSTRAPPED_BASE = f"{REPOSITORY}/debian:trixie"
PULL_SECONDS = 60

PROXIES = tuple(
    name
    for word in ("http", "https", "no", "all")
    for name in (f"{word}_proxy", f"{word}_proxy".upper())
)
PIP_OPTIONS = (
    "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "TRUSTED_HOST", "PROXY", "TIMEOUT",
    "DEFAULT_TIMEOUT", "RETRIES",
)  # fmt: skip


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(
    *command: str, seconds: float | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command silently; it need not succeed, and after ``seconds`` it has failed."""
    everything = {**os.environ, **environment}
    try:
        return subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, env=everything, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "timed out")


def require_engine() -> None:
    """Raise unless a Docker engine answers."""
    if not shutil.which("docker"):
        raise BuildError("Docker is not installed: there is no command called docker.")
    answer = run("docker", "version", "--format", "{{.Server.Version}}")
    if answer.returncode:
        host = os.environ.get("DOCKER_HOST")
        where = f"at DOCKER_HOST={host}" if host else "on this machine"
        if "permission denied" in answer.stderr:
            raise BuildError(
                f"You may not use the Docker engine {where}: your account has to be in the group"
                " docker."
            )
        raise BuildError(
            f"No Docker engine answers {where}. Start it (for example: systemctl start docker),"
            " or set DOCKER_HOST."
        )


def size_of(reference: str) -> int | None:
    """Return an image's size in bytes, or None when the engine does not have it."""
    answer = run("docker", "image", "inspect", reference, "--format", "{{.Size}}")
    return None if answer.returncode else int(answer.stdout)


@functools.cache
def buildkit_client() -> str:
    """Find a docker client that builds with BuildKit; a recent one needs its buildx plugin."""
    for client in ("docker", "/usr/bin/docker"):
        if shutil.which(client):
            answer = run(client, "build", "--help", DOCKER_BUILDKIT="1")
            if answer.returncode == 0 and "--secret" in answer.stdout:
                return client
    raise BuildError(
        "This docker cannot build with BuildKit. Install its buildx plugin"
        " (Debian: apt-get install docker-buildx, Docker's own packages: docker-buildx-plugin)."
    )


@functools.cache
def base_image(*, fresh: bool) -> str:
    """Return the Debian every image starts from: chosen, here already, pulled or bootstrapped."""
    if chosen := os.environ.get("SOPHON_BASE_IMAGE"):
        return chosen
    if not fresh:
        for reference in (DEFAULT_BASE, BOOTSTRAPPED_BASE):
            if size_of(reference):
                return reference
    say(f"Pulling {DEFAULT_BASE} ...")
    if run("docker", "pull", "--quiet", DEFAULT_BASE, seconds=PULL_SECONDS).returncode == 0:
        return DEFAULT_BASE
    say("No registry answers; making the base from Debian's packages instead (half a minute) ...")
    bootstrap()
    return BOOTSTRAPPED_BASE


def bootstrap() -> None:
    """Make the base image from Debian's signed package archive."""
    if not shutil.which("mmdebstrap"):
        raise BuildError(
            "No image registry can be reached, and mmdebstrap, which makes the base image without"
            " one, is missing. Run: apt-get install mmdebstrap debian-archive-keyring"
        )
    suite = BOOTSTRAPPED_BASE.rpartition(":")[2]
    left_out = ("doc/*", "man/*", "info/*", "locale/*")
    kept = ("doc/*/copyright", "locale/locale.alias")
    slim = [f"--dpkgopt=path-exclude=/usr/share/{path}" for path in left_out]
    slim += [f"--dpkgopt=path-include=/usr/share/{path}" for path in kept]
    with tempfile.TemporaryDirectory() as folder:
        archive = str(Path(folder) / "base.tar")
        made = run("mmdebstrap", "--variant=minbase", *slim, suite, archive)
        if made.returncode:
            raise BuildError(f"The base image could not be made. {explain(made.stderr)}")
        imported = run("docker", "import", "--change=CMD bash", archive, BOOTSTRAPPED_BASE)
        if imported.returncode:
            raise BuildError(f"The engine refused the base image: {imported.stderr.strip()}")


def certificates() -> Path | None:
    """Return the certificates to trust while building, when this site needs its own."""
    chosen = os.environ.get("SOPHON_EXTRA_CA")
    for name in ("SOPHON_EXTRA_CA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"):
        if value := os.environ.get(name):
            if Path(value).is_file():
                return Path(value)
            if chosen:
                raise BuildError(f"{name} names {value}, which is not a file.")
    return None


def pip_options() -> dict[str, str]:
    """Collect pip's settings of this machine, without those that only name its own folders."""
    options = {}
    for name in PIP_OPTIONS:
        value = os.environ.get(f"PIP_{name}", "")
        words = [word for word in value.split() if not word.startswith(("/", ".", "file:"))]
        if words:
            options[name.lower().replace("_", "-")] = " ".join(words)
    return options


def npm_options() -> str:
    """Return npm's settings of this machine as an .npmrc, empty when there are none."""
    names = ("NPM_CONFIG_REGISTRY", "npm_config_registry")
    found = next(filter(None, map(os.environ.get, names)), "")
    return f"registry={found}\n" if found else ""


@contextmanager
def site_options() -> Iterator[list[str]]:
    """Hand a site's network to a build so that nothing of it stays in the image.

    Certificates and the settings of pip and npm are secrets, which no layer keeps. Docker knows the
    names of proxy variables and leaves them out of the history; their values are not on the command
    line.
    """
    options = []
    proxies = [name for name in dict.fromkeys(PROXIES) if os.environ.get(name)]
    pip, npm = pip_options(), npm_options()
    for name in proxies:
        options += ["--build-arg", name]
    addresses = [os.environ[name] for name in proxies] + list(pip.values())
    addresses += npm.split("=", 1)[1:]
    hosts = {urllib.parse.urlsplit(address).hostname for address in addresses}
    if hosts & {"localhost", "127.0.0.1", "::1"}:
        options += ["--network", "host"]
    if bundle := certificates():
        options += ["--secret", f"id=ca,src={bundle}"]
    with tempfile.TemporaryDirectory() as folder:
        secrets = {"npm": npm}
        if pip:
            lines = [f"{key} = {value.replace(' ', chr(10) + '  ')}" for key, value in pip.items()]
            secrets["pip"] = "\n".join(["[global]", *lines, ""])
        for name, text in secrets.items():
            if text:
                file = Path(folder) / name
                file.touch(mode=0o600)
                file.write_text(text)
                options += ["--secret", f"id={name},src={file}"]
        yield options


def build(image: Image, tags: Mapping[str, str], *, fresh: bool) -> None:
    """Build one image, showing all that Docker says."""
    chosen = {}
    for argument, default in image.arguments.items():
        if default == DEFAULT_BASE:
            chosen[argument] = base_image(fresh=fresh)
        elif parent := own_name(default):
            chosen[argument] = tags[parent]
    command = [buildkit_client(), "build", "--progress=plain"]
    command += [f"--build-arg={argument}={value}" for argument, value in chosen.items()]
    command += [f"--tag={tags[image.name]}", f"--tag={image.reference}:latest"]
    command += ["--no-cache"] if fresh else []
    with site_options() as options:
        say(f"Building {tags[image.name]} ...")
        process = subprocess.Popen(  # noqa: S603
            [*command, *options, str(image.folder)], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
        )  # fmt: skip
        last: collections.deque[str] = collections.deque(maxlen=200)
        for line in process.stdout or ():
            last.append(line)
            say(f"  {image.name}: {line.rstrip()}")
        if process.wait():
            raise BuildError(f"{image.reference} could not be built. {explain(''.join(last))}")


def explain(output: str) -> str:
    """Turn what a failed tool said into advice, or else its last words."""
    if re.search(r"CERTIFICATE_VERIFY_FAILED|[Cc]ertificate verif|SSLError", output):
        return (
            "A server's certificate is not trusted. If a proxy of your site inspects connections,"
            " set SOPHON_EXTRA_CA to the file with its certificate."
        )
    network = "resolv|unreachable|timed out|Connection refused|NewConnectionError|NameResolution"
    if re.search(network, output):
        return "The network did not answer. Check the connection, and HTTPS_PROXY if you need one."
    if re.search(r"NO_PUBKEY|keyring|not signed", output):
        return "Debian's keys are missing or too old. Run: apt-get install debian-archive-keyring"
    return f"The last it said: {output.strip().splitlines()[-1] if output.strip() else 'nothing'}"


def build_all(images: list[Image], tags: Mapping[str, str], *, fresh: bool) -> None:
    """Build what is missing, and let ``latest`` name what the folders say now."""
    require_engine()
    for image in images:
        if not fresh and size_of(tags[image.name]):
            run("docker", "tag", tags[image.name], f"{image.reference}:latest")
            say(f"{tags[image.name]} is there already.")
        else:
            build(image, tags, fresh=fresh)
            say(f"Built {tags[image.name]}, {(size_of(tags[image.name]) or 0) / 1e6:.0f} MB.")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says and return its exit status."""
    parser = argparse.ArgumentParser(prog="build.py", description="Build images.")
    parser.add_argument(
        "names", nargs="*", help=f"images to build, also {', '.join(SITE)}; all of labs without"
    )
    parser.add_argument("--list", action="store_true", help="describe the images as JSON and stop")
    parser.add_argument(
        "--fresh", action="store_true", help="build anew, with today's security updates of Debian"
    )
    options = parser.parse_args(arguments)
    try:
        images = discover()
        images |= {name: read_site(name) for name in SITE if name in options.names}
        chosen, tags = select(images, options.names), content_tags(images)
        if options.list:
            require_engine()
            rows = [
                {
                    "name": image.name,
                    "tag": tags[image.name],
                    "size": size_of(tags[image.name]),
                    "title": image.title,
                    "parent": next(iter(image.parents), None),
                }
                for image in chosen
            ]
            say(json.dumps(rows, indent=2))
        else:
            build_all(chosen, tags, fresh=options.fresh)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
