"""What stands behind the proxy in the place of somebody's lab: says what reached it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from websockets.sync.server import ServerConnection, serve

MEBIBYTE = 2**20


class Echo(BaseHTTPRequestHandler):
    """Answers with its own port, the request's path and headers, and the size of its body."""

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(0)

    def do_PUT(self) -> None:
        left = size = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, MEBIBYTE)))
        self._answer(size)

    def _answer(self, size: int) -> None:
        seen = {
            "port": self.server.server_address[1],
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": size,
        }
        text = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextlib.contextmanager
def echo(port: int = 0) -> Iterator[int]:
    """Run an `Echo`; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def echo_of_sockets() -> Iterator[int]:
    """WebSockets: the first message is what the request looked like, the others come back."""
    server = serve(_tell_headers, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def _tell_headers(connection: ServerConnection) -> None:
    assert connection.request is not None
    connection.send(json.dumps([[n.lower(), v] for n, v in connection.request.headers.raw_items()]))
    for message in connection:
        connection.send(message)
