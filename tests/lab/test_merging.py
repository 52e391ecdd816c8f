"""What is typed, and written to the disk meanwhile, is both kept, or said not to be."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from jupyter_ydoc.ynotebook import YNotebook
from jupyter_ydoc.yunicode import YUnicode
from pycrdt import Doc
from sophon_lab.merging import document_of, edit_to, is_lost

from tests.editing import notebook

STREAM = {"output_type": "stream", "name": "stdout", "text": "42\n"}
texts = some.text(alphabet="ab\n", max_size=8)
notebooks = some.lists(texts, min_size=1, max_size=4).map(lambda sources: notebook(*sources))


def state_of(content: Any) -> bytes:
    document: Doc[Any] = Doc()
    shared = YUnicode(document) if isinstance(content, str) else YNotebook(document)
    shared.set(content)
    return document.get_update()


def typed(base: bytes, cell: int, text: str) -> bytes:
    document = document_of(base, "notebook")
    source = document.ycells[cell]["source"]
    source += text
    return document.ydoc.get_update()


def merge(base: bytes, mine: bytes, theirs: Any, kind: str = "notebook") -> bytes:
    edit, _ = edit_to(base, theirs, kind)
    document = document_of(mine, kind)
    document.ydoc.apply_update(edit)
    return document.ydoc.get_update()


def sources(state: bytes) -> list[str]:
    return [str(cell["source"]) for cell in document_of(state, "notebook").ycells]


def test_outputs_that_a_run_has_written_do_not_cost_what_is_typed_in_their_cells() -> None:
    base = state_of(notebook("one", "two"))
    mine = typed(base, 0, " typed")
    theirs = notebook("one", "two")
    theirs["cells"][0] |= {"outputs": [STREAM], "execution_count": 1}

    merged = merge(base, mine, theirs)

    assert sources(merged) == ["one typed", "two"]
    assert document_of(merged, "notebook").get()["cells"][0]["outputs"] == [STREAM]
    assert not is_lost(base, mine, merged, "notebook")


def test_texts_keep_both() -> None:
    base = state_of("a line\n")
    document = document_of(base, "file")
    document._ysource += "typed"

    merged = merge(base, document.ydoc.get_update(), "first\na line\n", "file")

    assert document_of(merged, "file").get() == "first\na line\ntyped"
    assert not is_lost(base, document.ydoc.get_update(), merged, "file")


def test_what_is_typed_into_a_cell_that_becomes_another_kind_is_kept() -> None:
    base = state_of(notebook("one"))
    mine = typed(base, 0, " typed")
    theirs = notebook("one")
    theirs["cells"][0] = {"id": "cell-0", "cell_type": "markdown", "source": "1", "metadata": {}}

    merged = merge(base, mine, theirs)

    assert " typed" in sources(merged)[0]
    assert not is_lost(base, mine, merged, "notebook")


def test_what_is_typed_into_a_cell_that_is_moved_is_said_to_be_lost() -> None:
    base = state_of(notebook("one", "two", "three"))
    mine = typed(base, 2, " typed")
    theirs = notebook("one", "two", "three")
    theirs["cells"].reverse()

    assert is_lost(base, mine, merge(base, mine, theirs), "notebook")


def test_long_texts_are_compared_as_a_whole() -> None:
    base = state_of(notebook("x" * 200_000))
    mine = typed(base, 0, " typed")

    assert not is_lost(base, mine, merge(base, mine, notebook("x" * 200_000)), "notebook")
    assert is_lost(base, mine, merge(base, mine, notebook("y")), "notebook")


@given(notebooks, notebooks, some.integers(0, 3), some.text(alphabet="XYZ", min_size=1, max_size=4))
def test_without_edits_the_disk_wins_and_with_them_they_are_kept_or_said_to_be_lost(
    ours: Any, theirs: Any, cell: int, text: str
) -> None:
    base = state_of(ours)
    wanted = [cell["source"] for cell in theirs["cells"]]
    assert sources(merge(base, base, theirs)) == wanted

    mine = typed(base, cell % len(ours["cells"]), text)
    merged = merge(base, mine, theirs)

    assert is_lost(base, mine, merged, "notebook") or text in "".join(sources(merged))
    assert "".join(sources(merged)).count(text) <= 1
