"""A creation that is asked for twice with the same key is done once."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from sophon_hub.actions.idempotency import KEEP, once
from sophon_hub.errors import Conflict, Invalid, Unauthenticated
from tests.cast import Cast
from tests.conftest import StoppedClock

Create = Callable[..., dict[str, int]]


@pytest.fixture
def create(cast: Cast, stopped_clock: StoppedClock) -> Create:
    """Creates something new each time it is really run, and numbers it."""
    done: list[int] = []

    def work() -> dict[str, int]:
        done.append(len(done) + 1)
        return {"number": done[-1]}

    def run(by: str = "grace", key: str = "k", digest: str = "d") -> dict[str, int]:
        return once(cast.session, cast.actor(by), key, digest, work)

    return run


def test_the_same_key_gives_the_same_answer(create: Create) -> None:
    assert create() == create() == {"number": 1}


def test_another_key_or_person_creates_another(create: Create) -> None:
    assert [create(), create(key="other"), create("ada")] == [{"number": n} for n in (1, 2, 3)]


def test_a_key_used_for_another_request_is_a_conflict(create: Create) -> None:
    create()
    with pytest.raises(Conflict, match="different request"):
        create(digest="another")


def test_keys_are_kept_for_a_day(create: Create, stopped_clock: StoppedClock) -> None:
    create()
    stopped_clock.forward(seconds=KEEP.total_seconds())
    assert create() == {"number": 1}
    stopped_clock.forward(seconds=1)
    assert create() == {"number": 2}
    assert timedelta(days=1) == KEEP


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "\x00", "\u202e"], ids=ascii)
def test_a_key_has_1_to_200_printable_characters(create: Create, key: str) -> None:
    with pytest.raises(Invalid) as refusal:
        create(key=key)
    assert [error.field for error in refusal.value.errors] == ["Idempotency-Key"]
    assert create(key="x" * 200) == {"number": 1}


def test_guests_create_nothing(create: Create) -> None:
    with pytest.raises(Unauthenticated):
        create("guest")
