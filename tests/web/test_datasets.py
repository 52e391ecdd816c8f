"""Datasets through the API and on pages."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from sophon_hub.models import Dataset, DatasetKind, DatasetState, LabState, Visibility
from sophon_hub.settings import Sophon
from tests import make
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import doors, landed, send, soup_of

DATASETS = "api/v1/datasets"
BENCH = "api/v1/projects/public-work/labs/bench"
BENCH_PAGE = "projects/public-work/labs/bench"


@pytest.fixture
def rooted(busy_site: Site) -> Iterator[Site]:
    """A hub whose administrator allows directories below /srv/data."""
    before = busy_site.portal.settings
    busy_site.portal.settings = Sophon(data_dir=before.data_dir, dataset_roots=["/srv/data"])
    yield busy_site
    busy_site.portal.settings = before


def change(site: Site, slug: str, **values: Any) -> None:
    with site.rows() as session:
        row = session.scalars(select(Dataset).where(Dataset.slug == slug)).one()
        for name, value in values.items():
            setattr(row, name, value)


async def test_an_administrator_registers_a_directory(rooted: Site):
    root = rooted.client("root")
    made = await root.post(
        DATASETS,
        {
            "name": "Night sky",
            "kind": "directory",
            "location": "/srv/data/sky",
            "description": "**Stars**",
            "licence": "CC BY 4.0",
            "source": "Our telescope",
        },
    )
    assert made.status == 201
    found = made.json
    assert found.pop("created_at").endswith("Z")
    assert found == {
        "slug": "night-sky",
        "group": None,
        "name": "Night sky",
        "description": "**Stars**",
        "description_html": "<p><strong>Stars</strong></p>\n",
        "licence": "CC BY 4.0",
        "source": "Our telescope",
        "visibility": "internal",
        "kind": "directory",
        "location": "/srv/data/sky",
        "path": "/srv/datasets/night-sky",
        "state": "preparing",
        "message": "Waiting for its turn",
        "file_count": None,
        "size_bytes": None,
        "checksum": None,
        "checked_at": None,
        "verified_at": None,
        "differences": None,
        "can": ["dataset:see", "dataset:edit", "dataset:visibility", "dataset:delete"],
        "deleted_at": None,
    }
    refused = await root.post(DATASETS, {"name": "x", "kind": "directory", "location": "/etc"})
    assert refused.wrong_fields == {"location"}


async def test_where_files_come_from_is_told_to_those_who_may_change_it(busy_site: Site):
    for name, told in ((None, False), ("alan", False), ("grace", True)):
        found = (await busy_site.client(name).get(f"{DATASETS}/public-data")).json
        assert bool(found["location"]) is told


async def test_lists_hold_what_one_may_see(busy_site: Site):
    for name, wanted in (
        (None, {"public-data"}),
        ("barbara", {"public-data", "internal-data"}),
        ("alan", {"public-data", "internal-data", "private-data"}),
    ):
        client = busy_site.client(name)
        page = (await client.get(DATASETS)).json
        assert {item["slug"] for item in page["items"]} == wanted
        assert page["total"] == len(wanted)
        assert (await client.get(f"{DATASETS}?q=private")).json["total"] == (name == "alan")
    alan = busy_site.client("alan")
    assert (await alan.get(f"{DATASETS}?group=private")).json["total"] == 1
    assert (await alan.get(f"{DATASETS}?group=NO")).json["total"] == 0
    change(busy_site, "private-data", deleted_at=make.LONG_AGO)
    assert (await alan.get(f"{DATASETS}?trash=true")).json["total"] == 0
    assert (await busy_site.client("ada").get(f"{DATASETS}?trash=true")).json["total"] == 1


async def test_a_running_lab_says_that_its_datasets_were_changed(busy_site: Site):
    with busy_site.rows() as session:
        lab = world.corner(session, "public").lab
        lab.state, lab.started_with = LabState.RUNNING, lab.launch_settings()
    grace = busy_site.client("grace")
    assert (await grace.get(BENCH)).json["restart_needed"] == []
    added = (await grace.put(f"{BENCH}/datasets/public-data")).json
    assert added["datasets"] == ["public-data"]
    assert added["restart_needed"] == ["a dataset was added"]
    page = await busy_site.browser("grace").get("projects/public-work/labs/bench")
    assert "for this to take effect: a dataset was added." in page.text
    again = await grace.put(f"{BENCH}/datasets/public-data")
    assert again.status == 200
    removed = (await grace.delete(f"{BENCH}/datasets/public-data")).json
    assert (removed["datasets"], removed["restart_needed"]) == ([], [])
    with busy_site.rows() as session:
        lab = world.corner(session, "public").lab
        lab.started_with = {**lab.launch_settings(), "datasets": ["another"]}
    assert (await grace.get(BENCH)).json["restart_needed"] == ["a dataset was removed"]
    assert (await grace.delete(f"{BENCH}/datasets/public-data")).status == 404


async def test_who_may_not_see_a_dataset_does_not_learn_that_a_lab_has_it(busy_site: Site):
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        corner.dataset.visibility = Visibility.PRIVATE
        corner.lab.dataset_uids = [corner.dataset.uid]
    listed = "api/v1/projects/public-work/labs"
    for name, wanted in ((None, []), ("barbara", []), ("alan", ["public-data"])):
        client = busy_site.client(name)
        assert (await client.get(BENCH)).json["datasets"] == wanted
        assert (await client.get(listed)).json["items"][0]["datasets"] == wanted
        page = await client_page(busy_site, name).get(BENCH_PAGE)
        assert ("public-data" in page.text) is bool(wanted)


def client_page(site: Site, name: str | None) -> Any:
    return site.browser(name) if name else site.client()


async def test_a_lowered_dataset_leaves_ones_own_lab_and_the_page_forgets_it(busy_site: Site):
    barbara = busy_site.client("barbara")
    assert (await barbara.put("api/v1/me/lab/datasets/internal-data")).status == 200
    change(busy_site, "internal-data", visibility=Visibility.PRIVATE)
    assert (await barbara.get("api/v1/me/lab")).json["datasets"] == []
    lost = await barbara.delete("api/v1/me/lab/datasets/internal-data")
    missing = await barbara.delete("api/v1/me/lab/datasets/nothing")
    assert lost.told == missing.told
    assert "internal-data" not in (await busy_site.browser("barbara").get("lab")).text


async def test_a_manifest_is_text_for_sha256sum(busy_site: Site):
    change(busy_site, "public-data", manifest="ab  ./x\n")
    answer = await busy_site.client().get(f"{DATASETS}/public-data/manifest")
    assert (answer.status, answer.text) == (200, "ab  ./x\n")
    assert answer.headers["Content-Type"].startswith("text/plain")
    change(busy_site, "public-data", manifest=None)
    assert (await busy_site.client().get(f"{DATASETS}/public-data/manifest")).status == 404


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"state": DatasetState.FAILED, "message": "There is no volume x."}, "no volume x"),
        ({"state": DatasetState.PREPARING}, "are being read"),
        ({"verified_at": make.LONG_AGO, "differences": 2}, "2 files differed"),
        ({"verified_at": make.LONG_AGO, "differences": 0}, "All files were as the manifest says"),
        ({"message": "There is no folder."}, "There is no folder."),
        ({"size_bytes": 3 * 1024**2, "file_count": 4, "checksum": "f" * 64}, "3.0 MiB, 4 files"),
    ],
)
async def test_the_page_says_how_a_dataset_is(busy_site: Site, values: dict[str, Any], said: str):
    change(busy_site, "private-data", **values)
    page = soup_of(await busy_site.browser("grace").get("datasets/private-data"))
    assert said in page.get_text(" ")


@pytest.mark.parametrize(
    ("action", "said"),
    [("verify", "compared"), ("refresh", "read anew"), ("delete", "trash"), ("burn", None)],
)
async def test_every_button_of_a_dataset_does_what_it_says(
    busy_site: Site, action: str, said: str | None
):
    ada = busy_site.browser("ada")
    answer = await send(ada, "datasets/private-data", action=action)
    if said is None:
        assert answer.status == 422
        return
    assert landed(answer) == "datasets/private-data"
    assert busy_site.count_events() == 1


async def test_what_does_not_fit_comes_back_with_the_page(busy_site: Site):
    change(busy_site, "private-data", state=DatasetState.FAILED)
    answer = await send(busy_site.browser("ada"), "datasets/private-data", action="verify")
    assert answer.status == 409
    assert "no manifest" in soup_of(answer).get_text()


async def test_a_dataset_is_registered_on_a_page(rooted: Site):
    root = rooted.browser("root")
    form = soup_of(await root.get("datasets/new"))
    assert "/srv/data" in form.get_text()
    fields = {"name": "Sky", "kind": "directory", "visibility": "internal", "group": ""}
    refused = await send(root, "datasets/new", location="/etc", **fields)
    assert refused.status == 422
    assert "Sky" in refused.text
    once = {"location": "/srv/data/sky", "once": "a", **fields}
    for _ in range(2):
        assert landed(await send(root, "datasets/new", **once)) == "datasets/sky"
    assert (await send(rooted.browser("ada"), "datasets/new", **once)).status == 403


async def test_a_dataset_is_edited_on_a_page(busy_site: Site):
    grace = busy_site.browser("grace")
    page = soup_of(await grace.get("datasets/private-data/edit"))
    assert not page.select("input[name=visibility]")
    assert landed(await send(grace, "datasets/private-data/edit", name="New", licence="CC0")) == (
        "datasets/private-data"
    )
    assert (await send(grace, "datasets/private-data/edit", name="")).status == 422
    ada = soup_of(await busy_site.browser("ada").get("datasets/private-data/edit"))
    assert len(ada.select("input[name=visibility]")) == 1


async def test_a_folder_is_published_on_a_page(busy_site: Site):
    grace = busy_site.browser("grace")
    fields = {"name": "Out", "folder": "out/2027", "visibility": "private", "once": "a"}
    refused = await send(grace, f"{BENCH_PAGE}/publish", **fields | {"folder": "../out"})
    assert refused.status == 422
    assert landed(await send(grace, f"{BENCH_PAGE}/publish", **fields)) == "datasets/out"
    with busy_site.rows() as session:
        made = session.scalars(select(Dataset).where(Dataset.slug == "out")).one()
        assert (made.kind, made.location) == (DatasetKind.PUBLISHED, "out/2027")


@pytest.mark.parametrize("place", [f"{BENCH_PAGE}/datasets", "lab/datasets"])
async def test_datasets_are_added_and_removed_on_a_page(busy_site: Site, place: str):
    grace = busy_site.browser("grace")
    page = await grace.get(place)
    offered = {str(one["value"]) for one in soup_of(page).select("option")} - {""}
    private = {"private-data"} if place == "lab/datasets" else set()
    assert offered == {"public-data", "internal-data"} | private
    assert landed(await send(grace, place, action="attach", dataset="public-data")) == place
    page = await grace.get(place)
    assert "detach" in doors(page)
    assert "/srv/datasets/public-data" in page.text
    assert landed(await send(grace, place, action="detach", dataset="public-data")) == place
    assert "detach" not in doors(await grace.get(place))


@pytest.mark.parametrize("place", [f"{BENCH_PAGE}/datasets", "lab/datasets"])
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"action": "attach", "dataset": ""}, 422),
        ({"action": "attach"}, 422),
        ({"action": "burn", "dataset": "public-data"}, 422),
        ({"action": "attach", "dataset": "nothing"}, 404),
    ],
)
async def test_what_cannot_be_added_is_refused(
    busy_site: Site, place: str, fields: dict[str, str], status: int
):
    assert (await send(busy_site.browser("grace"), place, **fields)).status == status
    assert busy_site.count_events() == 0


async def test_a_private_dataset_of_another_group_is_refused_on_the_page(busy_site: Site):
    grace = busy_site.browser("grace")
    refused = await send(grace, f"{BENCH_PAGE}/datasets", action="attach", dataset="private-data")
    assert refused.status == 409
    assert "private to another group" in soup_of(refused).get_text()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"state": DatasetState.PREPARING}, "is being prepared"),
        ({"state": DatasetState.FAILED}, "cannot be read"),
        ({"visibility": Visibility.PRIVATE}, "is private to another group now"),
    ],
)
async def test_the_page_of_a_lab_says_what_it_will_not_have(
    busy_site: Site, values: dict[str, Any], said: str
):
    with busy_site.rows() as session:
        uid = world.corner(session, "internal").dataset.uid
        world.corner(session, "public").lab.dataset_uids = [uid]
    change(busy_site, "internal-data", **values)
    for path in (BENCH_PAGE, f"{BENCH_PAGE}/datasets"):
        assert said in soup_of(await busy_site.browser("grace").get(path)).get_text(" ")


async def test_what_is_deleted_is_in_the_trash_of_its_owners(busy_site: Site):
    change(busy_site, "private-data", deleted_at=make.LONG_AGO)
    assert "datasets/private-data" in (await busy_site.browser("ada").get("trash")).text
    assert "datasets/private-data" not in (await busy_site.browser("grace").get("trash")).text
    restored = await send(busy_site.browser("ada"), "datasets/private-data", action="restore")
    assert landed(restored) == "datasets/private-data"


async def test_the_page_of_a_group_lists_those_of_its_datasets_that_one_may_see(busy_site: Site):
    with busy_site.rows() as session:
        group = world.corner(session, "public").group
        for number in range(5):
            make.dataset(session, f"d{number}", group=group, visibility=Visibility.PRIVATE)
    for name, total in ((None, 1), ("barbara", 1), ("alan", 6), ("grace", 6)):
        client = busy_site.browser(name) if name else busy_site.client()
        soup = soup_of(await client.get("groups/public"))
        assert soup.select_one("#datasets .number").text == str(total)
        shown = soup.select("section[aria-labelledby=datasets] .row-title a")
        assert len(shown) == min(total, 5)
        more = soup.select("section[aria-labelledby=datasets] a[href$='datasets?group=public']")
        assert [link.text for link in more] == (["All 6 datasets"] if total > 5 else [])
    page = soup_of(await busy_site.browser("grace").get("datasets?group=public&q=d"))
    assert len(page.select("#results .row-title")) == 6
    assert page.select_one("input[name=group]")["value"] == "public"
    none = soup_of(await busy_site.browser("grace").get("datasets?group=other"))
    assert none.select("#results .row-title") == []
    assert "No dataset fits" in none.text


async def test_a_group_without_datasets_says_nothing_of_them(busy_site: Site):
    with busy_site.rows() as session:
        world.corner(session, "public").dataset.deleted_at = make.LONG_AGO
    assert soup_of(await busy_site.browser("grace").get("groups/public")).select("#datasets") == []


async def test_an_empty_list_says_what_datasets_are(site: Site):
    assert "There are no datasets yet" in (await site.client().get("datasets")).text
    assert "No dataset fits" in (await site.client().get("datasets?q=zz")).text
