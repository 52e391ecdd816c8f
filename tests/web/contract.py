"""Holding every answer of the API to the OpenAPI document."""

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any, Self

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from sophon_hub.api import openapi

ROOT = "api/v1"
DOCUMENT = "urn:sophon"


def _escaped(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


@dataclass
class Contract:
    """The document, with its objects closed: an answer with a member too many is wrong, too."""

    document: dict[str, Any]
    registry: Any
    templates: list[tuple[re.Pattern[str], str]]
    validators: dict[str, Draft202012Validator] = field(default_factory=dict)

    @classmethod
    def of(cls, prefix: str) -> Self:
        document = copy.deepcopy(openapi.document(f"{prefix}{ROOT}"))
        for schema in document["components"]["schemas"].values():
            if schema.get("type") == "object":
                schema["additionalProperties"] = False
        resource = DRAFT202012.create_resource(document)
        templates = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))), template)
            for template in sorted(document["paths"], key=lambda path: path.count("{"))
        ]
        return cls(document, Registry().with_resource(DOCUMENT, resource), templates)

    def template_of(self, path: str) -> str | None:
        """The documented path that an address belongs to."""
        address = path.partition("?")[0].removeprefix(ROOT)
        for pattern, template in self.templates:
            if pattern.fullmatch(address):
                return template
        return None

    def check(self, method: str, path: str, status: int, headers: Any, text: str) -> None:
        """Fail when an answer is not as documented."""
        if not path.startswith(ROOT):
            return
        assert status != 500, f"{method} {path}: {text}"
        template = self.template_of(path)
        item = self.document["paths"].get(template, {})
        verb = "get" if method == "HEAD" else method.lower()
        if verb not in item or (status == 404 and "{" not in str(template)):
            assert status in {400, 401, 403, 404, 405, 503}, f"{method} {path}: {status}"
            self._check_body("/components/schemas/Problem", method, text)
            return
        where = f"{method} {template} -> {status}"
        responses = item[verb]["responses"]
        assert str(status) in responses, f"{where} is not documented: {text}"
        pointer = f"/paths/{_escaped(template)}/{verb}/responses/{status}"
        if "$ref" in responses[str(status)]:
            pointer = responses[str(status)]["$ref"].removeprefix("#")
            assert headers.get("Retry-After") or status != 503, where
        response = self._at(pointer)
        kind = headers.get("Content-Type", "").partition(";")[0]
        if not response.get("content"):
            assert (kind, text) == ("", ""), where
            return
        assert kind in response["content"], f"{where} came as {kind!r}"
        if kind.endswith("json") and response["content"][kind]["schema"] != {"type": "object"}:
            self._check_body(f"{pointer}/content/{_escaped(kind)}/schema", method, text, where)

    def _at(self, pointer: str) -> Any:
        found = self.document
        for part in pointer.split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def _check_body(self, pointer: str, method: str, text: str, where: str = "") -> None:
        if method == "HEAD":
            assert text == ""
            return
        validator = self.validators.get(pointer)
        if validator is None:
            validator = Draft202012Validator(
                {"$ref": f"{DOCUMENT}#{pointer}"}, registry=self.registry
            )
            self.validators[pointer] = validator
        error = next(validator.iter_errors(json.loads(text)), None)
        assert error is None, f"{where}: {error.message} at {error.json_path}\n{text}"
