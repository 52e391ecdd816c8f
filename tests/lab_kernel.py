"""Running code in a kernel of a lab without a browser."""

import json
import uuid
from typing import Any

from websockets.sync.client import ClientConnection

from tests.lab_visitor import Visitor


def open_kernel(visitor: Visitor) -> tuple[str, ClientConnection]:
    """Start a kernel; gives its number and an open socket."""
    number = visitor.expect("POST", "/api/kernels", json={"name": "python3"})["id"]
    return number, visitor.socket(f"/api/kernels/{number}/channels")


def execute(kernel: ClientConnection, code: str) -> None:
    """Have code run, and do not wait for it."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid.uuid4().hex,
        "date": "",
        "version": "5.3",
    }
    content: dict[str, Any] = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
    kernel.send(json.dumps(message))
