"""The hub's name on JupyterHub's own pages follows what administrators set in the portal."""

from copy import deepcopy
from pathlib import Path

import pytest
from jinja2 import Environment
from sqlalchemy import Engine

from sophon_hub import hub_name
from sophon_hub.hub_name import HubName
from sophon_hub.models import Instance
from sophon_hub.store.engine import writing

PAGE = Environment(autoescape=True).from_string("{{ name | default('nothing', true) }}")


def rename(engine: Engine, name: str) -> None:
    with writing(engine) as session:
        session.merge(Instance(id=1, name=name, description=""))


def test_a_new_name_shows_after_a_moment_and_is_escaped(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = HubName(str(sqlite_engine.url))
    assert PAGE.render(name=name) == "Sophon Hub"
    rename(sqlite_engine, "Physics & <b>friends</b>")
    assert PAGE.render(name=name) == "Sophon Hub", "read again too early"
    monkeypatch.setattr(hub_name, "REMEMBER_SECONDS", -1.0)
    assert PAGE.render(name=name) == "Physics &amp; &lt;b&gt;friends&lt;/b&gt;"


def test_the_last_name_stays_when_the_database_does_not_answer(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(sqlite_engine, "Physics")
    monkeypatch.setattr(hub_name, "REMEMBER_SECONDS", -1.0)
    name = HubName(str(sqlite_engine.url))
    assert str(name) == "Physics"
    lost = HubName(f"sqlite:///{tmp_path}/there/is/no/such/directory")
    assert str(lost) == "Sophon Hub"


def test_it_can_be_copied_as_the_hub_copies_its_configuration(sqlite_engine: Engine) -> None:
    rename(sqlite_engine, "Physics")
    assert str(deepcopy(HubName(str(sqlite_engine.url)))) == "Physics"
