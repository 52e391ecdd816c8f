"""Repairs: what the portal says and what the Hub has, made equal again.

`watch` runs every few seconds and looks at servers; `repair` runs at start and every few
minutes and looks at everything.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sophon_hub import audit, jobs, names
from sophon_hub.actions.people import note_person
from sophon_hub.clock import utcnow
from sophon_hub.hub import Account, Server
from sophon_hub.models import Lab, LabState
from sophon_hub.policy.actor import Actor
from sophon_hub.store import labs
from sophon_hub.store.engine import Session
from sophon_hub.store.people import system_people
from sophon_hub.store.projection import (
    GroupProjection,
    system_group_ids,
    system_group_projections,
    system_groups_with_end_between,
)
from sophon_hub.worker import disk, locks, personal
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")

BATCH = 200
"""People noted in one transaction: nobody waits long for the write lock."""

ENDED = "The lab ended by itself. What was saved is still there; start it again."


async def watch(context: Context) -> None:
    """Compare the labs' states with the servers that the Hub has.

    What the Hub says is a moment old when it is compared. Only labs whose state was the same
    before the Hub was asked are corrected: a lab that has just started or stopped is left alone.
    """
    before, before_personal = await context.read(
        lambda session: (_states(session), personal.states(session))
    )
    servers: dict[tuple[str, str], Server] = {}
    default_servers: dict[str, Server] = {}
    async for account in context.hub.accounts(active_only=True):
        if names.project_of_account(account.username) is not None:
            servers |= {(server.username, server.name): server for server in account.servers}
        else:
            default_servers |= {
                server.username: server for server in account.servers if not server.name
            }

    def write(session: Session) -> list[tuple[str, str]]:
        personal.compare(session, before_personal, default_servers)
        return _compare(session, context.actor, before, servers)

    unknown = await context.write(write)
    for username, name in unknown:
        log.warning("stopping %s/%s, which the portal does not know", username, name)
        await context.hub.stop_server(username, name)


def _states(session: Session) -> dict[int, LabState]:
    """States of the labs that have, or should have, a server."""
    return {lab.id: lab.state for lab in labs.system_labs_with_servers(session)}


def _compare(
    session: Session,
    actor: Actor,
    before: dict[int, LabState],
    servers: dict[tuple[str, str], Server],
) -> list[tuple[str, str]]:
    """Correct the labs' states; gives the servers that no lab stands for."""
    known = labs.system_labs_by_server(session, set(servers))
    for key, server in servers.items():
        if key in known and _is_settled(known[key], before):
            _note_server(session, actor, known[key], server)
    for lab in labs.system_labs_with_servers(session):
        key = (names.account_name(lab.project.slug), lab.slug)
        if key not in servers and _is_settled(lab, before):
            _note_no_server(session, actor, lab)
    return [key for key in servers if key not in known]


def _is_settled(lab: Lab, before: dict[int, LabState]) -> bool:
    """Whether the lab's state is what it was before the Hub was asked."""
    return before.get(lab.id) is (lab.state if lab.state.has_server else None)


def _note_server(session: Session, actor: Actor, lab: Lab, server: Server) -> None:
    if not server.ready or server.pending:
        return
    is_trash = lab.deleted_at is not None or lab.project.deleted_at is not None
    if is_trash and lab.state is not LabState.STOPPING:
        lab.state = LabState.STOPPING
        _enqueue(session, "stop_lab", lab)
    elif lab.state in (LabState.STOPPED, LabState.FAILED) and not is_trash:
        lab.state, lab.progress, lab.message = LabState.RUNNING, 100, "Ready"
        lab.started_with = lab.launch_settings()
        lab.started_at, lab.started_by_id = utcnow(), None
        lab.stopped_at, lab.stop_reason = None, ""
        audit.record(session, actor, "lab:found-running", lab)
    elif lab.state is LabState.STARTING:
        _enqueue(session, "start_lab", lab)
    elif lab.state is LabState.STOPPING:
        _enqueue(session, "stop_lab", lab)


def _note_no_server(session: Session, actor: Actor, lab: Lab) -> None:
    if lab.state is LabState.STARTING:
        _enqueue(session, "start_lab", lab)
    elif lab.state is LabState.STOPPING:
        _enqueue(session, "stop_lab", lab)
    else:
        lab.state, lab.progress, lab.message = LabState.STOPPED, 0, ENDED
        lab.started_with, lab.clean_up, lab.people = None, False, []
        lab.busy, lab.stops_at, lab.stop_reason = False, None, ""
        lab.stopped_at, lab.stopped_by_id = utcnow(), None
        disk.enqueue_measure(session, Lab, lab.id)
        audit.record(session, actor, "lab:ended", lab)


def _enqueue(session: Session, kind: str, lab: Lab) -> None:
    """Write the job again if it was lost; one that waits or is under way is enough."""
    key = f"lab:{lab.id}"
    if not jobs.is_waiting(session, key):
        jobs.enqueue(session, kind, key, lab_id=lab.id)


async def sync_ended_memberships(context: Context, after: datetime, until: datetime) -> None:
    """Shut the door behind those whose membership ended in this span."""

    def write(session: Session) -> None:
        for group_id in system_groups_with_end_between(session, after, until):
            jobs.enqueue(session, "sync_group", f"group:{group_id}", group_id=group_id)

    await context.write(write)


async def repair(context: Context) -> None:
    """Compare all people, accounts and hub groups, and enqueue what has to be done."""
    accounts = [account async for account in context.hub.accounts()]
    await _note_people(context, accounts)
    hub_groups = await context.hub.groups()
    present = {account.username for account in accounts}

    def write(session: Session) -> int:
        numbers = system_group_ids(session)
        drifted = [
            wanted.slug
            for wanted in system_group_projections(session, utcnow())
            if not _matches(wanted, hub_groups, present)
        ]
        for slug in drifted:
            group_id = numbers[slug]
            jobs.enqueue(session, "sync_group", f"group:{group_id}", group_id=group_id)
        return len(drifted)

    drifted = await context.write(write)
    if drifted:
        log.info("%d research groups differ from the hub; repairing", drifted)
    await locks.repair(context, hub_groups, present)
    await watch(context)


async def repair_now(context: Context, _: int) -> None:
    """The same, because an administrator asked for it."""
    await repair(context)


def _matches(wanted: GroupProjection, hub_groups: dict[str, set[str]], present: set[str]) -> bool:
    people = hub_groups.get(names.people_group(wanted.slug))
    watchers = hub_groups.get(names.watchers_group(wanted.slug))
    accounts = hub_groups.get(names.accounts_group(wanted.slug))
    return (
        people is not None
        and watchers is not None
        and accounts is not None
        and people == set(wanted.people & present)
        and watchers == set(wanted.watchers & present)
        and accounts == set(wanted.accounts)
        and wanted.accounts <= hub_groups.get(names.ALL_ACCOUNTS_GROUP, set())
    )


async def _note_people(context: Context, accounts: list[Account]) -> None:
    """Make records of accounts that are new, and correct those that changed."""
    known = await context.read(system_people)
    changed = [
        account
        for account in accounts
        if not names.is_reserved_username(account.username)
        and known.get(account.username) != account.admin
    ]

    def write(session: Session, batch: Sequence[Account]) -> None:
        for account in batch:
            note_person(session, account.username, account.display_name, is_admin=account.admin)

    for start in range(0, len(changed), BATCH):
        await context.write(partial(write, batch=changed[start : start + BATCH]))
