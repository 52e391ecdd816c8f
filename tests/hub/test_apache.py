"""Sign-in through a real Apache: what reaches the Hub, and what never reaches a lab.

Everything holds for each shape that `sophon-hub apache-config` writes.
"""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from apache_server import (
    ASIDE,
    CAMPUS,
    CAMPUS_COOKIE,
    CLIENT_SECONDS,
    FORGED,
    IDENTITY,
    LOGIN,
    NAMES,
    NEEDED,
    PASSWORD,
    SHAPES,
    Instance,
    RunningApache,
    write_config,
)
from running import RunningHub, free_ports
from signing_on import SECRET, ask, name_of
from upstreams import MEBIBYTE, echo, echo_of_sockets
from websockets.sync.client import connect

from tests.tls import client_context
from tests.waiting import free_port, wait_for

pytestmark = pytest.mark.hub

OURS = ("x-sso-", "x-real-ip", "x-scheme", "authorization")
UPLOAD_MIB = 200
ALL_PROCESSES = 40
"""So many requests that every process of Apache has had some."""


def add_route(hub: RunningHub, path: str, port: int) -> None:
    token = (hub.data / "proxy-token").read_text().strip()
    answer = requests.post(
        f"http://127.0.0.1:{hub.port + 1}/api/routes{path}",
        json={"target": f"http://127.0.0.1:{port}"},
        headers={"Authorization": f"token {token}"},
        timeout=10,
    )
    assert answer.status_code == 201


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("hub")
    path = directory / "proxy-secret"
    path.touch(0o600)
    path.write_text(SECRET)
    config = f"""
c.JupyterHub.public_url = "https://localhost:{port}/"
c.TrustedProxyAuthenticator.allow_all = True
c.TrustedProxyAuthenticator.service_cookie = "{CAMPUS_COOKIE}"
c.TrustedProxyAuthenticator.weblogin_logout_url = "https://localhost:{port}{CAMPUS}/logout"
"""
    hub = RunningHub(
        directory, config=config, authenticator="sophon-proxy", proxy_secret_file=str(path)
    )
    hub.start()
    with echo() as lab, echo_of_sockets() as sockets:
        add_route(hub, "/user/echo", lab)
        add_route(hub, "/user/socket", sockets)
        yield hub
        hub.end()


@pytest.fixture(scope="module", params=SHAPES)
def apache(request: pytest.FixtureRequest, hub: RunningHub, port: int) -> Iterator[RunningApache]:
    with RunningApache(hub.environment, SECRET, port, request.param) as apache:
        yield apache


def name(apache: RunningApache, cookies: dict[str, str]) -> str | None:
    return name_of(apache.url, cookies, tls=apache.tls)


def test_a_person_goes_by_the_sign_on_to_the_page_first_asked_for(apache: RunningApache) -> None:
    page = "/hub/token?a=1&b=%2F&c=100%25&d=%26%C3%A4"
    login = apache.get(apache.get(page).location)
    assert login.location.startswith(f"{LOGIN}?next=")
    asked = apache.get(login.location)
    assert apache.asks_for_a_password(asked)
    wanted = asked.location.partition("?")[2]
    assert wanted == apache.url + login.location
    assert CAMPUS_COOKIE not in apache.enter("alice", "wrong", wanted).cookies
    known = apache.enter("alice", PASSWORD, wanted)
    assert known.location == wanted
    answer = apache.get(login.location, cookies=known.cookies)
    assert (answer.status, answer.location) == (302, page)
    assert name(apache, answer.cookies) == "alice"
    session = [line for line in answer.set_cookies if line.startswith("jupyterhub-hub-login")]
    assert all("HttpOnly" in line for line in session)


@pytest.fixture
def browser(apache: RunningApache) -> Iterator[requests.Session]:
    """Alice's, in which the campus knows her."""
    with requests.Session() as browser:
        browser.trust_env = False  # a bundle named in the environment would win over ours
        browser.verify = str(apache.certificate)
        form = {"httpd_username": "alice", "httpd_password": PASSWORD, "httpd_location": "/"}
        browser.post(f"{apache.url}{CAMPUS}/enter", form, allow_redirects=False, timeout=30)
        yield browser


def test_a_person_lands_on_the_portal(apache: RunningApache, browser: requests.Session) -> None:
    page = browser.get(f"{apache.url}/hub/login", timeout=30)
    assert (page.status_code, page.url) == (200, f"{apache.url}/services/sophon/")
    page = browser.get(f"{apache.url}/services/sophon/api/v1/me", timeout=30)
    assert page.json()["username"] == "alice", page.text
    assert {cookie.name for cookie in browser.cookies} >= {"_xsrf", "jupyterhub-hub-login"}
    assert [cookie.name for cookie in browser.cookies if not cookie.secure] == []


