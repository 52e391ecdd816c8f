"""Research groups: list, show, create, edit, join, leave, delete."""

from datetime import datetime

from sophon_hub import clock
from sophon_hub.actions import groups as actions
from sophon_hub.actions import idempotency
from sophon_hub.actions.forms import GroupChanges, JoinMessage, NewGroup
from sophon_hub.actions.members import withdraw_request
from sophon_hub.errors import Conflict, Invalid, NotFound
from sophon_hub.models import AccessMode, JoinRequest, ResearchGroup
from sophon_hub.pages.base import FormState, PageHandler, Values, short
from sophon_hub.pages.choices import refused_visibilities, why_not_leave, without_refused
from sophon_hub.pages.events import notices
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, may, require, require_person
from sophon_hub.store import datasets, groups, projects, waiting
from sophon_hub.store.effects import get_effect_of_deletion
from sophon_hub.store.engine import Session
from sophon_hub.store.paging import Paging
from sophon_hub.web import present
from sophon_hub.web.effects import effect, of_lowering

DATASETS_SHOWN = 5
PEOPLE_SHOWN = 12
FIELDS = ("name", "description", "visibility", "access")


class GroupsPage(PageHandler):
    """The research groups one may see."""

    section = "groups"

    async def get(self) -> None:
        """List them."""
        q, mine, paging = self.one_argument("q"), self.flag_argument("mine"), self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            page = groups.list_groups(session, actor, paging, now=clock.utcnow(), q=q, mine=mine)
            items = [present.group(item, actor) for item in page.items]
            return {"page": present.listing(page, items), "q": q, "mine": mine}

        await self.show_read("groups/list.html", work)


class NewGroupPage(PageHandler):
    """Creating a research group."""

    section = "groups"

    async def get(self) -> None:
        """Show the form."""
        await self.read(lambda session, actor: require_person(actor))
        await self._show(FormState({"visibility": "public", "access": "manual"}))

    async def _show(self, form: FormState) -> None:
        key = self.new_key()
        await self.show("groups/new.html", form.status, form=form, once=key)

    async def post(self) -> None:
        """Create it; sent twice, the same one."""
        try:
            form = self.form(NewGroup)
            key = self.once_key()

            def work(session: Session, actor: Actor) -> Values:
                return idempotency.once(
                    session,
                    actor,
                    key,
                    key,
                    lambda: {"slug": actions.create_group(session, actor, form).slug},
                )

            made = await self.act(work)
        except (Invalid, Conflict) as error:
            await self._show(FormState.refused(self.typed(), error))
            return
        self.say(f"The group “{short(form.name)}” is there. You are its owner.")
        self.go_on("groups", made["slug"])


class GroupPage(PageHandler):
    """One research group."""

    section = "groups"

    async def get(self, slug: str) -> None:
        """Show it."""
        await self._show(slug)

    async def _show(self, slug: str, form: FormState | None = None) -> None:
        state = form or FormState()
        paging = self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            return {**_group_page(session, actor, slug, paging), "form": state}

        await self.show_read("groups/show.html", work, state.status)

    async def post(self, slug: str) -> None:
        """Join, leave, withdraw a request or restore."""
        verbs = {
            "join": self._join,
            "leave": self._leave,
            "withdraw": self._withdraw,
            "restore": self._restore,
        }
        verb = verbs.get(self.typed().get("action", ""))
        if verb is None:
            raise Invalid.of("action", "There is no such button.")
        try:
            await verb(slug)
        except (Invalid, Conflict) as error:
            await self._show(slug, FormState.refused(self.typed(), error))

    async def _join(self, slug: str) -> None:
        form = self.form(JoinMessage)
        joined = await self.act(
            lambda session, actor: actions.join_group(
                session, actor, groups.get_group(session, actor, slug), form
            )
        )
        if isinstance(joined, JoinRequest):
            self.say("You asked to join. An owner of the group will decide.", "info")
        else:
            self.say("You belong to the group now.")
        self.go_on("groups", slug)

    async def _leave(self, slug: str) -> None:
        await self.act(
            lambda session, actor: actions.leave_group(
                session, actor, groups.get_group(session, actor, slug)
            )
        )
        self.say("You left the group.")
        try:
            await self.read(lambda session, actor: groups.get_group(session, actor, slug))
        except NotFound:
            self.go_on("groups")
            return
        self.go_on("groups", slug)

    async def _withdraw(self, slug: str) -> None:
        await self.act(
            lambda session, actor: withdraw_request(
                session, actor, groups.get_group(session, actor, slug), actor.username or ""
            )
        )
        self.say("Your request is withdrawn.", "info")
        self.go_on("groups", slug)

    async def _restore(self, slug: str) -> None:
        await self.act(
            lambda session, actor: actions.restore_group(
                session, actor, groups.get_group(session, actor, slug)
            )
        )
        self.say("The group is back, with its projects and labs.")
        self.go_on("groups", slug)


