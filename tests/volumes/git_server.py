"""A real git server by https, for tests: git's own http-backend behind Python's web server."""

import contextlib
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Backend(BaseHTTPRequestHandler):
    """Answers as git http-backend (a CGI program) says; below /private/ it asks who is there."""

    root: Path
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path.startswith("/private/"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:1{path}?{query}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        variables = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "PATH": os.environ["PATH"],
        }
        said = subprocess.run(
            ["git", "http-backend"], input=body, env=variables, capture_output=True, check=True
        ).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - what the web server asks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(root: Path, host: str, certificate: Path, key: Path) -> Iterator[str]:
    """Serve the repositories below a directory; gives the address."""
    handler = type("Handler", (Backend,), {"root": root})
    server = ThreadingHTTPServer((host, 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def write_certificate(directory: Path, host: str) -> tuple[Path, Path]:
    """A certificate for an address, and its key."""
    certificate, key = directory / "git.pem", directory / "git-key.pem"
    words = f"req -x509 -nodes -days 2 -subj /CN=git -addext subjectAltName=IP:{host} -newkey ec"
    curve = f"-pkeyopt ec_paramgen_curve:prime256v1 -keyout {key} -out {certificate}"
    subprocess.run(["openssl", *f"{words} {curve}".split()], check=True, capture_output=True)
    return certificate, key


class Repository:
    """A bare repository, and a working copy to change it from."""

    def __init__(self, root: Path, name: str = "course") -> None:
        self.bare, self.work = root / f"{name}.git", root / f"{name}-work"
        self.work.mkdir(parents=True)
        self._git("init", "-q", "-b", "main")
        self._git("clone", "-q", "--bare", ".", str(self.bare))

    def _git(self, *arguments: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=self.work, check=True, capture_output=True)

    def commit(self, files: dict[str, str | bytes | None], branch: str = "main") -> None:
        """Change or remove files, and push."""
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.push(branch)

    def forget_history(self) -> None:
        """Let the next commit be the first there ever was."""
        self._git("checkout", "-q", "--orphan", f"new-{os.urandom(4).hex()}")

    def push(self, branch: str = "main") -> None:
        """Commit all there is, and push it over whatever is there."""
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", "Change")
        self._git("push", "-q", "-f", str(self.bare), f"HEAD:{branch}")
