"""From which lives of the server a browser may come back to a document, with what it has unsent.

A browser names the server session that gave it the document. jupyter-server-ydoc 3.0 remembers ten
of them, and of each the version of the document opened last: who slept over ten starts of the lab
is refused, and who has a notebook and a text file open is refused for one of them.
"""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

from jupyter_server_ydoc import handlers, utils

from sophon_lab.files import whole_writing

KEPT = 1000
"""Server sessions that are remembered; each start of the lab is one."""

LOG = logging.getLogger(__name__)


def install() -> None:
    """Put what is below in place of the stock functions, for sockets that open from now on."""
    names: dict[str, Any] = vars(handlers)
    names["save_current_session"] = remember
    names["check_session_compatibility"] = refusal


async def remember(
    root_dir: str,
    session_id: str,
    version: str,
    lock: asyncio.Lock,
    document_version: str | None = None,
    session_store_path: str | None = None,
) -> None:
    """Note that this session of the server has opened a document of this version."""
    async with lock:
        sessions = _known(root_dir, session_store_path)
        session = sessions.setdefault(
            session_id,
            {"version": version, "created_at": datetime.now(UTC).isoformat(), "documents": []},
        )
        if document_version in session["documents"]:
            return
        session["documents"].append(document_version)
        latest = sorted(sessions, key=lambda name: str(sessions[name].get("created_at")))[-KEPT:]
        place = utils._get_jupyter_session_store(root_dir, session_store_path)
        try:
            with whole_writing(str(place)) as file:
                json.dump({name: sessions[name] for name in latest}, file)
        except OSError:
            LOG.exception("Cannot note the session of the server in %s", place)


def refusal(
    root_dir: str,
    client_session_id: str,
    current_version: str,
    current_document_version: str | None = None,
    session_store_path: str | None = None,
) -> tuple[bool, str]:
    """Whether a browser has to load the document anew, and the reason JupyterLab is told."""
    if client_session_id == utils.SERVER_SESSION:
        return False, ""
    session = _known(root_dir, session_store_path).get(client_session_id)
    if session is None:
        return True, "unknown_session"
    if session.get("version") != current_version:
        return True, "version_mismatch"
    if current_document_version not in session["documents"]:
        return True, "version_mismatch"
    return False, ""


def _known(root_dir: str, session_store_path: str | None) -> dict[str, dict[str, Any]]:
    sessions = utils._load_previous_sessions(root_dir, session_store_path)
    return {
        name: session
        for name, session in sessions.items()
        if isinstance(session.get("documents"), list)
    }
