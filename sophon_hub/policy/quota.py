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


def quota_state(disk_bytes: int | None, settings: Sophon) -> QuotaState:
    """Where a home of this size stands; None is one that was not measured yet.

    What is not known stops nobody.
    """
    if disk_bytes is None:
        return QuotaState.UNKNOWN
    hard, soft = limit_bytes(settings.home_hard_quota), limit_bytes(settings.home_soft_quota)
    if hard is not None and disk_bytes > hard:
        return QuotaState.FULL
    if soft is not None and disk_bytes > soft:
        return QuotaState.WARNING
    return QuotaState.FINE


def full_home_sentence(settings: Sophon, *, own: bool) -> str:
    """What is said to whoever wants to start a lab whose home is full; ``own``: a personal one."""
    whose, page = ("Your files", "your lab") if own else ("The files of this lab", "the lab")
    return (
        f"{whose} take more than the {settings.home_hard_quota} that this hub allows. On the"
        f" page of {page}, empty its trash, or start it to clean up and delete what is not needed."
    )
