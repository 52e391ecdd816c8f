"""The OpenAPI 3.1 document, generated from the table of addresses and the decorated methods."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from http.client import responses
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from tornado.util import import_object

from sophon_hub.actions.forms import Form, Nothing
from sophon_hub.api.operation import Answer, ListOf, Operation, operations_of
from sophon_hub.api.problems import Problem
from sophon_hub.web.errors import PROBLEM_JSON
from sophon_hub.web.routes import API_ROUTES

Json = dict[str, Any]

CATCH_ALL = "api-unknown"
ROOT = "api/v1"

DESCRIPTION = """\
Everything a person can do on a page of the hub can be done here.

Without credentials the caller is a guest and sees what is public; credentials that do not hold
are 401. A token needs the scope `access:services!service=sophon`. With the session cookie, every
unsafe method needs the `X-XSRFToken` header, and so does everything that a script in a browser
fetches (or the query argument `_xsrf`).

What is not there and what the caller may not see give the same 404. Fields and query arguments
that do not exist are 422. Texts are trimmed and NFC-normalised; times are RFC 3339 in UTC.
"""

_PARAMETERS = {
    "groups": ("group", "Slug of a research group."),
    "projects": ("project", "Slug of a project."),
    "labs": ("lab", "Slug of a lab."),
    "datasets": ("dataset", "Slug of a dataset."),
    "lessons": ("lesson", "Name of a lesson."),
    "history": ("version", "Id of a version of a notebook."),
    "since": ("since", "Id of the version that it is compared with."),
    "members": ("username", "Name of an account."),
    "requests": ("username", "Name of an account."),
}
"""The parameter that follows each word of a path."""

_PROBLEMS = {
    400: "The request cannot be read: broken JSON, invalid UTF-8.",
    401: "The credentials do not hold, or only signed-in people do this.",
    403: "The caller sees it, but may not do this; or the XSRF token is missing.",
    404: "It is not there, or the caller may not see it.",
    409: "It contradicts the current state.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not JSON.",
    422: "Fields or arguments are wrong; `errors` says which.",
    503: "The hub or its database does not answer; see Retry-After.",
}


def routes() -> Iterator[tuple[str, str, type]]:
    """Path, name and handler of every address of the API."""
    for pattern, handler, name in API_ROUTES:
        if name != CATCH_ALL:
            yield _path(pattern), name.removeprefix("api-"), import_object(handler)


def _path(pattern: str) -> str:
    """The pattern of an address as an OpenAPI path template."""
    return re.sub(
        r"([a-z]+)/\([^()]*\)",
        lambda match: f"{match[1]}/{{{_PARAMETERS[match[1]][0]}}}",
        pattern.removeprefix(ROOT),
    )


@lru_cache(maxsize=1)
def document_json(server: str) -> str:
    """The document as JSON, for a hub whose API is at this path."""
    return json.dumps(document(server), ensure_ascii=False)


def document(server: str) -> Json:
    """The document, for a hub whose API is at this path."""
    schemas = _Schemas()
    paths: Json = {}
    for path, name, handler in routes():
        for method, (described, doc) in operations_of(handler).items():
            item = paths.setdefault(path, {"parameters": _path_parameters(path)})
            item[method] = {
                "operationId": f"{method}-{name}",
                "tags": [path.split("/")[1]],
                "summary": doc.strip().rstrip("."),
                **_operation(path, method, described, schemas),
            }
    problems = {str(status): _problem(status, schemas) for status in _PROBLEMS}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sophon Hub", "version": "1", "description": DESCRIPTION},
        "servers": [{"url": server}],
        "security": [{}, {"token": []}, {"session": [], "xsrf": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions(),
            "responses": problems,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the Hub; `token` is understood for `Bearer`, too.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "service-sophon",
                    "description": "The session of somebody who signed in with a browser.",
                },
                "xsrf": {"type": "apiKey", "in": "header", "name": "X-XSRFToken"},
            },
        },
    }


def _path_parameters(path: str) -> list[Json]:
    descriptions = dict(_PARAMETERS.values())
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": descriptions[name],
            "schema": {"type": "string"},
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _operation(path: str, method: str, described: Operation, schemas: "_Schemas") -> Json:
    parameters = [
        {
            "name": argument.name,
            "in": "query",
            "required": argument.required,
            "description": argument.description,
            "schema": dict(argument.schema),
        }
        for argument in described.arguments
    ]
    if method == "post" and 201 in described.answers:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same request with the same key creates one object.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 200},
            }
        )
    answers = {
        str(status): _answer(status, answer, schemas)
        for status, answer in described.answers.items()
    }
    for status in _problems_of(path, method, described):
        answers.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    found: Json = {"parameters": parameters, "responses": answers}
    if described.form is not Nothing:
        required = any(field.is_required() for field in described.form.model_fields.values())
        body = {"application/json": {"schema": schemas.form(described.form)}}
        found["requestBody"] = {"required": required, "content": body}
    return found


def _problems_of(path: str, method: str, described: Operation) -> Iterator[int]:
    """The problems that a method can answer with."""
    yield from (400, 413, 422)
    if described.checks_credentials:
        yield from (401, 403, 503)
    if "{" in path:
        yield 404
    if method != "get":
        yield from (409, 415)


def _answer(status: int, answer: Answer, schemas: "_Schemas") -> Json:
    described: Json = {"description": responses[status]}
    if isinstance(answer, str):
        kind = "object" if answer == "application/json" else "string"
        described["content"] = {answer: {"schema": {"type": kind}}}
    elif answer is not None:
        described["content"] = {"application/json": {"schema": schemas.answer(answer)}}
    return described


def _problem(status: int, schemas: "_Schemas") -> Json:
    described: Json = {
        "description": _PROBLEMS[status],
        "content": {PROBLEM_JSON: {"schema": schemas.answer(Problem)}},
    }
    if status == 503:
        described["headers"] = {
            "Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 0}}
        }
    return described


class _Schemas:
    """The JSON schemas of forms and objects, gathered as they are referred to."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[type, JsonSchemaMode]] = {}

    def form(self, kind: type[Form]) -> Json:
        """A reference to the schema of a form."""
        self._used[kind.__name__] = (kind, "validation")
        return {"$ref": f"#/components/schemas/{kind.__name__}"}

    def answer(self, kind: type | ListOf) -> Json:
        """A reference to the schema of an object, or the schema of a list of them."""
        if isinstance(kind, ListOf):
            return {
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": self.answer(kind.item)},
                    "next": {"type": ["string", "null"], "description": "An opaque cursor."},
                    "total": {"type": "integer", "minimum": 0},
                },
                "required": ["items", "next", "total"],
            }
        self._used[kind.__name__] = (kind, "serialization")
        return {"$ref": f"#/components/schemas/{kind.__name__}"}

    def definitions(self) -> Json:
        """Every schema referred to, and those they refer to themselves."""
        _, found = TypeAdapter.json_schemas(
            [(name, mode, TypeAdapter(kind)) for name, (kind, mode) in self._used.items()],
            ref_template="#/components/schemas/{model}",
        )
        schemas: Json = found["$defs"]
        for name, (_, mode) in self._used.items():
            if mode == "validation" and not schemas[name].get("required"):
                _forget_defaults(schemas[name])
        return dict(sorted(schemas.items()))


def _forget_defaults(schema: Json) -> None:
    """In a form without a required field, what is not sent stays as it is."""
    for field in schema["properties"].values():
        field.pop("default", None)
