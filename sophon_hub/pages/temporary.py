"""Trying a lab without an account: the offer, the queue, the visit."""

from tornado.web import HTTPError

from sophon_hub.actions import keeping
from sophon_hub.actions import temporary as actions
from sophon_hub.actions.forms import NewProject
from sophon_hub.actions.temporary import Turn
from sophon_hub.errors import Forbidden, Invalid, NotFound
from sophon_hub.models import TemporaryLab
from sophon_hub.pages.base import FormState, PageHandler, Values
from sophon_hub.pages.projects import groups_for_projects
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, may
from sophon_hub.settings import Sophon
from sophon_hub.store import labs, temporary
from sophon_hub.store.engine import Session
from sophon_hub.web import visiting, visitors

FILLING_SECONDS = 1
TOO_OLD = "The page is too old, or cookies are switched off; go back, reload it and try again."


class TryPage(PageHandler):
    """The one page of visitors. Only its form takes a lab; looking at it takes nothing."""

    section = "try"

    async def prepare(self) -> None:
        """Keep search engines away."""
        self.set_header("X-Robots-Tag", "noindex, nofollow")
        await super().prepare()

    async def get(self) -> None:
        """Show what this browser has: a lab, a place in the queue, or the offer.

        Who has just asked comes with ``enter`` and goes in when everything is there.
        """
        settings = self.portal.settings
        secret = visitors.visit_secret(self)
        if not settings.temporary_labs:
            await self.show("home/try.html", 404, state="off")
            return
        if secret is None:
            await self._show_offer()
            return
        visit = temporary.visit_digest(secret)
        turn = await self.read(lambda session, _: visiting.turn_of(session, visit))
        if turn is None:
            await self._show_offer()
        elif turn.lab is not None:
            await self._show_visit(visit, enter=self.flag_argument("enter"))
        elif (await self.caller()).username is not None:
            await self._show_offer()
        else:
            await self._wait(visit)

    async def _show_offer(self) -> None:
        signed_in = (await self.caller()).username is not None
        settings = self.portal.settings
        await self.show(
            "home/try.html",
            state="signed-in" if signed_in else "offer",
            ended=self.flag_argument("ended"),
            limits=_limits(settings),
        )

    async def _show_visit(
        self, visit: str, *, enter: bool = False, form: FormState | None = None
    ) -> None:
        settings, shown = self.portal.settings, form or FormState()

        def work(session: Session, actor: Actor) -> Values:
            lab = temporary.find_lab_of_visit(session, visit)
            if lab is None:
                raise NotFound
            groups = [] if actor.is_guest else groups_for_projects(session, actor)
            return {
                "signed_in": not actor.is_guest,
                "groups": groups,
                "kept_in": _kept_in(session, actor, lab),
                "form": shown,
                **_visit(lab, settings),
            }

        values = await self.read(work)
        if enter and values["brought_as"]:
            self.send_to(values["enter"], status=303)
        else:
            await self.show("home/try.html", shown.status, **values)

    async def _wait(self, visit: str) -> None:
        """Go in when it is this browser's turn; else show how many come before it."""
        settings = self.portal.settings
        turn: Turn | None = await self.read(lambda session, _: visiting.turn_of(session, visit))
        if self.request.method == "GET":  # HEAD looks only
            turn = await self.act(
                lambda session, actor: actions.keep_waiting(session, actor, visit, settings)
            )
        if turn is None:
            await self._show_offer()
            return
        if turn.lab is not None:
            self._enter(turn)
            return
        waiting = turn
        is_full = await self.read(lambda session, _: visiting.is_full(session, waiting, settings))
        seconds = visiting.FULL_REFRESH_SECONDS if is_full else visiting.REFRESH_SECONDS
        self.set_header("Retry-After", str(seconds))
        await self.show(
            "home/try.html",
            503,
            state="full" if is_full else "starting",
            place=waiting.place,
            capacity=settings.temporary_capacity,
            refresh=seconds,
        )

    async def post(self) -> None:
        """Take a lab, keep what is in it, or leave it: whatever the button says."""
        buttons = {
            "start": self._start,
            "keep": self._keep,
            "keep-again": self._keep_again,
            "keep-project": self._keep_in_new_project,
            "end": self._end,
        }
        do = buttons.get(self.typed().get("action", ""))
        self._check_form()
        if do is None:
            raise NotFound
        await do()

    def _check_form(self) -> None:
        """Refuse what another site sends: guests have no session that would be looked at.

        JupyterHub's words for guests are the same for all with the same address and browser, so
        the cookie has to be there: browsers do not send it with a form of another site.
        """
        try:
            self.check_xsrf_cookie()  # type: ignore[no-untyped-call]
        except HTTPError:
            raise Forbidden(TOO_OLD) from None
        if not any(name.endswith("_xsrf") for name in self.request.cookies):
            raise Forbidden(TOO_OLD)

    async def _start(self) -> None:
        turn, _ = await visiting.ask_for_lab(self, self.typed().get("project", ""))
        if turn.lab is not None:
            self._enter(turn)
        else:
            self.go_on("try")

    def _visit_digest(self) -> str:
        secret = visitors.visit_secret(self)
        if secret is None:
            raise NotFound
        return temporary.visit_digest(secret)

    async def _keep(self) -> None:
        visit, settings = self._visit_digest(), self.portal.settings
        await self.act(lambda session, actor: keeping.keep_work(session, actor, visit, settings))
        self.go_on("try")

    async def _keep_again(self) -> None:
        visit, settings = self._visit_digest(), self.portal.settings
        await self.act(lambda session, actor: keeping.keep_again(session, actor, visit, settings))
        self.go_on("try")

    async def _keep_in_new_project(self) -> None:
        visit, settings = self._visit_digest(), self.portal.settings
        try:
            form = self.form(NewProject)
            await self.act(
                lambda session, actor: keeping.keep_in_new_project(
                    session, actor, visit, form, settings
                )
            )
        except Invalid as error:
            await self._show_visit(visit, form=FormState.refused(self.typed(), error))
            return
        self.go_on("try")

    async def _end(self) -> None:
        visit = self._visit_digest()
        await self.act(lambda session, actor: actions.leave_lab(session, actor, visit))
        visitors.forget_visit(self)
        self.say("The visit is over. The lab and everything in it is deleted.")
        self.go_on("try")

    def _enter(self, turn: Turn) -> None:
        lab = self.portal.addresses.temporary_lab(turn.lab or "")
        self.send_to(f"{self.address('try')}?enter=true" if turn.is_filling else lab, status=303)


