"""Signed assertions: a real Apache signs; it holds for one request and half a minute."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from apache_server import PASSWORD, RunningApache
from running import RunningHub, free_ports
from sign_on_world import Database
from signing_on import OLD_SECRET, SECRET, Answer, ask, name_of
from test_apache import Echo

from sophon_hub import clock
from sophon_hub.authenticator import TrustedProxyAuthenticator
from sophon_hub.authenticator.proxy_traits import SIGNATURE_HEADERS
from sophon_hub.authenticator.signature import MAX_AGE_SECONDS, require_own_line, sign
from sophon_hub.settings import BadSetting
from sophon_hub.store import people
from sophon_hub.store.engine import reading

pytestmark = pytest.mark.hub

LOGIN = "/hub/sso/login"
PATH = f"{LOGIN}?next=%2Fhub%2Fhome"
SIGNED = ("X-Sso-User", "X-Sso-Time", "X-Sso-Request", "X-Sso-Signature")
# the Hub's clock runs ahead by what the file says
CONFIG = """
from datetime import timedelta
from pathlib import Path
from sophon_hub import clock

real_time = clock.utcnow
ahead = Path("ahead")
clock.utcnow = lambda: real_time() + timedelta(seconds=float(ahead.read_text()))

c.TrustedProxyAuthenticator.allow_all = True
c.TrustedProxyAuthenticator.assertion_mode = "signed"
c.TrustedProxyAuthenticator.groups_header = "X-Sso-Groups"
c.TrustedProxyAuthenticator.research_groups = {"fields | waves": "physics"}
c.JupyterHub.public_url = "https://localhost/"
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("signed")
    (directory / "ahead").write_text("0")
    path = directory / "proxy-secret"
    path.touch(0o600)
    path.write_text(f"{SECRET}\n{OLD_SECRET}\n")
    hub = RunningHub(
        directory, config=CONFIG, authenticator="sophon-proxy", proxy_secret_file=str(path)
    )
    hub.start()
    yield hub
    hub.end()


@pytest.fixture
def set_ahead(hub: RunningHub) -> Iterator[Any]:
    """Sets how many seconds the Hub's clock is ahead of Apache's."""
    file = hub.log_file.parent / "ahead"

    def set_ahead(seconds: float) -> None:
        # written beside it and moved, so that the Hub never reads half a number
        (file.parent / "next").write_text(str(seconds))
        (file.parent / "next").replace(file)

    yield set_ahead
    set_ahead(0)


def apache_with(
    hub: RunningHub, key: str, sign_on: str = "", site: str = "", **options: Any
) -> Iterator[RunningApache]:
    """``sign_on`` is what the sign-on module sets, ``site`` what is configured around the host."""
    apache = RunningApache(hub, key, free_ports(), signed=True, **options)
    for file, lines in {"sign-on.conf": sign_on, "apache.conf": site}.items():
        with (apache.directory / file).open("a") as config:
            config.write(lines)
    apache.start()
    yield apache
    apache.end()


@pytest.fixture(scope="module")
def apache(hub: RunningHub) -> Iterator[RunningApache]:
    yield from apache_with(hub, SECRET)


@pytest.fixture(scope="module")
def old_apache(hub: RunningHub) -> Iterator[RunningApache]:
    """An Apache that still has the key from before the rotation."""
    yield from apache_with(hub, OLD_SECRET)


@pytest.fixture(scope="module")
def false_apache(hub: RunningHub) -> Iterator[RunningApache]:
    """An Apache with a key that the Hub never had."""
    yield from apache_with(hub, "0" * 64)


@pytest.fixture(scope="module")
def spied_apache(hub: RunningHub) -> Iterator[RunningApache]:
    """An Apache with the right key, behind which somebody reads what it sends to the Hub."""
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    yield from apache_with(hub, SECRET, upstream=echo.server_port)
    echo.shutdown()
    echo.server_close()


NAME = "Adá | Lovelace"
TALKATIVE = f"""
RequestHeader set X-Sso-Realm "EXAMPLE.EDU"
RequestHeader set X-Sso-Factor "EXAMPLE.EDU mtoken"
RequestHeader set X-Sso-Name "  {NAME} "
RequestHeader set X-Sso-Groups " chess;fields | waves  "
"""


@pytest.fixture(scope="module")
def talkative_apache(hub: RunningHub) -> Iterator[RunningApache]:
    """An Apache whose sign-on module knows all there is to know about a person."""
    yield from apache_with(hub, SECRET, sign_on=TALKATIVE)


@pytest.fixture(scope="module")
def open_apache(hub: RunningHub) -> Iterator[RunningApache]:
    """An Apache that grants everything to everybody, but for the one path."""
    site = '<Location "/">\n  Require all granted\n</Location>\n'
    yield from apache_with(hub, SECRET, site=site)


