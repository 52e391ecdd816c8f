"""Research groups, their people and requests to join."""

from sophon_hub import clock
from sophon_hub.actions import groups as actions
from sophon_hub.actions import members
from sophon_hub.actions.forms import (
    Approval,
    GroupChanges,
    JoinMessage,
    MemberSettings,
    NewGroup,
    Nothing,
)
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.errors import Invalid
from sophon_hub.models import AccessMode, JoinRequest
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.store import events, groups, people
from sophon_hub.store.engine import Session
from sophon_hub.web import accounts, present


def _one(session: Session, actor: Actor, slug: str) -> Json:
    return present.group(groups.get_summary(session, actor, slug, clock.utcnow()), actor)


class GroupsAPI(ApiHandler):
    """Research groups."""

    async def get(self) -> None:
        """List the research groups the caller may see."""
        q, paging = self.one_argument("q"), self.paging()
        mine, trash = self.flag_argument("mine"), self.flag_argument("trash")
        access = self._access()

        def work(session: Session, actor: Actor) -> Json:
            page = groups.list_groups(
                session,
                actor,
                paging,
                now=clock.utcnow(),
                q=q,
                mine=mine,
                access=access,
                trash=trash,
            )
            return present.listing(page, [present.group(item, actor) for item in page.items])

        await self.answer_read(work)

    def _access(self) -> AccessMode | None:
        word = self.one_argument("access")
        if not word:
            return None
        if word not in list(AccessMode):
            raise Invalid.of("access", "Give one of: " + ", ".join(AccessMode) + ".")
        return AccessMode(word)

    async def post(self) -> None:
        """Create a research group."""
        form = self.form(NewGroup)

        def work(session: Session, actor: Actor) -> Json:
            group = actions.create_group(session, actor, form)
            session.flush()
            return _one(session, people.refresh_actor(session, actor), group.slug)

        await self.answer_created(work)


class GroupAPI(ApiHandler):
    """One research group."""

    async def get(self, slug: str) -> None:
        """Show it."""
        await self.answer_read(lambda session, actor: _one(session, actor, slug))

    async def patch(self, slug: str) -> None:
        """Change it; owners."""
        form = self.form(GroupChanges)

        def work(session: Session, actor: Actor) -> Json:
            actions.edit_group(session, actor, groups.get_group(session, actor, slug), form)
            session.flush()
            return _one(session, actor, slug)

        self.answer(await self.act(work))

    async def delete(self, slug: str) -> None:
        """Move it to the trash; owners."""
        self.form(Nothing)
        await self.act(
            lambda session, actor: actions.delete_group(
                session, actor, groups.get_group(session, actor, slug)
            )
        )
        self.answer_nothing()


class GroupRestoreAPI(ApiHandler):
    """A research group in the trash."""

    async def post(self, slug: str) -> None:
        """Take it out of the trash; owners."""
        self.form(Nothing)

        def work(session: Session, actor: Actor) -> Json:
            actions.restore_group(session, actor, groups.get_group(session, actor, slug))
            session.flush()
            return _one(session, actor, slug)

        self.answer(await self.act(work))


class GroupJoinAPI(ApiHandler):
    """Joining."""

    async def post(self, slug: str) -> None:
        """Join an open group, or ask to."""
        form = self.form(JoinMessage)

        def work(session: Session, actor: Actor) -> tuple[Json, int]:
            group = groups.get_group(session, actor, slug)
            joined = actions.join_group(session, actor, group, form)
            if isinstance(joined, JoinRequest):
                return present.request(groups.with_person(session, joined)), 202
            return present.member(groups.with_people(session, joined)), 200

        answer, status = await self.act(work)
        self.answer(answer, status)


class GroupLeaveAPI(ApiHandler):
    """Leaving."""

    async def post(self, slug: str) -> None:
        """Leave the group."""
        self.form(Nothing)
        await self.act(
            lambda session, actor: actions.leave_group(
                session, actor, groups.get_group(session, actor, slug)
            )
        )
        self.answer_nothing()


class MembersAPI(ApiHandler):
    """The people of a research group."""

    async def get(self, slug: str) -> None:
        """List them; signed-in callers."""
        paging = self.paging()

        def work(session: Session, actor: Actor) -> Json:
            group = groups.get_group(session, actor, slug)
            page = groups.list_members(session, actor, group, paging, clock.utcnow())
            return present.listing(page, [present.member(row) for row in page.items])

        await self.answer_read(work)


class MemberAPI(ApiHandler):
    """One person of a research group."""

    async def put(self, slug: str, username: str) -> None:
        """Give somebody a role; owners."""
        form = self.form(MemberSettings)
        await accounts.ensure_known(self, username)

        def work(session: Session, actor: Actor) -> tuple[Json, int]:
            group = groups.get_group(session, actor, slug)
            row, is_new = members.set_member(session, actor, group, username, form)
            return present.member(groups.with_people(session, row)), 201 if is_new else 200

        answer, status = await self.act(work)
        self.answer(answer, status)

    async def delete(self, slug: str, username: str) -> None:
        """Take somebody out; owners."""
        self.form(Nothing)
        await self.act(
            lambda session, actor: members.remove_member(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.answer_nothing()


class RequestsAPI(ApiHandler):
    """Requests to join a research group."""

    async def get(self, slug: str) -> None:
        """List them; owners."""
        paging = self.paging()

        def work(session: Session, actor: Actor) -> Json:
            group = groups.get_group(session, actor, slug)
            require(actor, Permission.GROUP_PEOPLE, group)
            page = groups.list_requests(session, group, paging)
            return present.listing(page, [present.request(row) for row in page.items])

        await self.answer_read(work)


class RequestAPI(ApiHandler):
    """One's own request to join."""

    async def delete(self, slug: str, username: str) -> None:
        """Withdraw it."""
        self.form(Nothing)
        await self.act(
            lambda session, actor: members.withdraw_request(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.answer_nothing()


class RequestApproveAPI(ApiHandler):
    """Letting somebody in."""

    async def post(self, slug: str, username: str) -> None:
        """Approve a request; owners."""
        form = self.form(Approval)

        def work(session: Session, actor: Actor) -> Json:
            group = groups.get_group(session, actor, slug)
            row = members.approve_request(session, actor, group, username, form)
            return present.member(groups.with_people(session, row))

        self.answer(await self.act(work))


class RequestDeclineAPI(ApiHandler):
    """Turning somebody down."""

    async def post(self, slug: str, username: str) -> None:
        """Decline a request; owners."""
        self.form(Nothing)
        await self.act(
            lambda session, actor: members.decline_request(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.answer_nothing()


class GroupEventsAPI(ApiHandler):
    """What happened in a research group."""

    async def get(self, slug: str) -> None:
        """List events, newest first; members."""
        paging = self.paging()

        def work(session: Session, actor: Actor) -> Json:
            group = groups.get_group(session, actor, slug)
            require(actor, Permission.EVENTS_SEE, group)
            page = events.list_events(session, group, paging)
            return present.listing(page, [present.event(row) for row in page.items])

        await self.answer_read(work)
