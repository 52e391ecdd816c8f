"""``sophon-hub``: what an administrator does from a shell."""

import argparse
import contextlib
import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import shtab
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError
from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from sophon_hub import (
    apache,
    audit_command,
    dataset_command,
    demo,
    explain_command,
    groups_command,
    members_command,
    preflight,
    startup,
    users_command,
    worker_command,
)
from sophon_hub.addresses import Addresses
from sophon_hub.authenticator.first_accounts import ADMIN_PASSWORD_FILE
from sophon_hub.doctor import command as doctor
from sophon_hub.settings import PREFIX, BadSetting, Sophon
from sophon_hub.shell import complete_files
from sophon_hub.store import schema

ANNOUNCE_SECONDS = 120
URLS = {PREFIX + "DATABASE_URL", PREFIX + "HUB_DATABASE_URL"}
"""Settings that may hold a password."""


@contextlib.contextmanager
def _database(settings: Sophon) -> Iterator[Engine]:
    if settings.database_url.startswith("sqlite"):
        settings.prepare_data_dir()
    engine = schema.open_database(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


def migrate(settings: Sophon, chosen: argparse.Namespace) -> None:
    """Bring Sophon's database to the revision this version needs."""
    with _database(settings) as engine:
        schema.upgrade(engine)
    revision = schema.head()
    if chosen.json:
        say(json.dumps({"revision": revision}))
    else:
        say(f"The database is at revision {revision}.")


def _configured(settings: Sophon, chosen: argparse.Namespace) -> tuple[Sophon, Config, str | None]:
    """The settings, with what a configuration file says, and where it has the proxy listen."""
    if not chosen.config:
        return settings, Config(), None
    c = _read_config(Path(chosen.config))
    return Sophon(config=c), c, urlsplit(c.JupyterHub.bind_url).hostname or ""


def check(settings: Sophon, chosen: argparse.Namespace) -> None:
    """Say what would keep the hub from starting: settings, a running hub, taken ports."""
    settings, c, host = _configured(settings, chosen)
    preflight.refuse_unsafe(settings, c, host)
    # hub_port is left out: with containers its address is made by the Hub itself
    startup.hold_lock(settings)
    startup.end_orphans(settings)
    for endpoint in startup.endpoints(settings, "127.0.0.1"):
        startup.refuse_taken(endpoint)


def _read_config(path: Path) -> Config:
    try:
        found: Config = PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except ConfigFileNotFound:
        raise BadSetting(f"--config names {path}, but there is no such file.") from None
    return found


def show_settings(settings: Sophon, chosen: argparse.Namespace) -> None:
    """Print every setting as it holds now, as environment variables; secrets are hidden."""
    told = {
        name: _without_password(name, value) if name in URLS else value
        for name, value in sorted(settings.environment().items())
    }
    if chosen.json:
        say(json.dumps(told))
    else:
        say("\n".join(f"{name}={value}" for name, value in told.items()))


def _without_password(name: str, url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        raise BadSetting(
            f"{name.removeprefix(PREFIX).lower()} cannot be read; it has to be an SQLAlchemy URL."
        ) from None


def seed_demo(settings: Sophon, _: argparse.Namespace) -> None:
    """Add a sample of people, groups, projects and a lab; what is there already stays."""
    with _database(settings) as engine:
        schema.check(engine)
        for line in demo.seed(engine, settings):
            say(line)


def announce(settings: Sophon, _: argparse.Namespace) -> None:
    """Wait until the hub answers, then print its address and how to sign in."""
    starter, deadline = os.getppid(), time.monotonic() + ANNOUNCE_SECONDS
    public = f"http://{settings.host}:{settings.port}"
    health = f"{settings.base_url.rstrip('/')}/services/sophon/api/v1/health"
    # the portal itself first: the proxy would log an error for each attempt before it is there
    for origin in (f"http://127.0.0.1:{settings.portal_port}", public):
        while not _answers(origin + health):
            if os.getppid() != starter or time.monotonic() > deadline:
                return
            time.sleep(0.25)
    address = Addresses.of(settings).public_url or public + settings.base_url
    lines = ["", f"Sophon Hub is ready: {address}", ""]
    sample = settings.data_path / demo.PASSWORDS_FILE
    if sample.exists():
        lines += [f"  {name:8}{word}" for name, word in demo.read_passwords(sample).items()]
    admin = settings.data_path / ADMIN_PASSWORD_FILE
    if admin.exists():
        lines.append(f"  {settings.admin_user:8}password in {admin}")
    if settings.spawner == "process":
        lines += ["", "  Labs are NOT ISOLATED: plain processes, for a look on this machine only."]
    say("\n".join([*lines, "", "  Ctrl-C stops the hub; labs keep running.", ""]))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False


def say_all(settings: Sophon, work: Callable[[Engine], Generator[str, None, int | None]]) -> int:
    """Print the lines of a command that works with the database; gives its exit status."""
    with _database(settings) as engine:
        schema.check(engine)
        return _print(work(engine))


def _print(lines: Generator[str, None, int | None]) -> int:
    while True:
        try:
            say(next(lines))
        except StopIteration as end:
            return end.value or 0


def diagnose(settings: Sophon, chosen: argparse.Namespace) -> int:
    """Look at all a hub needs, running or not, and say what to do; exit status 3 if wrong."""
    return _print(doctor.run(*_configured(settings, chosen), chosen))


COMMANDS: dict[str, Callable[[Sophon, argparse.Namespace], int | None]] = {
    "migrate": migrate,
    "check": check,
    "seed-demo": seed_demo,
    "announce": announce,
    "settings": show_settings,
    "doctor": diagnose,
}
WITH_JSON = {"migrate", "settings", "doctor"}
WITH_CONFIG = {"check", "doctor"}


@dataclass(frozen=True)
class Part:
    """A command that works with the database and has arguments of its own."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Sophon, Engine, argparse.Namespace], Generator[str, None, int | None]]


WITH_DATABASE = {
    "dataset": Part(
        "Register directories and volumes as datasets, or list them.",
        dataset_command.add_arguments,
        dataset_command.run,
    ),
    "audit": Part(
        "Verify, copy or prune the audit trail.",
        audit_command.add_arguments,
        lambda _, engine, chosen: audit_command.run(engine, chosen),
    ),
    "explain": Part(
        "Say whether somebody may do something, and why; exit status 3 when not.",
        explain_command.add_arguments,
        lambda _, engine, chosen: explain_command.run(engine, chosen),
    ),
    "groups": Part(
        "List research groups, or create and change many from a CSV file: all lines or none.",
        groups_command.add_arguments,
        lambda _, engine, chosen: groups_command.run(engine, chosen),
    ),
    "users": Part(
        "List people, show what one may, or take somebody out of all groups.",
        users_command.add_arguments,
        lambda _, engine, chosen: users_command.run(engine, chosen),
    ),
    "members": Part(
        "Add, change and remove people of a research group from a CSV file: all lines or none.",
        members_command.add_arguments,
        lambda _, engine, chosen: members_command.run(engine, chosen),
    ),
    "purge": Part(
        "Have removed for good what is in the trash: one thing, or all whose time is over.",
        worker_command.add_purge,
        worker_command.purge,
    ),
    "reconcile": Part(
        "Have the worker compare portal and Hub now, and repair what differs.",
        worker_command.add_reconcile,
        lambda _, engine, chosen: worker_command.reconcile(engine, chosen),
    ),
}


def say(text: str) -> None:
    """Print a line for the person at the shell."""
    print(text, flush=True)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; problems of the site are one sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="sophon-hub", description="Settings come from SOPHON_* environment variables."
    )
    shtab.add_argument_to(parser, help="print what the shell needs to complete commands, and end")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        if name in WITH_CONFIG:
            config = command.add_argument(
                "--config", metavar="FILE", help="jupyterhub_config.py, to look at that, too"
            )
            complete_files(config)
        if name in WITH_JSON:
            command.add_argument("--json", action="store_true", help="print one JSON object")
    text = "Print the Apache virtual host that signs people in and passes requests to the hub."
    apache.add_arguments(commands.add_parser("apache-config", help=text, description=text))
    for name, part in WITH_DATABASE.items():
        part.add_arguments(commands.add_parser(name, help=part.help, description=part.help))
    chosen = parser.parse_args(arguments)
    try:
        settings = Sophon.load()
        if chosen.command == "apache-config":
            say(apache.vhost(settings, chosen).rstrip())
        elif chosen.command in WITH_DATABASE:
            run = WITH_DATABASE[chosen.command].run
            return say_all(settings, lambda engine: run(settings, engine, chosen))
        else:
            return COMMANDS[chosen.command](settings, chosen) or 0
    except BadSetting as error:
        print(f"sophon-hub: {error.detail}", file=sys.stderr)  # noqa: T201
        return 1
    return 0
