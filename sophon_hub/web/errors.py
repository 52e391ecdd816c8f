"""The only translator from domain errors to HTTP."""

from http.client import responses
from typing import Any

from tornado.web import HTTPError

from sophon_hub.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SophonError,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from sophon_hub.web.body import BadBody

STATUS = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Unavailable: 503,
    TooMany: 429,
}

PROBLEM_JSON = "application/problem+json"

_DETAILS = {
    400: "The request cannot be understood.",
    403: "You may not do this.",
    404: NotFound().detail,
    405: "This address does not take this method.",
    500: "Something went wrong on our side; it has been written to the log.",
}


def problem(error: BaseException | None, status: int) -> dict[str, Any]:
    """The problem document (RFC 9457) of an error.

    Args:
        error: what was raised, None when only a status is known.
        status: the HTTP status for errors that are not ours.
    """
    extra: dict[str, Any] = {}
    if isinstance(error, SophonError):
        status = STATUS[type(error)]
        detail = error.detail
        extra = error.extra
        if isinstance(error, Invalid):
            fields = [{"field": one.field, "message": one.message} for one in error.errors]
            extra = {"errors": fields}
    elif isinstance(error, BadBody):
        status, detail = error.status, error.detail
    elif isinstance(error, HTTPError):
        status = error.status_code
        detail = _DETAILS.get(status, error.log_message or responses.get(status, "Error"))
    else:
        detail = _DETAILS.get(status, responses.get(status, "Error"))
    return {
        "type": "about:blank",
        "title": responses.get(status, "Error"),
        "status": status,
        "detail": detail,
        **extra,
    }
