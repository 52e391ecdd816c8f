"""When a lab that nobody works in is stopped, and what is said about it."""

from datetime import UTC, datetime, timedelta

import pytest

from sophon_hub.policy.idle import stop_sentence, stop_time
from sophon_hub.settings import Sophon

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("unused", "busy", "left"),
    [
        (0, False, None),
        (109, False, None),
        (110, False, 10),
        (119, False, 10),
        (500, False, 10),
        (110, True, None),
        (23 * 60, True, None),
        (24 * 60 - 10, True, 10),
        (30 * 60, True, 10),
    ],
)
def test_people_are_warned_for_ten_minutes_before_a_lab_is_stopped(
    unused: float, busy: bool, left: float | None
) -> None:
    found = stop_time(Sophon(), NOW - minutes(unused), NOW, busy=busy, planned=None)
    assert found == (None if left is None else NOW + minutes(left))


def test_what_people_were_told_holds_until_somebody_works() -> None:
    planned = NOW + minutes(3)
    for unused, expected in ((117, planned), (200, planned), (5, None)):
        used_at = NOW - minutes(unused)
        assert stop_time(Sophon(), used_at, NOW, busy=False, planned=planned) == expected
    used_at = NOW - minutes(117)
    assert stop_time(Sophon(), used_at, NOW, busy=True, planned=planned) is None


@pytest.mark.parametrize("busy", [False, True])
def test_nothing_is_stopped_where_the_site_says_never(busy: bool) -> None:
    settings = Sophon(lab_idle_minutes=0, lab_busy_hours=0)
    assert stop_time(settings, NOW - minutes(10**6), NOW, busy=busy, planned=None) is None


def test_a_warning_is_no_longer_than_the_time_itself() -> None:
    settings = Sophon(lab_idle_minutes=5)
    assert stop_time(settings, NOW, NOW, busy=False, planned=None) == NOW + minutes(5)


@pytest.mark.parametrize(
    ("idle", "busy_hours", "busy", "sentence"),
    [
        (120, 24, False, "nobody worked in it for 2 hours"),
        (60, 24, False, "nobody worked in it for an hour"),
        (90, 24, False, "nobody worked in it for 90 minutes"),
        (1, 24, False, "nobody worked in it for a minute"),
        (
            120,
            24,
            True,
            "it has been calculating without anybody working in it for 24 hours",
        ),
        (
            120,
            0.5,
            True,
            "it has been calculating without anybody working in it for 30 minutes",
        ),
    ],
)
def test_why_it_was_stopped_is_said_in_hours_or_minutes(
    idle: float, busy_hours: float, busy: bool, sentence: str
) -> None:
    settings = Sophon(lab_idle_minutes=idle, lab_busy_hours=busy_hours)
    assert stop_sentence(settings, busy=busy) == sentence
