"""Campus sign-on: settings that are refused, names, groups and ages, without a running Hub."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from sophon_hub.authenticator import CosignAuthenticator, TrustedProxyAuthenticator
from sophon_hub.authenticator.assertion import Assertion, Refused
from sophon_hub.settings import BadSetting

HERE = "http://127.0.0.1:8000/"
STAFF = Assertion("ada", "EXAMPLE.EDU", ("EXAMPLE.EDU", "mtoken"))
FRIEND = Assertion("bob@gmail.test", "friend", ("friend",))


@pytest.fixture
def make(tmp_path: Path) -> Any:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("s" * 32 + "\n")

    def make(kind: Any = CosignAuthenticator, **traits: Any) -> Any:
        if kind is CosignAuthenticator:
            traits = {"allowed_realms": {"EXAMPLE.EDU"}} | traits
        config = Config({"Sophon": {"data_dir": str(tmp_path)}})
        return kind(config=config, **{"proxy_secret_file": str(secret)} | traits)

    return make


def test_safe_settings_start(make: Any) -> None:
    for bind_url in (HERE, "http://[::1]:8000", "http://localhost:8000"):
        make().refuse_unsafe(bind_url)
    make(TrustedProxyAuthenticator).refuse_unsafe(HERE)


@pytest.mark.parametrize("bind_url", ["http://0.0.0.0:8000", "http://:8000", "http://10.1.2.3:80"])
def test_a_proxy_that_others_reach_is_refused(make: Any, bind_url: str) -> None:
    with pytest.raises(BadSetting, match="around the web server"):
        make().refuse_unsafe(bind_url)
    make(require_loopback_bind=False).refuse_unsafe(bind_url)


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({"allowed_realms": set()}, "allowed_realms is empty"),
        ({"realm_groups": {"EXAMPLE.EDU": ["staff"]}}, "manage_groups"),
        ({"factor_groups": {"mtoken": ["strong"]}}, "manage_groups"),
        ({"groups_header": "X-Cosign-Groups"}, "groups_header needs research_groups"),
        ({"user_header": ""}, "must be set"),
        ({"secret_header": ""}, "must be set"),
        ({"user_header": "x-cosign-realm"}, "all headers differ"),
        ({"proxy_secret_file": ""}, "is not set"),
        ({"proxy_secret_file": "/nonexistent/secret"}, "cannot be read"),
    ],
)
def test_settings_that_believe_the_wrong_people_are_refused(
    make: Any, traits: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadSetting, match=words):
        make(**traits).refuse_unsafe(HERE)


def test_groups_of_realms_may_stand_for_research_groups_alone(make: Any) -> None:
    groups = {"realm_groups": {"EXAMPLE.EDU": ["staff"]}, "groups_header": "X-Cosign-Groups"}
    make(research_groups={"staff": "physics"}, **groups).refuse_unsafe(HERE)


@pytest.mark.parametrize("separator", ["", " ", "\t"])
def test_names_of_groups_have_spaces_so_something_else_separates_them(
    make: Any, separator: str
) -> None:
    assert make(groups_separator=",").groups_separator == ","
    with pytest.raises(TraitError, match="groups_separator"):
        make(groups_separator=separator)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ([], "a dict"),
        ("physics", "a dict"),
        ({"": "physics"}, "no name of a group"),
        ({7: "physics"}, "no name of a group"),
        ({"staff": ["physics"]}, "it has to be"),
        ({"staff": None}, "it has to be"),
        ({"staff": {"group": "physics", "rolle": "owner"}}, "it has to be"),
        ({"staff": {}}, "names no research group"),
        ({"staff": {"role": "owner"}}, "names no research group"),
        ({"staff": ""}, "no slug"),
        ({"staff": "Physics Department"}, "no slug"),
        ({"staff": {"group": 7}}, "no slug"),
        ({"staff": {"group": "physics", "role": "admin"}}, "none of viewer, member, owner"),
        ({"staff": {"group": "physics", "role": None}}, "none of viewer, member, owner"),
        ({"staff": {"group": "physics", "role": ["owner"]}}, "none of viewer, member, owner"),
    ],
)
def test_a_mapping_of_groups_that_cannot_be_meant_is_refused(
    make: Any, mapping: Any, words: str
) -> None:
    good = {"staff": "physics", "heads": {"group": "physics", "role": "owner"}}
    assert make(research_groups=good).research_groups == good
    with pytest.raises(TraitError, match=words):
        make(research_groups=mapping)


@pytest.mark.parametrize("name", ["X_Cosign_User", "X-Cosign-", "-X", "X--Y", "X:Y", "Ä"])
def test_a_header_name_with_underscore_is_refused(make: Any, name: str) -> None:
    assert make(user_header="X-Other").user_header == "X-Other"
    with pytest.raises(TraitError, match="no underscore"):
        make(user_header=name)


def test_trusted_proxies_are_networks(make: Any) -> None:
    assert make(trusted_proxies=["10.0.0.0/8"]).trusted_proxies == ["10.0.0.0/8"]
    with pytest.raises(TraitError, match="trusted_proxies"):
        make(trusted_proxies=["apache.example.edu"])


def test_guests_are_refused_by_default(make: Any) -> None:
    make(allow_guests=True).check_assertion(FRIEND)
    for guest in (FRIEND, Assertion("bob", "EXAMPLE.EDU", ("EXAMPLE.EDU", "friend"))):
        with pytest.raises(Refused):
            make().check_assertion(guest)


def test_capital_letters_can_be_refused(make: Any) -> None:
    loud = Assertion("ADA", "EXAMPLE.EDU", ("EXAMPLE.EDU",))
    assert make().name_of(loud) == "ada"
    assert make(username_case="reject-upper").name_of(STAFF) == "ada"
    with pytest.raises(Refused, match="capital"):
        make(username_case="reject-upper").name_of(loud)


def test_names_are_mapped_last(make: Any) -> None:
    assert make(username_map={"ada": "lovelace"}).name_of(STAFF) == "lovelace"


def test_a_guest_keeps_the_domain_even_if_it_is_the_campus(make: Any) -> None:
    authenticator = make(strip_domain="gmail.test", allow_guests=True)
    assert authenticator.name_of(FRIEND) == "bob@gmail.test"


def test_only_groups_of_this_sign_on_come_and_go(make: Any) -> None:
    authenticator = make(
        manage_groups=True,
        realm_groups={"EXAMPLE.EDU": ["staff"], "OTHER": ["others"]},
        factor_groups={"mtoken": ["strong"]},
    )
    names = ["others", "chess", "external", "sophon-engines-people"]
    user = SimpleNamespace(groups=[SimpleNamespace(name=name) for name in names])
    groups = authenticator._groups(user, STAFF, guest=False)
    assert groups == ["chess", "sophon-engines-people", "staff", "strong"]
    assert authenticator._groups(None, FRIEND, guest=True) == ["external"]


def test_the_service_cookie_is_cosigns_name_for_it(make: Any) -> None:
    assert make().service_cookie == ""
    for service in ("hub", "cosign-hub"):
        assert make(cosign_service=service).service_cookie == "cosign-hub"


async def test_a_session_ends_at_its_age_and_only_that_one(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator = make(session_max_age=60)
    ada = SimpleNamespace(name="ada", groups=[])

    def request(session: str, **more: Any) -> Any:
        values = {"_jupyterhub_user": ada, "get_session_cookie": lambda: session}
        return SimpleNamespace(**values | more)

    authenticator.note_session("ada", "one")
    assert await authenticator.refresh_user(ada, request("one")) is True
    assert await authenticator.refresh_user(ada, request("two")) is False
    started = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: started + 61)
    assert await authenticator.refresh_user(ada, request("one")) is False
    # a token has no browser to send anywhere, and an administrator is not the person
    assert await authenticator.refresh_user(ada, request("x", _token_authenticated=True)) is True
    assert await authenticator.refresh_user(ada, request("x", _jupyterhub_user=None)) is True
    assert await make(session_max_age=0).refresh_user(ada, request("two")) is True
