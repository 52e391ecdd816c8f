"""Reading of request bodies: bounded, JSON or form, with the right refusal for each defect."""

import json
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest

MAX_BODY = 1024 * 1024
MAX_DRAINED = 8 * MAX_BODY
"""A body that is too large is read up to here and thrown away before it is refused, since a
client that is still sending when the connection closes never sees the answer."""

TOO_LARGE = "The request is larger than 1 MiB."


class BadBody(Exception):
    """A body that cannot be read at all; ``status`` is 400, 413 or 415."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class BoundedBody:
    """A body as it comes in: kept up to its largest size, thrown away beyond."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.size = 0

    def expect(self, headers: HTTPHeaders) -> None:
        """Refuse at once what is announced to be far too large, or is not being sent yet."""
        try:
            length = int(headers.get("Content-Length", "0"))
        except ValueError:
            raise BadBody(400, "The Content-Length header is no number.") from None
        if length > MAX_DRAINED or (length > MAX_BODY and "Expect" in headers):
            raise BadBody(413, TOO_LARGE)

    def add(self, chunk: bytes) -> None:
        """Take the next piece; refuse what does not end."""
        self.size += len(chunk)
        if self.size > MAX_DRAINED:
            raise BadBody(413, TOO_LARGE)
        if self.size > MAX_BODY:
            self._chunks.clear()
        else:
            self._chunks.append(chunk)

    def take(self) -> bytes:
        """The whole body, once; empty when it was taken or there is none."""
        if self.size > MAX_BODY:
            raise BadBody(413, TOO_LARGE)
        body = b"".join(self._chunks)
        self._chunks.clear()
        return body


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is there twice")
    return fields


def read_json(request: HTTPServerRequest) -> Any:
    """The body as JSON; an absent body is an empty object."""
    if not request.body:
        return {}
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise BadBody(415, "Send JSON, with the header Content-Type: application/json.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BadBody(415, "Send the JSON as it is, without Content-Encoding.")
    try:
        return json.loads(
            request.body.decode("utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_repeated,
        )
    except (ValueError, RecursionError):
        raise BadBody(400, "The body is not JSON in UTF-8, or has a field twice.") from None
