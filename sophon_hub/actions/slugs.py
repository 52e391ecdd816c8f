"""Choosing the slug of something new."""

from collections.abc import Callable

from sophon_hub import names
from sophon_hub.errors import Conflict


def choose_slug(
    name: str, wanted: str | None, is_taken: Callable[[str], bool], *, lab: bool = False
) -> str:
    """The slug asked for, or one made from the name with ``-2``, ``-3`` ... when taken.

    Raises:
        Conflict: the slug asked for is taken.
    """
    if wanted is not None:
        if is_taken(wanted):
            raise Conflict(f"The address “{wanted}” is taken; choose another.", field="slug")
        return wanted
    base = names.make_slug(name, lab=lab)
    slug, number = base, 1
    while is_taken(slug):
        number += 1
        slug = names.numbered_slug(base, number, lab=lab)
    return slug
