"""When a lab that nobody works in is stopped, and why."""

from datetime import datetime, timedelta

from sophon_hub.settings import Sophon

HOUR = 60


def stop_time(
    settings: Sophon, used_at: datetime, now: datetime, *, busy: bool, planned: datetime | None
) -> datetime | None:
    """When to stop a lab that was last worked in at ``used_at``; None while that is far.

    People have the whole time of the warning, also when the hub learns late. ``planned`` is what
    they were told already.
    """
    minutes = settings.lab_busy_hours * HOUR if busy else settings.lab_idle_minutes
    if not minutes:
        return None
    warning = timedelta(minutes=min(settings.lab_warning_minutes, minutes))
    due = used_at + timedelta(minutes=minutes)
    if now < due - warning:
        return None
    return planned if planned is not None else max(due, now + warning)


def stop_sentence(settings: Sophon, *, busy: bool) -> str:
    """Why a lab is stopped that nobody works in, after the word because."""
    if busy:
        return (
            "it has been calculating without anybody working in it for"
            f" {_span(settings.lab_busy_hours * HOUR)}"
        )
    return f"nobody worked in it for {_span(settings.lab_idle_minutes)}"


def _span(minutes: float) -> str:
    if minutes >= HOUR and minutes % HOUR == 0:
        hours = minutes / HOUR
        return "an hour" if hours == 1 else f"{hours:g} hours"
    return "a minute" if minutes == 1 else f"{minutes:g} minutes"
