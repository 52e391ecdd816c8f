"""The front page, what it says about the hub, and the trash."""

from sophon_hub import clock
from sophon_hub.actions.forms import InstanceChanges
from sophon_hub.actions.instance import edit_instance
from sophon_hub.errors import Conflict, Forbidden, Invalid
from sophon_hub.models import Visibility
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.pages.events import notices
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import require_person
from sophon_hub.store import datasets, groups, labs, people, projects, waiting
from sophon_hub.store.engine import Session
from sophon_hub.store.instance import get_instance
from sophon_hub.store.paging import Paging
from sophon_hub.web import present

SHOWN = 12


class HomePage(PageHandler):
    """What this hub is; for people who are signed in, what is theirs."""

    section = "home"

    async def get(self) -> None:
        """Show the front page of guests or the overview of a person."""
        settings = self.portal.settings

        def guest(session: Session, actor: Actor) -> Values:
            page = projects.list_projects(
                session, actor, Paging(SHOWN), visibility=Visibility.PUBLIC
            )
            return {
                "instance": present.instance(get_instance(session), settings),
                "projects": [present.project(item, actor) for item in page.items],
                "total": page.total,
                "may_try": settings.temporary_labs,
            }

        def person(session: Session, actor: Actor) -> Values:
            page = projects.list_projects(session, actor, Paging(SHOWN), mine=True)
            return {
                "groups": _own_groups(session, actor),
                "projects": [present.project(item, actor) for item in page.items],
                "total": page.total,
                "notices": notices(session, actor),
                "labs": [
                    {**present.lab(lab, actor, settings), "project_name": lab.project.name}
                    for lab in labs.list_active_labs(session, actor)
                    if lab.state.has_server
                ],
            }

        if (await self.caller()).username is None:
            await self.show_read("home/welcome.html", guest)
        else:
            values = await self.read(person)
            values["mark"] = self.mark_of(values["labs"])
            if not self.is_unchanged(values["mark"]):
                await self.show("home/overview.html", **values)


def _own_groups(session: Session, actor: Actor) -> list[Values]:
    """The person's groups, with what waits in them for owners, and when one's own time ends."""
    asking = waiting.count_requests(session, actor)
    ending = waiting.count_ending(session, actor, clock.utcnow())
    return [
        {
            **{name: getattr(group, name) for name in ("slug", "name", "visibility")},
            "role": actor.role_in(group.id),
            "until": actor.memberships[group.id].expires_at,
            "asking": asking.get(group.id, 0),
            "ending": ending.get(group.id, 0),
        }
        for group in people.list_own_groups(session, actor)
    ]


class SettingsPage(PageHandler):
    """Name and description of the hub, for administrators."""

    async def get(self) -> None:
        """Show the form."""

        def work(session: Session, actor: Actor) -> Values:
            _require_admin(actor)
            instance = get_instance(session)
            values = {"name": instance.name, "description": instance.description}
            return {"form": FormState(values)}

        await self.show_read("home/settings.html", work)

    async def post(self) -> None:
        """Change them."""
        try:
            form = self.form(InstanceChanges)
            await self.act(lambda session, actor: edit_instance(session, actor, form))
        except (Invalid, Conflict) as error:
            await self.read(lambda session, actor: _require_admin(actor))
            state = FormState.refused(self.typed(), error)
            await self.show("home/settings.html", state.status, form=state)
            return
        self.forget_name()
        self.say("The hub's name and description are changed.")
        self.go_on()


def _require_admin(actor: Actor) -> None:
    require_person(actor)
    if not actor.is_admin:
        raise Forbidden("Only administrators change this.")


class TrashPage(PageHandler):
    """What was deleted and can still come back."""

    async def get(self) -> None:
        """List groups and projects in the trash that the person owns."""
        paging = Paging(200)

        def work(session: Session, actor: Actor) -> Values:
            require_person(actor)
            now = clock.utcnow()
            gone = groups.list_groups(session, actor, paging, now=now, trash=True)
            lost = projects.list_projects(session, actor, paging, trash=True)
            unused = datasets.list_datasets(session, actor, paging, trash=True)
            return {
                "groups": [present.group(item, actor) for item in gone.items],
                "projects": [
                    {
                        **present.project(item, actor),
                        "waits": obstacles.to_restoring(item.project),
                    }
                    for item in lost.items
                ],
                "datasets": [
                    {**present.dataset(row, actor), "waits": obstacles.to_restoring(row)}
                    for row in unused.items
                ],
                "days": self.portal.settings.retention_days,
            }

        await self.show_read("home/trash.html", work)
