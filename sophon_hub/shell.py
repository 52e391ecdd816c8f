"""What the commands for administrators share: who asks, what is meant, and how it ended."""

import argparse
from collections.abc import Generator
from urllib.parse import urlsplit

import shtab

from sophon_hub import request_ids
from sophon_hub.errors import NotFound
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import BadSetting
from sophon_hub.store import datasets, groups, labs, projects
from sophon_hub.store.engine import Session
from sophon_hub.store.trash import Thing

SHELL = Actor(is_admin=True, via="cli", request_id=request_ids.new())
"""Whoever may run commands on the machine: an administrator without an account. All that one
run of a command does has one id."""

NO = 3
"""Exit status when the command worked and the answer is no, or something was refused."""

LATE = 4
"""Exit status when the worker has not done it yet; it goes on."""

Lines = Generator[str, None, int]
"""Lines for the person who asked, and the exit status."""

ADDRESSES = "groups/SLUG, projects/SLUG, projects/SLUG/labs/SLUG or datasets/SLUG"


def complete_files(argument: argparse.Action) -> None:
    """Have shells complete names of files for this argument."""
    argument.complete = shtab.FILE  # type: ignore[attr-defined]


def thing_at(session: Session, address: str) -> Thing:
    """What has this address in the portal, given from there on or whole.

    Raises:
        BadSetting: there is nothing.
    """
    path = urlsplit(address).path.strip("/")
    try:
        match path.rpartition("services/sophon/")[2].split("/"):
            case ["groups", slug]:
                return groups.get_group(session, SHELL, slug)
            case ["projects", slug]:
                return projects.get_project(session, SHELL, slug)
            case ["projects", slug, "labs", lab]:
                return labs.get_lab(session, SHELL, slug, lab)
            case ["datasets", slug]:
                return datasets.get_dataset(session, SHELL, slug)
    except NotFound:
        raise BadSetting(f"There is no {address}.") from None
    raise BadSetting(f"{address} is no address of something. Give {ADDRESSES}.")
