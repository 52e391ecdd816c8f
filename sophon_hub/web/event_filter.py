"""What of the activity is looked for, as addresses of pages and API say it."""

from datetime import UTC, datetime, timedelta

from sophon_hub.errors import Invalid
from sophon_hub.store.events import Wanted
from sophon_hub.web.handlers import BaseHandler

TEXTS = ("actor", "action", "subject", "group", "request_id")
WAYS = ("page", "api", "cli", "system", "lab")


def wanted_events(handler: BaseHandler) -> Wanted:
    """The filter of this request.

    Raises:
        Invalid: a way that is none, or a time that cannot be read.
    """
    texts = {name: handler.one_argument(name).strip() for name in TEXTS}
    via = handler.one_argument("via")
    if via and via not in WAYS:
        raise Invalid.of("via", f"Give one of: {', '.join(WAYS)}.")
    since, until = (_moment(handler, name) for name in ("since", "until"))
    return Wanted(**texts, via=via, since=since, until=until)


def _moment(handler: BaseHandler, name: str) -> datetime | None:
    """A moment; a day means its begin, and as the end of a span its end."""
    text = handler.one_argument(name).strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        is_day = len(text) == len("2027-01-31")
        moment += timedelta(days=is_day and name == "until")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid.of(name, "Give a day such as 2027-01-31, or a time in RFC 3339.") from None
