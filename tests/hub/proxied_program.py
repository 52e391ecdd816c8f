"""A web server of the kind that people run in a lab behind jupyter-server-proxy.

It answers every method, repeats what its socket hears, tells the time as an event stream, and
adds a line to ``heard`` in the home for all that reaches it. Run as ``proxied_program.py PORT``.
"""

import asyncio
import sys
from pathlib import Path

from tornado import web, websocket

HEARD = Path.home() / "heard"


def note(line: str) -> None:
    with HEARD.open("a") as file:
        file.write(f"{line}\n")


class Page(web.RequestHandler):
    def get(self) -> None:
        self.finish("ready")

    def change(self) -> None:
        note(f"{self.request.method} {self.request.body.decode()}")
        self.finish("done")

    post = put = patch = delete = change


class Echo(websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        note(f"said {message!r}")
        self.write_message(message)


class Clock(web.RequestHandler):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        while True:
            self.write("data: tick\n\n")
            await self.flush()
            await asyncio.sleep(0.05)


async def main() -> None:
    pages = [(r".*/echo", Echo), (r".*/clock", Clock), (r"/.*", Page)]
    web.Application(pages).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
