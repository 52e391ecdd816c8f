"""How a home stands to the quotas."""

import pytest

from sophon_hub.policy.quota import (
    QuotaState,
    clean_up_sentence,
    is_too_large_to_run,
    quota_state,
)
from sophon_hub.settings import Sophon

MEGABYTE = 1024**2


@pytest.mark.parametrize(
    ("soft", "hard", "size", "state"),
    [
        ("1M", "2M", None, QuotaState.UNKNOWN),
        ("1M", "2M", 0, QuotaState.FINE),
        ("1M", "2M", MEGABYTE, QuotaState.FINE),
        ("1M", "2M", MEGABYTE + 1, QuotaState.WARNING),
        ("1M", "2M", 2 * MEGABYTE, QuotaState.WARNING),
        ("1M", "2M", 2 * MEGABYTE + 1, QuotaState.FULL),
        ("", "2M", 2 * MEGABYTE, QuotaState.FINE),
        ("", "2M", 2 * MEGABYTE + 1, QuotaState.FULL),
        ("1M", "", 10 * MEGABYTE, QuotaState.WARNING),
        ("", "", 10 * MEGABYTE, QuotaState.FINE),
    ],
)
def test_a_home_is_warned_of_and_full_beyond_its_quotas(
    soft: str, hard: str, size: int | None, state: QuotaState
) -> None:
    assert quota_state(size, Sophon(home_soft_quota=soft, home_hard_quota=hard)) is state


@pytest.mark.parametrize("size", [None, 0, 3 * MEGABYTE])
def test_what_was_filling_the_disk_is_cleaned_up_whatever_its_size(size: int | None) -> None:
    for filled in (True, False):
        found = quota_state(size, Sophon(home_hard_quota="2M"), filled_disk=filled)
        assert (found is QuotaState.HELD) is filled


def test_beyond_the_hard_quota_and_when_the_disk_was_filled_a_lab_starts_to_clean_up_only() -> None:
    clean = [state for state in QuotaState if state.must_clean_up]
    assert clean == [QuotaState.FULL, QuotaState.HELD]


@pytest.mark.parametrize(
    ("most", "size", "stops"),
    [("", 9 * MEGABYTE, False), ("2M", 2 * MEGABYTE, False), ("2M", 2 * MEGABYTE + 1, True)],
)
def test_a_running_lab_may_hold_as_much_as_is_set(most: str, size: int, stops: bool) -> None:
    settings = Sophon(home_hard_quota="1M", home_stop_quota=most)
    assert is_too_large_to_run(size, settings) is stops


@pytest.mark.parametrize(("own", "whose"), [(True, "Your files"), (False, "this lab")])
@pytest.mark.parametrize(("state", "why"), [(QuotaState.FULL, "2M"), (QuotaState.HELD, "growing")])
def test_who_is_refused_is_told_what_to_do(
    own: bool, whose: str, state: QuotaState, why: str
) -> None:
    sentence = clean_up_sentence(state, Sophon(home_hard_quota="2M"), own=own)
    assert whose in sentence
    assert why in sentence
    assert "trash" in sentence
    assert "clean up" in sentence
