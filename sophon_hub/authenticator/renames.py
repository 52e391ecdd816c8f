"""Accounts that an administrator renames at the Hub, which asks no authenticator about it."""

import logging
from functools import partial
from typing import Any

from jupyterhub import orm
from sqlalchemy import event
from sqlalchemy.orm import object_session
from tornado import web

from sophon_hub import names
from sophon_hub.authenticator.records import SignInRecords
from sophon_hub.errors import Conflict, SophonError

log = logging.getLogger(__name__)

_writers: list[SignInRecords] = []
"""Where the Hub of this process writes: one, the last that started."""


def follow_renames(records: SignInRecords) -> None:
    """Have the person of a hub user follow each of its renamings, or refuse it."""
    _writers[:] = [records]
    if not event.contains(orm.User.name, "set", _rename):
        event.listen(orm.User.name, "set", _rename, active_history=True)


def _rename(user: Any, new_name: str, old_name: Any, _initiator: Any) -> None:
    """Called before a hub user gets a name; there is no old one when it is made."""
    if not _writers or not isinstance(old_name, str) or old_name == new_name:
        return
    if names.is_reserved_username(old_name) or names.is_reserved_username(new_name):
        raise web.HTTPError(400, "Names that begin with project- or tmp- belong to the hub.")
    if len(new_name) > names.MAX_USERNAME:
        raise web.HTTPError(400, f"Give a name of at most {names.MAX_USERNAME} characters.")
    try:
        _writers[0].renamed(old_name, new_name)
    except Conflict as error:
        raise web.HTTPError(409, error.detail) from None
    except SophonError as error:
        raise web.HTTPError(503, error.detail) from None
    event.listen(object_session(user), "after_commit", partial(_renamed, new_name), once=True)


def _renamed(new_name: str, _session: Any) -> None:
    """Called when the Hub knows the new name, which a worker may have looked for before."""
    try:
        _writers[0].sync_groups(new_name)
    except SophonError as error:
        log.warning("The groups of %s are compared with the hub later: %s", new_name, error)
