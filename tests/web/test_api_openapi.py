"""The OpenAPI document, and what API.md promises of the objects."""

import json
import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tornado.util import import_object

from sophon_hub.actions import forms
from sophon_hub.api import objects, openapi
from sophon_hub.web.routes import API_ROUTES
from tests.web.conftest import Site

DOCUMENT = "api/v1/openapi.json"

OBJECTS = {
    "Instance": "name description description_html version features",
    "User": "username display_name",
    "Me": "username display_name admin memberships personal_lab",
    "OwnMembership": "group role expires_at",
    "PersonalLab": "state url",
    "Group": "slug name description description_html visibility access member_count project_count"
    " role created_at deleted_at",
    "Member": "username display_name role source expires_at added_by added_at",
    "Request": "username display_name message created_at",
    "Project": "slug group name description description_html visibility lab_count can created_at"
    " updated_at deleted_at",
    "Lab": "slug project name image state locked_by lock_reason internet cpu_limit memory_limit"
    " last_activity users restart_needed can created_at deleted_at",
    "Image": "name title description available",
    "Event": "id at actor action subject detail via",
    "Explanation": "allowed rule source until",
    "Health": "status database hub",
    "Entry": "url mode",
    "Problem": "type title status detail errors",
}
"""What the contract says of each object; there may be more, never less."""


async def served(site: Site) -> dict:
    answer = await site.client().get(DOCUMENT)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    document = answer.json
    assert isinstance(document, dict)
    return document


async def test_the_served_document_is_valid_openapi_3_1(site: Site):
    document = await served(site)
    assert document["openapi"].startswith("3.1.")
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())


async def test_the_document_says_where_it_is_served(site: Site):
    assert (await served(site))["servers"] == [{"url": "/services/sophon/api/v1"}]


async def test_the_document_and_the_routes_are_equal(site: Site):
    documented = {
        (re.sub(r"\{\w+\}", "x", path), method.upper())
        for path, item in (await served(site))["paths"].items()
        for method in item
        if method != "parameters"
    }
    routed = {
        (re.sub(r"\([^()]*\)", "x", pattern.removeprefix("api/v1")), method)
        for pattern, handler, name in API_ROUTES
        if name != openapi.CATCH_ALL
        for method in import_object(handler).allowed_methods()
        if method != "HEAD"
    }
    assert documented == routed


async def test_every_operation_has_a_name_and_words_of_its_own(site: Site):
    operations = [
        operation
        for item in (await served(site))["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in operations)


async def test_every_form_people_send_is_in_the_document(site: Site):
    schemas = (await served(site))["components"]["schemas"]
    kinds = {
        name
        for name, kind in vars(forms).items()
        if isinstance(kind, type) and issubclass(kind, forms.Form)
    }
    assert kinds - {"Form", "Nothing"} <= set(schemas)
    for name in kinds - {"Form", "Nothing"}:
        assert schemas[name]["additionalProperties"] is False


async def test_what_a_patch_leaves_out_has_no_default(site: Site):
    schemas = (await served(site))["components"]["schemas"]
    for name in ("GroupChanges", "ProjectChanges", "LabChanges", "InstanceChanges"):
        assert "default" not in json.dumps(schemas[name])


@pytest.mark.parametrize("name", OBJECTS)
async def test_objects_have_what_the_contract_says(site: Site, name: str):
    schema = (await served(site))["components"]["schemas"][name]
    assert set(OBJECTS[name].split()) <= set(schema["properties"])
    assert set(OBJECTS[name].split()) - {"errors"} <= set(schema["required"])
    if name not in {"Member", "Request", "Problem"}:  # each is made of two types
        assert set(schema["properties"]) == set(getattr(objects, name).__annotations__)


async def test_the_document_is_made_once(site: Site):
    openapi.document_json.cache_clear()
    for _ in range(3):
        await served(site)
    assert openapi.document_json.cache_info().misses == 1
