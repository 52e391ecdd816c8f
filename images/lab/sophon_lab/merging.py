"""What a kernel or git wrote to an open file, and what people typed meanwhile, both kept.

The document knows its own history. What was written to the disk is taken as an edit of the state
that was on the disk before; two such edits of one state come together as those of two people do.
"""

import hashlib
import json
from difflib import SequenceMatcher
from typing import Any

from jupyter_ydoc import ydocs
from jupyter_ydoc.ybasedoc import YBaseDoc
from jupyter_ydoc.ynotebook import YNotebook
from pycrdt import Array, Doc

NEVER_AGAIN = 100_000
"""Characters of a cell above which nobody looks whether each of them is still there."""


def document_of(update: bytes, file_type: str) -> YBaseDoc:
    """The document of this state, apart from all others."""
    document: Doc[Any] = Doc()
    document.apply_update(update)
    made: YBaseDoc = ydocs.get(file_type, ydocs["file"])(document)
    return made


def fingerprint(content: Any) -> str:
    """The same for the same content, whoever has signed the notebook."""
    if isinstance(content, dict):
        cells = [
            {**cell, "metadata": {**cell["metadata"], "trusted": None}} for cell in content["cells"]
        ]
        content = {**content, "cells": cells}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=repr).encode()).hexdigest()


def edit_to(base: bytes, content: Any, file_type: str) -> tuple[bytes, bytes]:
    """The edit that makes ``content`` of the state ``base``, and the state it leads to."""
    document = document_of(base, file_type)
    before = document.ydoc.get_state()
    if isinstance(document, YNotebook):
        _edit_cells(document, content)
    document.set(content)
    return document.ydoc.get_update(before), document.ydoc.get_update()


def is_lost(base: bytes, mine: bytes, merged: bytes, file_type: str) -> bool:
    """Whether text that ``mine`` has more than ``base`` is not in ``merged``.

    That is so when a cell was edited here, and removed or made anew on the disk. Texts have no
    such parts: nothing typed into them can go with something else.
    """
    old, typed, kept = (_sources(document_of(state, file_type)) for state in (base, mine, merged))
    return any(
        cell not in kept or not _holds(kept[cell], old.get(cell, ""), source)
        for cell, source in typed.items()
        if source and source != old.get(cell)
    )


def _edit_cells(document: YNotebook, content: Any) -> None:
    """Edit texts and outputs in place: a cell that is made anew forgets who else edits it."""
    new = {cell["id"]: cell for cell in content["cells"] if "id" in cell}
    for index, ycell in enumerate(document.ycells):
        cell = new.get(ycell.get("id"))
        if cell is None or cell["cell_type"] != ycell.get("cell_type"):
            continue
        source = cell["source"]
        document.set_cell(index, source="".join(source) if isinstance(source, list) else source)
        outputs = ycell.get("outputs")
        if isinstance(outputs, Array) and document.get_cell(index)["outputs"] != cell["outputs"]:
            document._set_ycell_outputs(ycell, cell["outputs"])


def _sources(document: YBaseDoc) -> dict[str, str]:
    if not isinstance(document, YNotebook):
        return {}
    return {str(cell["id"]): str(cell["source"]) for cell in document.ycells}


def _holds(kept: str, old: str, typed: str) -> bool:
    if len(old) + len(typed) > NEVER_AGAIN:
        return typed in kept
    changes = SequenceMatcher(None, old, typed, autojunk=False).get_opcodes()
    return all(
        typed[start:end] in kept
        for kind, _, _, start, end in changes
        if kind in ("insert", "replace")
    )
