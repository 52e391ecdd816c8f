"""The virtual hosts in deploy/apache are what `sophon-hub apache-config` writes."""

import argparse
import itertools
from pathlib import Path

import pytest

from sophon_hub import apache, paths
from sophon_hub.settings import BadSetting, Sophon

AUTHENTICATORS = ("sophon-cosign", "sophon-proxy")
OPTIONS = ("secret", "certificate", "key", "sign-on", "weblogin", "log-file", "module-path")


def written(authenticator: str, *words: str, **settings: str) -> str:
    parser = argparse.ArgumentParser()
    apache.add_arguments(parser)
    options = parser.parse_args(["--host=hub.example.edu", *words])
    return apache.vhost(Sophon(authenticator=authenticator, **settings), options)


EXAMPLES = {
    "sophon-cosign": ["sophon-cosign"],
    "sophon-cosign-front": ["sophon-cosign", "--shape=front"],
    "sophon-cosign-broker": ["sophon-cosign", "--shape=broker"],
    "sophon-proxy": ["sophon-proxy"],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_up_to_date(name: str) -> None:
    example = Path(paths.apache_templates()) / f"{name}.conf"
    assert written(*EXAMPLES[name]).rstrip() == example.read_text().rstrip()


def test_all_examples_are_checked() -> None:
    assert {path.stem for path in Path(paths.apache_templates()).glob("*.conf")} == set(EXAMPLES)


def test_a_path_of_its_own_is_in_front_of_the_protected_one() -> None:
    text = written("sophon-proxy", base_url="/jupyter/")
    assert "<Location /jupyter/hub/sso/login>" in text
    assert "<Location /hub/sso/login>" in written("sophon-proxy")


@pytest.mark.parametrize("more", [[], ["--signed"]])
def test_the_secret_is_included_once_and_only_for_the_protected_path(more: list[str]) -> None:
    for authenticator, shape in itertools.product(AUTHENTICATORS, ("single", "broker")):
        text = written(authenticator, "--secret=/srv/secret.conf", f"--shape={shape}", *more)
        before, _, after = text.partition("    <If ")
        assert "Include /srv/secret.conf" not in before
        assert after.partition("</If>")[0].count("Include /srv/secret.conf") == 1
        assert text.count("Include /srv/secret.conf") == 1


@pytest.mark.parametrize("authenticator", AUTHENTICATORS)
def test_the_front_has_neither_secret_nor_module(authenticator: str) -> None:
    words = ("Include ", "Require valid-user", "AuthType", "REMOTE_USER")
    files = ("--secret=/srv/secret.conf", "--sign-on=/srv/sign-on.conf")
    for shape in ("single", "front", "broker"):
        text = written(authenticator, f"--shape={shape}", *files)
        assert [word in text for word in words] == [shape != "front"] * len(words)


def test_paths_of_the_module_go_to_the_module() -> None:
    paths = ["--module-path=/Shibboleth.sso", "--module-path=/secure/oidc"]
    assert "ProxyPass /Shibboleth.sso !" in written("sophon-proxy", *paths)
    assert "ProxyPass /secure/oidc !" in written("sophon-proxy", *paths)
    front = written("sophon-proxy", "--shape=front", "--broker-port=9001", *paths)
    assert "ProxyPass /secure/oidc http://127.0.0.1:9001/secure/oidc " in front
    assert "Listen 127.0.0.1:9001" in written(
        "sophon-proxy", "--shape=broker", "--broker-port=9001"
    )


def test_the_broker_keeps_its_files_in_its_own_instance() -> None:
    assert "/etc/apache2-sophon/sophon-secret.conf" in written("sophon-proxy", "--shape=broker")
    assert "apache2-sophon" not in written("sophon-proxy")


def test_lab_hosts_are_served_only_when_asked_for() -> None:
    for shape in ("single", "front"):
        text = written("sophon-cosign", f"--shape={shape}", "--subdomains")
        assert text.count("ServerAlias *.hub.example.edu") == 2
        assert "ServerAlias" not in written("sophon-cosign", f"--shape={shape}")
        labs = text.partition("ServerName https://labs.hub.example.edu:443")[2]
        assert "ProxyPreserveHost On" in labs
        assert "/hub/cosign/login" not in labs


@pytest.mark.parametrize("header", ["X-Cosign", "X-Sso"])
def test_a_signature_is_made_of_all_that_is_sent_and_sends_no_secret(header: str) -> None:
    authenticator = {"X-Cosign": "sophon-cosign", "X-Sso": "sophon-proxy"}[header]
    plain, signed = written(authenticator), written(authenticator, "--signed")
    assert f'{header}-Signature "expr' not in plain
    (line,) = [
        line for line in signed.splitlines() if f"RequestHeader set {header}-Signature" in line
    ]
    for name in ("User", "Realm", "Factor", "Name", "Groups", "Time", "Request"):
        assert f"%{{req_novary:{header}-{name}}}" in line
    assert f"RequestHeader set {header}-Secret" in plain
    assert f"RequestHeader set {header}-Secret" not in signed
    for text in (plain, signed):
        assert all(f"unset {header}-{name}" in text for name in ("Secret", "Time", "Signature"))


@pytest.mark.parametrize("authenticator", ["sophon-local", "dummy"])
def test_other_ways_of_signing_in_need_none(authenticator: str) -> None:
    with pytest.raises(BadSetting, match="Set SOPHON_AUTHENTICATOR"):
        written(authenticator)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("value", ["/a b", "/a\nInclude /b", '/a"', "${X}", ""])
def test_values_that_would_change_the_file_are_refused(option: str, value: str) -> None:
    with pytest.raises(BadSetting, match="Apache cannot take"):
        written("sophon-cosign", f"--{option}={value}")
