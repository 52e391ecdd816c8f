"""Random requests: every method of every address, never an answer that is not documented.

The contract checker of `tests.web.conftest` fails on a 500 and on whatever is not in the OpenAPI
document, so all there is to do is to ask.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sophon_hub.actions.forms import Form
from sophon_hub.api import openapi
from sophon_hub.api.operation import Operation, operations_of
from tests import make
from tests.web.conftest import Site, load

ADDRESSES: list[tuple[str, str, Operation]] = [
    (path, method.upper(), described)
    for path, _, handler in openapi.routes()
    for method, (described, _) in operations_of(handler).items()
]

texts = st.text(max_size=20) | st.sampled_from(
    ["", " ", "\x00", "\ud800", "<script>", "a" * 300, "../..", "public", "private", "lab", "owner"]
)
numbers = (
    st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, 1e308])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
segments = st.text(min_size=1, max_size=20).map(lambda text: quote(text, safe="", errors="replace"))
KNOWN = {
    "group": ["public", "internal", "private", "nowhere"],
    "project": ["public-work", "private-work", "nowhere"],
    "lab": ["bench", "nowhere"],
    "dataset": ["public-data", "private-data", "nowhere"],
    "version": [make.SECOND_VERSION, "nowhere"],
    "since": [make.FIRST_VERSION, "nowhere"],
    "lesson": ["heat-map", "nowhere"],
    "username": ["ada", "grace", "barbara", "charles", "nobody"],
}
# an example in four asks for something that cannot be
NAMES = {
    name: st.integers(0, 3).flatmap(
        lambda odd, known=known: segments if odd == 3 else st.sampled_from(known)
    )
    for name, known in KNOWN.items()
}
FITTING: dict[str, Any] = {"name": "New", "group": "public", "role": "viewer", "confirm": "public"}
queries = st.text(max_size=12) | st.sampled_from(
    ["true", "false", "0", "1", "200", "public", "open", "lab:open", "ada", "IjAi", "MQ=="]
)


@st.composite
def bodies(draw: st.DrawFn, form: type[Form]) -> bytes | None:
    """Fields of the form with fitting or random values, anything in JSON, or anything at all."""
    kind = draw(st.sampled_from(["fitting", "fitting", "fields", "fields", "json", "bytes"]))
    if kind == "bytes":
        return draw(st.binary(max_size=50))
    if kind == "json":
        return json.dumps(draw(values)).encode()
    names = st.sampled_from([*form.model_fields, "unknown"])
    body = {name: value for name, value in FITTING.items() if name in form.model_fields}
    if kind == "fields":
        body |= draw(st.dictionaries(names, values, max_size=4))
    return json.dumps(body).encode() if body else None


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bytes | None, str | None]:
    """Method, address, headers, body and who sends it."""
    path, method, described = draw(st.sampled_from(ADDRESSES))
    address = path.format(**{name: draw(found) for name, found in NAMES.items()})
    unknown = ["unknown"] if draw(st.integers(0, 9)) == 9 else []
    known = [name for name in sorted(described.names) if draw(st.booleans())]
    query = "&".join(f"{name}={quote(draw(queries), errors='replace')}" for name in known + unknown)
    body = draw(bodies(described.form)) if method != "GET" else None
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if draw(st.booleans()):
        headers["Idempotency-Key"] = draw(st.sampled_from(["a", "b", "c" * 300]))
    who = draw(st.sampled_from([None, "barbara", "grace", "ada", "ada", "root"]))
    return method, f"api/v1{address}" + (f"?{query}" if query else ""), headers, body, who


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(request=requests())
async def test_no_request_is_answered_otherwise_than_documented(
    busy_site: Site, populated: Path, request
):
    load(busy_site.portal.engine, populated)
    busy_site.portal.known_people.clear()
    method, address, headers, body, who = request
    client = busy_site.client(who)
    answer = await client.request(method, address, headers=headers, body=body)
    assert answer.status < 500


async def test_random_requests_do_more_than_fail(busy_site: Site):
    """A guard of the test above, and many requests one after the other."""
    found = []

    @settings(max_examples=1200, deadline=None, derandomize=True, database=None)
    @given(request=requests())
    def collect(request) -> None:
        found.append(request)

    collect()
    seen = set()
    for method, address, headers, body, who in found:
        if "/progress" in address:
            continue  # of a lab that was started here it never ends
        answer = await busy_site.client(who).request(method, address, headers=headers, body=body)
        seen.add(answer.status)
    assert seen >= {200, 204, 400, 401, 403, 404, 409, 422}
