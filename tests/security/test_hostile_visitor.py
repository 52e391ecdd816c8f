"""A hostile visitor: a guest, or somebody signed in who belongs to nothing."""

import contextlib
import http.client
import re
import socket
import statistics
import time
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
import requests
from websockets import Origin
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.journeys.site import LabVisit
from tests.security.conftest import PROJECT, Scene
from tests.security.terminals import cookies
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

LOGIN = "jupyterhub-hub-login"


@pytest.fixture(scope="module")
def grace(scene: Scene) -> requests.Session:
    """A browser in which Grace is signed in."""
    return scene.browser("grace")


def home(scene: Scene, **cookies: str) -> str | None:
    """Whom the Hub takes the holder of these cookies for."""
    page = requests.get(f"{scene.site.url}/hub/home", cookies=cookies, timeout=30)
    found = re.search(r'\buser: "([^"]*)"', page.text)
    return found[1] if found else None


def cookie(session: requests.Session, name: str, path: str) -> str:
    (value,) = [one.value for one in session.cookies if (one.name, one.path) == (name, path)]
    return str(value)


# signing in


def test_a_session_id_that_was_there_before_signing_in_is_worth_nothing(scene: Scene) -> None:
    fixed = "f" * 32
    victim = requests.Session()
    victim.cookies.set("jupyterhub-session-id", fixed, domain="127.0.0.1", path="/")
    scene.site.sign_in(victim, "grace")
    assert victim.get(f"{scene.site.portal}groups", timeout=30).ok

    assert home(scene, **{LOGIN: cookie(victim, LOGIN, "/hub/")}) == "grace"
    assert home(scene, **{"jupyterhub-session-id": fixed}) is None
    me = requests.get(
        f"{scene.site.portal}api/v1/me", cookies={"jupyterhub-session-id": fixed}, timeout=30
    )
    assert me.json()["username"] is None


def test_a_login_cookie_that_was_changed_or_made_up_signs_nobody_in(
    scene: Scene, grace: requests.Session
) -> None:
    value = cookie(grace, LOGIN, "/hub/").strip('"')
    assert home(scene, **{LOGIN: f'"{value}"'}) == "grace"
    version, key, when, name, payload, signature = value.split("|")
    older = f"10:{int(when.removeprefix('10:')) - 90 * 86400}"

    for forged in (
        "|".join((version, key, older, name, payload, signature)),
        "|".join((version, key, when, name, payload, "0" * 64)),
        "|".join((version, key, when, name, payload, "")),
        "|".join((version, key, when, "9:_xsrf_xsr", payload, signature)),
        "|".join(("1", payload.partition(":")[2], when, signature)),
        payload.partition(":")[2],
        "admin",
        "grace",
    ):
        assert home(scene, **{LOGIN: f'"{forged}"'}) is None, forged


def test_cookies_that_sign_in_are_kept_from_scripts_and_sent_to_their_own_part(
    grace: requests.Session,
) -> None:
    paths = {LOGIN: "/hub/", "service-sophon": "/services/sophon/", "jupyterhub-session-id": "/"}
    for name, path in paths.items():
        (one,) = [one for one in grace.cookies if one.name == name]
        assert one.path == path
        assert one.has_nonstandard_attr("HttpOnly"), name


def attempt(scene: Scene, password: str, username: str = "emmy", **headers: str) -> str:
    """Try to sign in as Emmy, whom nobody else needs; what the page says, or nothing."""
    with requests.Session() as browser:
        browser.get(f"{scene.site.url}/hub/login", headers=headers, timeout=30)
        token = cookie(browser, "_xsrf", "/hub/")
        form = {"username": username, "password": password, "_xsrf": token}
        page = browser.post(f"{scene.site.url}/hub/login", form, headers=headers, timeout=30)
        return "" if LOGIN in browser.cookies else page.text


def test_guessing_passwords_ends_soon_wherever_the_guesses_come_from(scene: Scene) -> None:
    """And so anybody can keep somebody from signing in for a while."""
    password = scene.site.password("emmy")
    assert attempt(scene, password) == ""
    for number in range(10):
        said = attempt(scene, f"guess {number}", **{"X-Forwarded-For": f"192.0.2.{number}"})
        assert "Too many" not in said

    assert "Too many failed attempts" in attempt(scene, password)
    assert scene.site.api("grace").expect(200, "GET", "me")["username"] == "grace"


