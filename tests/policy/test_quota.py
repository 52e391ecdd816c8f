"""How a home stands to the quotas."""

import pytest

from sophon_hub.policy.quota import QuotaState, full_home_sentence, quota_state
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


@pytest.mark.parametrize(("own", "whose"), [(True, "Your files"), (False, "this lab")])
def test_who_is_refused_is_told_what_to_do(own: bool, whose: str) -> None:
    sentence = full_home_sentence(Sophon(home_hard_quota="2M"), own=own)
    assert whose in sentence
    assert "2M" in sentence
    assert "trash" in sentence
    assert "clean up" in sentence
