"""Campus sign-on by headers in a real Hub: what signs in, and everything that must not."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import RunningHub
from signing_on import (
    COSIGN,
    COSIGN_LOGIN,
    OLD_SECRET,
    SECRET,
    Answer,
    ask,
    cosign_headers,
    name_of,
)

from sophon_hub.settings import Sophon
from sophon_hub.store import people
from sophon_hub.store.engine import make_engine, reading
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

WEBLOGIN = "https://weblogin.test/logout"
CONFIG = f"""
c.CosignAuthenticator.allowed_realms = {{"EXAMPLE.EDU", "DEPARTMENT"}}
c.CosignAuthenticator.allow_guests = True
c.CosignAuthenticator.allow_all = True
c.CosignAuthenticator.manage_groups = True
c.CosignAuthenticator.blocked_users = {{"mallory"}}
c.CosignAuthenticator.admin_users = {{"root", "guru@gmail.test"}}
c.CosignAuthenticator.admin_required_factors = {{"mtoken"}}
c.CosignAuthenticator.step_up_factors = {{"mtoken"}}
c.CosignAuthenticator.cosign_service = "jupyterhub"
c.CosignAuthenticator.weblogin_logout_url = "{WEBLOGIN}"
c.CosignAuthenticator.hub_public_url = "https://hub.test/"
"""
PROXY_CONFIG = """
c.TrustedProxyAuthenticator.allowed_users = {"ada", "grace"}
c.TrustedProxyAuthenticator.strip_domain = "example.edu"
"""
PROXY_LOGIN = "/hub/sso/login"


def secret_file(directory: Path, *secrets: str) -> str:
    path = directory / "proxy-secret"
    path.touch(0o600)
    path.write_text("\n".join(secrets) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("cosign")
    path = secret_file(directory, SECRET, OLD_SECRET)
    hub = RunningHub(
        directory, config=CONFIG, authenticator="sophon-cosign", proxy_secret_file=path
    )
    hub.start()
    yield hub
    hub.end()


@pytest.fixture(scope="module")
def proxy_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("sso")
    path = secret_file(directory, SECRET)
    hub = RunningHub(
        directory, config=PROXY_CONFIG, authenticator="sophon-proxy", proxy_secret_file=path
    )
    hub.start()
    yield hub
    hub.end()


def sign_on(hub: RunningHub, path: str = COSIGN_LOGIN, **changes: str | None) -> Answer:
    return ask(hub.url, path, cosign_headers(**changes))


def refused(answer: Answer, status: int = 403) -> bool:
    return answer.status == status and not answer.signed_in


# who gets in ------------------------------------------------------------------------------


def test_the_headers_of_the_web_server_sign_in(hub: RunningHub) -> None:
    answer = sign_on(hub, f"{COSIGN_LOGIN}?next=%2Fhub%2Ftoken%3Fa%3D1%26b%3D2")
    assert (answer.status, answer.location) == (302, "/hub/token?a=1&b=2")
    assert name_of(hub.url, answer.cookies) == "alice"


def test_somebody_without_session_is_sent_to_the_protected_path(hub: RunningHub) -> None:
    answer = ask(hub.url, "/hub/home")
    assert answer.location.startswith("/hub/login?")
    answer = ask(hub.url, answer.location)
    assert answer.location == f"{COSIGN_LOGIN}?next=%2Fhub%2Fhome"
    assert refused(ask(hub.url, answer.location))


def test_capital_letters_are_the_same_person(hub: RunningHub) -> None:
    assert name_of(hub.url, sign_on(hub, user="ALICE").cookies) == "alice"


def test_an_old_secret_counts_while_it_is_in_the_file(hub: RunningHub) -> None:
    assert sign_on(hub, secret=OLD_SECRET).signed_in


# what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [None, "", "x", SECRET[:-1], SECRET + "0", SECRET.upper(), f"{SECRET},{SECRET}", "(null)"],
)
def test_no_secret_or_a_wrong_one_is_refused(hub: RunningHub, secret: str | None) -> None:
    assert sign_on(hub).signed_in
    assert refused(sign_on(hub, secret=secret))


MALFORMED = [
    "",
    "(null)",
    "alice,bob",
    "alice, bob",
    ",",
    "ali ce",
    "alic\u00e9",
    "\u7384",
    "a\tb",
]


@pytest.mark.parametrize("name", ["user", "realm", "factor"])
@pytest.mark.parametrize("value", [None, *MALFORMED])
def test_each_header_missing_or_malformed_is_refused(
    hub: RunningHub, name: str, value: str | None
) -> None:
    assert refused(sign_on(hub, **{name: value}))


def hub_door(hub: RunningHub) -> str:
    """The Hub's own port, which labs reach as well."""
    return f"http://127.0.0.1:{hub.port + 81}"


