"""Local accounts in a real Hub, the way a browser uses them."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from running import Browser, RunningHub

pytestmark = pytest.mark.hub

GOOD = "engine-of-brass-1843"
OTHER = "another-good-one-7"
WRONG = "Invalid username or password"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A hub as it comes: nobody can sign up."""
    hub = RunningHub(tmp_path_factory.mktemp("closed"))
    hub.start()
    yield hub
    hub.end()


@pytest.fixture(scope="module")
def open_hub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A hub where people make accounts for themselves, below a path of its own."""
    hub = RunningHub(tmp_path_factory.mktemp("open"), open_signup="true")
    hub.start()
    yield hub
    hub.end()


@pytest.fixture
def admin(closed: RunningHub) -> Browser:
    browser = closed.browser()
    assert browser.sign_in("admin", closed.admin_password()).status_code == 302
    return browser


def make_account(admin: Browser, username: str) -> str:
    """The generated password of a new account, as the administrator reads it."""
    answer = admin.submit("/hub/accounts", action="create", username=username)
    assert answer.status_code == 200, answer.text
    return answer.text.partition("<code>")[2].partition("</code>")[0]


def test_the_first_admin_signs_in_and_lands_on_the_portal(closed: RunningHub) -> None:
    browser = closed.browser()
    assert browser.name() is None
    answer = browser.sign_in("admin", closed.admin_password())
    assert answer.headers["Location"] == "/services/sophon/"
    assert browser.name() == "admin"


def test_a_failed_sign_in_says_the_same_whether_the_account_exists(
    admin: Browser, closed: RunningHub
) -> None:
    make_account(admin, "katherine")

    def answer(username: str) -> tuple[int, str]:
        failed = closed.browser().sign_in(username, "wrong-password")
        tokens = r'(name="_xsrf" value=|xsrf_token: |nonce=)"[^"]*"'
        return failed.status_code, re.sub(tokens, "", failed.text).replace(username, "NAME")

    status, text = answer("katherine")
    assert (status, WRONG in text) == (403, True)
    assert answer("no-such-name") == (status, text)


@pytest.mark.parametrize("name", ["project-bernoulli", "TMP-guest"])
def test_reserved_names_are_refused_in_words(closed: RunningHub, name: str) -> None:
    answer = closed.browser().sign_in(name, GOOD)
    assert answer.status_code == 403
    assert "belong to the hub" in answer.text


@pytest.mark.parametrize("fields", [{}, {"password": "x"}, {"username": "admin"}])
@pytest.mark.parametrize("path", ["/hub/login", "/hub/change-password", "/hub/accounts"])
def test_missing_fields_are_refused_without_a_server_error(
    admin: Browser, path: str, fields: dict[str, str]
) -> None:
    assert 400 <= admin.submit(path, **fields).status_code < 500


def test_forms_without_their_token_are_refused(admin: Browser) -> None:
    for path in ("/hub/change-password", "/hub/accounts"):
        answer = requests.post(
            admin.origin + path,
            cookies=admin.cookies.get_dict(),
            data={"action": "create", "username": "forged"},
            timeout=30,
        )
        assert answer.status_code == 403
    assert "forged" not in admin.page("/hub/accounts").text


def test_sign_up_does_not_exist_unless_it_is_open(closed: RunningHub, open_hub: RunningHub) -> None:
    fields = {"username": "mary", "password": GOOD, "confirmation": GOOD}
    assert open_hub.browser().page("/hub/signup").status_code == 200
    for browser in (closed.browser(), open_hub.browser()):
        answer = browser.submit("/hub/signup", **fields)
        if browser.origin == open_hub.url:
            assert answer.status_code == 302
            assert browser.name() == "mary"
        else:
            assert browser.page("/hub/signup").status_code == 404
            assert answer.status_code in {403, 404}
            assert browser.sign_in("mary", GOOD).status_code == 403


def test_sign_up_is_for_those_who_are_named_when_some_are(tmp_path: Path) -> None:
    named = "c.Authenticator.allowed_users = {'ada'}\n"
    hub = RunningHub(tmp_path, config=named, open_signup="true")
    hub.start()
    try:
        for _ in range(2):  # the Hub lets in all who have an account when it starts
            stranger = hub.browser()
            fields = {"username": "Mary", "password": GOOD, "confirmation": GOOD}
            refused = stranger.submit("/hub/signup", **fields)
            assert (refused.status_code, "not named you" in refused.text) == (403, True)
            assert stranger.sign_in("mary", GOOD).status_code == 403
            assert stranger.name() is None
            hub.end()
            hub.start()
        ada = hub.browser()
        fields = {"username": "Ada", "password": GOOD, "confirmation": GOOD}
        assert ada.submit("/hub/signup", **fields).status_code == 302
        assert ada.name() == "ada"
    finally:
        hub.end()


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"confirmation": "different"}, 422, "differ"),
        ({"username": "project-x"}, 422, "belong to the hub"),
        ({"username": "a b"}, 422, "Use 1 to 64"),
        ({"username": "ADMIN"}, 409, "taken"),
        ({"password": "password", "confirmation": "password"}, 422, "easy to guess"),
        ({"password": "short", "confirmation": "short"}, 422, "at least 8"),
        ({"display_name": "<script>alert(1)</script>" * 10}, 422, "at most 200"),
        ({"username": ""}, 422, "Use 1 to 64"),
    ],
)
def test_a_sign_up_that_cannot_be_says_why_and_keeps_what_was_typed(
    open_hub: RunningHub, fields: dict[str, str], status: int, words: str
) -> None:
    good = {"username": "joan", "password": GOOD, "confirmation": GOOD, "display_name": "Joan C"}
    answer = open_hub.browser().submit("/hub/signup", **good | fields)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    if "display_name" not in fields:
        assert 'value="Joan C"' in answer.text
    assert "<script>alert" not in answer.text
    assert GOOD not in answer.text
    assert open_hub.browser().sign_in("joan", GOOD).status_code == 403


def test_an_admin_makes_an_account_that_works(admin: Browser, closed: RunningHub) -> None:
    password = make_account(admin, "grace")
    grace = closed.browser()
    assert grace.sign_in("grace", password).status_code == 302
    assert grace.name() == "grace"
    assert admin.submit("/hub/accounts", action="create", username="grace").status_code == 422
    assert grace.page("/hub/accounts").status_code == 403
    assert closed.browser().page("/hub/accounts").url.startswith(f"{closed.url}/hub/login")


def test_a_changed_password_ends_the_other_sessions(admin: Browser, closed: RunningHub) -> None:
    password = make_account(admin, "alan")
    here, elsewhere = closed.browser(), closed.browser()
    for browser in (here, elsewhere):
        assert browser.sign_in("alan", password).status_code == 302
        assert browser.name() == "alan"
    fields = {"old_password": password, "new_password": OTHER, "confirmation": OTHER}
    for wrong in ({"old_password": "x"}, {"confirmation": "x"}):
        assert here.submit("/hub/change-password", **fields | wrong).status_code in {403, 422}
    assert elsewhere.name() == "alan"
    assert here.submit("/hub/change-password", **fields).status_code == 200
    assert here.name() == "alan"
    assert elsewhere.name() is None
    assert closed.browser().sign_in("alan", password).status_code == 403
    assert closed.browser().sign_in("alan", OTHER).status_code == 302


def test_an_admin_replaces_a_forgotten_password(admin: Browser, closed: RunningHub) -> None:
    old = make_account(admin, "ada")
    ada = closed.browser()
    assert ada.sign_in("ada", old).status_code == 302
    answer = admin.submit("/hub/accounts", action="reset", username="ada")
    new = answer.text.partition("<code>")[2].partition("</code>")[0]
    assert ada.name() is None
    assert closed.browser().sign_in("ada", old).status_code == 403
    assert closed.browser().sign_in("ada", new).status_code == 302
    assert admin.submit("/hub/accounts", action="reset", username="nobody").status_code == 422


def test_a_deleted_user_cannot_sign_in_any_more(admin: Browser, closed: RunningHub) -> None:
    password = make_account(admin, "barbara")
    assert closed.browser().sign_in("barbara", password).status_code == 302
    page = admin.page("/hub/admin").text
    token = page.partition('xsrf_token: "')[2].partition('"')[0]
    answer = admin.delete(
        f"{closed.url}/hub/api/users/barbara",
        headers={"X-XSRFToken": token, "Referer": f"{closed.url}/hub/admin"},
        timeout=30,
    )
    assert answer.status_code == 204, answer.text
    assert closed.browser().sign_in("barbara", password).status_code == 403
