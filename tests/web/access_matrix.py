# ruff: noqa: E501 - the table
"""Who gets which answer, as a table: every method of every address, every caller, every visibility.

The columns are a guest, Barbara (signed in, not in the group), Alan (viewer), Grace (member), Ada
(owner) and Root (admin). A method or address that is missing here fails the suite, so does one
that is here and nowhere else.

In paths and bodies ``{v}`` stands for the visibility, ``{self}`` for the caller's own name
(a guest says ``barbara``). The groups, projects and labs are those of `tests.web.world`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests import make
from tests.web import world

ACTORS = ("guest", "barbara", "alan", "grace", "ada", "root")
VISIBILITIES = ("public", "internal", "private")

Row = tuple[int, int, int, int, int, int]

BAD_CREDENTIALS = {
    "wrong token": 401,
    "expired token": 401,
    "password": 401,
    "token without the service's scope": 403,
    "token of a lab": 403,
    "token of a service": 403,
}
"""What everything answers to these, whatever it is asked."""

ANSWERS_ALL_CREDENTIALS = {"GET /health"}
"""Asked by load balancers, also while the Hub is down: it looks at no credentials."""


@dataclass(frozen=True)
class Case:
    """One method of one address.

    Attributes:
        public, internal, private: the status for each of `ACTORS`.
        event: what the audit trail says after each success; None when nothing was changed.
        path: the address with names filled in.
        body: what is sent.
        given: the state it is sent in.
    """

    public: Row
    internal: Row
    private: Row
    event: str | None = None
    path: str = ""
    body: dict[str, Any] | None = None
    given: Callable[[world.Corner], None] = world.as_it_is

    def row(self, visibility: str) -> Row:
        """The statuses in a corner of the world."""
        found: Row = getattr(self, visibility)
        return found


def everywhere(row: Row, **options: Any) -> Case:
    """What does not depend on a group."""
    return Case(row, row, row, **options)


def on_group(
    suffix: str, public: Row, internal: Row, private: Row, event: str | None = None, **options: Any
) -> Case:
    """Something below the group of each visibility."""
    return Case(public, internal, private, event, path=f"groups/{{v}}{suffix}", **options)


def on_project(
    suffix: str, public: Row, internal: Row, private: Row, event: str | None = None, **options: Any
) -> Case:
    """Something below the project of each visibility."""
    return Case(public, internal, private, event, path=f"projects/{{v}}-work{suffix}", **options)


def on_lab(
    suffix: str, public: Row, internal: Row, private: Row, event: str | None = None, **options: Any
) -> Case:
    """Something below the lab of each visibility."""
    return on_project(f"/labs/bench{suffix}", public, internal, private, event, **options)


def on_dataset(
    suffix: str, public: Row, internal: Row, private: Row, event: str | None = None, **options: Any
) -> Case:
    """Something below the dataset of each visibility."""
    return Case(public, internal, private, event, path=f"datasets/{{v}}-data{suffix}", **options)


def on_own_dataset(
    public: Row, internal: Row, private: Row, event: str | None = None, **options: Any
) -> Case:
    """The dataset of each visibility in the caller's own lab."""
    return Case(public, internal, private, event, path="me/lab/datasets/{v}-data", **options)


CHANGES = f"/history/{make.SECOND_VERSION}/since/{make.FIRST_VERSION}"

