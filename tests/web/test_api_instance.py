"""The hub itself, the caller, images and health."""

import threading

import pytest

from sophon_hub import __version__
from sophon_hub.store import instance
from sophon_hub.web import health
from tests.web.conftest import Site


async def test_the_hub_says_what_it_is(site: Site):
    answer = (await site.client().get("api/v1/instance")).json
    assert answer == {
        "name": "Sophon Hub",
        "description": "",
        "description_html": "",
        "version": __version__,
        "features": ["spawner:docker"],
    }


async def test_admins_change_what_the_hub_says(site: Site):
    root = site.client("root")
    changed = await root.patch("api/v1/instance", {"name": "Physics", "description": "*We*"})
    assert changed.json["name"] == "Physics"
    assert changed.json["description_html"] == "<p><em>We</em></p>\n"
    assert (await root.patch("api/v1/instance", {})).json == changed.json
    assert (await site.client().get("api/v1/instance")).json == changed.json
    for wrong in ({"name": None}, {"version": "7"}, {"name": ""}):
        assert (await root.patch("api/v1/instance", wrong)).wrong_fields == set(wrong)


async def test_a_guest_is_told_to_be_one(site: Site):
    assert (await site.client().get("api/v1/me")).json == {
        "username": None,
        "display_name": None,
        "admin": False,
        "memberships": [],
        "personal_lab": None,
    }


async def test_the_caller_is_told_who_they_are(busy_site: Site):
    assert (await busy_site.client("alan").get("api/v1/me")).json == {
        "username": "alan",
        "display_name": "Alan",
        "admin": False,
        "memberships": [
            {"group": group, "role": "viewer", "expires_at": None}
            for group in ("internal", "private", "public")
        ],
        "personal_lab": {"state": "stopped", "url": "/services/sophon/lab"},
    }
    assert (await busy_site.client("root").get("api/v1/me")).json["admin"] is True


async def test_a_group_in_the_trash_is_no_membership(busy_site: Site):
    assert (await busy_site.client("ada").delete("api/v1/groups/private")).status == 204
    groups = (await busy_site.client("grace").get("api/v1/me")).json["memberships"]
    assert [membership["group"] for membership in groups] == ["internal", "public"]


async def test_images_are_those_of_the_settings(site: Site):
    assert (await site.client().get("api/v1/images")).json["items"] == [
        {
            "name": "lab",
            "title": "JupyterLab",
            "description": "JupyterLab with real-time collaboration and Python.",
            "languages": [],
            "available": True,
        }
    ]


async def test_health_is_well(site: Site):
    answer = await site.client().get("api/v1/health")
    assert (answer.status, answer.json) == (200, {"status": "ok", "database": "ok", "hub": "ok"})


async def test_health_without_the_hub_is_503(site: Site):
    for broken in (500, 302):
        site.hub.broken = broken
        answer = await site.client().get("api/v1/health")
        assert (answer.status, answer.json["hub"]) == (503, "down")
    with site.without_hub():
        answer = await site.client().get("api/v1/health")
    assert answer.json == {"status": "down", "database": "ok", "hub": "down"}
    assert int(answer.headers["Retry-After"]) > 0


async def test_health_without_the_database_is_503(site: Site):
    with site.without_database():
        answer = await site.client().get("api/v1/health")
    assert answer.status == 503
    assert answer.json == {"status": "down", "database": "down", "hub": "ok"}


async def test_health_does_not_wait_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch):
    waiting = threading.Event()

    def hang(_: object) -> bool:
        return waiting.wait(10)

    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(instance, "ping", hang)
    answer = await site.client().get("api/v1/health")
    waiting.set()
    assert (answer.status, answer.json["database"]) == (503, "down")


async def test_health_tells_nothing_to_anybody_else(site: Site):
    for client in (site.client(), site.client("root"), site.bearing("nonsense")):
        answer = await client.get("api/v1/health")
        assert set(answer.json) == {"status", "database", "hub"}
