"""A sample hub to look around in: three people, a research group, three projects, one lab."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sophon_hub import clock, names
from sophon_hub.actions import forms
from sophon_hub.actions.groups import create_group
from sophon_hub.actions.labs import create_lab
from sophon_hub.actions.members import set_member
from sophon_hub.actions.projects import create_project
from sophon_hub.authenticator import LocalAuthenticator, make_authenticator, passwords
from sophon_hub.models import AccessMode, MemberRole, ResearchGroup, Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.secret_files import require_private, write_secret
from sophon_hub.settings import Sophon
from sophon_hub.shell import SHELL
from sophon_hub.spawner.plan import lab_plan
from sophon_hub.spawner.seeding import put_file
from sophon_hub.store import people
from sophon_hub.store.engine import writing
from sophon_hub.store.launch import system_launch_spec

PASSWORDS_FILE = "sample-passwords"
PEOPLE = {"ada": "Ada Lovelace", "grace": "Grace Hopper", "alan": "Alan Turing"}


@dataclass(frozen=True)
class Sample:
    """A project of the sample."""

    name: str
    visibility: Visibility
    description: str


PROJECTS = [
    Sample(
        "Bernoulli numbers",
        Visibility.PUBLIC,
        "The first published program, **run again**. Anyone can read about it;"
        " the group works on it in its lab.",
    ),
    Sample("Compiler notes", Visibility.INTERNAL, "For everybody who is signed in."),
    Sample("Night shift", Visibility.PRIVATE, "Only the group knows that this exists."),
]

NOTEBOOK = [
    (
        "markdown",
        "# Bernoulli numbers\n\nOpen this notebook with a colleague: you see each other type.",
    ),
    (
        "code",
        "from fractions import Fraction\nfrom math import comb\n\n\n"
        "def bernoulli(count):\n"
        "    numbers = [Fraction(1)]\n"
        "    for n in range(1, count):\n"
        "        total = sum(comb(n + 1, k) * numbers[k] for k in range(n))\n"
        "        numbers.append(-total / (n + 1))\n"
        "    return numbers\n\n\n"
        "for n, number in enumerate(bernoulli(11)):\n"
        '    print(f"B{n} = {number}")',
    ),
]


def seed(engine: Engine, settings: Sophon) -> list[str]:
    """Add the sample to a hub that has no research group yet; lines for the person who asked."""
    lines = _accounts(settings)
    with writing(engine) as session:
        if session.scalar(select(ResearchGroup.id).limit(1)) is not None:
            return [*lines, "There are research groups already; nothing is added."]
        _group(session, settings)
    return [*lines, f"Added a research group with {len(PROJECTS)} projects and a lab."]


def _accounts(settings: Sophon) -> list[str]:
    """Accounts with passwords of their own in every installation; the path is what is told."""
    if not issubclass(make_authenticator(settings.authenticator), LocalAuthenticator):
        return []
    authenticator = LocalAuthenticator()
    path = settings.prepare_data_dir() / PASSWORDS_FILE
    if not path.exists():
        lines = [f"{username} {passwords.generate()}" for username in PEOPLE]
        write_secret(path, "\n".join(lines))
    for username, password in read_passwords(path).items():
        if not authenticator.has_account(username):
            authenticator.create_account(username, password, PEOPLE[username])
    return [f"Sample people: {', '.join(PEOPLE)}; their passwords are in {path}"]


def read_passwords(path: Path) -> dict[str, str]:
    """User names and passwords of the sample people."""
    require_private(path)
    return dict(line.split(" ", 1) for line in path.read_text().splitlines() if line)


def _group(session: Session, settings: Sophon) -> None:
    for username, display_name in PEOPLE.items():
        people.system_upsert_person(
            session, username, display_name, is_admin=False, now=clock.utcnow()
        )
    group = create_group(
        session,
        _actor(session, "ada"),
        forms.NewGroup(
            name="Analytical Engines",
            description="Programs from before there were computers. *Anyone may join.*",
            visibility=Visibility.PUBLIC,
            access=AccessMode.OPEN,
        ),
    )
    owner = _actor(session, "ada")  # with the membership that has just come about
    for username, role in (("grace", MemberRole.MEMBER), ("alan", MemberRole.VIEWER)):
        set_member(session, owner, group, username, forms.MemberSettings(role=role))
    made = [
        create_project(
            session,
            owner,
            forms.NewProject(
                group=group.slug,
                name=sample.name,
                description=sample.description,
                visibility=sample.visibility,
            ),
        )
        for sample in PROJECTS
    ]
    lab = create_lab(session, owner, made[0], forms.NewLab(name="First program"), settings)
    session.flush()
    account = names.account_name(made[0].slug)
    plan = lab_plan(settings, system_launch_spec(session, account, lab.slug))
    put_file(settings, plan, "bernoulli.ipynb", _notebook())


def _actor(session: Session, username: str) -> Actor:
    actor = people.find_actor(
        session,
        username,
        is_admin=False,
        via=SHELL.via,
        now=clock.utcnow(),
        request_id=SHELL.request_id,
    )
    if actor is None:  # the row is from this very transaction
        raise LookupError(username)
    return actor


def _notebook() -> bytes:
    cells: list[dict[str, Any]] = [
        {"cell_type": kind, "id": f"sample-{number}", "metadata": {}, "source": source}
        | ({"execution_count": None, "outputs": []} if kind == "code" else {})
        for number, (kind, source) in enumerate(NOTEBOOK)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    ).encode()
