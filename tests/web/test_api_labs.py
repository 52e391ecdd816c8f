"""Labs through the API: settings, starting, stopping, opening, locking, live progress."""

import asyncio
import json

import pytest
from tornado.httpclient import AsyncHTTPClient

from sophon_hub.models import LabState
from sophon_hub.web import progress
from tests.database import actions, jobs
from tests.web import world
from tests.web.conftest import Client, Site, eventually

LABS = "api/v1/projects/public-work/labs"
BENCH = f"{LABS}/bench"
GIB = 1024**3


def put(site: Site, **changes: object) -> None:
    """Change the row of the lab, as the worker does."""
    with site.rows() as session:
        lab = world.corner(session, "public").lab
        for name, value in changes.items():
            setattr(lab, name, value)


async def test_a_lab_is_made_with_its_defaults_and_stopped(busy_site: Site):
    created = await busy_site.client("grace").post(LABS, {"name": "Big lens"})
    assert created.status == 201
    lab = created.json
    assert lab.pop("created_at").endswith("Z")
    assert lab == {
        "slug": "big-lens",
        "project": "public-work",
        "name": "Big lens",
        "image": "lab",
        "state": "stopped",
        "message": "",
        "locked_by": None,
        "lock_reason": "",
        "internet": True,
        "restart_on_removal": False,
        "cpu_limit": 2.0,
        "memory_limit": 2 * GIB,
        "started_at": None,
        "started_by": None,
        "stopped_at": None,
        "stopped_by": None,
        "stop_reason": "",
        "stops_at": None,
        "last_activity": None,
        "users": [],
        "people": [],
        "restart_needed": [],
        "datasets": [],
        "clean_up": False,
        "disk": {
            "bytes": None,
            "trash_bytes": None,
            "measured_at": None,
            "soft_quota": None,
            "hard_quota": None,
            "state": "unknown",
        },
        "can": ["lab:edit", "lab:start", "lab:stop", "lab:open", "lab:watch", "lab:lock"],
        "deleted_at": None,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("slug", "9lives"),
        ("slug", "a" * 31),
        ("slug", "a_b"),
        ("slug", "Lab"),
        ("slug", "events"),
        ("slug", "tmp-1"),
        ("slug", ""),
        ("slug", 1),
        ("image", "ubuntu"),
        ("image", ""),
        ("image", 1),
        ("image", "../lab"),
        ("internet", None),
        ("internet", "yes"),
        ("internet", 1),
        ("cpu_limit", 0),
        ("cpu_limit", -1),
        ("cpu_limit", 9),
        ("cpu_limit", 1e300),
        ("cpu_limit", "2"),
        ("cpu_limit", True),
        ("memory_limit", 0),
        ("memory_limit", 1.5 * GIB),
        ("memory_limit", 9 * GIB),
        ("memory_limit", 2**70),
        ("memory_limit", "1G"),
        ("state", "running"),
        ("uid", "x"),
    ],
)
async def test_a_setting_that_cannot_be_is_422(busy_site: Site, field: str, value: object):
    ada = busy_site.client("ada")
    assert (await ada.post(LABS, {"name": "New", field: value})).wrong_fields == {field}
    assert (await ada.patch(BENCH, {field: value})).wrong_fields == {field}
    assert busy_site.count_events() == 0


async def test_numbers_that_are_none_in_json_are_422(busy_site: Site):
    body = b'{"name": "New", "cpu_limit": 1e999}'
    answer = await busy_site.client("ada").post(
        LABS, body=body, headers={"Content-Type": "application/json"}
    )
    assert answer.wrong_fields == {"cpu_limit"}


async def test_slugs_are_taken_by_project(busy_site: Site):
    ada = busy_site.client("ada")
    assert (await ada.post(LABS, {"name": "Bench", "slug": "bench"})).status == 409
    assert (await ada.post(LABS, {"name": "Bench"})).json["slug"] == "bench-2"
    other = "api/v1/projects/private-work/labs"
    assert (await ada.post(other, {"name": "New", "slug": "bench-2"})).status == 201


