"""An engine that is slow, down, or has to fetch the image first."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import secrets
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from docker.api.client import APIClient
from hub_harness import LAB_IMAGE, PATIENCE, HubProcess

from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class Relay:
    """Stands between a Hub and the engine; can refuse, and hold what contains a word."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held = b""
        self.release = threading.Event()
        self.holding = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, socket.socket(socket.AF_UNIX) as engine, contextlib.suppress(OSError):
            engine.connect(ENGINE)
            back = threading.Thread(target=self._pump, args=(engine, link), daemon=True)
            back.start()
            self._pump(link, engine)
            back.join(PATIENCE)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.held and self.held in data:
                    self.holding.set()
                    self.release.wait(PATIENCE)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.release.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    relay = Relay(tmp_path / "engine.sock")
    yield relay
    if relay.path.exists():
        relay.close()


def test_one_slow_call_stalls_neither_starts_nor_polls(
    make_hub: Callable[..., HubProcess], relay: Relay
) -> None:
    hub = make_hub(DOCKER_HOST=f"unix://{relay.path}")
    hub.start()
    slow = hub.add_lab("physics", "slow", "slow")
    quick = hub.add_lab("physics", "quick", "quick")
    watched = hub.add_lab("physics", "watched", "watched")
    watched.start()
    relay.held = slow.volume.encode()

    with ThreadPoolExecutor(1) as threads:
        start = threads.submit(slow.request_start)
        assert relay.holding.wait(PATIENCE)

        quick.start()
        assert quick.answers()
        quick.stop()
        docker_kill(watched.container)
        watched.wait_until_stopped()  # a poll has noticed
        assert not start.done() or start.result().status_code == 202

        relay.release.set()
        start.result(PATIENCE)
    slow.wait_until_ready()


def docker_kill(container: str) -> None:
    import subprocess  # noqa: PLC0415

    subprocess.run(["docker", "kill", container], check=True, capture_output=True)


def test_when_the_engine_is_down_people_are_told_and_the_hub_lives_on(
    make_hub: Callable[..., HubProcess], relay: Relay
) -> None:
    hub = make_hub(DOCKER_HOST=f"unix://{relay.path}")
    hub.start()
    lab = hub.add_lab("physics", "dark", "dark")
    relay.close()

    answer = lab.request_start()

    assert answer.status_code == 503
    assert "the Docker engine does not answer" in answer.json()["message"]
    again = Relay(relay.path)
    try:
        lab.start()
        lab.stop()
    finally:
        again.close()


class Registry(ThreadingHTTPServer):
    """As much of a registry as the engine needs for one image; the layer comes in pieces."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            info = tarfile.TarInfo("random")
            info.size = 4_000_000
            archive.addfile(info, io.BytesIO(secrets.token_bytes(info.size)))
        plain = layer.getvalue()
        self.blobs: dict[str, bytes] = {}
        self.go_on = threading.Event()
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(plain)]},
        }
        kind = "application/vnd.docker"
        packed = gzip.compress(plain, 1)
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{kind}.distribution.manifest.v2+json",
                "config": self._add(json.dumps(config).encode(), f"{kind}.container.image.v1+json"),
                "layers": [self._add(packed, f"{kind}.image.rootfs.diff.tar.gzip")],
            }
        ).encode()

    def _add(self, blob: bytes, kind: str) -> dict[str, Any]:
        self.blobs[digest(blob)] = blob
        return {"mediaType": kind, "size": len(blob), "digest": digest(blob)}

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self.server_port}/slow/lab:1"


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class RegistryHandler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        if "/manifests/" in self.path:
            data = self.server.manifest
        elif "/blobs/" in self.path:
            kind, data = "application/octet-stream", self.server.blobs[self.path.rsplit("/")[-1]]
        else:
            kind, data = "application/json", b"{}"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", digest(data))
        self.end_headers()
        if not body:
            return
        half = len(data) // 2
        self.wfile.write(data[:half])
        self.wfile.flush()
        if len(data) > 1_000_000:
            self.server.go_on.wait(PATIENCE)
        self.wfile.write(data[half:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(docker: APIClient) -> Iterator[Registry]:
    with Registry() as registry:
        thread = threading.Thread(target=registry.serve_forever, daemon=True)
        thread.start()
        yield registry
        registry.go_on.set()
        registry.shutdown()
        thread.join(PATIENCE)
        with contextlib.suppress(Exception):
            docker.remove_image(registry.image, force=True)


def test_a_download_tells_how_far_it_is_and_holds_up_nobody(
    make_hub: Callable[..., HubProcess], registry: Registry
) -> None:
    images = {"lab": {"image": LAB_IMAGE}, "far": {"image": registry.image}}
    hub = make_hub(SOPHON_IMAGES=json.dumps(images))
    hub.start()
    far = hub.add_lab("physics", "far", "far", image="far")
    near = hub.add_lab("physics", "near", "near")
    heard: list[dict[str, Any]] = []

    def percentages() -> list[str]:
        return [event["message"] for event in heard if event["message"].endswith(" %")]

    with ThreadPoolExecutor(2) as threads:
        start = threads.submit(far.request_start)
        wait_for(lambda: (far.state() or {}).get("pending") == "spawn", "the start to begin")
        threads.submit(lambda: heard.extend(far.events()) or None)
        late: list[dict[str, Any]] = []
        wait_for(lambda: listen_once(far, late), "the download to be on its way")

        near.start()  # while the other one waits for its registry

        registry.go_on.set()
        start.result(PATIENCE)
        far.wait_until_stopped()
    said = percentages()
    assert said, heard
    assert all(text.startswith("Downloading the image: ") for text in said)
    numbers = [event["progress"] for event in heard]
    assert numbers == sorted(numbers)
    # the image is only random bytes
    assert heard[-1]["failed"]


def listen_once(lab: Any, events: list[dict[str, Any]]) -> bool:
    """Listen from the start until the first percentage, as a page opened late would."""
    for event in lab.events():
        events.append(event)
        if event["message"].endswith(" %"):
            return True
    return False


def test_an_image_that_cannot_be_fetched_is_named(make_hub: Callable[..., HubProcess]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    images = {"lab": {"image": LAB_IMAGE}, "gone": {"image": f"127.0.0.1:{port}/nobody/home:1"}}
    hub = make_hub(SOPHON_IMAGES=json.dumps(images))
    hub.start()
    lab = hub.add_lab("physics", "gone", "gone", image="gone")

    answer = lab.request_start()

    assert answer.status_code == 503
    assert "The image “gone” could not be downloaded" in answer.json()["message"]
