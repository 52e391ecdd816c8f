"""What happened at the whole hub, for administrators; and who entered one's labs, for everybody."""

from dataclasses import asdict
from urllib.parse import urlencode

from sophon_hub.pages.base import PageHandler, Values
from sophon_hub.pages.events import line
from sophon_hub.policy.actor import Actor
from sophon_hub.store import events
from sophon_hub.store.engine import Session
from sophon_hub.web import present
from sophon_hub.web.event_filter import TEXTS, WAYS, wanted_events


class HubEventsPage(PageHandler):
    """Everything that happened, as far as it is looked for."""

    async def get(self) -> None:
        """List it, newest first."""
        wanted, paging = wanted_events(self), self.page_paging()
        typed = {name: self.one_argument(name) for name in (*TEXTS, "via", "since", "until")}

        def work(session: Session, actor: Actor) -> Values:
            page = events.search_events(session, actor, wanted, paging)
            items = [
                {**line(event), "about": event.subject, "request_id": event.request_id}
                for event in page.items
            ]
            return {
                "page": present.listing(page, items),
                "typed": typed,
                "query": urlencode({name: text for name, text in typed.items() if text}),
                "ways": WAYS,
                "is_filtered": any(asdict(wanted).values()),
            }

        await self.show_read("home/events.html", work)


class EntriesPage(PageHandler):
    """Who entered the labs of one's groups, and when."""

    async def get(self) -> None:
        """List it, newest first."""
        paging = self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            page = events.list_entries(session, actor, paging)
            return {"page": present.listing(page, [line(event) for event in page.items])}

        await self.show_read("home/entries.html", work)
