"""Research groups as hub groups: who may enter which labs."""

from sophon_hub import names
from sophon_hub.clock import utcnow
from sophon_hub.hub import HubRefused
from sophon_hub.store.projection import GroupProjection, system_group_projection
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import tell_labs


async def sync_group(context: Context, group_id: int) -> None:
    """Make the Hub's two groups of a research group what they should be."""
    wanted = await context.read(
        lambda session: system_group_projection(session, group_id, utcnow())
    )
    if wanted is not None:
        await apply(context, wanted)


async def apply(context: Context, wanted: GroupProjection) -> None:
    """Make accounts and hub groups that are missing, and set who is in them.

    People are taken out before anybody is let in, so that a door is shut at the first chance.
    """
    hub = context.hub
    people, accounts = names.people_group(wanted.slug), names.accounts_group(wanted.slug)
    present_people = await hub.group_members(people)
    present_accounts = await hub.group_members(accounts)
    if present_people is None:
        await hub.make_group(people)
    if present_accounts is None:
        await hub.make_group(accounts)
    gone_people = (present_people or set()) - wanted.people
    gone_accounts = (present_accounts or set()) - wanted.accounts
    await hub.remove_from_group(people, gone_people)
    await hub.remove_from_group(accounts, gone_accounts)
    if gone_people or gone_accounts:
        await tell_labs(context, wanted.accounts | gone_accounts)
    missing = wanted.accounts - (present_accounts or set())
    for account in sorted(missing):
        await hub.make_user(account)
    if missing:
        # the worker's right to start servers is bound to this group
        await hub.add_to_group(names.ALL_ACCOUNTS_GROUP, missing)
        await hub.add_to_group(accounts, missing)
    await _add_people(context, people, wanted.people - (present_people or set()))


async def _add_people(context: Context, group: str, missing: frozenset[str]) -> None:
    """Let people in; those whose hub account is gone are left out."""
    try:
        await context.hub.add_to_group(group, missing)
    except HubRefused:
        known = [name for name in missing if await context.hub.has_user(name)]
        await context.hub.add_to_group(group, known)
