"""Research groups, their people and requests to join."""

from sophon_hub import clock
from sophon_hub.actions import groups as actions
from sophon_hub.actions import members
from sophon_hub.actions.forms import (
    Approval,
    Confirmation,
    GroupChanges,
    JoinMessage,
    MemberSettings,
    NewGroup,
)
from sophon_hub.actions.purge import purge_now
from sophon_hub.api.arguments import ACCESS, MINE, PAGING, SEARCH, TRASH
from sophon_hub.api.base import ApiHandler, Json
from sophon_hub.api.objects import Event, Group, Member, Request
from sophon_hub.api.operation import ListOf, operation, operation_with
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

    @operation({200: ListOf(Group)}, arguments=(SEARCH, MINE, ACCESS, TRASH, *PAGING))
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

    @operation_with(NewGroup, {201: Group})
    async def post(self, form: NewGroup) -> None:
        """Create a research group."""

        def work(session: Session, actor: Actor) -> Json:
            group = actions.create_group(session, actor, form)
            session.flush()
            return _one(session, people.refresh_actor(session, actor), group.slug)

        await self.answer_created(work)


class GroupAPI(ApiHandler):
    """One research group."""

    @operation({200: Group})
    async def get(self, slug: str) -> None:
        """Show it."""
        await self.answer_read(lambda session, actor: _one(session, actor, slug))

    @operation_with(GroupChanges, {200: Group})
    async def patch(self, form: GroupChanges, slug: str) -> None:
        """Change it; owners."""

        def work(session: Session, actor: Actor) -> Json:
            actions.edit_group(session, actor, groups.get_group(session, actor, slug), form)
            session.flush()
            return _one(session, actor, slug)

        self.answer(await self.act(work))

    @operation({204: None})
    async def delete(self, slug: str) -> None:
        """Move it to the trash; owners."""
        await self.act(
            lambda session, actor: actions.delete_group(
                session, actor, groups.get_group(session, actor, slug)
            )
        )
        self.answer_nothing()


class GroupRestoreAPI(ApiHandler):
    """A research group in the trash."""

    @operation({200: Group})
    async def post(self, slug: str) -> None:
        """Take it out of the trash; owners."""

        def work(session: Session, actor: Actor) -> Json:
            actions.restore_group(session, actor, groups.get_group(session, actor, slug))
            session.flush()
            return _one(session, actor, slug)

        self.answer(await self.act(work))


class GroupPurgeAPI(ApiHandler):
    """A research group in the trash whose time is not over."""

    @operation_with(Confirmation, {202: Group})
    async def post(self, form: Confirmation, slug: str) -> None:
        """Remove it for good, with all it has, without waiting; owners."""

        def work(session: Session, actor: Actor) -> Json:
            purge_now(session, actor, groups.get_group(session, actor, slug), form)
            return _one(session, actor, slug)

        self.answer(await self.act(work), 202)


class GroupJoinAPI(ApiHandler):
    """Joining."""

    @operation_with(JoinMessage, {200: Member, 202: Request})
    async def post(self, form: JoinMessage, slug: str) -> None:
        """Join an open group, or ask to."""

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

    @operation({204: None})
    async def post(self, slug: str) -> None:
        """Leave the group."""
        await self.act(
            lambda session, actor: actions.leave_group(
                session, actor, groups.get_group(session, actor, slug)
            )
        )
        self.answer_nothing()


class MembersAPI(ApiHandler):
    """The people of a research group."""

    @operation({200: ListOf(Member)}, arguments=PAGING)
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

    @operation_with(MemberSettings, {200: Member, 201: Member})
    async def put(self, form: MemberSettings, slug: str, username: str) -> None:
        """Give somebody a role; owners."""
        await self.read(
            lambda session, actor: require(
                actor, Permission.GROUP_PEOPLE, groups.get_group(session, actor, slug)
            )
        )
        await accounts.ensure_known(self, username)

        def work(session: Session, actor: Actor) -> tuple[Json, int]:
            group = groups.get_group(session, actor, slug)
            row, is_new = members.set_member(session, actor, group, username, form)
            return present.member(groups.with_people(session, row)), 201 if is_new else 200

        answer, status = await self.act(work)
        self.answer(answer, status)

    @operation({204: None})
    async def delete(self, slug: str, username: str) -> None:
        """Take somebody out; owners."""
        await self.act(
            lambda session, actor: members.remove_member(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.answer_nothing()


class RequestsAPI(ApiHandler):
    """Requests to join a research group."""

    @operation({200: ListOf(Request)}, arguments=PAGING)
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

    @operation({204: None})
    async def delete(self, slug: str, username: str) -> None:
        """Withdraw it."""
        await self.act(
            lambda session, actor: members.withdraw_request(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.answer_nothing()


class RequestApproveAPI(ApiHandler):
    """Letting somebody in."""

    @operation_with(Approval, {200: Member})
    async def post(self, form: Approval, slug: str, username: str) -> None:
        """Approve a request; owners."""

        def work(session: Session, actor: Actor) -> Json:
            group = groups.get_group(session, actor, slug)
            row = members.approve_request(session, actor, group, username, form)
            return present.member(groups.with_people(session, row))

        self.answer(await self.act(work))


class RequestDeclineAPI(ApiHandler):
    """Turning somebody down."""

    @operation({204: None})
    async def post(self, slug: str, username: str) -> None:
        """Decline a request; owners."""
        await self.act(
            lambda session, actor: members.decline_request(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.answer_nothing()


class GroupEventsAPI(ApiHandler):
    """What happened in a research group."""

    @operation({200: ListOf(Event)}, arguments=PAGING)
    async def get(self, slug: str) -> None:
        """List events, newest first; members."""
        paging = self.paging()

        def work(session: Session, actor: Actor) -> Json:
            group = groups.get_group(session, actor, slug)
            require(actor, Permission.EVENTS_SEE, group)
            page = events.list_events(session, actor, group, paging)
            return present.listing(page, [present.event(row) for row in page.items])

        await self.answer_read(work)
