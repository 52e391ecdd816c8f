"""jupyterhub_config.py: short, and each example in it works when its comment sign is taken away."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.app import JupyterHub

from sophon_hub.authenticator.oauth import SophonOAuthenticator
from sophon_hub.settings import Sophon

FILE = Path(__file__).resolve().parents[2] / "jupyterhub_config.py"
MOST_LINES = 60
CLASSES: dict[str, Any] = {
    kind.__name__: kind for kind in (JupyterHub, Sophon, SophonOAuthenticator)
}
USUAL = {
    "Sophon.data_dir",
    "Sophon.port",
    "Sophon.host",
    "Sophon.base_url",
    "Sophon.database_url",
    "Sophon.authenticator",
    "Sophon.images",
    "Sophon.memory_limit",
    "Sophon.cpu_limit",
    "Sophon.public_url",
    "JupyterHub.ssl_cert",
    "JupyterHub.ssl_key",
    "JupyterHub.services",
    "JupyterHub.load_roles",
    "SophonOAuthenticator.allow_all",
}
"""What a site usually changes."""


def examples() -> set[str]:
    """Every ``Class.trait`` in the file with its examples uncommented."""
    text = re.sub(r"(?m)^# (?=c\.|    |[)}])", "", FILE.read_text())
    return {
        f"{node.value.attr}.{node.attr}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "c"
    }


def test_the_file_is_short() -> None:
    assert len(FILE.read_text().splitlines()) <= MOST_LINES


def test_it_shows_what_a_site_usually_changes() -> None:
    assert examples() >= USUAL


@pytest.mark.parametrize("name", sorted(examples()))
def test_every_example_names_something_that_can_be_set(name: str) -> None:
    kind, trait = name.split(".")
    assert trait in CLASSES[kind].class_traits(config=True)


def test_without_its_examples_it_does_nothing_but_configure() -> None:
    body = ast.parse(FILE.read_text()).body
    kinds = [type(statement).__name__ for statement in body]
    assert kinds == ["Expr", "ImportFrom", "Assign", "Expr"]
    assert ast.unparse(body[-1]) == "configure(c)"