@pytest.mark.parametrize("name", list(COSIGN))
@pytest.mark.parametrize("again", ["same", "bob"])
def test_a_header_that_comes_twice_is_refused(hub: RunningHub, name: str, again: str) -> None:
    value = COSIGN[name] if again == "same" else again
    passed_on = [*cosign_headers(), ("X-Forwarded-For", "127.0.0.1")]
    assert ask(hub_door(hub), COSIGN_LOGIN, passed_on).signed_in
    for origin in (hub.url, hub_door(hub)):
        for headers in ([*passed_on, (name, value)], [(name, value), *passed_on]):
            assert refused(ask(origin, COSIGN_LOGIN, headers))


@pytest.mark.parametrize("name", ["X_Cosign_User", "X-Cosign_User", "x_cosign-secret"])
def test_underscores_are_refused(hub: RunningHub, name: str) -> None:
    value = SECRET if "secret" in name else "bob"
    assert refused(ask(hub.url, COSIGN_LOGIN, [*cosign_headers(), (name, value)]))
    missing = "secret" if "secret" in name else "user"
    headers = [*cosign_headers(**{missing: None}), (name, value)]
    assert refused(ask(hub.url, COSIGN_LOGIN, headers))


@pytest.mark.parametrize("name", ["Remote-User", "X-Remote-User", "REMOTE_USER", "X-Sso-User"])
def test_headers_of_other_systems_mean_nothing(hub: RunningHub, name: str) -> None:
    alone = [*cosign_headers(user=None), (name, "bob")]
    assert refused(ask(hub.url, COSIGN_LOGIN, alone))
    answer = ask(hub.url, COSIGN_LOGIN, [*cosign_headers(), (name, "bob")])
    assert name_of(hub.url, answer.cookies) == "alice"


@pytest.mark.parametrize(
    "user",
    ["..", ".", "a/b", "~root", "a:b", "caro%6c", "a" * 129, "alice@example.edu", "-a", "a+b"],
)
def test_odd_names_are_refused(hub: RunningHub, user: str) -> None:
    assert refused(sign_on(hub, user=user))


@pytest.mark.parametrize("user", ["project-x", "PROJECT-x", "tmp-1"])
def test_names_of_the_hub_are_refused(hub: RunningHub, user: str) -> None:
    answer = sign_on(hub, user=user)
    assert refused(answer)
    assert "belong to the hub" in answer.text


def test_realms_are_the_allowed_ones_and_the_first_factor(hub: RunningHub) -> None:
    assert sign_on(hub, realm="DEPARTMENT", factor="DEPARTMENT mtoken").signed_in
    assert refused(sign_on(hub, realm="ELSEWHERE", factor="ELSEWHERE"))
    assert refused(sign_on(hub, factor="DEPARTMENT"))
    assert refused(sign_on(hub, factor="mtoken EXAMPLE.EDU"))


def test_who_is_blocked_is_told_and_the_next_one_gets_in(hub: RunningHub) -> None:
    answer = sign_on(hub, user="mallory")
    assert refused(answer)
    assert "may not use this hub" in answer.text
    assert sign_on(hub, user="bob").signed_in


@pytest.mark.parametrize("name", ["user", "secret", "realm"])
def test_a_refusal_does_not_say_why(hub: RunningHub, name: str) -> None:
    answer = sign_on(hub, **{name: "wrong-value-here"})
    if name != "user":
        assert refused(answer)
        assert "did not say who you are" in answer.text
    assert SECRET not in answer.text
    assert "wrong-value-here" not in answer.text


@pytest.mark.parametrize("hops", [None, "", "10.0.0.7", "127.0.0.1, 10.0.0.7", "nonsense"])
def test_requests_that_skip_the_proxy_or_come_from_elsewhere_are_refused(
    hub: RunningHub, hops: str | None
) -> None:
    hop = [] if hops is None else [("X-Forwarded-For", hops)]
    assert refused(ask(hub_door(hub), COSIGN_LOGIN, [*cosign_headers(), *hop]))


