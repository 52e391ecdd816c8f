"""The name and description of the hub."""

import pytest

from sophon_hub.actions.forms import InstanceChanges
from sophon_hub.actions.instance import edit_instance
from sophon_hub.errors import Forbidden, Unauthenticated
from sophon_hub.store.instance import get_instance
from tests.cast import Cast
from tests.database import events


def test_an_administrator_names_the_hub(cast: Cast) -> None:
    edit_instance(cast.session, cast.actor("root"), InstanceChanges(name="Physics"))
    edit_instance(cast.session, cast.actor("root"), InstanceChanges(description="Labs"))
    instance = get_instance(cast.session)
    assert (instance.name, instance.description) == ("Physics", "Labs")
    assert [event.detail["before"] for event in events(cast.session)] == [
        {"name": "Sophon Hub"},
        {"description": ""},
    ]


def test_nobody_else_names_the_hub(cast: Cast) -> None:
    for name in ("ada", "barbara"):
        with pytest.raises(Forbidden, match="administrators"):
            edit_instance(cast.session, cast.actor(name), InstanceChanges(name="Mine"))
    with pytest.raises(Unauthenticated):
        edit_instance(cast.session, cast.actor("guest"), InstanceChanges(name="Mine"))
    assert get_instance(cast.session).name == "Sophon Hub"
