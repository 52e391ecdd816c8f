"""Lists in pages: a stable key, an opaque cursor, and a total that counts what is visible."""

import base64
import binascii
import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, false, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from sophon_hub.errors import Invalid

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


@dataclass(frozen=True)
class Paging:
    """Which page of a list is asked for."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise Invalid.of("limit", f"Ask for 1 to {MAX_LIMIT} items.")

    def after(self, kind: type[T]) -> T | None:
        """The key of the last item of the page before, None on the first page."""
        if not self.cursor:
            return None
        try:
            key = json.loads(base64.urlsafe_b64decode(self.cursor.encode("ascii")))
        except (ValueError, binascii.Error, RecursionError):
            key = None
        if not isinstance(key, kind) or not _is_key(key):
            raise Invalid.of("cursor", "This is not a cursor that a list of ours gave out.")
        return key


def _is_key(key: object) -> bool:
    """Whether both databases can compare a column with this."""
    if isinstance(key, str):
        return is_searchable(key)
    return type(key) is int and 0 <= key < 2**31


def is_searchable(text: str) -> bool:
    """Whether both databases take this text: PostgreSQL has no NUL, neither has half characters."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def encode_cursor(key: str | int) -> str:
    """Write the key of the last item of a page as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode("ascii")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list. ``total`` counts the whole list as the actor may see it."""

    items: Sequence[T]
    next: str | None
    total: int


def fetch_page(
    session: Session,
    query: Select[*tuple[Any, ...]],
    key: InstrumentedAttribute[Any],
    paging: Paging,
    make: Callable[[Any], T],
    key_of: Callable[[T], str | int],
    *,
    newest_first: bool = False,
) -> Page[T]:
    """Run a list query for one page: two statements, the page and the total.

    Args:
        session: where to read.
        query: the select with its conditions, without order and limit.
        key: unique column the list is sorted by.
        paging: which page.
        make: turns a result row into an item.
        key_of: gives the value of ``key`` of an item.
        newest_first: sort by falling key.
    """
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    after = paging.after(int if newest_first else str)
    if after is not None:
        beyond: ColumnElement[bool] = key < after if newest_first else key > after
        query = query.where(beyond)
    order = key.desc() if newest_first else key.asc()
    rows = session.execute(query.order_by(order).limit(paging.limit + 1)).all()
    items = [make(row) for row in rows[: paging.limit]]
    more = len(rows) > paging.limit
    return Page(items, encode_cursor(key_of(items[-1])) if more else None, total)


def matches(text: str, *columns: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Whether any of the columns contains the text, without regard to case."""
    if not is_searchable(text):
        return false()
    pattern = unicodedata.normalize("NFC", text.strip().lower())
    found = [func.lower(column).contains(pattern, autoescape=True) for column in columns]
    condition = found[0]
    for other in found[1:]:
        condition = condition | other
    return condition