def _limits(settings: Sophon) -> Values:
    return {
        "idle": _words(settings.temporary_idle_minutes),
        "longest": _words(settings.temporary_max_minutes),
    }


def _words(minutes: int) -> str:
    if minutes % 60:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    hours = minutes // 60
    return f"{hours} hour{'s' if hours > 1 else ''}"


def _refresh(lab: TemporaryLab) -> int:
    if lab.is_filling:
        return FILLING_SECONDS
    return visiting.REFRESH_SECONDS if lab.keeper_id else 0


def _kept_in(session: Session, actor: Actor, lab: TemporaryLab) -> Values | None:
    """The lab of a project that has the files, as far as the actor may see it."""
    found = labs.find_lab(session, actor, lab.keep_lab_id)
    if found is None or found.deleted_at or not may(actor, Permission.LAB_OPEN, found):
        return None
    project = found.project
    return {"lab": found.slug, "project": project.slug, "name": project.name}


def _visit(lab: TemporaryLab, settings: Sophon) -> Values:
    shown = visiting.shown(lab, settings)
    return {
        "state": "filling" if lab.is_filling else "visit",
        "enter": shown["url"],
        "ends_at": shown["ends_at"],
        "limits": _limits(settings),
        "refresh": _refresh(lab),
        "brought_as": lab.brought_as,
        "bring_trouble": lab.bring_trouble,
        "copying": lab.keeper_id is not None,
        "kept_as": lab.kept_as,
        "trouble": lab.keep_trouble,
    }
