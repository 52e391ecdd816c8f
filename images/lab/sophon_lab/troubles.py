"""Why a document could not be saved, in words for the people who have it open."""

import errno
import sqlite3
from collections.abc import Iterator


def sentence(path: str, error: Exception) -> str:
    """What people are told: which file, and what to do about it."""
    if any(_is_full(cause) for cause in _causes(error)):
        return (
            f"{path} could not be saved: there is no space left. Delete files; it is saved as"
            " soon as there is room."
        )
    detail = getattr(error, "log_message", None) or str(error)
    return f"{path} could not be saved: {detail}. It is tried again every few seconds."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):  # the book of signed notebooks
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
    )
