"""What somebody who only watches may ask for: reading, and the sockets that bring changes.

Whatever is not named here is refused, so that what an image adds stays shut until somebody
has looked at it. Authorizers of Jupyter Server are not enough: many handlers ask none, and the
socket of a document counts as reading, with which one can write.
"""

import json
import re
from functools import partial
from typing import Any

from jupyterhub.singleuser.extension import JupyterHubUser
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from sophon_lab.documents import Watcher

READING = ("GET", "HEAD", "OPTIONS")
PAGES = re.compile(
    r"/?|/logout|/favicon\.ico|/(?:static|files|custom|kernelspecs)/.*"
    r"|/lab(?:/(?!api/).*)?|/lab/api/(?:settings|workspaces|translations|themes|licenses|listings)(?:/.*)?"
    r"|/api/?|/api/(?:me|status|kernels|kernelspecs|sessions|terminals)"
    r"|/api/contents(?:/.*)?|/api/config/[^/]*|/lsp/status|/sophon/mode"
)
"""What a watcher reads, below the server's base URL."""
RUNNING = ("/api/kernels", "/api/sessions", "/api/terminals")
EVENTS = "/api/events/subscribe"
ROOM = "/api/collaboration/room/"
SESSION = "/api/collaboration/session/"
"""Where JupyterLab asks which room a document has; that changes nothing."""
EVERYBODY = "JupyterLab:globalAwareness"
REFUSAL = "You only watch in this lab."


def restrict(handler: Any, user: JupyterHubUser) -> None:
    """Refuse what a watcher may not ask for, and see to it that the rest only reads."""
    base = handler.base_url.rstrip("/")
    path = handler.request.path.removeprefix(base)  # as handlers are found: not decoded
    if isinstance(handler, WebSocketHandler):
        _restrict_socket(handler, path, user)
    elif handler.request.method == "PUT" and path.startswith(SESSION):
        return
    elif handler.request.method not in READING or not PAGES.fullmatch(path):
        refuse(handler)
    elif path.startswith("/api/contents"):
        _mark_read_only(handler)
    elif path in RUNNING:
        # JupyterLab would try to connect to the kernel of a document that is open, and complain
        finish = handler.finish
        handler.finish = lambda *_: finish("[]")


def refuse(handler: Any) -> None:
    """End the request; error pages ask who it was, so that has to be said first."""
    handler.current_user = handler._jupyter_current_user = None
    # JupyterLab's page of licenses has one of its own, which never answers when something is wrong
    handler.finish = partial(RequestHandler.finish, handler)
    raise HTTPError(403, REFUSAL)


def _restrict_socket(handler: Any, path: str, user: JupyterHubUser) -> None:
    if path == EVENTS:
        handler.on_message = _nothing
    elif path.startswith(ROOM) and _is_open_to_watchers(handler, path.removeprefix(ROOM)):
        handler.on_message = Watcher(handler, user).on_message
    else:
        refuse(handler)


def _is_open_to_watchers(handler: Any, room: str) -> bool:
    """Whether opening the room makes nothing but a document that others would open alike.

    A second room for a file, as something else than it is open as, disturbs those in the first.
    """
    if room == EVERYBODY:
        return True
    kind, _, number = room.rpartition(":")
    path = handler.settings["file_id_manager"].get_path(number)
    if path is None or kind not in ("json:notebook", "text:file", "base64:file"):
        return False
    if (kind == "json:notebook") is not path.endswith(".ipynb"):
        return False
    others = getattr(handler, "_websocket_server", None)
    return others is not None and all(
        name == room or not name.endswith(f":{number}") for name in others.rooms
    )


def _mark_read_only(handler: Any) -> None:
    """Say that files cannot be written: JupyterLab then shows documents as read-only."""
    finish = handler.finish

    def finish_marked(chunk: Any = None) -> Any:
        try:
            model = json.loads(chunk)
        except (TypeError, ValueError):
            return finish(chunk)
        return finish(json.dumps(_read_only(model)))

    handler.finish = finish_marked


def _read_only(model: Any) -> Any:
    if not isinstance(model, dict) or "writable" not in model:
        return model
    marked = {**model, "writable": False}
    if model.get("type") == "directory" and isinstance(model.get("content"), list):
        marked["content"] = [_read_only(entry) for entry in model["content"]]
    return marked


def _nothing(*_: object) -> None:
    """Take no message: this socket only tells."""
