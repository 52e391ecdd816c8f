"""The portal: pages and REST API, started by the Hub as the managed service ``sophon``."""

import asyncio
import logging
import os
import signal
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer

from sophon_hub.settings import Sophon
from sophon_hub.web.app import make_app, make_portal


async def main() -> None:
    """Listen where the Hub says until told to end."""
    logging.basicConfig(
        level=logging.INFO, format="[%(levelname)1.1s %(asctime)s %(name)s] %(message)s"
    )
    portal = make_portal(Sophon.load())
    server = HTTPServer(make_app(portal), xheaders=True)
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server.listen(address.port or 80, address.hostname)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    server.stop()


if __name__ == "__main__":
    asyncio.run(main())
