"""What has to be true before a Hub starts: one Hub a data directory, and free ports.

A Hub that was killed leaves its proxy, portal and worker behind; they hold ports and would
fight with their successors. Whoever holds the lock of the data directory is the only Hub, so
what is still there from an earlier one is an orphan and is ended. Labs are left alone.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jupyterhub.services import service
from traitlets import Integer

from sophon_hub import paths
from sophon_hub.settings import PREFIX, BadSetting, Sophon

PROXY_PID_FILE = "proxy.pid"
LOCK_FILE = "hub.lock"
PROXY_COMMAND = "configurable-http-proxy"
PATIENCE_SECONDS = 5.0
SERVICE_POLL_SECONDS = 1

_held_locks: list[IO[str]] = []
"""Open files whose locks last as long as this process, also when it is killed."""


@dataclass(frozen=True)
class Endpoint:
    """An address the hub wants to listen on, and the setting that chooses it."""

    host: str
    port: int
    setting: str


def endpoints(settings: Sophon, hub_host: str) -> list[Endpoint]:
    """Everything that proxy, Hub and portal listen on."""
    return [
        Endpoint(settings.host, settings.port, "port"),
        Endpoint(hub_host, settings.hub_port, "hub_port"),
        Endpoint("127.0.0.1", settings.proxy_api_port, "proxy_api_port"),
        Endpoint("127.0.0.1", settings.portal_port, "portal_port"),
    ]


def become_the_hub(settings: Sophon, hub_host: str) -> None:
    """Lock the data directory, end what a killed Hub left, and refuse taken ports."""
    hold_lock(settings)
    end_orphans(settings)
    for endpoint in endpoints(settings, hub_host):
        refuse_taken(endpoint)


class _CloselyWatched(service._ServiceSpawner):
    """Portal and worker: started again within a second or two when they die."""

    poll_interval = Integer(SERVICE_POLL_SECONDS)


def watch_services_closely() -> None:
    """Have the Hub notice at once that portal or worker died; its default is 30 s.

    JupyterHub 6.1 makes the spawners of services without configuration, so replacing their
    class is the only way. A journey that kills both is slow when that changes.
    """
    setattr(service, "_ServiceSpawner", _CloselyWatched)  # noqa: B010 - a type to mypy


def proxy_command() -> str:
    """The program of the proxy, of this checkout or of the machine."""
    local = paths.CHECKOUT / "node_modules" / ".bin" / PROXY_COMMAND
    found = str(local) if local.exists() else shutil.which(PROXY_COMMAND)
    if found is None:
        raise BadSetting(
            f"{PROXY_COMMAND} is missing. In a checkout run: npm ci; elsewhere:"
            f" npm install --global {PROXY_COMMAND}"
        )
    return found


def hold_lock(settings: Sophon) -> None:
    """Take the data directory for this process, for as long as it lives."""
    file = (settings.prepare_data_dir() / LOCK_FILE).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise BadSetting(
            f"A hub is already running with the data directory {settings.data_dir}"
            f" (process {owner}). Stop it, or give this one its own: {PREFIX}DATA_DIR=..."
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    _held_locks.append(file)


def holder_of_lock(settings: Sophon) -> str | None:
    """The process that runs as the hub of the data directory; None when there is none."""
    try:
        with (settings.data_path / LOCK_FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip()
    except OSError:
        pass
    return None


def refuse_taken(endpoint: Endpoint) -> None:
    """Say in a sentence when somebody else listens there already."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        variable = PREFIX + endpoint.setting.upper()
        raise BadSetting(
            f"Cannot listen on {endpoint.host} port {endpoint.port}: {error.strerror}."
            f" Choose another port with {variable}=... or end the program that uses it."
        ) from None


def end_orphans(settings: Sophon) -> None:
    """End proxy, portal and worker of a Hub that was killed; the caller holds the lock."""
    orphans = {*_orphaned_proxy(settings), *_orphaned_services(settings)}
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in orphans:
            _signal(pid, sign)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (orphans := {pid for pid in orphans if _command(pid)}) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.05)
        if not orphans:
            break
    # the Hub would send signals to whatever has this number today
    (settings.data_path / PROXY_PID_FILE).unlink(missing_ok=True)


def _orphaned_proxy(settings: Sophon) -> Iterable[int]:
    try:
        pid = int((settings.data_path / PROXY_PID_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return
    if PROXY_COMMAND in _command(pid):
        yield pid


def _orphaned_services(settings: Sophon) -> Iterable[int]:
    scripts = {str(paths.service_script(name)) for name in ("portal", "worker")}
    mark = f"{PREFIX}DATA_DIR={settings.data_dir}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if scripts.isdisjoint(_command(pid).split("\0")):
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # somebody else's process, or gone by now
            continue
        if mark in environment:
            yield pid


def _command(pid: int) -> str:
    """Command line of a living process with NUL between the words; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _signal(pid: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)
