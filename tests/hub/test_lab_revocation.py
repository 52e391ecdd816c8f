"""Who loses access to a lab loses the open sockets too, and nobody else notices anything."""

import contextlib
import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from hub_harness import PATIENCE, HubLab, HubProcess
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.uri import parse_uri

from sophon_hub import names
from sophon_hub.lab_messages import LabMessages
from sophon_hub.settings import Sophon
from tests.lab_visitor import (
    EMPTY,
    KINDS,
    NO_ACCESS,
    NOTEBOOK,
    Visitor,
    all_alive,
    close_codes,
    is_alive,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

GROUP = "physics"
AT_ONCE = 1.0
ON_ITS_OWN = 5.0


@pytest.fixture(scope="module")
def hub(make_process_hub: Callable[..., HubProcess]) -> HubProcess:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    return hub


@pytest.fixture(scope="module")
def lab(hub: HubProcess) -> Iterator[HubLab]:
    lab = hub.add_lab(GROUP, "cold-atoms", "shared")
    home = hub.data_dir / "homes" / lab.uid
    home.mkdir(parents=True)
    (home / NOTEBOOK).write_text(json.dumps(EMPTY))
    lab.start()
    yield lab
    lab.stop()


def enter(lab: HubLab, name: str) -> Visitor:
    lab.hub.add_to_group(names.people_group(GROUP), name)
    browser = lab.hub.log_in(name)
    assert lab.status_in(browser) == 200
    return Visitor(lab.url, browser)


@pytest.fixture
def name() -> str:
    """Who will lose access: somebody new each time, as it lasts."""
    return f"ada-{secrets.token_hex(3)}"


@pytest.fixture
def ada(lab: HubLab, name: str) -> Iterator[Visitor]:
    """Who will lose access."""
    with enter(lab, name) as visitor:
        yield visitor


@pytest.fixture
def grace(lab: HubLab) -> Iterator[Visitor]:
    """Who stays."""
    with enter(lab, "grace") as visitor:
        yield visitor


@pytest.fixture
def paths(grace: Visitor) -> dict[str, str]:
    return grace.paths_of_every_kind()


def remove(lab: HubLab, name: str) -> None:
    lab.hub.remove_from_group(names.people_group(GROUP), name)


def tell(lab: HubLab) -> None:
    """What the worker does after each change."""
    messages = LabMessages.of(Sophon(data_dir=str(lab.hub.data_dir)))
    url = f"{lab.url}/sophon/revalidate"
    answer = requests.post(url, headers=messages.headers(urlsplit(url).path), timeout=PATIENCE)
    assert answer.status_code == 204, answer.text


def test_whoever_is_removed_is_out_at_once_when_the_lab_is_told(
    lab: HubLab, name: str, ada: Visitor, grace: Visitor, paths: dict[str, str]
) -> None:
    hers, others = ada.open_all(paths), grace.open_all(paths)
    assert ada.request("GET", "/api/contents").status_code == 200

    remove(lab, name)
    tell(lab)

    assert close_codes(hers, AT_ONCE) == dict.fromkeys(KINDS, NO_ACCESS)
    assert ada.request("GET", "/api/contents").status_code == 403
    assert all_alive(others)
    assert grace.request("GET", "/api/contents").status_code == 200


def test_whoever_is_removed_is_out_within_seconds_when_the_message_is_lost(
    lab: HubLab, name: str, ada: Visitor, grace: Visitor, paths: dict[str, str]
) -> None:
    hers, others = ada.open_all(paths), grace.open_all(paths)

    remove(lab, name)

    assert close_codes(hers, ON_ITS_OWN) == dict.fromkeys(KINDS, NO_ACCESS)
    assert ada.request("GET", "/api/contents").status_code == 403
    assert all_alive(others)


def test_whoever_is_removed_opens_no_socket_again(
    lab: HubLab, name: str, ada: Visitor, paths: dict[str, str]
) -> None:
    remove(lab, name)
    tell(lab)

    for path in paths.values():
        with pytest.raises(InvalidStatus, match="403"):
            ada.socket(path)


def test_whose_account_is_deleted_is_out(
    lab: HubLab, name: str, ada: Visitor, paths: dict[str, str]
) -> None:
    hers = ada.open_all(paths)

    lab.hub.expect("DELETE", f"/users/{name}")

    assert close_codes(hers, ON_ITS_OWN) == dict.fromkeys(KINDS, NO_ACCESS)


def test_signing_out_at_the_hub_ends_the_lab_in_that_browser_only(
    lab: HubLab, name: str, ada: Visitor, paths: dict[str, str]
) -> None:
    here = ada.open_all(paths)
    with enter(lab, name) as elsewhere:
        there = elsewhere.open_all(paths)

        ada.browser.get(f"{lab.hub.url}/hub/logout", timeout=PATIENCE)

        assert close_codes(here, ON_ITS_OWN) == dict.fromkeys(KINDS, NO_ACCESS)
        assert ada.request("GET", "/api/contents").status_code == 403
        assert all_alive(there)


def test_nobody_is_cut_off_while_the_hub_is_away(
    make_process_hub: Callable[..., HubProcess],
) -> None:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    lab = hub.add_lab(GROUP, "cold-atoms", "steady")
    lab.start()
    with enter(lab, "grace") as grace:
        events = grace.socket("/api/events/subscribe")

        hub.kill()
        tell(lab)  # the proxy lives on

        assert is_alive(events)
    hub.start()
    lab.stop()


def pid_of_kernel(number: str) -> int:
    """The process whose command names the kernel; labs run on this machine here."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            if f"kernel-{number}.json".encode() in command.read_bytes():
                return int(command.parent.name)
    raise AssertionError(f"no process of kernel {number}")


def test_a_socket_that_was_about_to_open_is_ended_too(
    lab: HubLab, name: str, ada: Visitor, grace: Visitor
) -> None:
    """Here it waits for a kernel that does not answer; the lab says so right before."""
    number = grace.expect("POST", "/api/kernels", json={"name": "python3"})["id"]
    pid = pid_of_kernel(number)
    waits = "No session ID specified"
    before = lab.hub.log().count(waits)
    os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor() as executor:
            opening = executor.submit(ada.socket, f"/api/kernels/{number}/channels")
            wait_for(lambda: lab.hub.log().count(waits) > before, "the lab to wait for the kernel")

            remove(lab, name)
            tell(lab)

            assert isinstance(opening.exception(AT_ONCE), InvalidHandshake)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert is_alive(grace.socket(f"/api/kernels/{number}/channels"))


class Stubborn:
    """A client that does not answer when it is told goodbye, and goes on talking."""

    def __init__(self, visitor: Visitor, path: str) -> None:
        url = visitor.url.replace("http", "ws", 1) + path
        self._wire = socket.create_connection(
            (urlsplit(url).hostname, urlsplit(url).port), timeout=PATIENCE
        )
        self._protocol = ClientProtocol(parse_uri(url))
        request = self._protocol.connect()
        request.headers["Cookie"] = visitor.cookie_header()
        self._protocol.send_request(request)
        self._flush()
        while self._protocol.state.name == "CONNECTING":
            self._protocol.receive_data(self._wire.recv(65536))

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self._wire.sendall(data)

    def say(self, text: str) -> None:
        self._protocol.send_text(text.encode())
        self._flush()

    def read_until_goodbye(self) -> None:
        """Read what comes up to the frame that closes; what it asks for is never sent."""
        buffer = b""
        end = time.monotonic() + PATIENCE
        while NO_ACCESS.to_bytes(2, "big") not in buffer:
            assert time.monotonic() < end, "no goodbye"
            buffer += self._wire.recv(65536)

    def close(self) -> None:
        self._wire.close()


def test_who_ignores_the_goodbye_is_not_listened_to(
    lab: HubLab, name: str, ada: Visitor, grace: Visitor, paths: dict[str, str]
) -> None:
    home = lab.hub.data_dir / "homes" / lab.uid
    stubborn = Stubborn(ada, paths["terminal"])
    others = grace.socket(paths["terminal"])
    stubborn.say(json.dumps(["stdin", "touch before\r"]))
    wait_for((home / "before").exists, "the terminal to do what she says")

    remove(lab, name)
    tell(lab)
    stubborn.read_until_goodbye()
    stubborn.say(json.dumps(["stdin", "touch after\r"]))
    stubborn.say(json.dumps(["stdin", "touch after\r"]))
    others.send(json.dumps(["stdin", "touch others\r"]))

    wait_for((home / "others").exists, "the terminal to do what others say")
    stubborn.close()
    assert not (home / "after").exists()