def test_nobody_writes_lines_of_their_own_into_the_log(scene: Scene) -> None:
    forged = "[I 2026-01-01 00:00:00.000 JupyterHub base:973] User logged in: admin"
    before = len(scene.site.log())
    attempt(scene, "guess", f"nobody\n{forged}")
    attempt(scene, "guess", f"nobody\r{forged}")
    for path in ("hub/x%0a", "services/sophon/x%0a", "services/sophon/api/v1/users?q=%0a"):
        requests.get(f"{scene.site.url}/{path}{quote(forged)}", timeout=30)
    scene.grace.request("POST", "groups", json={f"x\n{forged}": 1})

    lines = re.split(r"[\r\n]", scene.site.log()[before:])
    assert any("nobody" in line for line in lines)
    assert [line for line in lines if line.startswith(forged[:20])] == []


NEXT = [
    "//evil.example",
    "https://evil.example/",
    "https:evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5Cevil.example",
    "///evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "/hub/../..//evil.example",
    "https://127.0.0.1@evil.example/",
    "/ /evil.example",
    "\t//evil.example",
]


@pytest.mark.parametrize("wanted", NEXT)
def test_no_sign_in_leads_to_another_site(
    scene: Scene, grace: requests.Session, wanted: str
) -> None:
    for address in (
        f"{scene.site.url}/hub/login?next={quote(wanted)}",
        f"{scene.site.portal}login?next={quote(wanted)}",
    ):
        answer = grace.get(address, allow_redirects=False, timeout=30)
        place = answer.headers.get("Location", "")
        parts = urlsplit(place.replace("\\", "/"))
        assert parts.netloc in ("", urlsplit(scene.site.url).netloc), (address, place)
        assert parts.scheme in ("", "http")
        assert not re.match(r"[\s\\]|/[\t\r\n]*[/\\]", place), (address, place)


def test_anybody_can_sign_somebody_out_by_a_link(scene: Scene) -> None:
    browser = scene.browser("grace")
    from_elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert browser.get(f"{scene.site.url}/hub/home", timeout=30).url.endswith("/hub/home")

    browser.get(f"{scene.site.url}/hub/logout", headers=from_elsewhere, timeout=30)

    assert "/hub/login" in browser.get(f"{scene.site.url}/hub/home", timeout=30).url


# the labs of who is signed in


def open_socket(visit: LabVisit, path: str, origin: str) -> None:
    """Open a web socket of the lab as a page of this origin would, with the visitor's cookies."""
    address = f"{visit.url}/{path}".replace("http:", "ws:", 1)
    with connect(address, origin=Origin(origin), additional_headers={"Cookie": cookies(visit)}):
        pass


def test_a_page_of_another_site_opens_no_socket_of_a_lab(scene: Scene) -> None:
    visit = scene.visit("grace", scene.closed)
    assert visit.enter() == 200
    headers = {"X-XSRFToken": visit._xsrf()}

    def make(what: str) -> dict[str, str]:
        made = visit.session.post(f"{visit.url}/api/{what}", headers=headers, timeout=30)
        assert made.ok, made.text
        found: dict[str, str] = made.json()
        return found

    kernel, shell = make("kernels")["id"], make("terminals")["name"]
    sockets = [
        f"api/kernels/{kernel}/channels",
        f"terminals/websocket/{shell}",
        "api/events/subscribe",
    ]
    for path in sockets:
        open_socket(visit, path, scene.site.url)
        with pytest.raises(InvalidStatus, match="403"):
            open_socket(visit, path, "https://evil.example")


def test_a_page_of_another_site_writes_nothing_into_a_lab(scene: Scene) -> None:
    visit = scene.visit("grace", scene.closed)
    assert visit.enter() == 200
    visit.write("mine.txt", "by Grace")
    from_elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    file = {"type": "file", "format": "text", "content": "forged"}

    for method, path in (("PUT", "api/contents/mine.txt"), ("POST", "api/terminals")):
        answer = visit.session.request(
            method, f"{visit.url}/{path}", json=file, headers=from_elsewhere, timeout=30
        )
        assert answer.status_code in (403, 404), path
    assert visit.read("mine.txt") == "by Grace"


# finding out


