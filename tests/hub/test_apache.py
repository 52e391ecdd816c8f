"""Sign-in through a real Apache: what reaches the Hub, and what never reaches a lab."""

import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from apache_server import PASSWORD, RunningApache
from running import RunningHub, free_ports
from signing_on import SECRET, Answer, ask, name_of
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

pytestmark = pytest.mark.hub

LOGIN = "/hub/sso/login"
FORGED = [
    ("X-Sso-User", "bob"),
    ("X-Sso-Realm", "bob"),
    ("X-Sso-Name", "bob"),
    ("X-Sso-Secret", "s" * 64),
    ("X-Forwarded-For", "10.9.8.7"),
    ("X-Forwarded-Host", "evil.test"),
    ("X-Real-IP", "10.9.8.7"),
]
OURS = ("x-sso-", "x-real-ip", "x-scheme", "authorization")


class Echo(BaseHTTPRequestHandler):
    """In the place of somebody's lab: answers with what it was sent."""

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        seen = {"path": self.path, "headers": [[n.lower(), v] for n, v in self.headers.items()]}
        text = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def tell_headers(connection: ServerConnection) -> None:
    """The first message is what the request looked like, the others come back."""
    assert connection.request is not None
    connection.send(json.dumps([[n.lower(), v] for n, v in connection.request.headers.raw_items()]))
    for message in connection:
        connection.send(message)


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
"""
    hub = RunningHub(
        directory, config=config, authenticator="sophon-proxy", proxy_secret_file=str(path)
    )
    hub.start()
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    sockets = serve(tell_headers, "127.0.0.1", 0)
    threading.Thread(target=sockets.serve_forever, daemon=True).start()
    add_route(hub, "/user/echo", echo.server_port)
    add_route(hub, "/user/socket", sockets.socket.getsockname()[1])
    yield hub
    hub.end()
    echo.shutdown()
    echo.server_close()
    sockets.shutdown()


@pytest.fixture(scope="module", params=["event", "prefork"])
def apache(request: pytest.FixtureRequest, hub: RunningHub, port: int) -> Iterator[RunningApache]:
    apache = RunningApache(hub, SECRET, port, request.param)
    apache.start()
    yield apache
    apache.end()


def basic(name: str, password: str = PASSWORD) -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def get(apache: RunningApache, path: str, *headers: tuple[str, str], **options: Any) -> Answer:
    return ask(apache.url, path, headers, tls=apache.tls, **options)


def name(apache: RunningApache, cookies: dict[str, str]) -> str | None:
    return name_of(apache.url, cookies, tls=apache.tls)


def test_a_person_goes_by_the_sign_on_to_the_page_first_asked_for(apache: RunningApache) -> None:
    answer = get(apache, "/hub/token?a=1&b=%2F")
    answer = get(apache, answer.location)
    assert answer.location.startswith(f"{LOGIN}?next=")
    assert get(apache, answer.location).status == 401
    assert get(apache, answer.location, basic("alice", "wrong")).status == 401
    answer = get(apache, answer.location, basic("alice"))
    assert (answer.status, answer.location) == (302, "/hub/token?a=1&b=%2F")
    assert name(apache, answer.cookies) == "alice"
    login = [line for line in answer.set_cookies if line.startswith("jupyterhub-hub-login")]
    assert all("Secure" in line and "HttpOnly" in line for line in login)


def test_a_person_lands_on_the_portal(apache: RunningApache) -> None:
    with requests.Session() as browser:
        browser.trust_env = False  # a bundle named in the environment would win over ours
        browser.verify = str(apache.directory / "certificate.pem")
        browser.auth = ("alice", PASSWORD)
        page = browser.get(f"{apache.url}/hub/login", timeout=30)
        assert (page.status_code, page.url) == (200, f"{apache.url}/services/sophon/")
        page = browser.get(f"{apache.url}/services/sophon/api/v1/me", timeout=30)
        assert page.json()["username"] == "alice", page.text
        assert all(cookie.secure for cookie in browser.cookies if cookie.name != "_xsrf")


def test_plain_http_leads_to_tls(apache: RunningApache) -> None:
    answer = ask(f"http://127.0.0.1:{apache.http_port}", "/hub/home?a=1")
    assert (answer.status, answer.location) == (301, f"{apache.url}/hub/home?a=1")
    answer = requests.get(
        f"{apache.url}/hub/login",
        verify=str(apache.directory / "certificate.pem"),
        allow_redirects=False,
        timeout=30,
    )
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"


def test_forged_headers_sign_nobody_in(apache: RunningApache) -> None:
    answer = get(apache, LOGIN, basic("alice"), *FORGED)
    assert name(apache, answer.cookies) == "alice"
    answer = get(apache, LOGIN, *FORGED, basic("alice"))
    assert name(apache, answer.cookies) == "alice"
    assert get(apache, LOGIN, *FORGED).status == 401
    assert name(apache, get(apache, "/hub/home", *FORGED).cookies) is None
    with_secret = [(n, SECRET if n == "X-Sso-Secret" else v) for n, v in FORGED]
    for path in ("/hub/login", "/hub/home", LOGIN + "/mfa", LOGIN + ";x", "/HUB/sso/login"):
        assert not get(apache, path, *with_secret).signed_in


@pytest.mark.parametrize("header", ["X-Sso-User", "X-Sso-Secret", "X-Forwarded-For"])
def test_a_connection_header_takes_nothing_away_unnoticed(
    apache: RunningApache, header: str
) -> None:
    answer = get(apache, LOGIN, basic("alice"), ("Connection", f"close, {header}"))
    assert not answer.signed_in or name(apache, answer.cookies) == "alice"


def test_a_lab_sees_neither_secret_nor_proof_of_who_asks(apache: RunningApache) -> None:
    cookie = ("Cookie", "_shibsession_61=secret1; a=b; mod_auth_openidc_session=secret2")
    answer = get(apache, "/user/echo/x", basic("alice"), cookie, *FORGED)
    seen = json.loads(answer.text)["headers"]
    assert [value for name, value in seen if name == "cookie"] == ["a=b"]
    assert not [name for name, _ in seen if name.startswith(OURS)]
    assert not [value for _, value in seen if "evil" in value or "10.9.8.7" in value]
    token = get(apache, "/user/echo/x", ("Authorization", "token abc"))
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
    f"{LOGIN}?/../../user/echo",
    f"/%2e/user/echo/././/..//..{LOGIN}",
]


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_carries_the_secret_to_a_lab(apache: RunningApache, path: str) -> None:
    answer = get(apache, path, basic("alice"))
    assert SECRET not in answer.text
    if answer.text.startswith("{"):
        seen = json.loads(answer.text)["headers"]
        assert not [name for name, _ in seen if name.startswith(OURS)]


def test_only_get_signs_in(apache: RunningApache) -> None:
    for method in ("POST", "HEAD", "PUT"):
        answer = get(apache, LOGIN, basic("alice"), method=method, body="")
        assert (answer.status, answer.signed_in) == (405, False)


@pytest.mark.parametrize("file", ["a%2Fb.txt", "a%20b%25c.txt", "%C3%A4.ipynb", "a%5Cb"])
def test_file_names_arrive_as_they_are(apache: RunningApache, file: str) -> None:
    answer = get(apache, f"/user/echo/api/contents/{file}?x=%2F")
    assert json.loads(answer.text)["path"] == f"/user/echo/api/contents/{file}?x=%2F"


def test_web_sockets_pass_without_what_is_forged(apache: RunningApache) -> None:
    url = apache.url.replace("https", "wss") + "/user/socket/kernel"
    headers = [*FORGED, basic("alice"), ("Cookie", "_shibsession_61=secret1")]
    with connect(url, ssl=apache.tls, additional_headers=headers, proxy=None) as socket:
        seen = json.loads(socket.recv(10))
        socket.send("hello")
        assert socket.recv(10) == "hello"
    assert not [name for name, _ in seen if name.startswith((*OURS, "cookie"))]


def test_signing_out_ends_the_session_and_copies_of_it(apache: RunningApache) -> None:
    bob = get(apache, LOGIN, basic("bob")).cookies
    assert name(apache, bob) == "bob"
    answer = get(apache, "/hub/logout", cookies=bob)
    assert answer.location == "/hub/sso/logged-out"
    assert get(apache, answer.location, basic("bob")).status == 200
    assert name(apache, bob) is None


def test_api_and_tokens_need_no_sign_on(apache: RunningApache) -> None:
    assert "version" in json.loads(get(apache, "/hub/api/").text)
    assert get(apache, "/hub/api/user", ("Authorization", "token none")).status == 403


def test_the_cosign_host_refuses_to_start_with_threads(hub: RunningHub, port: int) -> None:
    apache = RunningApache(hub, SECRET, port)
    original = hub.environment["SOPHON_AUTHENTICATOR"]
    hub.environment["SOPHON_AUTHENTICATOR"] = "sophon-cosign"
    try:
        secret = f"--secret={apache.directory}/secret.conf"
        written = hub.command("apache-config", "--host=hub.test", secret).stdout
    finally:
        hub.environment["SOPHON_AUTHENTICATOR"] = original

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            apache.command("-t"), capture_output=True, text=True, timeout=30, check=False
        )

    assert check().returncode == 0
    (apache.directory / "vhost.conf").write_text(written)
    ended = check()
    apache.end()
    assert ended.returncode != 0
    assert "must run under mpm_prefork" in ended.stderr


@pytest.mark.parametrize("host", ["", "a b", "evil\nInclude x", 'x"', "${X}"])
def test_a_host_name_that_would_change_the_file_is_refused(hub: RunningHub, host: str) -> None:
    assert hub.command("apache-config", "--host=hub.test").returncode == 0
    assert hub.command("apache-config", f"--host={host}").returncode == 1