# other ways in ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(hub: RunningHub, method: str) -> None:
    for path in (COSIGN_LOGIN, f"{COSIGN_LOGIN}/mfa"):
        answer = ask(hub.url, path, cosign_headers(), method=method, body="")
        assert refused(answer, 405)


@pytest.mark.parametrize("path", ["/hub/home", "/hub/login", "/hub/spawn", "/services/sophon/"])
def test_the_headers_mean_nothing_elsewhere(hub: RunningHub, path: str) -> None:
    answer = ask(hub.url, path, cosign_headers())
    assert not answer.signed_in


@pytest.mark.parametrize("tail", ["/", "//", "/x", ";x", "x", "/mfa/", "%2f"])
def test_paths_beside_the_protected_one_do_not_sign_in(hub: RunningHub, tail: str) -> None:
    assert not sign_on(hub, COSIGN_LOGIN + tail).signed_in
    assert not sign_on(hub, COSIGN_LOGIN.upper() + tail).signed_in


def test_a_body_says_nothing_about_who_asks(hub: RunningHub) -> None:
    # JupyterHub passes these bodies to the authenticator
    bodies = [
        '{"auth": {"username": "alice", "password": "x", "X-Cosign-User": "alice"}}',
        json.dumps({"auth": {"X-Cosign-Secret": SECRET, "name": "alice"}}),
    ]
    for body in bodies:
        for headers in ([], cosign_headers()):
            answer = ask(hub.url, "/hub/api/users/alice/tokens", headers, method="POST", body=body)
            assert refused(answer)


def test_the_hubs_own_form_does_not_sign_in(hub: RunningHub) -> None:
    token = ask(hub.url, "/hub/logout").cookies
    cookies = ask(hub.url, "/hub/cosign/logged-out", cookies=token).cookies
    fields = f"username=alice&password=x&_xsrf={cookies.get('_xsrf', '')}"
    headers = [*cosign_headers(), ("Content-Type", "application/x-www-form-urlencoded")]
    answer = ask(hub.url, "/hub/login", headers, method="POST", body=fields, cookies=cookies)
    assert refused(answer)


@pytest.mark.parametrize(
    "target",
    ["https://evil.test/", "//evil.test/", "/\\evil.test", "https:evil.test", "javascript:x"],
)
def test_the_way_on_stays_on_this_site(hub: RunningHub, target: str) -> None:
    answer = sign_on(hub, f"{COSIGN_LOGIN}?next={target}")
    assert answer.signed_in
    # a backslash, which browsers take for a slash, arrives as %5C
    assert re.match(r"/(?![/\\])", answer.location)


# a secret that must not count -------------------------------------------------------------


def test_a_secret_file_that_others_can_read_is_believed_no_more(hub: RunningHub) -> None:
    path = Path(hub.environment["SOPHON_PROXY_SECRET_FILE"])
    before = path.read_text()
    try:
        path.chmod(0o644)
        assert refused(sign_on(hub))
        path.chmod(0o600)
        assert sign_on(hub).signed_in
        path.write_text("short\n")
        assert refused(sign_on(hub))
        assert refused(sign_on(hub, secret="short"))
        path.write_text("")
        assert refused(sign_on(hub))
        path.write_text(f"{'n' * 64}\n")
        assert refused(sign_on(hub))
        assert sign_on(hub, secret="n" * 64).signed_in
        path.unlink()
        assert refused(sign_on(hub))
    finally:
        path.touch(0o600)
        path.chmod(0o600)
        path.write_text(before)
    assert sign_on(hub).signed_in


