"""Events about what changes nothing: looks of administrators, and refusals."""

import pytest

from sophon_hub.actions.noticed import (
    Noticed,
    look_at,
    record_looks,
    record_refusal,
    refusal_of,
)
from sophon_hub.audit import Where
from sophon_hub.store.looks import Seen
from tests import make
from tests.cast import Cast
from tests.database import events


@pytest.fixture
def things(cast: Cast) -> dict[str, Seen]:
    project = make.project(cast.session, cast.group, "lens")
    return {
        "group": cast.group,
        "project": project,
        "lab": make.lab(cast.session, project, "bench"),
        "dataset": make.dataset(cast.session, "stars", group=cast.group),
    }


def test_looks_and_refusals_name_what_they_are_about_and_are_found_in_its_group(
    cast: Cast, things: dict[str, Seen]
) -> None:
    root, group_id = cast.actor("root"), cast.group.id
    names = {"group": "optics", "project": "lens", "lab": "lens/bench", "dataset": "stars"}
    record_looks(cast.session, root, [look_at(root, thing) for thing in things.values()])
    found = [(event.action, event.subject, event.group_id) for event in events(cast.session)]
    assert found == [(f"{noun}:look", name, group_id) for noun, name in names.items()]
    for noun, thing in things.items():
        refusal = refusal_of(cast.actor("alan"), f"{noun}:edit", thing)
        assert (refusal.action, refusal.where.name) == (f"{noun}:deny", names[noun])


@pytest.mark.parametrize(("unrecorded", "more"), [(0, {}), (7, {"unrecorded_before": 7})])
def test_a_refusal_says_what_was_missing_and_how_many_were_left_out_before(
    cast: Cast, unrecorded: int, more: dict[str, int]
) -> None:
    refusal = Noticed("lab:deny", Where("lens/bench", cast.group.id), "lab:start")
    record_refusal(cast.session, cast.actor("alan"), refusal, unrecorded)
    [event] = events(cast.session)
    assert (event.actor, event.subject) == ("alan", "lens/bench")
    assert event.detail == {"permission": "lab:start", **more}