def test_whether_something_hidden_is_there_takes_no_other_time(scene: Scene) -> None:
    def seconds(path: str) -> float:
        begin = time.perf_counter()
        scene.barbara.expect(404, "GET", path)
        return time.perf_counter() - begin

    pairs = [(seconds(f"projects/{PROJECT}"), seconds("projects/nothing")) for _ in range(100)]

    slower = statistics.mean(hidden > missing for hidden, missing in pairs)
    assert 0.2 < slower < 0.8, slower


def test_a_stopped_lab_cannot_be_told_from_none_but_a_running_one_can(scene: Scene) -> None:
    """Whoever guesses both names of a running lab sees that it runs, and no more."""
    scene.ada.expect(201, "POST", f"projects/{PROJECT}/labs", json={"name": "stopped"})
    stranger, guest = scene.browser("barbara"), requests.Session()

    def seen(browser: requests.Session, lab: str, project: str = PROJECT) -> tuple[int, str]:
        address = f"{scene.site.url}/user/project-{project}/{lab}/lab"
        answer = browser.get(address, timeout=30)
        text = re.sub(r"(nonce|_xsrf|xsrf_token|id)(=|: )\S+", "", answer.text)
        return answer.status_code, text.replace(lab, "").replace(project, "")

    for browser in (stranger, guest):
        assert seen(browser, "stopped") == seen(browser, "nothing")
        assert seen(browser, "stopped") == seen(browser, "unheard-of", "nowhere")
    assert (seen(stranger, "closed")[0], seen(stranger, "stopped")[0]) == (403, 404)
    assert "Go to the project" in seen(stranger, "closed")[1]
    for path in ("api/contents", "api/status", "api/kernels", "api/sessions"):
        answer = guest.get(f"{scene.closed.url}/{path}", timeout=30)
        assert answer.status_code == 403, path


def test_versions_of_jupyterhub_and_jupyter_server_are_no_secret(scene: Scene) -> None:
    assert "version" in requests.get(f"{scene.site.url}/hub/api/", timeout=30).json()
    assert "version" in requests.get(f"{scene.closed.url}/api", timeout=30).json()


def test_the_measurements_and_lists_of_the_hub_are_not_for_visitors(scene: Scene) -> None:
    guest, user = requests.Session(), scene.barbara.session
    for path in ("/hub/metrics", "/hub/api/users", "/hub/api/groups", "/hub/api/proxy"):
        for session in (guest, user):
            answer = session.get(f"{scene.site.url}{path}", timeout=30)
            assert answer.status_code == 403, path
    assert scene.site.api("admin").session.get(f"{scene.site.url}/hub/metrics", timeout=30).ok


# what answers say beside their text

ADDRESSES = [
    "/hub/login",
    "/hub/home",
    "/hub/token",
    "/hub/nothing",
    "/hub/api/",
    "/services/sophon/groups",
    "/services/sophon/nothing",
    "/services/sophon/api/v1/groups",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_answer_is_kept_framed_guessed_at_or_told_to_other_sites(
    scene: Scene, grace: requests.Session, address: str
) -> None:
    for session in (requests.Session(), grace):
        answer = session.get(f"{scene.site.url}{address}", timeout=30)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy or policy.startswith("default-src 'none'")


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_answer_is_shared_with_scripts_of_other_sites(
    scene: Scene, grace: requests.Session, address: str
) -> None:
    asks = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for method in ("GET", "OPTIONS", "POST"):
        answer = grace.request(method, f"{scene.site.url}{address}", headers=asks, timeout=30)
        # where the Hub tells its version it tells everybody, and looks at no cookie
        open_to_all = "*" if address == "/hub/api/" else None
        assert answer.headers.get("Access-Control-Allow-Origin") == open_to_all
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "ANYTHING"])
def test_other_methods_are_refused_and_nothing_is_sent_back(scene: Scene, method: str) -> None:
    for address in ("/hub/login", "/services/sophon/groups", "/services/sophon/api/v1/groups"):
        headers = {"Cookie": "mine=thing", "X-Mine": "thing"}
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", scene.site.port, timeout=10)
        ) as link:
            link.request(method, address, headers=headers)
            try:
                answer = link.getresponse()
            except http.client.RemoteDisconnected:
                continue
            assert answer.status >= 400, (method, address)
            assert "thing" not in answer.read().decode()


