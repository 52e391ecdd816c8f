"""What is in the trash: removed for good when its time is over, or brought back.

First everything outside the database is cleared away, then the rows: until then the slug is
taken, so nobody finds what somebody else has left. Every step can be done twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from sophon_hub import names
from sophon_hub.actions.purge import cancel_deletions, end_deletion, finish_purge
from sophon_hub.clock import utcnow
from sophon_hub.errors import Unavailable
from sophon_hub.store.trash import Kind, Remains, system_deletions, system_remains
from sophon_hub.volumes import datasets, homes, material
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker.context import Context
from sophon_hub.worker.groups import sync_group
from sophon_hub.worker.labs import wait_until_stopped


async def end_due(context: Context) -> None:
    """Begin to remove what has been in the trash for the retention time."""
    before = utcnow() - timedelta(days=context.settings.retention_days)
    for deleted in await context.read(partial(system_deletions, before=before)):
        await context.write(
            partial(end_deletion, actor=context.actor, deleted=deleted, before=before)
        )


async def follow_group(context: Context, group_id: int) -> None:
    """After a change of a group's people: whose deletions still stand, and who enters its labs."""
    if await context.read(partial(system_deletions, group_id=group_id)):
        await context.write(partial(cancel_deletions, actor=context.actor, group_id=group_id))
    await sync_group(context, group_id)


def purge(kind: Kind) -> Callable[[Context, int], Awaitable[None]]:
    """What removes a thing of this kind for good."""

    async def work(context: Context, number: int) -> None:
        remains = await context.read(partial(system_remains, kind=kind, number=number))
        if remains is None:
            return
        if remains.busy:
            raise Unavailable("A dataset or material is being read just now.")
        await _clear(context, remains)
        await context.write(
            partial(finish_purge, actor=context.actor, kind=kind, number=number, cleared=remains)
        )

    return work


async def _clear(context: Context, remains: Remains) -> None:
    for account, server in remains.servers:
        await _remove_server(context, account, server)
    for account in remains.accounts:
        for server in await context.hub.server_names(account):
            await _remove_server(context, account, server)
        await context.hub.delete_user(account)
    try:
        for uid in remains.homes:
            await asyncio.to_thread(homes.remove, context.settings, uid)
        for uid in remains.datasets:
            await asyncio.to_thread(datasets.remove, context.settings, uid)
        for project in remains.materials:
            if not await asyncio.to_thread(material.tidy, context.settings, project, ()):
                raise Unavailable("Somebody is just getting the material.")
    except VolumeTrouble as error:
        raise Unavailable(str(error)) from error
    if remains.group is not None:
        # the Hub drops the role with the group of people: `spawner.access`
        await context.hub.delete_group(names.accounts_group(remains.group))
        await context.hub.delete_group(names.people_group(remains.group))
        await context.hub.delete_group(names.watchers_group(remains.group))


async def _remove_server(context: Context, account: str, server: str) -> None:
    """End a server and have the Hub forget it, with its tokens and shares."""
    await wait_until_stopped(context, account, server)
    if server:  # the Hub keeps a default server as long as its user
        await context.hub.stop_server(account, server, remove=True)
        project = names.project_of_account(account) or ""
        await context.hub.delete_group(names.lock_group(project, server))
