"""``sophon-hub``: what an administrator does from a shell."""

import argparse
import sys
from collections.abc import Sequence

from sophon_hub import startup
from sophon_hub.settings import PREFIX, BadSetting, Sophon
from sophon_hub.store import schema
from sophon_hub.store.engine import make_engine

HIDDEN = "(hidden)"


def migrate(settings: Sophon) -> None:
    """Bring Sophon's database to the revision this version needs."""
    if settings.database_url.startswith("sqlite"):
        settings.prepare_data_dir()
    engine = make_engine(settings.database_url)
    try:
        schema.upgrade(engine)
    finally:
        engine.dispose()
    say(f"The database is at revision {schema.head()}.")


def check(settings: Sophon) -> None:
    """Say what would keep the hub from starting: settings, a running hub, taken ports."""
    # hub_port is left out: with containers its address is made by the Hub itself
    startup.hold_lock(settings)
    startup.end_orphans(settings)
    for endpoint in startup.endpoints(settings, "127.0.0.1"):
        startup.refuse_taken(endpoint)


def show_settings(settings: Sophon) -> None:
    """Print every setting as it holds now, as environment variables; secrets are hidden."""
    for name, value in sorted(settings.environment().items()):
        say(f"{name}={_without_password(value) if name == PREFIX + 'DATABASE_URL' else value}")


def _without_password(url: str) -> str:
    return make_engine(url).url.render_as_string(hide_password=True)


def seed_demo(settings: Sophon) -> None:
    """Add a sample of people, groups, projects and a lab; what is there already stays."""
    from sophon_hub.demo import seed  # noqa: PLC0415 - nobody else needs it

    engine = make_engine(settings.database_url)
    try:
        schema.check(engine)
        for line in seed(engine, settings):
            say(line)
    finally:
        engine.dispose()


COMMANDS = {
    "migrate": migrate,
    "check": check,
    "seed-demo": seed_demo,
    "settings": show_settings,
}


def say(text: str) -> None:
    """Print a line for the person at the shell."""
    print(text, flush=True)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; problems of the site are one sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="sophon-hub", description="Settings come from SOPHON_* environment variables."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        commands.add_parser(name, help=function.__doc__, description=function.__doc__)
    chosen = parser.parse_args(arguments)
    try:
        COMMANDS[chosen.command](Sophon.load())
    except BadSetting as error:
        print(f"sophon-hub: {error.detail}", file=sys.stderr)  # noqa: T201
        return 1
    return 0
