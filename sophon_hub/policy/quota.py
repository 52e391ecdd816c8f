"""How full a home may be."""

from enum import StrEnum

from sophon_hub.amounts import limit_bytes
from sophon_hub.settings import Sophon


class QuotaState(StrEnum):
    """How a home stands to the quotas of the hub."""

    UNKNOWN = "unknown"
    FINE = "fine"
    WARNING = "warning"
    FULL = "full"
    HELD = "held"

    @property
    def must_clean_up(self) -> bool:
        """Whether a lab with such a home is started to clean up only."""
        return self in {QuotaState.FULL, QuotaState.HELD}


def quota_state(
    disk_bytes: int | None, settings: Sophon, *, filled_disk: bool = False
) -> QuotaState:
    """Where a home of this size stands; None is one that was not measured yet.

    What is not known stops nobody. ``filled_disk``: it was growing until the disk of the hub had
    hardly any room left.
    """
    if filled_disk:
        return QuotaState.HELD
    if disk_bytes is None:
        return QuotaState.UNKNOWN
    hard, soft = limit_bytes(settings.home_hard_quota), limit_bytes(settings.home_soft_quota)
    if hard is not None and disk_bytes > hard:
        return QuotaState.FULL
    if soft is not None and disk_bytes > soft:
        return QuotaState.WARNING
    return QuotaState.FINE


def clean_up_sentence(state: QuotaState, settings: Sophon, *, own: bool) -> str:
    """What is said to whoever wants to start a lab that has to be cleaned up first.

    ``own``: a personal one.
    """
    whose, which = ("Your files", "your lab") if own else ("The files of this lab", "the lab")
    why = f"{whose} take more than the {settings.home_hard_quota} that this hub allows."
    if state is QuotaState.HELD:
        why = f"{whose} were growing until the disk of this hub had hardly any room left."
    return (
        f"{why} On the page of {which}, empty its trash, or start it to clean up and delete what"
        " is not needed."
    )


def is_too_large_to_run(disk_bytes: int, settings: Sophon) -> bool:
    """Whether a running lab is stopped because of what its home holds."""
    most = limit_bytes(settings.home_stop_quota)
    return most is not None and disk_bytes > most
