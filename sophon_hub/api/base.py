"""Base of the API's handlers: JSON in, JSON or a problem document out, repeatable creations."""

import hashlib
import json
from typing import Any, TypeVar

from sophon_hub.actions import idempotency
from sophon_hub.actions.forms import Form
from sophon_hub.errors import Invalid
from sophon_hub.policy.actor import Actor
from sophon_hub.store.engine import Session
from sophon_hub.web.body import read_json
from sophon_hub.web.errors import PROBLEM_JSON
from sophon_hub.web.handlers import BaseHandler, Work

F = TypeVar("F", bound=Form)

Json = dict[str, Any]


class ApiHandler(BaseHandler):
    """Answers JSON."""

    via = "api"

    def form(self, kind: type[F]) -> F:
        """The JSON body as a form."""
        self.load_body()
        data = read_json(self.request)
        if not isinstance(data, dict):
            raise Invalid.of("body", "Send a JSON object.")
        return kind.read(data)

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
        """Send a problem document."""
        self.set_header("Content-Type", PROBLEM_JSON)
        if document["status"] == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="sophon"')
        self.finish(json.dumps(document, ensure_ascii=False))

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
        self.send_error(404)

    post = put = patch = delete = get
