"""The trash on pages: removing for good, and what owners are told."""

import pytest

from sophon_hub import audit, clock
from sophon_hub.actions.forms import Confirmation
from sophon_hub.actions.purge import purge_now
from sophon_hub.policy.actor import Actor
from tests.cast import actor
from tests.web import world
from tests.web.test_pages import GROUP, LAB, PROJECT, doors, landed, send, soup_of

THINGS = [
    (GROUP, "private", world.group_in_trash, "trash"),
    (PROJECT, "private-work", world.project_in_trash, "trash"),
    (LAB, "bench", world.lab_in_trash, f"{PROJECT}/trash"),
    ("datasets/private-data", "private-data", world.dataset_in_trash, "trash"),
]
each_thing = pytest.mark.parametrize(
    ("path", "word", "state", "listed"), THINGS, ids=["group", "project", "lab", "dataset"]
)


def put_into_trash(site, state) -> None:
    with site.rows() as session:
        state(world.corner(session, "private"))


@each_thing
async def test_removing_for_good_takes_the_typed_address_and_cannot_be_undone(
    busy_site, path, word, state, listed
):
    put_into_trash(busy_site, state)
    ada = busy_site.client("ada")
    assert doors(await ada.get(listed)) >= {"restore", "purge"}
    wrong = await send(ada, f"{path}/purge", address="something")
    assert wrong.status == 422
    assert f"Type {word}" in soup_of(wrong).select_one("#address-error").text
    assert landed(await send(ada, f"{path}/purge", address=f" {word} ")) == "trash"
    page = await ada.get(listed)
    assert "being removed" in soup_of(page).main.text
    assert not doors(page) & {"restore", "purge"}
    assert "restore" not in doors(await ada.get(path))
    for again in (await send(ada, path, action="restore"), await ada.get(f"{path}/purge")):
        assert again.status == 403
        assert "cannot come back" in soup_of(again).main.text


@each_thing
async def test_what_is_not_in_the_trash_is_moved_there_first(busy_site, path, word, state, listed):
    ada = busy_site.client("ada")
    assert (await ada.get(f"{path}/purge")).status == 404
    refused = await send(ada, f"{path}/purge", address=word)
    assert refused.status == 409
    assert "to the trash first" in soup_of(refused).main.text


@each_thing
async def test_the_api_wants_the_slug_and_says_what_can_still_be_done(
    busy_site, path, word, state, listed
):
    ada, api = busy_site.client("ada"), f"api/v1/{path}/purge"
    assert (await ada.post(api, {"confirm": word})).status == 409
    put_into_trash(busy_site, state)
    assert (await ada.post(api, {"confirm": word.upper()})).status == 422
    done = await ada.post(api, {"confirm": word})
    assert done.status == 202
    assert done.json["deleted_at"]
    assert not [right for right in done.json["can"] if right.endswith(":delete")]
    assert (await ada.post(api, {"confirm": word})).status == 403
    assert (await ada.post(f"api/v1/{path}/restore")).status == 403


async def test_owners_are_told_of_a_deletion_that_was_cancelled_and_nobody_else(busy_site):
    with busy_site.rows() as session:
        corner = world.corner(session, "private")
        hub = Actor(via="system")
        audit.record(session, hub, "project:delete-cancelled", corner.project, username="grace")
        old = audit.record(session, hub, "lab:delete-cancelled", corner.lab, username="grace")
        old.at = clock.utcnow().replace(year=2020)
    for path in ("", GROUP):
        page = soup_of(await busy_site.client("ada").get(path))
        [told] = [box for box in page.select(".message") if "is back from the trash" in box.text]
        assert "private-work" in told.a["href"]
        assert "grace, who had deleted it, is no longer an owner" in told.text
    for name in ("grace", "root"):
        for path in ("", GROUP):
            assert "back from the trash" not in (await busy_site.client(name).get(path)).text


async def test_events_of_the_end_are_sentences_without_dead_links(busy_site):
    with busy_site.rows() as session:
        corner = world.corner(session, "private")
        ada = actor(session, "ada")
        world.lab_in_trash(corner)
        purge_now(session, ada, corner.lab, Confirmation(confirm="bench"))
        audit.record(session, Actor(via="system"), "lab:purged", corner.lab)
    page = soup_of(await busy_site.client("ada").get(f"{GROUP}/events")).main
    assert "had the lab removed for good" in page.text
    assert "removed the lab for good" in page.text
    assert len(page.select(f'a[href$="{LAB}"]')) == 1
