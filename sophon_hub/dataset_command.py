"""``sophon-hub dataset``: what administrators do with datasets from a shell."""

import argparse
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

OPTIONAL = ("slug", "description", "licence", "source", "visibility", "group")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands ``add`` and ``list`` and what they take."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="Print all datasets that are not in the trash.")
    add = verbs.add_parser("add", help="Register a directory or volume of this machine.")
    add.add_argument("name", help="its title")
    place = add.add_mutually_exclusive_group(required=True)
    place.add_argument("--directory", help="a directory below one that dataset_roots names")
    place.add_argument("--volume", help="a Docker volume with the label org.sophon.dataset=true")
    for name in OPTIONAL:
        add.add_argument(f"--{name}")


def run(settings: Sophon, engine: Engine, chosen: argparse.Namespace) -> Generator[str, None, None]:
    """Do it; lines for the person who asked.

    Raises:
        BadSetting: what was asked for breaks a rule; the text says which.
    """
    if chosen.verb == "list":
        yield from _list(engine)
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
    yield f"The dataset {slug} is registered. The hub's worker checks it; look with: dataset list"


def _list(engine: Engine) -> Iterator[str]:
    cursor: str | None = None
    with reading(engine) as session:
        while True:
            page = list_datasets(session, SHELL, Paging(MAX_LIMIT, cursor))
            for row in page.items:
                yield f"{row.slug}  {row.state}  {row.visibility}  {row.location}  {row.message}"
            cursor = page.next
            if cursor is None:
                return