@pytest.mark.parametrize(
    ("secrets", "mode", "words"),
    [
        ([], 0o600, "at least 32"),
        (["short"], 0o600, "at least 32"),
        ([SECRET, "short"], 0o600, "at least 32"),
        ([SECRET], 0o644, "others can read"),
        (None, 0o600, "is not set"),
    ],
)
def test_a_hub_without_a_good_secret_does_not_start(
    tmp_path: Path, secrets: list[str] | None, mode: int, words: str
) -> None:
    settings = {"authenticator": "sophon-cosign"}
    if secrets is not None:
        settings["proxy_secret_file"] = secret_file(tmp_path, *secrets)
        Path(settings["proxy_secret_file"]).chmod(mode)
    hub = RunningHub(tmp_path, config=CONFIG, **settings)
    assert hub.command("migrate").returncode == 0
    code, said = hub.run_to_the_end()
    assert code == 1
    assert "sophon-hub: " in said
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('c.JupyterHub.bind_url = "http://0.0.0.0:8000"', "Set SOPHON_HOST=127.0.0.1"),
        ("c.CosignAuthenticator.allowed_realms = set()", "allowed_realms is empty"),
        ('c.CosignAuthenticator.assertion_mode = "both"', "assertion_mode"),
        ('c.CosignAuthenticator.secret_header = "X_Secret"', "no underscore"),
    ],
)
def test_a_hub_that_would_believe_the_wrong_people_does_not_start(
    tmp_path: Path, lines: str, words: str
) -> None:
    path = secret_file(tmp_path, SECRET)
    hub = RunningHub(tmp_path, config=CONFIG, authenticator="sophon-cosign", proxy_secret_file=path)
    # below the call of configure(), where a site's own lines win
    hub.config_file.write_text(f"{hub.config_file.read_text()}\n{lines}\n")
    assert hub.command("migrate").returncode == 0
    code, said = hub.run_to_the_end()
    assert code == 1
    assert words in said
    assert "Traceback" not in said


# guests, second factors, another person ---------------------------------------------------


def groups_of(hub: RunningHub, username: str) -> set[str]:
    with sqlite3.connect(f"file:{hub.data}/jupyterhub.sqlite?mode=ro", uri=True) as database:
        rows = database.execute(
            "select groups.name from groups join user_group_map on group_id = groups.id"
            " join users on users.id = user_id where users.name = ?",
            [username],
        ).fetchall()
    return {name for (name,) in rows}


def test_guests_keep_their_domain_and_are_marked(hub: RunningHub) -> None:
    guest = {"realm": "friend", "factor": "friend"}
    answer = sign_on(hub, user="Alice@Gmail.test", **guest)
    assert name_of(hub.url, answer.cookies) == "alice@gmail.test"
    assert groups_of(hub, "alice@gmail.test") == {"external"}
    assert refused(sign_on(hub, user="alice", **guest))
    assert refused(sign_on(hub, user="a@b@c.test", **guest))


def test_a_guest_is_never_an_administrator(hub: RunningHub) -> None:
    answer = sign_on(hub, user="guru@gmail.test", realm="friend", factor="friend mtoken")
    assert name_of(hub.url, answer.cookies) == "guru@gmail.test"
    assert ask(hub.url, "/hub/admin", cookies=answer.cookies).status == 403


def test_administrators_need_their_second_factor(hub: RunningHub) -> None:
    answer = sign_on(hub, f"{COSIGN_LOGIN}?next=/hub/admin", user="root")
    assert (answer.status, answer.signed_in) == (302, False)
    assert answer.location == f"{COSIGN_LOGIN}/mfa?next=%2Fhub%2Fadmin"
    assert refused(sign_on(hub, answer.location, user="root"))
    answer = sign_on(hub, answer.location, user="root", factor="EXAMPLE.EDU mtoken")
    assert (answer.location, answer.signed_in) == ("/hub/admin", True)
    assert ask(hub.url, "/hub/admin", cookies=answer.cookies).status == 200


def test_another_person_in_the_same_browser_ends_the_first_session(hub: RunningHub) -> None:
    alice = sign_on(hub).cookies
    answer = ask(hub.url, COSIGN_LOGIN, cosign_headers(user="bob"), cookies=alice)
    assert answer.cookies["jupyterhub-session-id"] != alice["jupyterhub-session-id"]
    assert name_of(hub.url, answer.cookies) == "bob"
    refusal = ask(hub.url, COSIGN_LOGIN, cosign_headers(user=".."), cookies=alice)
    assert refused(refusal)
    assert name_of(hub.url, alice) == "alice"


