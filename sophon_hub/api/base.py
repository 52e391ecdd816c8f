"""Base of the API's handlers: JSON in, JSON or a problem document out, repeatable creations."""

import hashlib
import json
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from sophon_hub.actions import idempotency
from sophon_hub.actions.forms import Form
from sophon_hub.errors import FieldError, Invalid, NotFound, Unauthenticated
from sophon_hub.policy.actor import Actor
from sophon_hub.store.engine import Session
from sophon_hub.web import security
from sophon_hub.web.body import BadBody, read_json
from sophon_hub.web.errors import PROBLEM_JSON
from sophon_hub.web.handlers import BaseHandler, Work
from sophon_hub.web.identity import GUEST

F = TypeVar("F", bound=Form)

Json = dict[str, Any]

XSRF_ARGUMENT = "_xsrf"
"""Where browsers put the XSRF token when they cannot set a header (EventSource)."""


class ApiHandler(BaseHandler):
    """Answers JSON."""

    via = "api"
    takes_forms = False
    for_guests = False
    """Whether guests do something here: then they hear what is wrong with what they sent."""

    def content_policy(self) -> str:
        """Nothing may be loaded; the same for every answer, so that no two 404s differ."""
        return security.API_POLICY

    def form(self, kind: type[F]) -> F:
        """The JSON body as a form. Guests are asked to sign in before anything else."""
        self.load_body()
        try:
            data = read_json(self.request)
            if not isinstance(data, dict):
                raise Invalid.of("body", "Send a JSON object.")
            return kind.read(data)
        except (Invalid, BadBody):
            if self._caller == GUEST and not self.for_guests:
                raise Unauthenticated from None
            raise

    def check_arguments(self, known: AbstractSet[str]) -> None:
        """Refuse query arguments that would be ignored."""
        unknown = sorted(self.request.query_arguments.keys() - known - {XSRF_ARGUMENT})
        if unknown:
            raise Invalid([FieldError(name, "There is no such argument.") for name in unknown])

    def answer(self, data: Json, status: int = 200) -> None:
        """Send an answer."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(json.dumps(data, ensure_ascii=False))

    def answer_nothing(self) -> None:
        """Send 204."""
        self.set_status(204)
        self.clear_header("Content-Type")

    def answer_problem(self, error: BaseException | None, document: Json) -> None:
        """Send a problem document, in ASCII: it may quote what is not valid Unicode."""
        self.set_header("Content-Type", PROBLEM_JSON)
        if document["status"] == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="sophon"')
        self.finish(json.dumps(document))

    async def answer_read(self, work: Work[Json]) -> None:
        """Read something and send it."""
        self.answer(await self.read(work))

    async def answer_created(self, work: Work[Json]) -> None:
        """Create something and send it with 201; the same ``Idempotency-Key`` creates it once."""
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            self.answer(await self.act(work), 201)
            return
        digest = hashlib.sha256(f"{self.request.path}\n".encode() + self.request.body).hexdigest()

        def once(session: Session, actor: Actor) -> Json:
            return idempotency.once(session, actor, key, digest, lambda: work(session, actor))

        self.answer(await self.act(once), 201)


class UnknownAddress(ApiHandler):
    """Everything below the API's path that is no route: the same 404 as for what is invisible."""

    async def get(self, *_: str) -> None:
        """Answer 404."""
        self.load_body()
        await self.caller()
        raise NotFound

    post = put = patch = delete = options = get
