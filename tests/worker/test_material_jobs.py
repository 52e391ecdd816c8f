"""What the worker does about course material, when it works and when it does not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from sophon_hub import names
from sophon_hub.clock import utcnow
from sophon_hub.errors import Unavailable
from sophon_hub.hub import Server
from sophon_hub.models import (
    DatasetState,
    Delivery,
    DeliveryState,
    DeliveryVerb,
    Job,
    Material,
    MaterialKind,
    Membership,
    PersonalLab,
    ResearchProject,
)
from sophon_hub.settings import Sophon
from sophon_hub.store import personal
from sophon_hub.store.engine import reading, writing
from sophon_hub.store.trash import Kind
from sophon_hub.volumes import material as volumes
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker import materials, trash
from sophon_hub.worker.context import Context
from sophon_hub.worker.reconcile import watch
from tests import make
from tests.cast import Cast

OLD, NEW = "5" * 32, "6" * 32


@pytest.fixture
def context(sqlite_engine: Engine, tmp_path: Path) -> Context:
    """A hub with material that Grace has asked for, whose next version is to be published."""
    with writing(sqlite_engine) as session:
        cast = Cast.enter(session)
        project = make.project(session, cast.group)
        made = make.material(session, project, uid=OLD, state=DatasetState.PREPARING)
        made.next_uid = NEW
        grace = cast.people["grace"]
        make.personal_lab(session, grace, home_uid=names.new_uid())
        before = {"kept": [("a", ""), ("b", "")]}
        make.delivery(session, project, grace, state=DeliveryState.WAITING, **before)
    settings = Sophon(data_dir=str(tmp_path), spawner="process")
    return Context(sqlite_engine, None, settings)  # type: ignore[arg-type]


def row(context: Context, kind: type[Any]) -> Any:
    with reading(context.engine) as session:
        return session.scalars(select(kind)).one()


def change(context: Context, table: type[Any], /, **values: Any) -> None:
    with writing(context.engine) as session:
        for one in session.scalars(select(table)):
            for name, value in values.items():
                setattr(one, name, value)


def answer(monkeypatch: pytest.MonkeyPatch, name: str, result: Any) -> list[tuple[Any, ...]]:
    """Let the engine answer this; gives what it was asked."""
    asked = []

    def do(_: Sophon, *arguments: Any) -> Any:
        asked.append(arguments)
        if isinstance(result, Exception):
            raise result
        return result() if callable(result) else result

    monkeypatch.setattr(volumes, name, do)
    return asked


@pytest.mark.parametrize("kind", list(MaterialKind))
async def test_a_version_that_is_made_is_the_one_people_get(
    context: Context, monkeypatch: pytest.MonkeyPatch, kind: MaterialKind
) -> None:
    change(context, Material, kind=kind, lab_uid="7" * 32, branch="main")
    asked = answer(monkeypatch, f"publish_{kind}", volumes.Size(3, 400))
    project = row(context, Material).project_id
    await materials.publish_material(context, project)
    where = ("7" * 32, "course") if kind is MaterialKind.FOLDER else ("course", "main")
    assert asked == [(project, NEW, *where)]
    after = row(context, Material)
    assert (after.state, after.uid, after.version) == (DatasetState.READY, NEW, 2)
    assert (after.file_count, after.size_bytes) == (3, 400)
    assert row(context, Job).kind == "tidy_material"


async def test_a_version_that_cannot_be_made_says_why_and_leaves_the_one_before(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "publish_folder", VolumeTrouble("material ended with 1: There is no x."))
    await materials.publish_material(context, row(context, Material).project_id)
    after = row(context, Material)
    assert (after.state, after.uid, after.version) == (DatasetState.FAILED, OLD, 1)
    assert after.message == "There is no x."


async def test_a_version_that_was_asked_for_meanwhile_is_not_forgotten(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish_again() -> volumes.Size:
        change(context, Material, next_uid="8" * 32)
        return volumes.Size(1, 1)

    answer(monkeypatch, "publish_folder", publish_again)
    await materials.publish_material(context, row(context, Material).project_id)
    after = row(context, Material)
    assert (after.state, after.uid, after.next_uid) == (DatasetState.PREPARING, OLD, "8" * 32)


async def test_jobs_that_came_too_late_do_nothing(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(context, Material, state=DatasetState.READY)
    change(context, Delivery, state=DeliveryState.DONE)
    asked = answer(monkeypatch, "publish_folder", None) + answer(monkeypatch, "bring", None)
    project = row(context, Material).project_id
    for late in (project, project + 1):
        await materials.publish_material(context, late)
    await materials.deliver_material(context, row(context, Delivery).id)
    assert asked == []
    assert row(context, Delivery).state is DeliveryState.DONE


REPORT = {"counts": {"added": 1}, "files": {"added": [["c", ""]]}, "undo": True}
FRESH = {"counts": {"fresh": 1}, "files": {"fresh": [["a", "a.mine"]]}, "undo": True}


async def test_what_was_brought_is_written_down(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, "bring", REPORT)
    await materials.deliver_material(context, row(context, Delivery).id)
    [(spec, day)] = asked
    assert (spec.material_uid, spec.folder, spec.verb) == (OLD, "lens", DeliveryVerb.GET)
    assert len(day) == len("2026-11-22")
    after = row(context, Delivery)
    assert (after.state, after.report, after.version) == (DeliveryState.DONE, REPORT, 1)


async def test_a_fresh_copy_changes_only_its_line_of_the_report(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(context, Delivery, verb=DeliveryVerb.FRESH, path="a")
    answer(monkeypatch, "bring", FRESH)
    await materials.deliver_material(context, row(context, Delivery).id)
    assert row(context, Delivery).report == {
        "counts": {"kept": 1, "fresh": 1},
        "files": {"kept": [["b", ""]], "fresh": [["a", "a.mine"]]},
        "undo": True,
    }


async def test_what_was_not_brought_keeps_the_report_and_says_why(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = row(context, Delivery).report
    answer(monkeypatch, "bring", VolumeTrouble("deliver: Read timed out. (read timeout=600)"))
    await materials.deliver_material(context, row(context, Delivery).id)
    after = row(context, Delivery)
    assert (after.state, after.report) == (DeliveryState.FAILED, before)
    assert "took too long" in after.message


async def test_material_that_was_removed_meanwhile_is_not_brought(context: Context) -> None:
    with writing(context.engine) as session:
        session.delete(session.scalars(select(Material)).one())
    await materials.deliver_material(context, row(context, Delivery).id)
    after = row(context, Delivery)
    assert (after.state, after.message) == (DeliveryState.FAILED, materials.GONE)


async def test_versions_that_are_needed_are_not_removed(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, "tidy", VolumeTrouble("no engine"))
    project = row(context, Material).project_id
    await materials.tidy_material(context, project)
    await materials.tidy_material(context, project + 1)
    assert asked == [(project, {OLD, NEW}), (project + 1, set())]


class Hub:
    """Has no servers and forgets whom it is told to."""

    async def server_names(self, _: str) -> list[str]:
        return []

    async def delete_user(self, _: str) -> None:
        pass


async def test_a_project_goes_for_good_when_nobody_gets_its_material_any_more(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.hub = Hub()  # type: ignore[assignment]
    number = row(context, Material).project_id
    change(context, Material, state=DatasetState.READY)
    change(context, ResearchProject, deleted_at=utcnow(), purge_started_at=utcnow())
    asked = answer(monkeypatch, "tidy", False)
    with pytest.raises(Unavailable, match="just getting"):
        await trash.purge(Kind.PROJECT)(context, number)
    answer(monkeypatch, "tidy", True)
    await trash.purge(Kind.PROJECT)(context, number)
    assert asked == [(number, ())]
    with reading(context.engine) as session:
        for table in (ResearchProject, Material, Delivery):
            assert session.scalars(select(table)).all() == []


class Account:
    """The Hub's answer about Grace, whose lab she has started there."""

    username = "grace"
    servers = (Server("grace", "", ready=True, pending=None, stopped=False, last_activity=None),)


