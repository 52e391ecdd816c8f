"""The virtual hosts in deploy/apache are what `sophon-hub apache-config` writes."""

import argparse
from pathlib import Path

import pytest

from sophon_hub import apache, paths
from sophon_hub.settings import BadSetting, Sophon


def written(authenticator: str, *words: str, **settings: str) -> str:
    parser = argparse.ArgumentParser()
    apache.add_arguments(parser)
    options = parser.parse_args(["--host=hub.example.edu", *words])
    return apache.vhost(Sophon(authenticator=authenticator, **settings), options)


@pytest.mark.parametrize("authenticator", ["sophon-cosign", "sophon-proxy"])
def test_the_examples_are_up_to_date(authenticator: str) -> None:
    example = Path(paths.apache_templates()) / f"{authenticator}.conf"
    assert written(authenticator).rstrip() == example.read_text().rstrip()


def test_a_path_of_its_own_is_in_front_of_the_protected_one() -> None:
    text = written("sophon-proxy", base_url="/jupyter/")
    assert "<Location /jupyter/hub/sso/login>" in text
    assert "<Location /hub/sso/login>" in written("sophon-proxy")


@pytest.mark.parametrize("more", [[], ["--signed"]])
def test_the_secret_is_included_once_and_only_for_the_protected_path(more: list[str]) -> None:
    for authenticator in ("sophon-cosign", "sophon-proxy"):
        text = written(authenticator, "--secret=/srv/secret.conf", *more)
        before, _, after = text.partition("    <If ")
        assert "Include /srv/secret.conf" not in before
        assert after.partition("</If>")[0].count("Include /srv/secret.conf") == 1
        assert text.count("Include /srv/secret.conf") == 1


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


@pytest.mark.parametrize("option", ["secret", "certificate", "key", "sign-on", "weblogin"])
@pytest.mark.parametrize("value", ["/a b", "/a\nInclude /b", '/a"', "${X}", ""])
def test_values_that_would_change_the_file_are_refused(option: str, value: str) -> None:
    with pytest.raises(BadSetting, match="Apache cannot take"):
        written("sophon-cosign", f"--{option}={value}")