def get(apache: RunningApache, path: str, user: str = "alice", *headers: tuple[str, str]) -> Answer:
    word = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    return ask(apache.url, path, [*headers, ("Authorization", f"Basic {word}")], tls=apache.tls)


def sent(apache: RunningApache, path: str = PATH, user: str = "alice") -> list[tuple[str, str]]:
    """What a real Apache sends to the Hub about the person."""
    seen = json.loads(get(apache, path, user).text)
    assert seen["path"] == path
    return [(name, value) for name, value in seen["headers"] if name.startswith("x-sso-")]


def replay(
    hub: RunningHub, headers: list[tuple[str, str]], path: str = PATH, **changes: str | None
) -> Answer:
    """Somebody on the Hub's machine sends the same headers, some of them changed."""
    changed = {f"x-sso-{name}": value for name, value in changes.items()}
    values = {**dict(headers), **changed}
    return ask(hub.url, path, [(k, v) for k, v in values.items() if v is not None])


def refused(answer: Answer) -> bool:
    return answer.status == 403 and not answer.signed_in


def test_a_signed_assertion_signs_in(apache: RunningApache, hub: RunningHub) -> None:
    answer = get(apache, PATH)
    assert (answer.status, answer.location) == (302, "/hub/home")
    assert name_of(apache.url, answer.cookies, tls=apache.tls) == "alice"
    bob = get(apache, LOGIN, "bob")
    assert name_of(apache.url, bob.cookies, tls=apache.tls) == "bob"


@pytest.mark.parametrize("wanted", ["/hub/token?a=1&b=%2F", "/hub/home?x=a|b'c\"d{e}", "/hub/ä"])
def test_a_query_may_hold_anything(apache: RunningApache, wanted: str) -> None:
    for text in (quote(wanted, safe=""), quote(wanted, safe="/?=&|'\"{}")):
        assert get(apache, f"{LOGIN}?next={text}").signed_in


def test_a_key_that_was_replaced_counts_while_it_is_in_the_file(old_apache: RunningApache) -> None:
    assert get(old_apache, PATH).signed_in


def test_everything_that_is_said_of_a_person_is_signed(
    hub: RunningHub, talkative_apache: RunningApache
) -> None:
    answer = get(talkative_apache, PATH, "alice")
    assert name_of(hub.url, answer.cookies) == "alice"
    with reading(Database(hub).engine) as session:
        alice = people.find_person(session, "alice")
        assert alice is not None
        assert (alice.display_name, alice.sign_on_groups) == (NAME, {"physics": "member"})


def test_an_open_site_around_it_does_not_open_the_protected_path(
    open_apache: RunningApache,
) -> None:
    answer = ask(open_apache.url, PATH, tls=open_apache.tls)
    assert (answer.status, answer.signed_in) == (401, False)
    assert get(open_apache, PATH).signed_in


@pytest.mark.parametrize("header", [*SIGNED, "X-Sso-Realm", "X-Sso-Name", "X-Sso-Groups"])
def test_a_connection_header_takes_no_signed_part_away(
    talkative_apache: RunningApache, header: str
) -> None:
    assert get(talkative_apache, PATH).signed_in
    answer = get(talkative_apache, PATH, "alice", ("Connection", f"close, {header}"))
    assert refused(answer)


def test_another_key_signs_nobody_in(false_apache: RunningApache) -> None:
    answer = get(false_apache, PATH)
    assert refused(answer)
    assert "did not say who you are" in answer.text


def test_the_key_is_not_sent_to_the_hub(spied_apache: RunningApache) -> None:
    headers = sent(spied_apache)
    assert sorted(name for name, _ in headers) == sorted(name.lower() for name in SIGNED)
    assert not [value for _, value in headers if SECRET in value or "(null)" in value]


def test_forged_headers_are_taken_away(apache: RunningApache, spied_apache: RunningApache) -> None:
    old = sent(spied_apache, PATH, "bob")
    answer = get(apache, PATH, "alice", *old)
    assert name_of(apache.url, answer.cookies, tls=apache.tls) == "alice"
    seen = json.loads(get(spied_apache, "/user/x", "alice", *old).text)["headers"]
    assert not [name for name, _ in seen if name.startswith("x-sso-")]


def test_what_is_captured_serves_for_half_a_minute(
    hub: RunningHub, spied_apache: RunningApache, set_ahead: Any
) -> None:
    headers = sent(spied_apache)
    assert replay(hub, headers).signed_in
    set_ahead(MAX_AGE_SECONDS + 1)
    assert refused(replay(hub, headers))
    set_ahead(-MAX_AGE_SECONDS - 30)
    assert refused(replay(hub, headers))
    set_ahead(0)
    assert replay(hub, headers).signed_in


