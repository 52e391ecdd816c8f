"""Research groups as hub groups: who may enter which labs."""

from functools import partial

from sophon_hub import names
from sophon_hub.clock import utcnow
from sophon_hub.hub import HubRefused
from sophon_hub.store.projection import GroupProjection, system_group_projection
from sophon_hub.worker import restart
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import tell_labs


async def sync_group(context: Context, group_id: int) -> None:
    """Make the Hub's groups of a research group what they should be."""
    wanted = await context.read(
        lambda session: system_group_projection(session, group_id, utcnow())
    )
    if wanted is not None:
        await apply(context, wanted)


async def apply(context: Context, wanted: GroupProjection) -> None:
    """Make accounts and hub groups that are missing, and set who is in them.

    People are taken out before anybody is let in, so that a door is shut at the first chance;
    who only gets another role is never out. Running labs hear of each change.
    """
    hub, accounts = context.hub, names.accounts_group(wanted.slug)
    in_groups: dict[str, frozenset[str]] = {
        names.people_group(wanted.slug): wanted.people,
        names.watchers_group(wanted.slug): wanted.watchers,
    }
    present = {group: await _members(context, group) for group in (*in_groups, accounts)}
    gone_accounts = present[accounts] - wanted.accounts
    await hub.remove_from_group(accounts, gone_accounts)
    staying = wanted.people | wanted.watchers
    if present[names.people_group(wanted.slug)] - wanted.people:
        # before the Hub forgets who they were: a worker that dies here finds them once more
        await context.write(partial(restart.enqueue, group=wanted.slug, actor=context.actor))
    for group in in_groups:
        await hub.remove_from_group(group, present[group] - staying)
    if gone_accounts or any(present[group] - staying for group in in_groups):
        await tell_labs(context, wanted.accounts | gone_accounts)
    await _add_accounts(context, accounts, wanted.accounts - present[accounts])
    for group, people in in_groups.items():
        await _add_people(context, group, people - present[group])
    changed = {group: (present[group] & staying) - people for group, people in in_groups.items()}
    for group, former in changed.items():
        await hub.remove_from_group(group, former)
    if any(changed.values()):
        await tell_labs(context, wanted.accounts)


async def _members(context: Context, group: str) -> set[str]:
    """Who is in a hub group, which is made when it is missing."""
    found = await context.hub.group_members(group)
    if found is None:
        await context.hub.make_group(group)
    return found or set()


async def _add_accounts(context: Context, group: str, missing: frozenset[str]) -> None:
    for account in sorted(missing):
        await context.hub.make_user(account)
    if missing:
        # the worker's right to start servers is bound to this group
        await context.hub.add_to_group(names.ALL_ACCOUNTS_GROUP, missing)
        await context.hub.add_to_group(group, missing)


async def _add_people(context: Context, group: str, missing: frozenset[str]) -> None:
    """Let people in; those whose hub account is gone are left out."""
    try:
        await context.hub.add_to_group(group, missing)
    except HubRefused:
        known = [name for name in missing if await context.hub.has_user(name)]
        await context.hub.add_to_group(group, known)
