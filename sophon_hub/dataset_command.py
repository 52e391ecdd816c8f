"""``sophon-hub dataset``: what administrators do with datasets from a shell."""

import argparse
import json
from collections.abc import Generator, Iterator

from sqlalchemy import Engine

from sophon_hub.actions.datasets import register_dataset
from sophon_hub.actions.forms import NewDataset
from sophon_hub.errors import SophonError
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.shell import SHELL
from sophon_hub.store.datasets import list_datasets
from sophon_hub.store.engine import reading, transact
from sophon_hub.store.paging import MAX_LIMIT, Paging

TOLD = ("slug", "state", "visibility", "location", "message")
OPTIONAL = ("slug", "description", "licence", "source", "visibility", "group")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands ``add`` and ``list`` and what they take."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="Print all datasets that are not in the trash.")
    listing.add_argument("--json", action="store_true", help="print one JSON object a line")
    add = verbs.add_parser("add", help="Register a directory or volume of this machine.")
    add.add_argument("name", help="its title")
    place = add.add_mutually_exclusive_group(required=True)
    place.add_argument("--directory", help="a directory below one that dataset_roots names")
    place.add_argument("--volume", help="a Docker volume with the label org.sophon.dataset=true")
    for name in OPTIONAL:
        add.add_argument(f"--{name}")
    add.add_argument("--json", action="store_true", help="print one JSON object")


def run(settings: Sophon, engine: Engine, chosen: argparse.Namespace) -> Generator[str, None, None]:
    """Do it; lines for the person who asked.

    Raises:
        BadSetting: what was asked for breaks a rule; the text says which.
    """
    if chosen.verb == "list":
        yield from _list(engine, as_json=chosen.json)
        return
    fields = {name: getattr(chosen, name) for name in OPTIONAL if getattr(chosen, name)}
    fields["name"] = chosen.name
    fields["kind"] = "directory" if chosen.directory else "volume"
    fields["location"] = chosen.directory or chosen.volume
    try:
        form = NewDataset.read(fields)
        slug = transact(
            engine, lambda session: register_dataset(session, SHELL, form, settings).slug
        )
    except SophonError as error:
        raise BadSetting(error.detail) from None
    if chosen.json:
        yield json.dumps({"slug": slug})
        return
    yield f"The dataset {slug} is registered. The hub's worker checks it; look with: dataset list"


def _list(engine: Engine, *, as_json: bool) -> Iterator[str]:
    cursor: str | None = None
    with reading(engine) as session:
        while True:
            page = list_datasets(session, SHELL, Paging(MAX_LIMIT, cursor))
            for row in page.items:
                told = {name: getattr(row, name) for name in TOLD}
                yield json.dumps(told) if as_json else "  ".join(map(str, told.values()))
            cursor = page.next
            if cursor is None:
                return
