"""The store of document updates gives back all that it was given."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pycrdt import Doc, Text
from sophon_lab.store import LabStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LabStore]:
    """A running store that squashes a document's history at each update."""
    store = LabStore(path=".notebook:1.y", db_path=str(tmp_path / "store.db"))
    store.squash_after_inactivity_of = 0
    store.squash_no_more_often_than = 0
    running = asyncio.create_task(store.start())
    await store.started.wait()
    yield store
    await store.stop()
    await running


async def write(store: LabStore, document: Doc[Text], letter: str) -> None:
    before = document.get_state()
    text = document.get("source", type=Text)
    text += letter
    await store.write(document.get_update(before))


async def stored(store: LabStore) -> str:
    document: Doc[Text] = Doc()
    await store.apply_updates(document)
    return str(document.get("source", type=Text))


async def test_a_squashed_history_still_has_the_whole_document(store: LabStore) -> None:
    document: Doc[Text] = Doc()
    for letter in "squashed":
        await write(store, document, letter)

    assert await stored(store) == "squashed"
    assert len([update async for update in store.read()]) < len("squashed")


async def test_after_an_update_that_could_not_be_stored_nothing_is_until_everything_is(
    store: LabStore,
) -> None:
    document: Doc[Text] = Doc()
    await write(store, document, "a")
    await store._db.execute("PRAGMA query_only = 1")
    await write(store, document, "b")
    assert store.has_gap
    await store.write_since(document, document.get_state())
    assert store.has_gap  # still no way to write

    await store._db.execute("PRAGMA query_only = 0")
    await write(store, document, "c")
    assert await stored(store) == "a"
    await store.write_since(document, document.get_state())

    assert not store.has_gap
    assert await stored(store) == "abc"


async def test_a_store_that_was_not_started_says_so_in_the_log_only(tmp_path: Path) -> None:
    store = LabStore(path=".notebook:1.y", db_path=str(tmp_path / "store.db"))

    await store.write(b"update")

    assert store.has_gap
