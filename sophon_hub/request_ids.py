"""What ties answers, lines of logs and events to the request that made them.

An event carries the id of the HTTP request that it comes from; on the command line that of the
run, in the worker that of the job, and none where the hub acts unasked.
"""

import re
from typing import Any
from uuid import uuid4

HEADER = "X-Request-ID"

LONGEST = 64

_WELL_FORMED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9@._:=+-]{{0,{LONGEST - 1}}}")


def new() -> str:
    """An id that nothing else has."""
    return uuid4().hex


def choose(given: str | None) -> str:
    """The id that the request brought, when it is one; else a new one.

    Two headers of this name come joined by a comma, and are none.
    """
    return given if given and _WELL_FORMED.fullmatch(given) else new()


def of_handler(handler: Any) -> str:
    """The id of the request that a handler of Tornado answers, the same each time."""
    request = handler.request
    if not hasattr(request, "sophon_id"):
        request.sophon_id = choose(request.headers.get(HEADER))
    found: str = request.sophon_id
    return found


def of_job(number: int) -> str:
    """The id of what a job of the worker does, each time it is tried."""
    return f"job-{number}"
