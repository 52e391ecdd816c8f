"""The worker: keeps the Hub in step with the portal, started by the Hub as ``sophon-worker``."""

import asyncio
import logging
import os
import signal

from sophon_hub.hub import HubClient
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import make_engine
from sophon_hub.worker.context import Context
from sophon_hub.worker.parts import run_worker


async def main() -> None:
    """Work until told to end."""
    logging.basicConfig(
        level=logging.INFO, format="[%(levelname)1.1s %(asctime)s %(name)s] %(message)s"
    )
    settings = Sophon.load()
    token, api_url = os.environ["JUPYTERHUB_API_TOKEN"], os.environ["JUPYTERHUB_API_URL"]
    async with HubClient(api_url, token) as hub:
        context = Context(make_engine(settings.database_url), hub, settings)
        work = asyncio.create_task(run_worker(context, settings))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        await asyncio.wait([work])
    if not work.cancelled():
        work.result()


if __name__ == "__main__":
    asyncio.run(main())
