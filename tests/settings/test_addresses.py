"""The addresses people use: what settings give, and what cannot work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophon_hub import names
from sophon_hub.addresses import Addresses, subdomain_hook
from sophon_hub.settings import BadSetting, Sophon


def given_by(settings: Sophon, **changes: str) -> Addresses:
    for name, value in changes.items():
        setattr(settings, name, value)
    return Addresses.of(settings)


def test_without_settings_everything_is_at_paths_of_one_unknown_origin(settings: Sophon) -> None:
    addresses = given_by(settings)
    assert (addresses.public_url, addresses.origin, addresses.domain) == ("", "", "")
    assert not addresses.is_https
    assert addresses.lab("lens", "user/project-lens/bench/") == "/user/project-lens/bench/"
    assert addresses.all_servers == ""


@pytest.mark.parametrize(
    ("base_url", "public_url", "made"),
    [
        ("/", "https://hub.example.edu", "https://hub.example.edu/"),
        ("/", "HTTPS://Hub.Example.edu:443/", "https://hub.example.edu/"),
        ("/", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/"),
        ("/", "http://[::1]:8000/", "http://[::1]:8000/"),
        ("/jupyter", "https://example.edu:8443/jupyter", "https://example.edu:8443/jupyter/"),
        ("/jupyter/", "https://example.edu", "https://example.edu/jupyter/"),
    ],
)
def test_the_public_address_has_the_base_url_as_its_path(
    settings: Sophon, base_url: str, public_url: str, made: str
) -> None:
    addresses = given_by(settings, base_url=base_url, public_url=public_url)
    assert addresses.public_url == made
    assert addresses.is_https == made.startswith("https")
    # labs stay where they are: only subdomains give them addresses of their own
    assert addresses.lab("lens", "x") == f"{addresses.base_url}x"
    assert addresses.lab_static("d") == f"{addresses.base_url}services/sophon/lab-static/d"


def test_with_subdomains_each_project_has_an_origin_and_the_rest_is_at_the_hub(
    settings: Sophon,
) -> None:
    addresses = given_by(
        settings, base_url="/jupyter", subdomain_host="https://hub.example.edu:8443"
    )
    assert addresses.public_url == "https://hub.example.edu:8443/jupyter/"
    assert addresses.domain == "hub.example.edu"
    assert addresses.lab("lens", "user/project-lens/a/") == (
        "https://project-lens.hub.example.edu:8443/jupyter/user/project-lens/a/"
    )
    assert addresses.all_servers == "https://*.hub.example.edu:8443"


def test_both_addresses_may_be_given_when_they_agree(settings: Sophon) -> None:
    host, public = "https://hub.example.edu/", "https://hub.example.edu:443/jupyter/"
    addresses = given_by(settings, base_url="/jupyter", subdomain_host=host, public_url=public)
    assert addresses.public_url == "https://hub.example.edu/jupyter/"


@pytest.mark.parametrize("setting", ["public_url", "subdomain_host"])
@pytest.mark.parametrize(
    "value",
    [
        "hub.example.edu",
        "//hub.example.edu/",
        "ftp://hub.example.edu/",
        "https://",
        "https:///jupyter",
        "https://hub.example.edu:port/",
        "https://hub.example.edu:99999/",
        "https://me@hub.example.edu/",
        "https://hub.example.edu/?x=1",
        "https://hub.example.edu/?",
        "https://hub.example.edu/#top",
        "https://hub example.edu/",
        "https://hüb.example.edu/",
        "https://-hub.example.edu/",
        "https://hub..edu/",
        "https://[::1/",
        "https://" + ".".join(["a" * 60] * 5),
        "https://hub.example.edu/other/",
    ],
)
def test_what_is_no_address_is_refused_with_the_name_of_the_setting(
    settings: Sophon, setting: str, value: str
) -> None:
    with pytest.raises(BadSetting, match=setting):
        given_by(settings, **{setting: value})


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000"]
)
def test_labs_cannot_have_names_below_a_number_or_a_single_word(
    settings: Sophon, value: str
) -> None:
    assert given_by(settings, public_url=value).origin == value
    with pytest.raises(BadSetting, match="a name with a dot"):
        given_by(settings, subdomain_host=value)


def test_a_name_that_leaves_no_room_for_those_of_labs_is_refused(settings: Sophon) -> None:
    fits = ".".join(["a" * 47, "b" * 47, "c" * 47, "d" * 45])
    assert given_by(settings, subdomain_host=f"https://{fits}").domain == fits
    with pytest.raises(BadSetting, match="more than 189 characters"):
        given_by(settings, subdomain_host=f"https://{fits}x")


@pytest.mark.parametrize("public_url", ["http://hub.example.edu/", "https://example.edu/"])
def test_two_addresses_that_disagree_are_refused(settings: Sophon, public_url: str) -> None:
    with pytest.raises(BadSetting, match="SOPHON_SUBDOMAIN_HOST"):
        given_by(settings, subdomain_host="https://hub.example.edu", public_url=public_url)


def test_the_portal_is_at_the_hubs_domain_and_other_services_at_their_own() -> None:
    assert subdomain_hook("sophon", "hub.example.edu", "service") == "hub.example.edu"
    others = {
        subdomain_hook(name, "hub.example.edu", kind)
        for name, kind in [("wiki", "service"), ("wiki", "user"), ("sophon", "user")]
    }
    assert len(others) == 3
    assert "hub.example.edu" not in others


@given(st.from_regex(names.SLUG_PATTERN, fullmatch=True).filter(lambda s: len(s) <= names.MAX_SLUG))
def test_the_account_of_a_project_is_its_own_label(slug: str) -> None:
    account = names.account_name(slug)
    assert names.host_label(account) == account
    assert len(account) <= names.MAX_HOST_LABEL


usernames = st.text(min_size=1, max_size=names.MAX_USERNAME)
odd_usernames = st.sampled_from(
    ["Ada", "ada", "ada.l", "ada_l", "ada-l", "ada--l", "-ada", "42", "ädä", "a" * 63, "a" * 64]
)


@given(usernames | odd_usernames)
def test_every_username_gives_a_label_that_browsers_and_dns_take(username: str) -> None:
    label = names.host_label(username)
    assert len(label) <= names.MAX_HOST_LABEL
    assert set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not label.startswith("-")
    assert not label.endswith("-")
    # these two would be read as something else: an encoded name, and a number
    assert label[2:4] != "--"
    assert not label.isdigit()


@given(usernames | odd_usernames, usernames | odd_usernames)
def test_two_people_never_share_a_label(one: str, other: str) -> None:
    assert (names.host_label(one) == names.host_label(other)) == (one == other)


@given(usernames | odd_usernames)
def test_nobody_can_choose_the_label_of_another_as_a_name(username: str) -> None:
    label = names.host_label(username)
    if label != username:
        assert names.host_label(label) != label
