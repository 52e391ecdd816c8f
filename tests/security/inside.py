"""Doing things inside a container, as an attacker there does them."""

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

SECONDS = 60

REQUESTS = """
import json, os, sys, urllib.error, urllib.request

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None

def send(method, address, headers, body):
    api = os.environ.get("JUPYTERHUB_API_URL", "")
    address = address.replace("{api}", api).replace("{hub}", api.removesuffix("/api"))
    headers = {"Authorization": "token " + os.environ.get("JUPYTERHUB_API_TOKEN", "")} | headers
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, headers, method=method)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()

print(json.dumps([send(*request) for request in json.loads(sys.argv[1])]))
"""

CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def connect(target):
    try:
        socket.create_connection(target, timeout=2).close()
    except OSError:
        return False
    return True

targets = [tuple(target) for target in json.loads(sys.argv[1])]
print(json.dumps(list(ThreadPoolExecutor(20).map(connect, targets))))
"""


def run(container: str, *command: str, user: str = "1000", script: str = "") -> tuple[int, str]:
    """Run a command in a container, as this user there: its exit code and all it said."""
    done = subprocess.run(
        ["docker", "exec", "--interactive", "--user", user, container, *command],
        input=script,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def python(container: str, script: str, *arguments: str, user: str = "1000") -> Any:
    """Run a Python script there; what it printed, as JSON."""
    code, said = run(container, "python3", "-", *arguments, user=user, script=script)
    assert code == 0, said
    return json.loads(said)


def request(
    container: str, method: str, address: str, body: Any = None, **headers: str
) -> tuple[int, str]:
    """Send a request with the lab's own token; `{api}` and `{hub}` are the Hub's addresses."""
    return requests(container, (method, address, headers, body))[0]


def requests(container: str, *wanted: tuple[str, str, dict[str, str], Any]) -> list[Any]:
    """Send several requests: method, address, headers, body; status and text of each answer."""
    answers = python(container, REQUESTS, json.dumps(wanted))
    return [tuple(answer) for answer in answers]


def reaches(container: str, *targets: tuple[str, int]) -> list[bool]:
    """Whether a connection to each address and port comes about from inside."""
    found: list[bool] = python(container, CONNECT, json.dumps(targets))
    return found


@contextlib.contextmanager
def serving(container: str, script: str) -> Iterator[None]:
    """Have a Python script run in a container that prints a line once it is ready."""
    command = ["docker", "exec", "--user", "1000", container, "python3", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield
        server.kill()


@contextlib.contextmanager
def listener(address: str) -> Iterator[int]:
    """Something on the host that takes connections at this address; gives the port."""
    with socket.create_server((address, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