def test_signing_out_ends_copied_cookies_and_goes_on_to_the_campus(hub: RunningHub) -> None:
    carol, elsewhere = (sign_on(hub, user="carol").cookies for _ in range(2))
    assert name_of(hub.url, elsewhere) == "carol"
    answer = ask(hub.url, "/hub/logout", cookies=carol)
    assert answer.location == f"{WEBLOGIN}?https://hub.test/hub/cosign/logged-out"
    (cookie,) = [line for line in answer.set_cookies if line.startswith("cosign-jupyterhub=")]
    assert all(word in cookie for word in ("=null", "Path=/", "Secure", "HttpOnly", "expires="))
    for copied in (carol, elsewhere):
        assert name_of(hub.url, copied) is None
    page = ask(hub.url, "/hub/cosign/logged-out", cosign_headers())
    assert (page.status, page.signed_in) == (200, False)
    assert "Close the browser" in page.text
    assert sign_on(hub, user="carol").signed_in


# any other sign-on ------------------------------------------------------------------------


def sso_headers(**changes: str) -> list[tuple[str, str]]:
    values = {"User": "ada", "Secret": SECRET} | {k.capitalize(): v for k, v in changes.items()}
    return [(f"X-Sso-{name}", value) for name, value in values.items()]


def display_name(hub: RunningHub, username: str) -> str:
    settings = Sophon(data_dir=str(hub.data))
    with reading(make_engine(settings.database_url)) as session:
        person = people.find_person(session, username)
    assert person is not None
    return person.display_name


def test_the_persons_own_name_is_put_on_record(proxy_hub: RunningHub) -> None:
    answer = ask(proxy_hub.url, PROXY_LOGIN, sso_headers(name="Adá Lovelace"))
    assert name_of(proxy_hub.url, answer.cookies) == "ada"
    assert display_name(proxy_hub, "ada") == "Adá Lovelace"
    for unusable in ("", "(null)", "x" * 201):
        assert ask(proxy_hub.url, PROXY_LOGIN, sso_headers(name=unusable)).signed_in
        assert display_name(proxy_hub, "ada") == "Adá Lovelace"


def test_only_the_campus_domain_is_cut_off(proxy_hub: RunningHub) -> None:
    answer = ask(proxy_hub.url, PROXY_LOGIN, sso_headers(user="Grace@Example.edu"))
    assert name_of(proxy_hub.url, answer.cookies) == "grace"
    for user in ("grace@elsewhere.edu", "grace@example.edu.evil.test", "grace@example.edu@x"):
        assert refused(ask(proxy_hub.url, PROXY_LOGIN, sso_headers(user=user)))


def test_the_list_of_allowed_people_holds(proxy_hub: RunningHub) -> None:
    assert ask(proxy_hub.url, PROXY_LOGIN, sso_headers()).signed_in
    answer = ask(proxy_hub.url, PROXY_LOGIN, sso_headers(user="mallory"))
    assert refused(answer)
    assert "may not use this hub" in answer.text


def test_signing_out_without_a_campus_page_stays_signed_out(proxy_hub: RunningHub) -> None:
    ada: Any = ask(proxy_hub.url, PROXY_LOGIN, sso_headers()).cookies
    answer = ask(proxy_hub.url, "/hub/logout", cookies=ada)
    assert answer.location == "/hub/sso/logged-out"
    assert ask(proxy_hub.url, answer.location).status == 200


def test_an_old_session_goes_by_the_sign_on_again(tmp_path: Path) -> None:
    config = """
c.TrustedProxyAuthenticator.allow_all = True
c.TrustedProxyAuthenticator.session_max_age = 4
c.Authenticator.auth_refresh_age = 1
"""
    hub = RunningHub(
        tmp_path,
        config=config,
        authenticator="sophon-proxy",
        proxy_secret_file=secret_file(tmp_path, SECRET),
    )
    hub.start()
    try:
        cookies = ask(hub.url, PROXY_LOGIN, sso_headers()).cookies
        assert name_of(hub.url, cookies) == "ada"
        again = "/hub/login?next=%2Fhub%2Fhome"
        wait_for(
            lambda: ask(hub.url, "/hub/home", cookies=cookies).location == again,
            "the session to be too old",
            20,
        )
        assert ask(hub.url, PROXY_LOGIN, sso_headers(), cookies=cookies).status == 302
        assert name_of(hub.url, cookies) == "ada"
    finally:
        hub.end()
    # JupyterHub 6.1 itself fails here unless it is helped
    assert "Traceback" not in hub.log_file.read_text()
