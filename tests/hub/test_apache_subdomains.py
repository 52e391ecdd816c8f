"""Labs with host names of their own, behind Apache: served, and never told who asks.

Behind Apache is the proxy of a hub with subdomains. What it passes to the Hub and to a lab is
echoed, so that each request shows where it went and what it carried.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from http.client import HTTPSConnection
from typing import Any

import pytest
import requests
from apache_server import CAMPUS_COOKIE, FORGED, LOGIN, SHAPES, RunningApache
from running import free_ports
from signing_on import SECRET
from upstreams import echo

from sophon_hub.startup import PROXY_COMMAND
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

LAB_HOST = "echo.localhost"
TOKEN = "proxy"


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, int]]:
    """Ports of the proxy, and of what stands for the Hub and for a lab."""
    proxy = free_ports()
    with echo() as hub, echo() as lab:
        words = ["--host-routing", f"--port={proxy}", f"--api-port={proxy + 1}", "--ip=127.0.0.1"]
        words += [f"--default-target=http://127.0.0.1:{hub}", "--log-level=error"]
        running = subprocess.Popen([PROXY_COMMAND, *words], env=with_token())
        try:
            wait_for(lambda: routed(proxy + 1, lab), "the proxy to take a route")
            yield {"proxy": proxy, "hub": hub, "lab": lab}
        finally:
            running.terminate()
            running.wait(30)


def with_token() -> dict[str, str]:
    return {**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN}


def routed(api: int, lab: int) -> bool:
    """Whether the proxy was up and took the route of a lab."""
    try:
        answer = requests.post(
            f"http://127.0.0.1:{api}/api/routes/{LAB_HOST}/user/echo",
            json={"target": f"http://127.0.0.1:{lab}"},
            headers={"Authorization": f"token {TOKEN}"},
            timeout=10,
        )
    except requests.ConnectionError:
        return False
    return answer.status_code == 201


@pytest.fixture(scope="module", params=SHAPES)
def apache(request: pytest.FixtureRequest, upstreams: dict[str, int]) -> Iterator[RunningApache]:
    environment = with_token() | {
        "SOPHON_AUTHENTICATOR": "sophon-proxy",
        "SOPHON_PORT": str(upstreams["proxy"]),
    }
    shape, port = request.param, free_ports()
    with RunningApache(environment, SECRET, port, shape, "--subdomains") as apache:
        yield apache


def send(apache: RunningApache, host: str, path: str, *headers: tuple[str, str]) -> Any:
    """What arrived behind Apache, or the status of Apache's own answer."""
    connection = HTTPSConnection("localhost", apache.port, timeout=30, context=apache.tls)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in (("Host", host), *headers):
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode()
        return json.loads(text) if answer.status == 200 else answer.status
    finally:
        connection.close()


def values(seen: Any, header: str) -> list[str]:
    return [value for name, value in seen["headers"] if name == header]


def test_the_hub_gets_each_header_once_and_nothing_that_is_not_known(
    apache: RunningApache, upstreams: dict[str, int]
) -> None:
    alice = apache.known_as("alice")
    forged = [pair for pair in FORGED if pair[0] != "X-Forwarded-For"]
    seen = send(apache, f"localhost:{apache.port}", f"{LOGIN}?next=%2Fa%26b", alice, *forged)
    assert (seen["port"], seen["path"]) == (upstreams["hub"], f"{LOGIN}?next=%2Fa%26b")
    ours = [pair for pair in seen["headers"] if pair[0].startswith("x-sso-")]
    assert sorted(ours) == [["x-sso-secret", SECRET], ["x-sso-user", "alice"]]
    assert "(null)" not in json.dumps(seen)
    assert values(seen, "cookie") == []
    assert values(seen, "host") == [f"localhost:{apache.port}"]
    assert values(seen, "x-forwarded-for")[0].split(", ")[-1].endswith("127.0.0.1")


def test_a_lab_is_served_at_its_own_host(apache: RunningApache, upstreams: dict[str, int]) -> None:
    cookies = ("Cookie", f"{apache.known_as('alice')[1]}; a=b")
    path = "/user/echo/api/contents/a%2Fb?x=1"
    seen = send(apache, f"{LAB_HOST}:{apache.port}", path, cookies, *FORGED)
    assert (seen["port"], seen["path"]) == (upstreams["lab"], path)
    assert values(seen, "host") == [f"{LAB_HOST}:{apache.port}"]
    assert values(seen, "cookie") == ["a=b"]
    assert not [name for name, _ in seen["headers"] if name.startswith("x-sso-")]
    assert "10.9.8.7" not in json.dumps(seen)


def test_nobody_signs_on_at_the_host_of_a_lab(
    apache: RunningApache, upstreams: dict[str, int]
) -> None:
    alice = apache.known_as("alice")
    assert values(send(apache, "localhost", LOGIN, alice), "x-sso-user") == ["alice"]
    for host in (LAB_HOST, "labs.localhost", "other.localhost", LAB_HOST.upper()):
        seen = send(apache, host, LOGIN, alice, *FORGED)
        # not even asked for a password: to the Hub it is a request that proves nothing
        assert (seen["port"], seen["path"]) == (upstreams["hub"], LOGIN)
        assert not [name for name, _ in seen["headers"] if name.startswith("x-sso-")]
        assert CAMPUS_COOKIE not in json.dumps(seen)


@pytest.mark.parametrize(
    "host",
    [
        f"{LAB_HOST}/user/echo",
        f"localhost/../{LAB_HOST}/user/echo",
        f"{LAB_HOST}%2Fuser%2Fecho",
        f"{LAB_HOST}.",
        f"localhost@{LAB_HOST}",
        f"localhost, {LAB_HOST}",
        f"{LAB_HOST}\t",
        f"x{LAB_HOST}",
        "",
    ],
)
@pytest.mark.parametrize("path", [LOGIN, f"/user/echo/../..{LOGIN}", f"https://localhost{LOGIN}"])
def test_no_host_name_takes_the_secret_to_a_lab(
    apache: RunningApache, upstreams: dict[str, int], host: str, path: str
) -> None:
    seen = send(apache, host, path, apache.known_as("alice"))
    if not isinstance(seen, int):
        told = [name for name, _ in seen["headers"] if name.startswith("x-sso-")]
        assert not told or (seen["port"], seen["path"]) == (upstreams["hub"], LOGIN)
        assert CAMPUS_COOKIE not in json.dumps(seen)
