"""``sophon-hub doctor``: asks all there is to ask, and prints a line for each answer."""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict

from traitlets.config import Config

from sophon_hub import preflight
from sophon_hub.doctor import machine, running
from sophon_hub.doctor.findings import Finding, State
from sophon_hub.settings import Sophon
from sophon_hub.shell import NO, Lines
from sophon_hub.spawner import engine_state
from sophon_hub.volumes import room
from sophon_hub.volumes.helper import VolumeTrouble


def findings(settings: Sophon, c: Config, host: str | None) -> Iterator[Finding]:
    """Everything that was looked at, in the order in which it has to be put right."""
    yield from machine.settings_hold(lambda: preflight.refuse_unsafe(settings, c, host))
    yield from machine.files(settings)
    yield from machine.databases(settings)
    yield from machine.engine(settings, engine_state.look)
    yield from machine.disk(settings, lambda chosen: room.look(chosen).free_bytes)
    yield from machine.clocks(settings)
    yield from running.look(settings, _hub_host(settings, engine_state.look))


def _hub_host(settings: Sophon, look: Callable[[Sophon], engine_state.EngineState]) -> str | None:
    """Where the Hub's API listens: with containers at the gateway of their network."""
    if settings.spawner == "process":
        return "127.0.0.1"
    try:
        return look(settings).hub_address
    except VolumeTrouble:
        return None


def run(settings: Sophon, c: Config, host: str | None, chosen: argparse.Namespace) -> Lines:
    """Do it; exit status 3 when something is wrong."""
    found = []
    for one in findings(settings, c, host):
        found.append(one)
        if not chosen.json:
            yield f"{one.state:8}{one.check}: {' '.join(filter(None, (one.message, one.todo)))}"
    wrong = sum(one.state is State.ERROR for one in found)
    if chosen.json:
        yield json.dumps({"ok": not wrong, "checks": [asdict(one) for one in found]})
    else:
        doubtful = sum(one.state is State.WARNING for one in found)
        yield f"{len(found)} looked at: {wrong} wrong, {doubtful} to know."
    return NO if wrong else 0
