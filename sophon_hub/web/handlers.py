"""Base of every request handler: caller, actor, transactions, bodies, errors."""

import logging
from asyncio import Future
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

from jupyterhub.services.auth import HubOAuthenticated
from tornado.httputil import HTTPInputError, parse_body_arguments
from tornado.web import RequestHandler, stream_request_body

from sophon_hub import clock, request_ids
from sophon_hub.actions.noticed import (
    Noticed,
    look_at,
    record_looks,
    record_refusal,
    refusal_of,
)
from sophon_hub.actions.people import note_person
from sophon_hub.errors import Forbidden, Invalid, SophonError, Unavailable
from sophon_hub.policy.actor import Actor
from sophon_hub.store import people
from sophon_hub.store.engine import Session
from sophon_hub.store.looks import noted_looks
from sophon_hub.store.paging import DEFAULT_LIMIT, Paging
from sophon_hub.web import security
from sophon_hub.web.body import BadBody, BoundedBody
from sophon_hub.web.errors import problem
from sophon_hub.web.identity import Caller, identify
from sophon_hub.web.portal import Portal

T = TypeVar("T")

Work = Callable[[Session, Actor], T]

log = logging.getLogger("sophon.portal")

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@stream_request_body
class BaseHandler(HubOAuthenticated, RequestHandler):
    """What pages and API handlers share.

    Bodies are streamed, so that one that is too large is refused before it is kept.
    """

    via = "page"
    takes_forms = True
    is_stream = False
    caller_kinds = frozenset({"user"})
    portal: Portal

    def initialize(self, portal: Portal) -> None:
        """Take the portal's parts from the application."""
        self.portal = portal
        self.hub_auth = portal.hub_auth
        self.csp_nonce = security.new_nonce()
        self._caller: Caller | None = None
        self._refusal: tuple[Actor, Noticed] | None = None
        self._body = BoundedBody()
        security.set_headers(self, self.content_policy())

    def set_default_headers(self) -> None:
        """Every answer, an error too, names its request."""
        self.set_header(request_ids.HEADER, request_ids.of_handler(self))

    def content_policy(self) -> str:
        """The Content-Security-Policy of answers."""
        return security.page_policy(self.csp_nonce, self.portal.addresses.all_servers)

    async def prepare(self) -> None:
        """Refuse a body that announces itself as far too large."""
        self._body.expect(self.request.headers)

    def data_received(self, chunk: bytes) -> None:
        """Collect the body, up to its largest size."""
        try:
            self._body.add(chunk)
        except BadBody as error:
            self.send_error(error.status, exc_info=(BadBody, error, None))

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """Answer; and say so where the connection ends with it.

        Tornado closes the connection after an answer that was there before the body was read,
        without a word; the hub's proxy could send the next request into it, which would fail.
        """
        if not self.request._body_future.done():
            self.set_header("Connection", "close")
        return super().finish(chunk)

    def load_body(self) -> None:
        """Put the collected body where Tornado keeps it, form fields included."""
        body = self._body.take()
        if not body:
            return
        self.request.body = body
        if self.takes_forms:
            self._load_fields()

    def _load_fields(self) -> None:
        try:
            parse_body_arguments(
                self.request.headers.get("Content-Type", ""),
                self.request.body,
                self.request.body_arguments,
                self.request.files,
                self.request.headers,
            )
        except HTTPInputError:
            raise BadBody(400, "The form cannot be read.") from None
        for name, values in self.request.body_arguments.items():
            self.request.arguments.setdefault(name, []).extend(values)

    async def caller(self, *, again: bool = False) -> Caller:
        """Who asks, asked for once a request; ``again`` looks whether it still holds."""
        if self._caller is None or again:
            self.load_body()
            self._caller = await identify(self, self.hub_auth, self.caller_kinds)
        return self._caller

    async def read(self, work: Work[T]) -> T:
        """Run ``work(session, actor)`` without writing.

        What an administrator has seen of private things is written down before it is shown.
        """
        caller = await self.caller()
        await self._remember(caller)

        def run(session: Session) -> tuple[T, Actor, list[Noticed]]:
            actor = self._actor(session, caller)
            found = self._noting(session, actor, work)
            return found, actor, [look_at(actor, seen) for seen in noted_looks(session)]

        found, actor, looks = await self._or_refused(self.portal.read(run))
        if not self.is_look:
            return found
        new = self.portal.looks.new(actor.person_id, looks)
        if new:
            await self.portal.write(lambda session: record_looks(session, actor, new))
        self.portal.looks.remember(actor.person_id, looks)
        return found

    @property
    def is_look(self) -> bool:
        """Whether what is read is read to be shown; a page also shows forms that come back."""
        return self.via == "page" or self.request.method in ("GET", "HEAD")

    async def act(self, work: Work[T]) -> T:
        """Run ``work(session, actor)`` in one transaction; the actor's rights are read in it."""
        caller = await self.caller()
        await self._remember(caller)
        return await self._or_refused(
            self.portal.write(
                lambda session: self._noting(session, self._actor(session, caller), work)
            )
        )

    def _noting(self, session: Session, actor: Actor, work: Work[T]) -> T:
        """Do the work; keep what a refusal is about while it can still be read."""
        self._refusal = None
        try:
            return work(session, actor)
        except Forbidden as error:
            if error.subject is not None and not actor.is_guest:
                self._refusal = actor, refusal_of(actor, error.permission, error.subject)
            raise

    async def _or_refused(self, answer: Awaitable[T]) -> T:
        """Write down what the policy refuses to somebody; not more of it than there is room for."""
        try:
            return await answer
        except Forbidden:
            if self._refusal is not None:
                await self._note(*self._refusal)
            raise

    async def _note(self, actor: Actor, refusal: Noticed) -> None:
        unrecorded = self.portal.refusals.take(actor.username)
        if unrecorded is None:
            return
        try:
            await self.portal.write(
                lambda session: record_refusal(session, actor, refusal, unrecorded)
            )
        except SophonError as error:
            log.warning("A refusal is not in the audit trail: %s", error)

    async def _remember(self, caller: Caller) -> None:
        """Make or refresh the person's record when the Hub tells something new."""
        username = caller.username
        told = (caller.display_name, caller.is_admin)
        if username is None or self.portal.known_people.get(username) == told:
            return
        await self.portal.write(
            lambda session: note_person(
                session, username, caller.display_name, is_admin=caller.is_admin
            )
        )
        self.portal.known_people[username] = told

    def _actor(self, session: Session, caller: Caller) -> Actor:
        if caller.username is None:
            return Actor(via=self.via, request_id=request_ids.of_handler(self))
        actor = people.find_actor(
            session,
            caller.username,
            is_admin=caller.is_admin,
            via=self.via,
            now=clock.utcnow(),
            request_id=request_ids.of_handler(self),
        )
        if actor is None:
            # what was remembered may be of an account that is gone by now
            self.portal.known_people.clear()
            self.hub_auth.cache.clear()
            raise Unavailable("Your account is just being set up; please try again.", 1)
        return actor

    def one_argument(self, name: str, default: str = "") -> str:
        """A query argument that may be given once, as it came, control characters included."""
        values = self.request.query_arguments.get(name, [])
        if len(values) > 1:
            raise Invalid.of(name, "Give this once.")
        return self.decode_argument(values[0], name) if values else default

    def flag_argument(self, name: str) -> bool:
        """A query argument that is ``true`` or ``false``."""
        value = self.one_argument(name, "false")
        if value not in {"true", "false"}:
            raise Invalid.of(name, "Give true or false.")
        return value == "true"

    def paging(self) -> Paging:
        """The page of a list asked for by ``limit`` and ``cursor``."""
        limit = self.one_argument("limit", str(DEFAULT_LIMIT))
        if not limit.isascii() or not limit.isdigit() or len(limit) > len("200"):
            raise Invalid.of("limit", "Give a whole number from 1 to 200.")
        return Paging(int(limit), self.one_argument("cursor") or None)

    def send_to(self, address: str, status: int = 302) -> None:
        """Answer with a redirect."""
        self.redirect(address, status=status)

    def sign_in_address(self) -> str:
        """Where the Hub signs somebody in and then sends them back to this page."""
        return str(self.get_login_url())

    async def head(self, *args: str, **kwargs: str) -> None:
        """Answer as GET does, without the body (which Tornado drops)."""
        answer = self.get(*args, **kwargs)
        if answer is not None:
            await answer

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log only what is our fault."""
        if isinstance(value, (SophonError, BadBody)):
            # as a literal: the text may quote what was sent, line breaks included
            log.info("%s %s: %r", self.request.method, self.request.path, str(value))
            return
        super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error with the status and words of the domain."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        document = problem(error, status_code)
        self.set_status(document["status"])
        if document["status"] == 405:
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        if isinstance(error, Unavailable):
            self.set_header("Retry-After", str(error.retry_after))
        security.set_headers(self, self.content_policy())
        self.answer_problem(error, document)

    def answer_problem(self, error: BaseException | None, document: dict[str, Any]) -> None:
        """Write the error; pages and API differ in this."""
        raise NotImplementedError

    @classmethod
    def allowed_methods(cls) -> list[str]:
        """The methods this address takes."""
        return [
            method
            for method in METHODS
            if getattr(cls, "get" if method == "HEAD" else method.lower()) is not RequestHandler.get
        ]
