"""Base of all pages: recognising people, the frame around pages, forms that come back, errors."""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jupyterhub.utils import get_browser_protocol, url_path_join

from sophon_hub.actions.forms import Form
from sophon_hub.errors import Conflict, Invalid, Unauthenticated
from sophon_hub.pages import frame
from sophon_hub.pages.fields import read_form, typed_values
from sophon_hub.store.instance import get_instance
from sophon_hub.store.paging import Paging
from sophon_hub.web.handlers import BaseHandler, Work
from sophon_hub.web.identity import GUEST, Caller

F = TypeVar("F", bound=Form)

Values = dict[str, Any]

PAGE_SIZE = 20
NAME_SECONDS = 5
FLASH = "sophon-flash"
TRIED = "sophon-sign-in-tried"
HUB_SESSION = "jupyterhub-session-id"
SAFE_METHODS = frozenset({"GET", "HEAD"})
LONGEST_NAME = 60
"""Characters of a name in a message: names may have 200, cookies 4096 bytes."""


@dataclass
class FormState:
    """A form as it is shown: what is in the fields, and what is wrong with them."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200

    @classmethod
    def refused(cls, typed: Mapping[str, str], error: Invalid | Conflict) -> "FormState":
        """The form as it comes back when it was not accepted."""
        if isinstance(error, Invalid):
            errors = {one.field: one.message for one in reversed(error.errors)}
            return cls(typed, errors, status=422)
        at_field = error.extra.get("field")
        if at_field:
            return cls(typed, {at_field: error.detail}, status=409)
        return cls(typed, problem=error.detail, extra=error.extra, status=409)


class PageHandler(BaseHandler):
    """Answers HTML."""

    via = "page"
    section = ""
    """The entry of the navigation that this page belongs to."""

    async def prepare(self) -> None:
        """Recognise who comes, through the Hub where that may be needed."""
        await super().prepare()
        if self.request.method in SAFE_METHODS:
            await self._recognise()

    @property
    def is_partial(self) -> bool:
        """Whether a script of the page asks, not somebody who goes to an address."""
        mode = self.request.headers.get("Sec-Fetch-Mode", "navigate")
        return "HX-Request" in self.request.headers or mode != "navigate"

    async def _recognise(self) -> None:
        """Send somebody whom the Hub may know through the Hub's sign-in, once a session."""
        session_id = self.get_cookie(HUB_SESSION) or ""
        mark = hashlib.sha256(session_id.encode()).hexdigest()[:16]
        tried = self.get_cookie(TRIED) == mark
        try:
            known = await self.caller() != GUEST
        except Unauthenticated:
            if "Authorization" in self.request.headers or self.is_partial:
                raise
            if tried:
                self._caller = GUEST
                return
            known, session_id = False, session_id or "stale"
        if known:
            if self.get_cookie(TRIED):
                self.clear_cookie(TRIED, path=self.portal.prefix)
        elif session_id and not tried and not self.is_partial:
            self._put_cookie(TRIED, mark, days=1)
            self.send_to(self.sign_in_address())

    def get_current_user(self) -> Any:
        """For JupyterHub's code: who was recognised, without asking the Hub once more."""
        return self._caller.username if self._caller else None

    def _put_cookie(self, name: str, value: str, days: float | None = None) -> None:
        self.set_cookie(
            name,
            value,
            expires_days=days,
            path=self.portal.prefix,
            httponly=True,
            samesite="Lax",
            secure=self.portal.addresses.is_https or get_browser_protocol(self.request) == "https",
        )

    # -- answers

    def address(self, *parts: str) -> str:
        """The path of a page, from the parts below the portal's prefix."""
        return str(url_path_join(self.portal.prefix, *parts)) if parts else self.portal.prefix

    def go_on(self, *parts: str) -> None:
        """After a form was accepted: show a page, which a reload does not send again."""
        self.send_to(self.address(*parts), status=303)

    def say(self, text: str, kind: str = "success") -> None:
        """Show a message on the next page."""
        value = self.create_signed_value(FLASH, json.dumps([kind, text]))
        self._put_cookie(FLASH, value.decode("ascii"))

    def _said(self) -> list[tuple[str, str]]:
        if self.get_cookie(FLASH) is None or self.is_partial:
            return []
        value = self.get_signed_cookie(FLASH, max_age_days=1)
        self.clear_cookie(FLASH, path=self.portal.prefix)
        return [tuple(json.loads(value))] if value else []

    async def show(self, template: str, /, status: int = 200, **values: Any) -> None:
        """Answer with a page."""
        caller = await self.caller()
        name = await self._instance_name()
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self._render(template, caller, name, values))

    async def show_read(self, template: str, work: Work[Values], status: int = 200) -> None:
        """Read what a page shows, and show it."""
        await self.show(template, status, **await self.read(work))

    def _render(self, template: str, caller: Caller, name: str, values: Values) -> str:
        variables = frame.variables(self, caller, name)
        variables["messages"] = self._said()
        environment = frame.environment(self.portal)
        return environment.get_template(template).render(**variables, **values)

    async def _instance_name(self) -> str:
        """The name of the hub, asked for every few seconds at most."""
        name, until = self.application.settings.get("instance_name", ("", 0.0))
        if time.monotonic() < until:
            return str(name)
        name = await self.portal.read(lambda session: get_instance(session).name)
        self.forget_name((name, time.monotonic() + NAME_SECONDS))
        return str(name)

    def forget_name(self, known: tuple[str, float] = ("", 0.0)) -> None:
        """Ask for the name of the hub again at the next page."""
        self.application.settings["instance_name"] = known

    # -- live parts

    @staticmethod
    def mark_of(shown: Any) -> str:
        """A word for what a live part of a page shows, to notice changes."""
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]

    def is_unchanged(self, mark: str) -> bool:
        """Answer 204 to a script that has this already, so that it leaves the page alone."""
        if not self.is_partial or self.one_argument("seen") != mark:
            return False
        self.set_status(204)
        self.finish()
        return True

    # -- forms

    def typed(self) -> dict[str, str]:
        """What was typed into the form."""
        self.load_body()
        return typed_values(self.request)

    def form(self, kind: type[F], *, but: frozenset[str] = frozenset()) -> F:
        """What was typed as a form of `actions.forms`; ``but`` leaves fields out."""
        return read_form(kind, {k: v for k, v in self.typed().items() if k not in but})

    @staticmethod
    def new_key() -> str:
        """A word for a form that creates something: see `once_key`."""
        return secrets.token_urlsafe(12)

    def once_key(self) -> str:
        """What names this sending of this form, however often a browser sends it."""
        sent = self.typed()
        text = json.dumps(sorted(item for item in sent.items() if item[0] != "_xsrf"))
        return hashlib.sha256(f"{self.request.path}\n{text}".encode()).hexdigest()

    def check_typed_address(self, slug: str) -> None:
        """Whoever deletes something has typed its address."""
        typed = self.typed()
        if typed.get("address", "").strip() != slug:
            raise Invalid.of("address", f"Type {slug} to confirm.")

    def page_paging(self) -> Paging:
        """The page of a list that is asked for."""
        return Paging(PAGE_SIZE, self.one_argument("cursor") or None)

    # -- errors

    def answer_problem(self, error: BaseException | None, document: dict[str, Any]) -> None:
        """Show the error in plain words, or lead to the sign-in."""
        status = document["status"]
        by_token = "Authorization" in self.request.headers
        if status == 401 and self.request.method in SAFE_METHODS and not by_token:
            if not self.is_partial:
                self.send_to(self.sign_in_address())
                return
            self.set_header("HX-Refresh", "true")
        name = self.application.settings.get("instance_name", ("",))[0]
        self.set_header("Content-Type", "text/html; charset=utf-8")
        values = {"problem": document}
        self.finish(self._render("error-page.html", self._caller or GUEST, name, values))


def short(name: str) -> str:
    """A name for a message."""
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