def test_a_token_needs_no_sign_on(apache: RunningApache, browser: requests.Session) -> None:
    page = browser.get(f"{apache.url}/hub/token", timeout=30).text
    found = re.search(r'xsrf_token: "([^"]+)"', page)
    assert found, page
    made = browser.post(
        f"{apache.url}/hub/api/users/alice/tokens",
        json={"note": "program"},
        headers={"X-XSRFToken": found[1], "Referer": f"{apache.url}/hub/token"},
        timeout=30,
    )
    assert made.status_code == 201, made.text
    user = apache.get("/hub/api/user", ("Authorization", f"token {made.json()['token']}"))
    assert json.loads(user.text)["name"] == "alice"
    assert apache.get("/hub/api/user", ("Authorization", "token none")).status == 403
    assert "version" in json.loads(apache.get("/hub/api/").text)


def test_plain_http_leads_to_tls(apache: RunningApache) -> None:
    answer = ask(f"http://127.0.0.1:{apache.http_port}", "/hub/home?a=1")
    assert (answer.status, answer.location) == (301, f"{apache.url}/hub/home?a=1")
    answer = requests.get(
        f"{apache.url}/hub/login",
        verify=str(apache.certificate),
        allow_redirects=False,
        timeout=30,
    )
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"


def test_forged_headers_sign_nobody_in(apache: RunningApache) -> None:
    alice = apache.known_as("alice")
    assert name(apache, apache.get(LOGIN, alice, *FORGED).cookies) == "alice"
    assert name(apache, apache.get(LOGIN, *FORGED, alice).cookies) == "alice"
    assert apache.asks_for_a_password(apache.get(LOGIN, *FORGED))
    assert name(apache, apache.get("/hub/home", *FORGED).cookies) is None
    with_secret = [(n, SECRET if n == "X-Sso-Secret" else v) for n, v in FORGED]
    for path in ("/hub/login", "/hub/home", LOGIN + "/mfa", LOGIN + ";x", "/HUB/sso/login"):
        assert not apache.get(path, *with_secret).signed_in


def test_what_a_site_allows_around_it_opens_nothing(apache: RunningApache) -> None:
    for instance in apache.instances:
        assert "all granted\nSatisfy Any" in (instance.directory / "apache.conf").read_text()
    answer = apache.get(LOGIN)
    assert apache.asks_for_a_password(answer)
    assert not answer.signed_in


@pytest.mark.parametrize("header", [*IDENTITY, "X-Forwarded-For", "X-Forwarded-Proto", "Cookie"])
def test_a_connection_header_takes_nothing_away_unnoticed(
    apache: RunningApache, header: str
) -> None:
    trick = ("Connection", f"close, {header}")
    answer = apache.get(LOGIN, apache.known_as("alice"), trick)
    assert not answer.signed_in or name(apache, answer.cookies) == "alice"
    forged = apache.get(LOGIN, *FORGED, trick)
    assert not forged.signed_in


def test_a_lab_sees_neither_secret_nor_proof_of_who_asks(apache: RunningApache) -> None:
    proof = apache.known_as("alice")[1]
    cookie = ("Cookie", f"{proof}; a=b; mod_auth_openidc_session=secret2; c=d; _shibsession_2=x")
    answer = apache.get("/user/echo/x", ("Authorization", "Basic YWxpY2U6eA=="), cookie, *FORGED)
    seen = json.loads(answer.text)["headers"]
    assert [re.split(r";\s*", value) for name, value in seen if name == "cookie"] == [
        ["a=b", "c=d"]
    ]
    assert not [name for name, _ in seen if name.startswith(OURS)]
    assert not [value for _, value in seen if "evil" in value or "10.9.8.7" in value]
    token = apache.get("/user/echo/x", ("Authorization", "token abc"))
    assert ["authorization", "token abc"] in json.loads(token.text)["headers"]


