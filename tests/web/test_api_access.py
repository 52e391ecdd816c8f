"""The access matrix, against the running portal."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sophon_hub.api import openapi
from sophon_hub.api.operation import operations_of
from sophon_hub.models import AuditEvent
from tests.database import statements
from tests.web import world
from tests.web.access_matrix import (
    ACTORS,
    ANSWERS_ALL_CREDENTIALS,
    BAD_CREDENTIALS,
    MATRIX,
    VISIBILITIES,
    Case,
)
from tests.web.conftest import Client, Site, load

ROUTES = {
    f"{method.upper()} {path}"
    for path, _, handler in openapi.routes()
    for method in operations_of(handler)
}


OUTSIDE = ("guest", "barbara")
NOT_THERE_FOR_MEMBERS = "DELETE /groups/{group}/requests/{username}"
"""Whoever sees the group is told 404 of a request that nobody made."""


def test_the_matrix_has_a_row_for_every_method_of_every_address():
    assert set(MATRIX) == ROUTES


def clients(site: Site) -> dict[str, Client]:
    """The actors; the portal knows them already, so that no request writes them down."""
    names = {actor: None if actor == "guest" else actor for actor in ACTORS}
    for actor in ACTORS:
        site.portal.known_people[actor] = (actor.title(), actor == "root")
    return {actor: site.client(name) for actor, name in names.items()}


def filled(case: Case, key: str, visibility: str, actor: str) -> tuple[str, str, Any]:
    """Method, path and body of a request."""
    method, template = key.split()
    own = "barbara" if actor == "guest" else actor
    names = {"v": visibility, "self": own}
    path = (case.path or template.lstrip("/")).format(**names)
    body = case.body and {
        field: value.format(**names) if isinstance(value, str) else value
        for field, value in case.body.items()
    }
    return method, f"api/v1/{path}", body


def nowhere(path: str, visibility: str) -> str:
    """The same address of something that does not exist."""
    return (
        path.replace(f"groups/{visibility}", "groups/nowhere")
        .replace(f"projects/{visibility}-work", "projects/nowhere")
        .replace(f"datasets/{visibility}-data", "datasets/nowhere")
    )


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("key", sorted(ROUTES))
async def test_each_caller_gets_what_the_matrix_says(
    busy_site: Site, populated: Path, key: str, visibility: str
):
    case = MATRIX[key]

    def arrange() -> None:
        load(busy_site.portal.engine, populated)
        with busy_site.rows() as session:
            case.given(world.corner(session, visibility))

    arrange()
    actors = clients(busy_site)
    watch = sqlite3.connect(busy_site.portal.engine.url.database or "")

    def version() -> int:
        """Another one as soon as anybody has changed the database."""
        found: int = watch.execute("PRAGMA data_version").fetchone()[0]
        return found

    before = version()
    for actor, expected in zip(ACTORS, case.row(visibility), strict=True):
        method, path, body = filled(case, key, visibility, actor)
        with statements(busy_site.portal.engine) as asked:
            answer = await actors[actor].request(method, path, body)
        assert answer.status == expected, f"{actor} gets {answer.status}: {answer.text}"
        if expected == 404:
            with statements(busy_site.portal.engine) as asked_of_nothing:
                missing = await actors[actor].request(method, nowhere(path, visibility), body)
            assert answer.told == missing.told
            if actor in OUTSIDE or key != NOT_THERE_FOR_MEMBERS:
                assert asked == asked_of_nothing, "it takes another time"
        if version() != before:
            assert expected < 400 or expected == 403, f"{actor} was refused and changed something"
            with busy_site.rows() as session:
                event = select(AuditEvent.actor, AuditEvent.action, AuditEvent.via)
                found = session.execute(event).all()
            if expected == 403:  # nothing has changed but that it is on record
                assert [(who, action.partition(":")[2]) for who, action, _ in found] == [
                    (actor, "deny")
                ]
            elif not case.event:  # an administrator who looks at something private changes nothing
                assert (actor, visibility, method) == ("root", "private", "GET")
                assert {action.partition(":")[2] for _, action, _ in found} == {"look"}
            else:
                assert found == [(actor, case.event, "api")]
            arrange()
            before = version()
        else:
            assert expected >= 400 or not case.event, f"{actor} changed nothing"
    watch.close()


@pytest.mark.parametrize("key", sorted(ROUTES))
async def test_credentials_that_do_not_hold_are_no_guest(busy_site: Site, key: str):
    hub = busy_site.hub
    expired = hub.token("ada")
    hub.revoke(expired)
    headers = {
        "wrong token": "Bearer nonsense",
        "expired token": f"Bearer {expired}",
        "password": "Basic YWRhOmFkYQ==",
        "token without the service's scope": f"Bearer {hub.token('ada', scopes=['self'])}",
        "token of a lab": f"Bearer {hub.token('project-public-work')}",
        "token of a service": f"Bearer {hub.token('monitor', kind='service')}",
    }
    method, path, body = filled(MATRIX[key], key, "public", "ada")
    for credentials, refusal in BAD_CREDENTIALS.items():
        sent = {"Authorization": headers[credentials]}
        answer = await busy_site.client().request(method, path, body, headers=sent)
        expected = 200 if key in ANSWERS_ALL_CREDENTIALS else refusal
        assert answer.status == expected, credentials
        assert (answer.headers.get("WWW-Authenticate") is not None) == (expected == 401)
    assert busy_site.count_events() == 0
