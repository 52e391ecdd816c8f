"""The file of a document that people have open: which one it is, and when it was written."""

from pathlib import Path
from typing import Any

from jupyter_server.utils import ensure_async
from jupyter_server_ydoc.rooms import DocumentRoom

from sophon_lab.files import Stamp, free_name
from sophon_lab.merging import document_of


class RoomWithFile(DocumentRoom):
    """What a room knows of its file, apart from what is in it."""

    @property
    def path(self) -> str:
        """Where the document is in the lab's home, for messages."""
        return str(self._document.path)

    @property
    def file(self) -> str:
        """Where the document is on the disk."""
        return self._os_path(self._file.path)

    @property
    def _content_type(self) -> str:
        known = {"directory", "file", "notebook"}
        return self._file_type if self._file_type in known else "file"

    def _os_path(self, path: str) -> str:
        manager: Any = self._file._contents_manager
        return str(manager._get_os_path(path))

    def _stamp_now(self) -> Stamp | None:
        return Stamp.of(self.file)

    async def _digest(self) -> str:
        manager = self._file._contents_manager
        model = await ensure_async(manager.get(self._file.path, content=False, require_hash=True))
        return str(model["hash"])

    async def _write_aside(self, state: bytes) -> str:
        """Put a state of the document into a file of its own, beside the other one."""
        aside = free_name(Path(self.file), "unsaved")
        path = str(Path(self._file.path).with_name(aside.name))
        content = await document_of(state, self._file_type).aget()
        model = {"type": self._content_type, "format": self._file_format, "content": content}
        await ensure_async(self._file._contents_manager.save(model, path))
        return path