TRICKS = [
    f"/user/echo//..//..//{LOGIN[1:]}",
    f"/user/echo/../..{LOGIN}",
    f"/user/echo/%2e%2e/%2e%2e{LOGIN}",
    f"/user/echo/..%2f..{LOGIN}",
    f"/user/echo/..;/..;{LOGIN}",
    f"{LOGIN}/../../../user/echo/x",
    f"{LOGIN}/%2e%2e/%2e%2e/%2e%2e/user/echo/x",
    f"{LOGIN}/..%2f..%2f..%2fuser/echo/x",
    f"{LOGIN}%2f..%2f..%2f..%2fuser/echo/x",
    f"{LOGIN}?/../../user/echo",
    f"{CAMPUS}/../user/echo/x",
    f"{CAMPUS}/%2e%2e/user/echo/x",
    f"//user/echo/x#{LOGIN}",
    f"/%2e/user/echo/././/..//..{LOGIN}",
]


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_carries_the_secret_to_a_lab(apache: RunningApache, path: str) -> None:
    alice = apache.known_as("alice")
    answer = apache.get(path, alice, ("Authorization", "Basic YWxpY2U6eA=="))
    assert SECRET not in answer.text
    assert alice[1] not in answer.text
    if answer.text.startswith("{"):
        seen = json.loads(answer.text)["headers"]
        assert not [name for name, _ in seen if name.startswith((*OURS, "cookie"))]


def test_only_get_signs_in(apache: RunningApache) -> None:
    alice = apache.known_as("alice")
    assert apache.get(LOGIN, alice).signed_in
    for method in ("POST", "HEAD", "PUT"):
        answer = apache.get(LOGIN, alice, method=method, body="")
        assert (answer.status, answer.signed_in) == (405, False)


@pytest.mark.parametrize("file", ["a%2Fb.txt", "a%20b%25c.txt", "%C3%A4.ipynb", "a%5Cb"])
def test_file_names_arrive_as_they_are(apache: RunningApache, file: str) -> None:
    answer = apache.get(f"/user/echo/api/contents/{file}?x=%2F")
    assert json.loads(answer.text)["path"] == f"/user/echo/api/contents/{file}?x=%2F"


@contextlib.contextmanager
def socket_of_a_lab(apache: RunningApache, *headers: tuple[str, str]) -> Iterator[Any]:
    """An open WebSocket, as kernels have them, and what its request looked like."""
    url = apache.url.replace("https", "wss") + "/user/socket/kernel"
    tls = client_context(apache.certificate)
    with connect(url, ssl=tls, additional_headers=headers, proxy=None) as opened:
        yield opened, json.loads(opened.recv(10))


def test_web_sockets_pass_without_what_is_forged(apache: RunningApache) -> None:
    headers = [*FORGED, ("Authorization", "Basic YWxpY2U6eA=="), apache.known_as("alice")]
    with socket_of_a_lab(apache, *headers) as (opened, seen):
        opened.send("hello")
        assert opened.recv(10) == "hello"
    assert not [name for name, _ in seen if name.startswith((*OURS, "cookie"))]


def test_who_dribbles_a_request_is_cut_off_and_who_is_idle_is_not(apache: RunningApache) -> None:
    with socket_of_a_lab(apache) as (idle, _):
        begin = time.monotonic()
        slow = socket.create_connection(("127.0.0.1", apache.port))
        with apache.tls.wrap_socket(slow, server_hostname="localhost") as attack:
            attack.settimeout(0.25)
            attack.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            # left alone, Apache would wait for 20 seconds
            wait_for(lambda: is_cut_off(attack), "Apache to have enough of it", 18)
        assert time.monotonic() - begin > CLIENT_SECONDS
        idle.send("still there")
        assert idle.recv(10) == "still there"


def is_cut_off(attack: ssl.SSLSocket) -> bool:
    """Send one letter more, and look whether the server still waits."""
    try:
        attack.sendall(b"x")
        return not attack.recv(9000).startswith(b"HTTP/1.1 2")
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_large_file_is_passed_on_as_it_comes(apache: RunningApache) -> None:
    mebibyte = os.urandom(MEBIBYTE)
    answer = requests.put(
        f"{apache.url}/user/echo/api/contents/large.bin",
        data=Body(mebibyte, UPLOAD_MIB),
        verify=str(apache.certificate),
        timeout=120,
    )
    assert answer.json()["body"] == UPLOAD_MIB * MEBIBYTE
    assert apache.peak_mib() < UPLOAD_MIB / 2


class Body:
    """A file that is made while it is read, with its size known before, as that of a browser."""

    def __init__(self, block: bytes, times: int) -> None:
        self._block, self._left = block, times
        self._size = len(block) * times

    def __len__(self) -> int:
        return self._size

    def read(self, _size: int = -1) -> bytes:
        """The next part."""
        self._left -= 1
        return self._block if self._left >= 0 else b""