def _group_page(session: Session, actor: Actor, slug: str, paging: Paging) -> Values:
    now = clock.utcnow()
    summary = groups.get_summary(session, actor, slug, now)
    group = summary.group
    page = projects.list_projects(session, actor, paging, group=slug)
    kept = datasets.list_datasets(session, actor, Paging(DATASETS_SHOWN), group=slug)
    values: Values = {
        "group": present.group(summary, actor),
        "page": present.listing(page, [present.project(item, actor) for item in page.items]),
        "datasets": present.listing(kept, [present.dataset(row, actor) for row in kept.items]),
        "notices": notices(session, actor, group.id),
        "people": None,
        "asked": False,
        "requests": 0,
        "ending": [],
        "until": _own_end(actor, group, now),
        "stays": why_not_leave(session, actor, group),
    }
    if actor.person_id is not None:
        shown = groups.list_members(session, actor, group, Paging(PEOPLE_SHOWN), now)
        values["people"] = present.listing(shown, [present.member(row) for row in shown.items])
        if actor.role_in(group.id) is None and group.access is AccessMode.REQUEST:
            values["asked"] = bool(groups.find_request(session, group, actor.person_id))
    if may(actor, Permission.GROUP_PEOPLE, group):
        values["requests"] = groups.list_requests(session, group, Paging(1)).total
        values["ending"] = [
            present.member(row)
            for row in waiting.list_ending(session, group, now)
            if row.person_id != actor.person_id
        ]
    return values


def _own_end(actor: Actor, group: ResearchGroup, now: datetime) -> datetime | None:
    """When the actor's own membership ends, if that is soon."""
    own = actor.memberships.get(group.id)
    end = own.expires_at if own else None
    return end if end is not None and end <= now + waiting.SOON else None


class EditGroupPage(PageHandler):
    """Changing a research group."""

    section = "groups"

    async def get(self, slug: str) -> None:
        """Show the form."""
        await self._show(slug, None)

    async def _show(self, slug: str, form: FormState | None) -> None:
        def work(session: Session, actor: Actor) -> Values:
            group = groups.get_group(session, actor, slug)
            require(actor, Permission.GROUP_EDIT, group)
            values = {name: str(getattr(group, name)) for name in FIELDS}
            refused = refused_visibilities(session, group)
            shown = without_refused(form or FormState(values), refused, group.visibility)
            return {
                "group": {"slug": group.slug, "name": group.name},
                "form": shown,
                "refused": refused,
                "can_delete": may(actor, Permission.GROUP_DELETE, group),
                "effects": of_lowering(session, actor, group),
            }

        await self.show_read("groups/edit.html", work, form.status if form else 200)

    async def post(self, slug: str) -> None:
        """Change it."""
        try:
            form = self.form(GroupChanges)
            await self.act(
                lambda session, actor: actions.edit_group(
                    session, actor, groups.get_group(session, actor, slug), form
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(slug, FormState.refused(self.typed(), error))
            return
        self.say("The changes are saved.")
        self.go_on("groups", slug)


class DeleteGroupPage(PageHandler):
    """Moving a research group to the trash, after its address was typed."""

    section = "groups"

    async def get(self, slug: str) -> None:
        """Ask."""
        await self._show(slug, FormState())

    async def _show(self, slug: str, form: FormState) -> None:
        def work(session: Session, actor: Actor) -> Values:
            summary = groups.get_summary(session, actor, slug, clock.utcnow())
            require(actor, Permission.GROUP_DELETE, summary.group)
            found = get_effect_of_deletion(session, actor, summary.group)
            return {
                "group": present.group(summary, actor),
                "effect": effect(found)["sentence"],
                "form": form,
            }

        days = self.portal.settings.retention_days
        values = await self.read(work)
        await self.show("groups/delete.html", form.status, days=days, **values)

    async def post(self, slug: str) -> None:
        """Delete it."""
        try:
            self.check_typed_address(slug)
            await self.act(
                lambda session, actor: actions.delete_group(
                    session, actor, groups.get_group(session, actor, slug)
                )
            )
        except (Invalid, Conflict) as error:
            await self._show(slug, FormState.refused(self.typed(), error))
            return
        self.say("The group is in the trash. Its labs are being stopped.", "info")
        self.go_on("trash")
