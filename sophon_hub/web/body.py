"""Reading of request bodies: bounded, JSON or form, with the right refusal for each defect."""

import json
from typing import Any

from tornado.httputil import HTTPServerRequest

MAX_BODY = 1024 * 1024


class BadBody(Exception):
    """A body that cannot be read at all; ``status`` is 400, 413 or 415."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


TOO_LARGE = "The request is larger than 1 MiB."


def check_length(request: HTTPServerRequest) -> None:
    """Refuse a body that announces itself as too large, before it is read."""
    try:
        length = int(request.headers.get("Content-Length", "0"))
    except ValueError:
        raise BadBody(400, "The Content-Length header is no number.") from None
    if length > MAX_BODY:
        raise BadBody(413, TOO_LARGE)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def read_json(request: HTTPServerRequest) -> Any:
    """The body as JSON; an absent body is an empty object."""
    if not request.body:
        return {}
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise BadBody(415, "Send JSON, with the header Content-Type: application/json.")
    try:
        return json.loads(request.body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadBody(400, "The body is not JSON in UTF-8.") from None