# fmt: off
MATRIX: dict[str, Case] = {
    #                               guest stranger viewer member owner admin
    "GET /instance": everywhere(     (200, 200, 200, 200, 200, 200)),
    "PATCH /instance": everywhere(   (401, 403, 403, 403, 403, 200), event="instance:edit", body={"name": "Our hub"}),
    "GET /me": everywhere(           (200, 200, 200, 200, 200, 200)),
    "GET /me/lab": everywhere(       (401, 200, 200, 200, 200, 200)),
    "PATCH /me/lab": everywhere(     (401, 200, 200, 200, 200, 200), event="personal:edit", body={"image": "lab"}),
    "POST /me/lab/start": everywhere((401, 202, 202, 202, 202, 202), event="personal:start"),
    "POST /me/lab/stop": everywhere( (401, 202, 202, 202, 202, 202), event="personal:stop", given=world.own_labs_running),
    "POST /me/lab/keep": everywhere( (401, 200, 200, 200, 200, 200), event="personal:keep", given=world.own_labs_running),
    "GET /me/lab/progress": everywhere((401, 200, 200, 200, 200, 200)),
    # no software of this hub brings lessons
    "POST /me/lab/lessons/{lesson}": everywhere((401, 409, 409, 409, 409, 409), path="me/lab/lessons/heat-map"),
    "POST /me/lab/empty-trash": everywhere((401, 202, 202, 202, 202, 202), event="personal:empty-trash"),
    "GET /me/entries": everywhere(   (401, 200, 200, 200, 200, 200)),
    "GET /events": everywhere(       (401, 403, 403, 403, 403, 200)),
    "GET /users": everywhere(        (401, 200, 200, 200, 200, 200), path="users?q=bar"),
    "GET /images": everywhere(       (200, 200, 200, 200, 200, 200)),
    "GET /temporary": everywhere(    (200, 200, 200, 200, 200, 200)),
    # not offered by this hub; tests/web/test_trials.py has the rest
    "GET /temporary/visit": everywhere((404, 404, 404, 404, 404, 404)),
    "POST /temporary/visit": everywhere((404, 404, 404, 404, 404, 404), body={"project": None}),
    "POST /temporary/visit/keep": everywhere((404, 404, 404, 404, 404, 404)),
    "DELETE /temporary/visit": everywhere((404, 404, 404, 404, 404, 404)),
    "GET /health": everywhere(       (200, 200, 200, 200, 200, 200)),
    "GET /metrics": everywhere(      (401, 403, 403, 403, 403, 200)),
    "GET /openapi.json": everywhere( (200, 200, 200, 200, 200, 200)),

    "GET /groups": everywhere(       (200, 200, 200, 200, 200, 200)),
    "POST /groups": everywhere(      (401, 201, 201, 201, 201, 201), event="group:create", body={"name": "New one"}),
    "GET /groups/{group}": on_group("",
                                     (200, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "PATCH /groups/{group}": on_group("",
                                     (401, 403, 403, 403, 200, 200),
                                     (404, 403, 403, 403, 200, 200),
                                     (404, 404, 403, 403, 200, 200), "group:edit", body={"name": "Renamed"}),
    "DELETE /groups/{group}": on_group("",
                                     (401, 403, 403, 403, 204, 204),
                                     (404, 403, 403, 403, 204, 204),
                                     (404, 404, 403, 403, 204, 204), "group:delete"),
    "POST /groups/{group}/restore": on_group("/restore",
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200), "group:restore", given=world.group_in_trash),
    "POST /groups/{group}/purge": on_group("/purge",
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202), "group:purge", body={"confirm": "{v}"}, given=world.group_in_trash),
    "POST /groups/{group}/join": on_group("/join",
                                     (401, 200, 409, 409, 409, 200),
                                     (404, 200, 409, 409, 409, 200),
                                     (404, 404, 409, 409, 409, 200), "group:join"),
    "POST /groups/{group}/leave": on_group("/leave",
                                     (401, 409, 204, 204, 409, 409),
                                     (404, 409, 204, 204, 409, 409),
                                     (404, 404, 204, 204, 409, 409), "group:leave"),
    "GET /groups/{group}/members": on_group("/members",
                                     (401, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "PUT /groups/{group}/members/{username}": on_group("/members/barbara",
                                     (401, 403, 403, 403, 201, 201),
                                     (404, 403, 403, 403, 201, 201),
                                     (404, 404, 403, 403, 201, 201), "member:add", body={"role": "viewer"}),
    "DELETE /groups/{group}/members/{username}": on_group("/members/alan",
                                     (401, 403, 403, 403, 204, 204),
                                     (404, 403, 403, 403, 204, 204),
                                     (404, 404, 403, 403, 204, 204), "member:remove"),
    "GET /groups/{group}/members/{username}/preview": on_group("/members/alan/preview",
                                     (401, 403, 403, 403, 200, 200),
                                     (404, 403, 403, 403, 200, 200),
                                     (404, 404, 403, 403, 200, 200)),
    "GET /groups/{group}/preview": on_group("/preview?change=delete",
                                     (401, 403, 403, 403, 200, 200),
                                     (404, 403, 403, 403, 200, 200),
                                     (404, 404, 403, 403, 200, 200)),
    "GET /groups/{group}/requests": on_group("/requests",
                                     (401, 403, 403, 403, 200, 200),
                                     (404, 403, 403, 403, 200, 200),
                                     (404, 404, 403, 403, 200, 200)),
    "DELETE /groups/{group}/requests/{username}": on_group("/requests/{self}",
                                     (401, 204, 404, 404, 404, 404),
                                     (404, 204, 404, 404, 404, 404),
                                     (404, 404, 404, 404, 404, 404), "request:withdraw"),
    "POST /groups/{group}/requests/{username}/approve": on_group("/requests/barbara/approve",
                                     (401, 403, 403, 403, 200, 200),
                                     (404, 403, 403, 403, 200, 200),
                                     (404, 404, 403, 403, 200, 200), "request:approve"),
    "POST /groups/{group}/requests/{username}/decline": on_group("/requests/barbara/decline",
                                     (401, 403, 403, 403, 204, 204),
                                     (404, 403, 403, 403, 204, 204),
                                     (404, 404, 403, 403, 204, 204), "request:decline"),
    "GET /groups/{group}/events": on_group("/events",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200)),

    "GET /projects": everywhere(     (200, 200, 200, 200, 200, 200)),
    "POST /projects": Case(          (401, 403, 403, 201, 201, 201),
                                     (401, 403, 403, 201, 201, 201),
                                     (401, 422, 403, 201, 201, 201), "project:create",
                                     body={"group": "{v}", "name": "New one"}),
    "GET /projects/{project}": on_project("",
                                     (200, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "PATCH /projects/{project}": on_project("",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "project:edit", body={"name": "Renamed"}),
    "DELETE /projects/{project}": on_project("",
                                     (401, 403, 403, 403, 204, 204),
                                     (404, 403, 403, 403, 204, 204),
                                     (404, 404, 403, 403, 204, 204), "project:delete"),
    "POST /projects/{project}/restore": on_project("/restore",
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200), "project:restore", given=world.project_in_trash),
    "POST /projects/{project}/purge": on_project("/purge",
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202), "project:purge", body={"confirm": "{v}-work"}, given=world.project_in_trash),
    "GET /projects/{project}/preview": on_project("/preview?change=delete",
                                     (401, 403, 403, 403, 200, 200),
                                     (404, 403, 403, 403, 200, 200),
                                     (404, 404, 403, 403, 200, 200)),
    "GET /projects/{project}/explain": on_project("/explain?permission=lab:open",
                                     (401, 403, 200, 200, 200, 200),
                                     (404, 403, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "GET /projects/{project}/events": on_project("/events",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200)),

    "GET /projects/{project}/material": on_project("/material",
                                     (200, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200), given=world.material_in_homes),
    "PUT /projects/{project}/material": on_project("/material",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "material:set",
                                     body={"kind": "folder", "lab": "bench", "folder": "course"}),
    "PATCH /projects/{project}/material": on_project("/material",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "material:visitors",
                                     body={"for_visitors": False}, given=world.material_in_homes),
    "DELETE /projects/{project}/material": on_project("/material",
                                     (401, 403, 403, 204, 204, 204),
                                     (404, 403, 403, 204, 204, 204),
                                     (404, 404, 403, 204, 204, 204), "material:remove", given=world.material_in_homes),
    "POST /projects/{project}/material/publish": on_project("/material/publish",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "material:publish", given=world.material_in_homes),
    "GET /projects/{project}/material/delivery": on_project("/material/delivery",
                                     (401, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "POST /projects/{project}/material/delivery": on_project("/material/delivery",
                                     (401, 202, 202, 202, 202, 202),
                                     (404, 202, 202, 202, 202, 202),
                                     (404, 404, 202, 202, 202, 202), "personal:material-get", given=world.material_in_homes),
    "PATCH /projects/{project}/material/delivery": on_project("/material/delivery",
                                     (401, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200), "personal:material-on-start",
                                     body={"on_start": True}, given=world.material_in_homes),
    "POST /projects/{project}/material/delivery/fresh": on_project("/material/delivery/fresh",
                                     (401, 202, 202, 202, 202, 202),
                                     (404, 202, 202, 202, 202, 202),
                                     (404, 404, 202, 202, 202, 202), "personal:material-fresh",
                                     body={"path": "notes.md"}, given=world.material_in_homes),
    "POST /projects/{project}/material/delivery/undo": on_project("/material/delivery/undo",
                                     (401, 202, 202, 202, 202, 202),
                                     (404, 202, 202, 202, 202, 202),
                                     (404, 404, 202, 202, 202, 202), "personal:material-undo", given=world.material_in_homes),

    "GET /projects/{project}/labs": on_project("/labs",
                                     (200, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "POST /projects/{project}/labs": on_project("/labs",
                                     (401, 403, 403, 201, 201, 201),
                                     (404, 403, 403, 201, 201, 201),
                                     (404, 404, 403, 201, 201, 201), "lab:create", body={"name": "New one"}),
    "GET /projects/{project}/labs/{lab}": on_lab("",
                                     (200, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "PATCH /projects/{project}/labs/{lab}": on_lab("",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "lab:edit", body={"name": "Renamed"}),
    "DELETE /projects/{project}/labs/{lab}": on_lab("",
                                     (401, 403, 403, 403, 204, 204),
                                     (404, 403, 403, 403, 204, 204),
                                     (404, 404, 403, 403, 204, 204), "lab:delete"),
    "POST /projects/{project}/labs/{lab}/start": on_lab("/start",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "lab:start"),
    "POST /projects/{project}/labs/{lab}/empty-trash": on_lab("/empty-trash",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "lab:empty-trash"),
    "POST /projects/{project}/labs/{lab}/stop": on_lab("/stop",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "lab:stop", given=world.running),
    "POST /projects/{project}/labs/{lab}/keep": on_lab("/keep",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "lab:keep", given=world.running),
    "GET /projects/{project}/labs/{lab}/progress": on_lab("/progress",
                                     (401, 403, 200, 200, 200, 200),
                                     (404, 403, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "POST /projects/{project}/labs/{lab}/open": on_lab("/open",
                                     (401, 403, 200, 200, 200, 200),
                                     (404, 403, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200), "lab:open", given=world.running),
    "POST /projects/{project}/labs/{lab}/lock": on_lab("/lock",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "lab:lock"),
    "POST /projects/{project}/labs/{lab}/unlock": on_lab("/unlock",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "lab:unlock", given=world.locked_by_grace),
    "GET /projects/{project}/labs/{lab}/history": on_lab("/history",
                                     (401, 403, 200, 200, 200, 200),
                                     (404, 403, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200), given=world.history_kept),
    "POST /projects/{project}/labs/{lab}/history": on_lab("/history",
                                     (401, 403, 202, 202, 202, 202),
                                     (404, 403, 202, 202, 202, 202),
                                     (404, 404, 202, 202, 202, 202), "lab:history-look"),
    "GET /projects/{project}/labs/{lab}/history/{version}/since/{since}": on_lab(CHANGES,
                                     (401, 403, 200, 200, 200, 200),
                                     (404, 403, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200), given=world.history_kept),
    "POST /projects/{project}/labs/{lab}/history/{version}/since/{since}": on_lab(CHANGES,
                                     (401, 403, 202, 202, 202, 202),
                                     (404, 403, 202, 202, 202, 202),
                                     (404, 404, 202, 202, 202, 202), "lab:history-compare", given=world.history_kept),
    "POST /projects/{project}/labs/{lab}/history/{version}/restore": on_lab(f"/history/{make.FIRST_VERSION}/restore",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "lab:history-restore", given=world.history_kept),
    "POST /projects/{project}/labs/{lab}/restore": on_lab("/restore",
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200), "lab:restore", given=world.lab_in_trash),
    "POST /projects/{project}/labs/{lab}/purge": on_lab("/purge",
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202), "lab:purge", body={"confirm": "bench"}, given=world.lab_in_trash),
    "PUT /projects/{project}/labs/{lab}/datasets/{dataset}": on_lab("/datasets/{v}-data",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "lab:attach"),
    "DELETE /projects/{project}/labs/{lab}/datasets/{dataset}": on_lab("/datasets/{v}-data",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "lab:detach", given=world.dataset_in_lab),
    "POST /projects/{project}/labs/{lab}/publish": on_lab("/publish",
                                     (401, 403, 403, 201, 201, 201),
                                     (404, 403, 403, 201, 201, 201),
                                     (404, 404, 403, 201, 201, 201), "dataset:create", body={"name": "New one", "folder": "out"}),

    "GET /datasets": everywhere(     (200, 200, 200, 200, 200, 200)),
    "POST /datasets": everywhere(    (401, 403, 403, 403, 403, 201), event="dataset:create",
                                     body={"name": "New one", "kind": "volume", "location": "climate"}),
    "GET /datasets/{dataset}": on_dataset("",
                                     (200, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "PATCH /datasets/{dataset}": on_dataset("",
                                     (401, 403, 403, 200, 200, 200),
                                     (404, 403, 403, 200, 200, 200),
                                     (404, 404, 403, 200, 200, 200), "dataset:edit", body={"name": "Renamed"}),
    "DELETE /datasets/{dataset}": on_dataset("",
                                     (401, 403, 403, 403, 204, 204),
                                     (404, 403, 403, 403, 204, 204),
                                     (404, 404, 403, 403, 204, 204), "dataset:delete"),
    "POST /datasets/{dataset}/restore": on_dataset("/restore",
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200),
                                     (404, 404, 404, 404, 200, 200), "dataset:restore", given=world.dataset_in_trash),
    "POST /datasets/{dataset}/purge": on_dataset("/purge",
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202),
                                     (404, 404, 404, 404, 202, 202), "dataset:purge", body={"confirm": "{v}-data"}, given=world.dataset_in_trash),
    "POST /datasets/{dataset}/verify": on_dataset("/verify",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "dataset:verify"),
    "POST /datasets/{dataset}/refresh": on_dataset("/refresh",
                                     (401, 403, 403, 202, 202, 202),
                                     (404, 403, 403, 202, 202, 202),
                                     (404, 404, 403, 202, 202, 202), "dataset:refresh"),
    "GET /datasets/{dataset}/preview": on_dataset("/preview?change=private",
                                     (401, 403, 403, 403, 200, 200),
                                     (404, 403, 403, 403, 200, 200),
                                     (404, 404, 403, 403, 200, 200)),
    "GET /datasets/{dataset}/manifest": on_dataset("/manifest",
                                     (200, 200, 200, 200, 200, 200),
                                     (404, 200, 200, 200, 200, 200),
                                     (404, 404, 200, 200, 200, 200)),
    "PUT /me/lab/datasets/{dataset}": on_own_dataset(
                                     (401, 200, 200, 200, 200, 200),
                                     (401, 200, 200, 200, 200, 200),
                                     (401, 404, 200, 200, 200, 200), "personal:attach"),
    "DELETE /me/lab/datasets/{dataset}": on_own_dataset(
                                     (401, 200, 200, 200, 200, 200),
                                     (401, 200, 200, 200, 200, 200),
                                     (401, 404, 200, 200, 200, 200), "personal:detach", given=world.dataset_in_own_labs),
}
# fmt: on
