"""Locks of labs as hub groups: in a locked lab all but who locked it only watch."""

from functools import partial

from sophon_hub import jobs, names
from sophon_hub.hub import HubRefused
from sophon_hub.store.engine import Session
from sophon_hub.store.projection import LockProjection, system_lock_projections
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import tell_labs


async def sync_lock(context: Context, lab_id: int) -> None:
    """Make the hub group of a lab's lock what it should be, and have the lab look who is in it."""
    for wanted in await context.read(partial(system_lock_projections, lab_id=lab_id)):
        await _apply(context, wanted)
        await tell_labs(context, {wanted.account})


async def _apply(context: Context, wanted: LockProjection) -> None:
    hub = context.hub
    if not wanted.members:
        await hub.delete_group(wanted.group)
        return
    present = await hub.group_members(wanted.group)
    if present is None:
        await hub.make_group(wanted.group)
    await hub.make_user(wanted.account)
    try:
        await hub.add_to_group(wanted.group, wanted.members)
    except HubRefused:  # who locked it has no account any more: the lock holds for everybody
        await hub.add_to_group(wanted.group, {wanted.account})
    await hub.remove_from_group(wanted.group, (present or set()) - wanted.members)


async def repair(context: Context, hub_groups: dict[str, set[str]], present: set[str]) -> None:
    """Enqueue locks that the Hub does not know, and remove groups that no lab stands for.

    ``hub_groups`` are all hub groups with who is in them, ``present`` all hub users.
    """
    found = {name: people for name, people in hub_groups.items() if names.is_lock_group(name)}

    def write(session: Session) -> set[str]:
        wanted = {lock.group: lock for lock in system_lock_projections(session)}
        for name, lock in wanted.items():
            if found.get(name) != set(lock.members & present):
                key = f"lock:{lock.lab_id}"
                jobs.enqueue(session, "sync_lock", key, lab_id=lock.lab_id)
        return found.keys() - wanted.keys()

    for name in sorted(await context.write(write)):
        await context.hub.delete_group(name)