def test_logs_know_no_tokens(apache: RunningApache) -> None:
    referring = ("Referer", f"{apache.url}/x?code=verysecret")
    apache.get("/hub/home?token=verysecret", referring)
    apache.get(f"{LOGIN}?next=verysecret", apache.known_as("alice"), referring)
    form = urlencode({"httpd_username": "alice", "httpd_password": "no"})
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    apache.get(f"{CAMPUS}/enter", kind, referring, method="POST", body=form)
    assert "user 'alice': authentication failure" in apache.instances[0].error_log.read_text()
    access = apache.public.access_log
    wait_for(lambda: access.read_text().count(f'"POST {CAMPUS}/enter"') > 1, "the last request")
    assert '"GET /hub/home" 302' in access.read_text()
    for instance in apache.instances:
        for log in (instance.access_log, instance.error_log):
            assert "verysecret" not in log.read_text()


def test_signing_out_ends_the_session_here_and_on_campus(apache: RunningApache) -> None:
    known = apache.enter("bob", PASSWORD).cookies
    signed_in = apache.get(LOGIN, cookies=known)
    bob = known | signed_in.cookies
    assert name(apache, bob) == "bob"
    answer = apache.get("/hub/logout", cookies=bob)
    assert answer.cookies[CAMPUS_COOKIE] == "null"
    campus, back = answer.location.split("?")
    assert campus == f"{apache.url}{CAMPUS}/logout"
    answer = apache.get(urlsplit(campus).path + "?" + back, cookies=bob)
    assert (answer.status, answer.location) == (307, back)
    assert back == f"{apache.url}/hub/sso/logged-out"
    # the campus may know the person for longer than this page; it does not sign in again
    said = apache.get(urlsplit(back).path, cookies=bob)
    assert (said.status, said.signed_in) == (200, False)
    assert name(apache, bob) is None  # a copy of the cookies
    asked = apache.get(apache.get("/hub/token").location)
    assert apache.asks_for_a_password(apache.get(asked.location))


def test_many_people_at_once_are_each_signed_in_as_themselves(apache: RunningApache) -> None:
    cookies = {name: apache.known_as(name) for name in NAMES}
    turns = [*NAMES] * 4
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda name: apache.get(LOGIN, cookies[name]), turns))
    assert [name(apache, answer.cookies) for answer in answers] == turns


def test_the_broker_answers_nothing_but_the_sign_on(hub: RunningHub) -> None:
    port = free_ports()
    broker = f"http://127.0.0.1:{port + ASIDE}"
    with RunningApache(hub.environment, SECRET, port, "front-and-broker") as apache:
        assert ask(broker, LOGIN, [apache.known_as("alice")]).signed_in
        assert apache.asks_for_a_password(ask(broker, LOGIN, FORGED))
        for path in ("/", "/hub/home", "/user/echo/x", "/HUB/sso/login", TRICKS[5]):
            assert ask(broker, path, [apache.known_as("alice")]).status == 403


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", ["/hub/home", LOGIN])
def test_while_the_hub_is_away_people_are_told_and_no_longer(shape: str, path: str) -> None:
    upstream = free_port()
    environment = {
        **os.environ,
        "SOPHON_AUTHENTICATOR": "sophon-proxy",
        "SOPHON_PORT": str(upstream),
    }
    with RunningApache(environment, SECRET, free_ports(), shape) as apache:
        alice = apache.known_as("alice")
        # each process of Apache learns it for itself
        for answer in [apache.get(path, alice) for _ in range(ALL_PROCESSES)]:
            assert answer.status == 503
            assert "One moment" in answer.text
        with echo(upstream):
            # versions of Apache that remember for a minute who was away must not
            answers = [apache.get(path, alice) for _ in range(ALL_PROCESSES)]
            assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("shape", ["single", "broker"])
def test_cosign_refuses_to_start_with_threads(hub: RunningHub, tmp_path: Path, shape: str) -> None:
    (tmp_path / "secret.conf").touch()
    words = ["--host=hub.test", f"--shape={shape}", f"--secret={tmp_path}/secret.conf"]
    environment = hub.environment | {"SOPHON_AUTHENTICATOR": "sophon-cosign"}
    written = write_config(environment, *words)
    reasons = {"event": "must run under mpm_prefork", "prefork": "mod_cosign is not loaded"}
    for mpm, reason in reasons.items():
        instance = Instance(tmp_path / mpm, mpm)
        instance.write(written, "", NEEDED)
        command = instance.command("-t")
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode != 0
        assert reason in ended.stderr


@pytest.mark.parametrize("host", ["", "a b", "evil\nInclude x", 'x"', "${X}"])
def test_a_host_name_that_would_change_the_file_is_refused(hub: RunningHub, host: str) -> None:
    assert hub.command("apache-config", "--host=hub.test").returncode == 0
    assert hub.command("apache-config", f"--host={host}").returncode == 1