@pytest.mark.parametrize(
    "path", [LOGIN, f"{LOGIN}/mfa?next=%2Fhub%2Fhome", f"{LOGIN}?next=%2Fhub%2Fadmin"]
)
def test_what_is_captured_serves_for_no_other_request(
    hub: RunningHub, spied_apache: RunningApache, path: str
) -> None:
    headers = sent(spied_apache)
    assert replay(hub, headers).signed_in
    assert refused(replay(hub, headers, path))
    # nor when the signed line is changed along with it
    assert refused(replay(hub, headers, path, request=f"GET {path} HTTP/1.1"))


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "bob"},
        {"user": "alice|"},
        {"user": None},
        {"realm": "EXAMPLE.EDU"},
        {"factor": "mtoken"},
        {"name": "The Administrator"},
        {"groups": "fields | waves"},
        {"name": "(null)"},
        {"time": "t=1000000000000000"},
        {"time": "20270301120000"},
        {"time": None},
        {"request": None},
        {"request": ""},
        {"request": PATH},
        {"request": f"POST {PATH} HTTP/1.1"},
        {"signature": None},
        {"signature": ""},
        {"signature": "0" * 40},
        {"signature": "\u00e9"},
    ],
)
def test_a_part_that_is_changed_or_missing_is_refused(
    hub: RunningHub, spied_apache: RunningApache, changes: dict[str, str | None]
) -> None:
    headers = sent(spied_apache)
    assert replay(hub, headers).signed_in
    assert refused(replay(hub, headers, **changes))


@pytest.mark.parametrize("name", SIGNED)
def test_a_part_that_comes_twice_is_refused(
    hub: RunningHub, spied_apache: RunningApache, name: str
) -> None:
    headers = sent(spied_apache)
    again = (name, dict(headers)[name.lower()])
    assert ask(hub.url, PATH, headers).signed_in
    assert refused(ask(hub.url, PATH, [*headers, again]))


def test_a_secret_that_travels_is_refused(hub: RunningHub, spied_apache: RunningApache) -> None:
    headers = sent(spied_apache)
    for secret in (SECRET, "", "x"):
        assert refused(replay(hub, headers, secret=secret))
    alone = [("X-Sso-User", "alice"), ("X-Sso-Secret", SECRET)]
    assert refused(ask(hub.url, PATH, alone))
    assert replay(hub, headers).signed_in


def test_the_persons_name_is_signed_as_it_is_sent(hub: RunningHub, set_ahead: Any) -> None:
    moment = "t=1800000000000000"
    line = f"GET {PATH} HTTP/1.1"
    name = "Adá | Lovelace"
    parts = {"user": "ada", "time": moment, "request": line, "name": name}
    raw = name.encode().decode("latin-1")
    signature = sign(SECRET, ["ada", "", ""], [raw, ""], moment, line)
    set_ahead(1_800_000_000 - clock.utcnow().timestamp())
    assert replay(hub, [], **parts, signature=signature).signed_in
    moved = {**parts, "user": "ada|", "signature": signature}
    assert refused(replay(hub, [], **moved))
    assert refused(replay(hub, [], **{**parts, "name": "Ada", "signature": signature}))


def test_nothing_moves_from_one_signed_part_to_the_next(hub: RunningHub, set_ahead: Any) -> None:
    moment, line = "t=1800000000000000", f"GET {PATH} HTTP/1.1"
    set_ahead(1_800_000_000 - clock.utcnow().timestamp())

    def attempt(signed: list[str], realm: str, factor: str) -> Answer:
        signature = sign(SECRET, ["ada", *signed], ["", ""], moment, line)
        parts = {"user": "ada", "realm": realm, "factor": factor, "signature": signature}
        return replay(hub, [], **parts, time=moment, request=line)

    assert attempt(["a", "b"], "a", "b").signed_in
    for realm, factor in (("a", "b|c"), ("a|b", "c")):
        assert refused(attempt(["a|b", "c"], realm, factor))


def test_the_signed_headers_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text(SECRET)

    def start(**traits: Any) -> None:
        made: Any = TrustedProxyAuthenticator(proxy_secret_file=str(path), **traits)
        made.refuse_unsafe("http://127.0.0.1:8000/")

    start(assertion_mode="signed")
    for name in SIGNATURE_HEADERS:
        start(**{name: ""})
        with pytest.raises(BadSetting, match="signature_header must be set"):
            start(assertion_mode="signed", **{name: ""})


def test_a_line_the_proxy_wrote_otherwise_is_the_same_request() -> None:
    require_own_line("GET /a?next=x|y HTTP/2.0", "/a?next=x%7Cy")