def test_a_made_up_host_leads_nobody_there(scene: Scene) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    for address in ("/", "/hub/", "/hub/home", "/services/sophon/", "/services/sophon/login"):
        answer = requests.get(
            f"{scene.site.url}{address}", headers=headers, allow_redirects=False, timeout=30
        )
        assert "evil.example" not in answer.headers.get("Location", ""), address
        assert "evil.example" not in answer.text, address


ODD_PATHS = [
    "/hub/%",
    "/hub/%ff%fe",
    "/hub/login?next=%ff",
    "/hub/user/%2e%2e/%2e%2e/etc/passwd",
    "/hub/static/../../../../etc/passwd",
    "/hub/static/%2e%2e/%2e%2e/%2e%2e/cookie-secret",
    "/services/sophon/static/../../cookie-secret",
    "/services/sophon/static/%2e%2e%2fnames.py",
    "/services/sophon/%00",
    "/user/..%2f..%2fhub/api/users",
    "/user/project-lenses/closed/../../../hub/api/users",
    "//hub/api/users",
    "/" + "a" * 9000,
    "/hub/<script>alert(1)</script>",
    "/services/sophon/<script>alert(1)</script>",
]


@pytest.mark.parametrize("path", ODD_PATHS, ids=lambda path: path[:40])
def test_no_odd_address_shows_files_errors_or_scripts(scene: Scene, path: str) -> None:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", scene.site.port, timeout=10)
    ) as link:
        link.putrequest("GET", path, skip_host=False)
        link.endheaders()
        answer = link.getresponse()
        text = answer.read().decode(errors="replace")

    assert answer.status not in (200, 204) or path.startswith("/hub/login")
    for secret in ("Traceback", "root:x:", 'File "', "<script>alert", str(scene.site.data_dir)):
        assert secret not in text


# weight


def raw(scene: Scene, text: bytes) -> bytes:
    """Send bytes as they are, and give the beginning of the answer."""
    with socket.create_connection(("127.0.0.1", scene.site.port), timeout=10) as link:
        link.sendall(text)
        return link.recv(1000)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nContent-Length: 30",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"X-Long: " + b"a" * 100_000,
        b"\x00: \x01",
        b" folded: line",
    ],
    ids=lambda head: head[:40],
)
def test_requests_that_could_be_read_in_two_ways_are_refused(scene: Scene, head: bytes) -> None:
    good = b"GET /services/sophon/api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    assert raw(scene, good + b"\r\n").startswith(b"HTTP/1.1 200")

    answer = raw(scene, good.replace(b"GET", b"POST") + head + b"\r\n\r\nabc")

    assert re.match(rb"HTTP/1.1 4\d\d", answer), answer
    assert scene.site.is_healthy()


@contextlib.contextmanager
def unfinished(scene: Scene, number: int) -> Iterator[None]:
    """Requests that have begun and are not sent to their end."""
    begun = (
        b"POST /services/sophon/api/v1/groups HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    with contextlib.ExitStack() as stack:
        for count in range(number):
            link = socket.create_connection(("127.0.0.1", scene.site.port), timeout=10)
            stack.enter_context(link)
            link.sendall(begun[: len(begun) if count % 2 else 60])
        yield


def test_hundreds_of_requests_that_do_not_end_keep_nobody_waiting(scene: Scene) -> None:
    with unfinished(scene, 300):
        assert scene.site.is_healthy()
        assert scene.grace.expect(200, "GET", "groups")["total"] >= 1
        assert requests.get(f"{scene.site.url}/hub/login", timeout=5).ok
        assert requests.get(f"{scene.closed.url}/api", timeout=5).ok


def test_a_huge_form_is_cut_off_by_the_portal_and_survived_by_the_hub(scene: Scene) -> None:
    """The Hub reads up to 100 MB of a request before it refuses it; a server in front can less."""
    megabyte = b"a" * 1024 * 1024

    def send(path: str, megabytes: int) -> int:
        def body() -> Iterator[bytes]:
            for _ in range(megabytes):
                yield megabyte

        try:
            return requests.post(
                f"{scene.site.url}{path}",
                data=body(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                timeout=60,
            ).status_code
        except requests.ConnectionError:
            return 413  # cut off before the answer could be read

    assert send("/services/sophon/api/v1/groups", 20) in (413, 503)
    assert send("/hub/login", 20) == 403
    assert send("/hub/login", 120) in (400, 413, 503)
    wait_for(scene.site.is_healthy, "the hub to answer", 10)
    assert requests.get(f"{scene.site.url}/hub/login", timeout=10).ok
