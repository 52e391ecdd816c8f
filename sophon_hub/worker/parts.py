"""What a worker does, side by side."""

import asyncio

from sophon_hub.settings import Sophon
from sophon_hub.worker.context import Context
from sophon_hub.worker.pulse import Pulse
from sophon_hub.worker.runner import Runner
from sophon_hub.worker.temporary import TemporaryPool


async def run_worker(context: Context, settings: Sophon) -> None:
    """Work until cancelled; when one part fails, all of it ends and the Hub starts it again."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Runner(context, settings.reconcile_seconds).run())
        tasks.create_task(TemporaryPool(context, settings).run())
        tasks.create_task(Pulse(context).run())