async def test_of_parallel_requests_for_a_slug_one_gets_it(site_on_any: Site):
    ada = site_on_any.client("ada")
    await ada.post("api/v1/groups", {"name": "Optics"})
    await ada.post("api/v1/projects", {"group": "optics", "name": "Lens"})
    path, body = "api/v1/projects/lens/labs", {"name": "Bench", "slug": "bench"}
    answers = await asyncio.gather(*(ada.post(path, body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert (await ada.get(path)).json["total"] == 1


async def test_null_goes_back_to_the_default_of_the_hub(busy_site: Site):
    ada = busy_site.client("ada")
    changed = await ada.patch(BENCH, {"cpu_limit": 4, "memory_limit": GIB})
    assert (changed.json["cpu_limit"], changed.json["memory_limit"]) == (4, GIB)
    changed = await ada.patch(BENCH, {"cpu_limit": None, "memory_limit": None})
    assert (changed.json["cpu_limit"], changed.json["memory_limit"]) == (2, 2 * GIB)


async def test_what_takes_a_restart_is_told_while_the_lab_runs(busy_site: Site):
    ada = busy_site.client("ada")
    assert (await ada.patch(BENCH, {"cpu_limit": 1})).json["restart_needed"] == []
    assert (await ada.post(f"{BENCH}/start")).json["restart_needed"] == []
    put(busy_site, state=LabState.RUNNING)
    assert (await ada.patch(BENCH, {"name": "Other"})).json["restart_needed"] == []
    changed = await ada.patch(BENCH, {"cpu_limit": 3, "internet": False})
    assert len(changed.json["restart_needed"]) == 2
    back = await ada.patch(BENCH, {"cpu_limit": 1, "internet": True})
    assert back.json["restart_needed"] == []


@pytest.mark.parametrize(
    ("state", "start", "stop", "delete", "enter"),
    [
        (LabState.STOPPED, 202, 200, 204, 409),
        (LabState.STARTING, 200, 202, 409, 409),
        (LabState.RUNNING, 200, 202, 409, 200),
        (LabState.STOPPING, 409, 200, 409, 409),
        (LabState.FAILED, 202, 200, 204, 409),
    ],
)
@pytest.mark.parametrize("action", ["start", "stop", "delete", "open"])
async def test_each_state_takes_what_fits(
    busy_site: Site, state: LabState, action: str, start: int, stop: int, delete: int, enter: int
):
    put(busy_site, state=state)
    expected = {"start": start, "stop": stop, "delete": delete, "open": enter}[action]
    ada = busy_site.client("ada")
    answer = await (ada.delete(BENCH) if action == "delete" else ada.post(f"{BENCH}/{action}"))
    assert answer.status == expected
    changed = expected in {202, 204} or (action == "open" and expected == 200)
    assert busy_site.count_events() == int(changed)
    with busy_site.rows() as session:
        assert len(jobs(session)) == (1 if expected == 202 else 0)


@pytest.mark.parametrize("action", ["start", "stop"])
async def test_doing_it_in_parallel_makes_one_job(site_on_any: Site, action: str):
    ada = site_on_any.client("ada")
    await ada.post("api/v1/groups", {"name": "Optics"})
    await ada.post("api/v1/projects", {"group": "optics", "name": "Lens"})
    await ada.post("api/v1/projects/lens/labs", {"name": "Bench"})
    bench = "api/v1/projects/lens/labs/bench"
    if action == "stop":
        with site_on_any.rows() as session:
            world.lab(session, "lens", "bench").state = LabState.RUNNING
    answers = await asyncio.gather(*(ada.post(f"{bench}/{action}") for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [202]
    with site_on_any.rows() as session:
        assert actions(session).count(f"lab:{action}") == 1
        assert [kind for kind, _ in jobs(session) if kind == f"{action}_lab"] == [f"{action}_lab"]


async def test_opening_tells_where_and_how(busy_site: Site):
    put(busy_site, state=LabState.RUNNING)
    opened = await busy_site.client("grace").post(f"{BENCH}/open")
    assert opened.json == {
        "url": "/user/project-public-work/bench/lab/workspaces/grace",
        "mode": "edit",
    }


async def test_in_a_locked_lab_who_locked_it_works_and_others_only_watch(busy_site: Site):
    put(busy_site, state=LabState.RUNNING)
    ada, grace = busy_site.client("ada"), busy_site.client("grace")
    locked = await grace.post(f"{BENCH}/lock", {"reason": " Measuring "})
    assert (locked.json["locked_by"], locked.json["lock_reason"]) == ("grace", "Measuring")
    for refused in (
        await ada.post(f"{BENCH}/stop"),
        await ada.post(f"{BENCH}/lock"),
        await ada.patch(BENCH, {"name": "Mine"}),
    ):
        assert refused.status == 409
        assert "Grace: Measuring" in refused.json["detail"]
    assert (await grace.post(f"{BENCH}/open")).json["mode"] == "edit"
    for other in ("ada", "alan", "root"):
        watched = await busy_site.client(other).post(f"{BENCH}/open")
        assert watched.json["mode"] == "watch", other
    assert "lab:open" in (await grace.get(BENCH)).json["can"]
    assert "lab:open" not in (await ada.get(BENCH)).json["can"]
    assert (await busy_site.client("alan").post(f"{BENCH}/unlock")).status == 403
    assert (await ada.post(f"{BENCH}/unlock")).json["locked_by"] is None
    assert (await ada.post(f"{BENCH}/unlock")).status == 409


async def test_who_locked_a_lab_and_why_is_not_told_outside_the_group(busy_site: Site):
    put(busy_site, message="Traceback")
    await busy_site.client("grace").post(f"{BENCH}/lock", {"reason": "Measuring"})
    for who in (None, "barbara"):
        lab = await busy_site.client(who).get(BENCH)
        assert "grace" not in lab.text
        assert (lab.json["lock_reason"], lab.json["message"]) == ("", "")
    assert (await busy_site.client("alan").get(BENCH)).json["locked_by"] == "grace"


async def test_a_lab_in_the_trash_is_gone_but_for_owners_until_it_is_restored(busy_site: Site):
    ada, grace = busy_site.client("ada"), busy_site.client("grace")
    assert (await ada.delete(BENCH)).status == 204
    assert (await ada.delete(BENCH)).status == 409
    assert (await grace.get(BENCH)).told == (await grace.get(f"{LABS}/nothing")).told
    assert (await ada.get(BENCH)).json["deleted_at"]
    for action in ("start", "open", "lock"):
        assert (await ada.post(f"{BENCH}/{action}")).status == 403
    assert (await ada.post(f"{BENCH}/restore")).json["deleted_at"] is None
    assert (await ada.post(f"{BENCH}/restore")).status == 409
    assert (await grace.get(BENCH)).status == 200


async def follow(client: Client, told: list[dict]) -> int:
    """Read a lab's progress to its end; the events in ``told``, the status as result."""
    pending = b""

    def take(data: bytes) -> None:
        nonlocal pending
        *whole, pending = (pending + data).split(b"\n\n")
        told.extend(
            json.loads(event.removeprefix(b"data: "))
            for event in whole
            if event.startswith(b"data: ")
        )

    response = await AsyncHTTPClient().fetch(
        f"{client.portal_url}{BENCH}/progress",
        headers={"Authorization": f"Bearer {client.token}"},
        streaming_callback=take,
        raise_error=False,
        request_timeout=20,
    )
    assert response.headers["Content-Type"].startswith("text/event-stream")
    return response.code


@pytest.mark.parametrize("state", [LabState.STOPPED, LabState.RUNNING, LabState.FAILED])
async def test_the_progress_of_a_lab_at_rest_is_one_event(busy_site: Site, state: LabState):
    put(busy_site, state=state, progress=40, message="So far")
    told: list[dict] = []
    assert await follow(busy_site.client("alan"), told) == 200
    assert told == [{"progress": 40, "message": "So far", "state": state}]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the lab all the time."""
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)


@pytest.mark.parametrize("end", [LabState.RUNNING, LabState.FAILED])
async def test_the_progress_of_a_starting_lab_is_told_to_the_end(
    busy_site: Site, quick: None, end: LabState
):
    ada = busy_site.client("ada")
    await ada.post(f"{BENCH}/start")
    told: list[dict] = []
    following = asyncio.ensure_future(follow(ada, told))
    await eventually(lambda: len(told) == 1, "the first event")
    put(busy_site, progress=30, message="Making the container")
    await eventually(lambda: len(told) == 2, "the second event")
    put(busy_site, progress=100, message="There", state=end)
    assert await following == 200
    assert [event["progress"] for event in told] == [0, 30, 100]
    assert told[-1]["state"] == end


async def test_progress_ends_for_who_is_taken_out_of_the_group(busy_site: Site, quick: None):
    ada, grace = busy_site.client("ada"), busy_site.client("grace")
    await ada.post(f"{BENCH}/start")
    told: list[dict] = []
    following = asyncio.ensure_future(follow(grace, told))
    await eventually(lambda: told, "the first event")
    assert (await ada.delete("api/v1/groups/public/members/grace")).status == 204
    assert await following == 200
    assert len(told) == 1


async def test_progress_ends_with_the_token(busy_site: Site, quick: None, monkeypatch):
    monkeypatch.setattr(progress, "HEARTBEAT_POLLS", 2)
    ada = busy_site.client("ada")
    await ada.post(f"{BENCH}/start")
    told: list[dict] = []
    following = asyncio.ensure_future(follow(ada, told))
    await eventually(lambda: told, "the first event")
    busy_site.hub.revoke(ada.token or "")
    assert await following == 200
    assert len(told) == 1


async def test_a_head_of_progress_does_not_wait(busy_site: Site):
    ada = busy_site.client("ada")
    await ada.post(f"{BENCH}/start")
    head = await ada.request("HEAD", f"{BENCH}/progress")
    assert (head.status, head.text) == (200, "")


PEOPLE = [
    {"username": "ada", "display_name": "Ada Lovelace", "watching": False},
    {"username": "alan", "display_name": "Alan Turing", "watching": True},
]


async def test_who_is_in_a_lab_is_told_to_the_people_of_the_group_only(busy_site: Site):
    put(busy_site, state=LabState.RUNNING, people=PEOPLE)
    for name in ("ada", "grace", "alan", "root"):
        lab = (await busy_site.client(name).get(BENCH)).json
        assert (lab["users"], lab["people"]) == (["ada", "alan"], PEOPLE), name
    for stranger in ("barbara", None):
        lab = (await busy_site.client(stranger).get(BENCH)).json
        assert (lab["users"], lab["people"]) == (None, None), stranger
        listed = (await busy_site.client(stranger).get(LABS)).json["items"]
        assert listed == [lab], stranger


async def test_who_started_and_stopped_a_lab_and_when_is_told_to_the_group(busy_site: Site):
    grace = {"username": "grace", "display_name": "Grace"}
    ada = {"username": "ada", "display_name": "Ada"}
    started = (await busy_site.client("grace").post(f"{BENCH}/start", {})).json
    assert (started["started_by"], started["stopped_by"]) == (grace, None)
    assert started["started_at"]
    assert started["stopped_at"] is None

    stopped = (await busy_site.client("ada").post(f"{BENCH}/stop")).json
    assert (stopped["started_by"], stopped["stopped_by"]) == (grace, ada)
    assert stopped["stopped_at"] >= stopped["started_at"] == started["started_at"]

    seen = (await busy_site.client("barbara").get(BENCH)).json
    assert (seen["started_by"], seen["stopped_by"]) == (None, None)
    put(busy_site, state=LabState.STOPPED)
    again = (await busy_site.client("ada").post(f"{BENCH}/start", {})).json
    assert (again["started_by"], again["stopped_by"], again["stopped_at"]) == (ada, None, None)
