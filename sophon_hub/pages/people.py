"""The people of a research group, and who asked to join."""

from sophon_hub import clock
from sophon_hub.actions import members
from sophon_hub.actions.forms import Approval, MemberSettings
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.pages.choices import of_people
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, permitted, require
from sophon_hub.store import groups
from sophon_hub.store.effects import get_effects_of_leaving
from sophon_hub.store.engine import Session
from sophon_hub.web import accounts, present
from sophon_hub.web.effects import effect

FRAME = frozenset({"username"})


class PeoplePage(PageHandler):
    """Who belongs to a group; owners add, change and remove."""

    section = "groups"

    async def get(self, slug: str) -> None:
        """List them."""
        await self._show(slug, FormState({"role": "member"}))

    async def _show(self, slug: str, form: FormState) -> None:
        paging = self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            group = groups.get_group(session, actor, slug)
            page = groups.list_members(session, actor, group, paging, clock.utcnow())
            can = permitted(actor, group)
            people = [row.person for row in page.items]
            decides = Permission.GROUP_PEOPLE in can
            found = get_effects_of_leaving(session, actor, group, people) if decides else {}
            return {
                "group": {"slug": group.slug, "name": group.name, "can": can},
                "effects": {name: effect(one)["sentence"] for name, one in found.items()},
                "choices": of_people(session, actor, group, page.items) if decides else {},
                "today": clock.utcnow().date().isoformat(),
                "page": present.listing(page, [present.member(row) for row in page.items]),
                "form": form,
            }

        await self.show_read("groups/people.html", work, form.status)

    async def post(self, slug: str) -> None:
        """Add, change or remove somebody."""
        typed = self.typed()
        verbs = {"add": self._set, "change": self._set, "remove": self._remove}
        verb = verbs.get(typed.get("action", ""))
        if verb is None:
            raise Invalid.of("action", "There is no such button.")
        try:
            await verb(slug, typed.get("username", "").strip())
        except (Invalid, Conflict) as error:
            await self._show(slug, self._refused(typed, error))

    @staticmethod
    def _refused(typed: dict[str, str], error: Invalid | Conflict) -> FormState:
        state = FormState.refused(typed, error)
        if typed.get("action") == "add":
            return state
        # the fields of a row are not those of the form that adds somebody
        problem = state.problem or " ".join(state.errors.values())
        return FormState({"role": "member"}, problem=problem, status=state.status)

    async def _set(self, slug: str, username: str) -> None:
        form = self.form(MemberSettings, but=FRAME)
        if not username:
            raise Invalid.of("username", "Type a user name.")
        await self.read(
            lambda session, actor: require(
                actor, Permission.GROUP_PEOPLE, groups.get_group(session, actor, slug)
            )
        )
        await accounts.ensure_known(self, username)
        _, is_new = await self.act(
            lambda session, actor: members.set_member(
                session, actor, groups.get_group(session, actor, slug), username, form
            )
        )
        self.say(f"{username} is {'now' if is_new else 'from now on'} {form.role} of the group.")
        self.go_on("groups", slug, "people")

    async def _remove(self, slug: str, username: str) -> None:
        await self.act(
            lambda session, actor: members.remove_member(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.say(f"{username} does not belong to the group any more.")
        self.go_on("groups", slug, "people")


class RequestsPage(PageHandler):
    """Who asked to join; owners decide."""

    section = "groups"

    async def get(self, slug: str) -> None:
        """List the requests."""
        await self._show(slug, FormState())

    async def _show(self, slug: str, form: FormState) -> None:
        paging = self.page_paging()

        def work(session: Session, actor: Actor) -> Values:
            group = groups.get_group(session, actor, slug)
            require(actor, Permission.GROUP_PEOPLE, group)
            page = groups.list_requests(session, group, paging)
            return {
                "group": {"slug": group.slug, "name": group.name},
                "page": present.listing(page, [present.request(row) for row in page.items]),
                "form": form,
            }

        await self.show_read("groups/requests.html", work, form.status)

    async def post(self, slug: str) -> None:
        """Approve or decline."""
        typed = self.typed()
        verbs = {"approve": self._approve, "decline": self._decline}
        verb = verbs.get(typed.get("action", ""))
        if verb is None:
            raise Invalid.of("action", "There is no such button.")
        try:
            await verb(slug, typed.get("username", ""))
        except (Invalid, Conflict) as error:
            state = FormState.refused(typed, error)
            problem = state.problem or " ".join(state.errors.values())
            await self._show(slug, FormState(problem=problem, status=state.status))

    async def _approve(self, slug: str, username: str) -> None:
        form = self.form(Approval, but=FRAME)
        await self.act(
            lambda session, actor: members.approve_request(
                session, actor, groups.get_group(session, actor, slug), username, form
            )
        )
        self.say(f"{username} is now {form.role} of the group.")
        self.go_on("groups", slug, "requests")

    async def _decline(self, slug: str, username: str) -> None:
        await self.act(
            lambda session, actor: members.decline_request(
                session, actor, groups.get_group(session, actor, slug), username
            )
        )
        self.say(f"The request of {username} is declined.", "info")
        self.go_on("groups", slug, "requests")