class HubWithGrace(Hub):
    async def accounts(self, *, active_only: bool) -> AsyncIterator[Any]:
        assert active_only
        yield Account()


@pytest.mark.parametrize(
    ("of_delivery", "of_material", "brought"),
    [
        ({"version": 0}, {}, True),
        ({"version": None, "state": DeliveryState.NEVER, "report": None}, {}, True),
        ({"version": 0, "state": DeliveryState.FAILED}, {}, True),
        ({"version": 0, "on_start": False}, {}, False),
        ({"version": 1}, {}, False),
        ({"version": 0}, {"uid": None}, False),
        ({"version": 0, "state": DeliveryState.WAITING}, {}, False),
    ],
)
async def test_what_is_new_is_brought_when_a_lab_starts_to_who_wants_that(
    context: Context, of_delivery: dict[str, Any], of_material: dict[str, Any], brought: bool
) -> None:
    wish = {"on_start": True, "state": DeliveryState.DONE, "verb": DeliveryVerb.UNDO, "path": "a"}
    change(context, Delivery, **wish | of_delivery)
    change(context, Material, **of_material)
    context.hub = HubWithGrace()  # type: ignore[assignment]
    for _ in range(2):
        await watch(context)
    with reading(context.engine) as session:
        kinds = [job.kind for job in session.scalars(select(Job))]
    assert kinds == (["deliver_material"] if brought else [])
    if brought:
        after = row(context, Delivery)
        assert (after.state, after.verb, after.path) == ("waiting", "get", "")


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (PersonalLab, {"clean_up": True}),
        (ResearchProject, {"deleted_at": utcnow()}),
        (Membership, {"expires_at": make.LONG_AGO}),
    ],
)
async def test_nothing_is_brought_to_who_may_not_have_it_any_more_or_cleans_up(
    context: Context, table: type[Any], values: dict[str, Any]
) -> None:
    change(context, Delivery, on_start=True, state=DeliveryState.DONE, version=0)
    change(context, table, **values)
    with writing(context.engine) as session:
        number = session.scalars(select(PersonalLab.id)).one()
        materials.enqueue_for_start(session, personal.system_personal_lab(session, number))
    with reading(context.engine) as session:
        assert session.scalars(select(Job)).all() == []
