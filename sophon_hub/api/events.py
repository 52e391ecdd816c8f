"""What happened at the whole hub, and who entered one's labs."""

from sophon_hub.api.arguments import EVENT_FILTER, PAGING
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.objects import Event
from sophon_hub.api.operation import ListOf, operation
from sophon_hub.policy.actor import Actor
from sophon_hub.store import events
from sophon_hub.store.engine import Session
from sophon_hub.web import present
from sophon_hub.web.event_filter import wanted_events


class EventsAPI(ApiHandler):
    """What happened at the hub."""

    @operation({200: ListOf(Event)}, arguments=(*EVENT_FILTER, *PAGING))
    async def get(self) -> None:
        """List all events, newest first; admins."""
        wanted, paging = wanted_events(self), self.paging()

        def work(session: Session, actor: Actor) -> Json:
            page = events.search_events(session, actor, wanted, paging)
            return present.listing(page, [present.event(row) for row in page.items])

        await self.answer_read(work)


class EntriesAPI(ApiHandler):
    """Who entered the labs of the caller's groups."""

    @operation({200: ListOf(Event)}, arguments=PAGING)
    async def get(self) -> None:
        """List who opened which lab, newest first; of groups in which the caller is a member."""
        paging = self.paging()

        def work(session: Session, actor: Actor) -> Json:
            page = events.list_entries(session, actor, paging)
            return present.listing(page, [present.event(row) for row in page.items])

        await self.answer_read(work)
