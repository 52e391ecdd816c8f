"""A document that people have open together, saved without waiting for them to pause.

Takes the place of the stock room of jupyter-server-ydoc 3.0. That one waits for a pause before it
saves, forgets what is unsaved when it ends, and lets the file win over unsaved edits.
"""

import asyncio
import errno
from typing import Any

from jupyter_server.utils import ensure_async
from jupyter_server_ydoc.utils import LogLevel
from pycrdt.store import YDocNotFound
from tornado.web import HTTPError

from sophon_lab.files import ChangedOnDisk, Stamp, expecting, sync_folder
from sophon_lab.history import RoomHistory, edits_by
from sophon_lab.merging import document_of, edit_to, fingerprint, is_lost
from sophon_lab.room_files import RoomWithFile
from sophon_lab.store import LabStore
from sophon_lab.troubles import sentence

LONGEST_DELAY = 5.0
"""Seconds after which an edit is saved at the latest, however people go on typing."""

ATTEMPTS = 5
"""How often a save is begun again because somebody else has just written the file."""

SAVED = "sophon_saved"
"""Where a document notes the fingerprint of what it was saved as; two while it is being saved."""

QUEUE_SECONDS = 2.0
"""Longest wait for messages that arrived before a save was asked for."""


class LabRoom(RoomWithFile):
    """Saves each edit within `LONGEST_DELAY`, and all of them before it ends."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._edits = self._saved_edits = 0
        self._edited_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._save_lock = asyncio.Lock()
        self._saves: set[asyncio.Task[None]] = set()
        self._stamp: Stamp | None = None
        self._mark = ""
        self._stored: bytes | None = None  # what the store has for sure, as a state vector
        self.state_on_disk: bytes | None = None  # the state whose content is on the disk
        self.history = RoomHistory(self)
        super().__init__(*arguments, **options)

    @property
    def is_saved(self) -> bool:
        """Whether all that is in the document is on the disk."""
        return self._edits == self._saved_edits

    # Opening --------------------------------------------------------------------------------------

    async def initialize(self) -> None:
        """Load the document once: from the file, with its history from the store.

        The store is ahead of a file that has what this document was last saved as: then the lab
        was killed, and what is in the store only is kept. Any other file wins.
        """
        if self.ready:
            return
        self._stamp = self._stamp_now()
        model = await self._file.load_content(self._file_format, self._file_type)
        content = model["content"]
        self._mark = await asyncio.to_thread(fingerprint, content)
        async with self._update_lock:
            known, is_ahead = await self._load_store(), False
            self._stored = self.ydoc.get_state() if known else None
            if not known:
                await self._apply_deterministic_source_content(content)
            elif fingerprint(self._document.get()) != self._mark:
                is_ahead = self._mark in str(self._document.ystate.get(SAVED)).split()
                if not is_ahead:
                    self.log.info("%s was changed while it was closed", self.path)
                    self._document.set(content)
            self._remember(self._mark)
            if not is_ahead:
                self._note_saved(self._edits, self.ydoc.get_update())
            await self._store_ahead()
            self._document_progressively_loaded.set_result(None)
            self.ready = True
        self._emit(LogLevel.INFO, "initialize", "Room initialized")
        if is_ahead:
            self.log.warning("%s gets back what was not saved before the lab ended", self.path)
            self._edits += 1
            self._begin_save()
        await self.history.keep("open")

    async def serve(self, channel: Any) -> None:
        """Take the edits that come through a socket as those of whoever the hub says is there."""
        with edits_by(channel.current_user):
            await super().serve(channel)

    async def _load_store(self) -> bool:
        if self.ystore is None:
            return False
        async with self.ystore.start_lock:
            if not self.ystore.started.is_set():
                self.create_task(self.ystore.start())
                await self.ystore.started.wait()
        try:
            await self.ystore.apply_updates(self.ydoc)
        except YDocNotFound:
            return False
        return True

    # When to save ---------------------------------------------------------------------------------

    def _on_document_change(self, target: str, event: Any) -> None:
        if target == "state":
            return
        self.history.note_edit()
        now = asyncio.get_running_loop().time()
        if self.is_saved:
            self._edited_at = now
        self._edits += 1
        pause = self._save_delay if self._save_delay is not None else LONGEST_DELAY
        self._save_at(min(now + pause, max(now, self._edited_at + LONGEST_DELAY)))

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _save_at(self, moment: float) -> None:
        self._forget_timer()
        self._timer = asyncio.get_running_loop().call_at(moment, self._begin_save)

    def _begin_save(self) -> None:
        self._timer = None
        if not self._save_lock.locked():  # else that save looks again when it ends
            self._keep(asyncio.create_task(self._save_and_tell()))

    async def _save_and_tell(self) -> None:
        try:
            await self.save()
        except Exception:
            self.log.exception("Cannot save %s", self.path)

    def _save_to_disc(self) -> "asyncio.Task[None]":
        """Save because somebody asked for it; they are told when it fails."""
        return self._keep(asyncio.create_task(self.save()))

    def _keep(self, save: "asyncio.Task[None]") -> "asyncio.Task[None]":
        self._saves.add(save)
        save.add_done_callback(self._saves.discard)
        return save

    # Saving ---------------------------------------------------------------------------------------

    async def save(self) -> None:
        """Write the document as it is now; raises what kept it from the disk.

        A file that somebody else wrote meanwhile is merged first.
        """
        try:
            async with self._save_lock:
                await self._write_or_merge()
        except Exception as error:
            self._emit(LogLevel.ERROR, None, sentence(self.path, error))
            self._save_at(asyncio.get_running_loop().time() + LONGEST_DELAY)
            raise
        self._emit(LogLevel.INFO, "save", "Content saved.")
        await self.history.keep_when_due()
        if not self.is_saved and self._timer is None:
            self._save_at(asyncio.get_running_loop().time())

    async def _write_or_merge(self) -> None:
        for _ in range(ATTEMPTS):
            try:
                with self.history.saving():
                    await self._write()
            except ChangedOnDisk:
                await self._merge()
                if not self.is_saved:
                    continue
            return
        raise OSError(errno.EBUSY, "Something else keeps writing this file", self.path)

    async def _write(self) -> None:
        edits, state = self._edits, self.ydoc.get_update()
        async with self._file._lock:
            path = self._file.path
            file = self.file
            now = self._stamp_now()
            if now is not None and now != self._stamp:
                raise ChangedOnDisk(path)
            # of a copy: reading takes several turns of the loop, and people go on typing
            content = await document_of(state, self._file_type).aget()
            mark = await asyncio.to_thread(fingerprint, content)
            self._remember(self._mark, mark)
            await self._store_ahead()
            model = {"type": self._content_type, "format": self._file_format, "content": content}
            with expecting(file, now) as expectation:
                try:
                    saved = await ensure_async(self._file._contents_manager.save(model, path))
                except HTTPError as error:
                    if isinstance(error.__context__, ChangedOnDisk):
                        raise error.__context__ from None
                    raise
            self._stamp, self._mark = expectation.written or self._stamp_now(), mark
            self._file.last_modified = saved["last_modified"]
            await asyncio.to_thread(sync_folder, file)
            digest = await self._digest()
        self._note_saved(edits, state)
        if self._document.dirty and self.is_saved:
            self._document.dirty = False
        self._document.hash = digest

    def _remember(self, *marks: str) -> None:
        """Note in the document what is on the disk, or will be there in a moment."""
        if self._document.ystate.get(SAVED) != " ".join(marks):
            self._document.ystate[SAVED] = " ".join(marks)

    async def _store_ahead(self) -> None:
        """Store every edit before the file has it: a file with more would be there twice.

        The edits that browsers still know would come back beside those that the file has brought.
        """
        if isinstance(self.ystore, LabStore):
            state = self.ydoc.get_state()
            await self.ystore.write_since(self.ydoc, self._stored)
            self._stored = state

    def _note_saved(self, edits: int, state: bytes) -> None:
        self._saved_edits, self.state_on_disk = edits, state
        self._edited_at = asyncio.get_running_loop().time()

    async def flush(self) -> None:
        """Save everything that has arrived; raises what kept it from the disk."""
        deadline = asyncio.get_running_loop().time() + QUEUE_SECONDS
        clients: set[Any] = self.clients  # handlers of the sockets
        while any(not client._message_queue.empty() for client in clients):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0)
        if self.ready and (not self.is_saved or self._save_lock.locked()):
            await self.save()

    async def stop(self) -> None:
        """End, after a last save."""
        try:
            await self.flush()
        except Exception:
            self.log.exception("Cannot save %s before it is closed", self.path)
        self._forget_timer()
        await self.history.keep("close")
        await super().stop()

    # Changes on the disk --------------------------------------------------------------------------

    async def _on_outofband_change(self) -> None:
        """Take over what somebody else wrote, whatever the watcher saw: it knows no own saves."""
        async with self._save_lock:
            now = self._stamp_now()
            if not self.ready or now is None or now == self._stamp:
                return
            try:
                await self._merge()
            except HTTPError as error:  # half written: the next save tries again
                self.log.warning("Cannot read what was written to %s: %s", self.path, error)
        if not self.is_saved:
            self._begin_save()

    async def _merge(self) -> None:
        stamp = self._stamp_now()
        model = await self._file.load_content(self._file_format, self._file_type)
        digest = await self._digest()
        content, was_saved = model["content"], self.is_saved
        mine = self.ydoc.get_update()
        self.log.info("%s was written by something else; taking it over", self.path)
        self._emit(LogLevel.INFO, "overwrite", "Out-of-band changes. Merging them.")
        base = self.state_on_disk or mine
        edit, self.state_on_disk = edit_to(base, content, self._file_type)
        with edits_by(None):
            self.ydoc.apply_update(edit)
        self._stamp, self._document.hash = stamp, digest
        self._mark = await asyncio.to_thread(fingerprint, content)
        self._remember(self._mark)
        if was_saved:
            self._note_saved(self._edits, self.state_on_disk)
            self._forget_timer()
        elif is_lost(base, mine, self.ydoc.get_update(), self._file_type):
            await self.keep_aside(mine)

    async def keep_aside(self, state: bytes) -> None:
        """Put what cannot be merged into a file of its own, beside the other one."""
        path = await self._write_aside(state)
        self._emit(
            LogLevel.ERROR,
            None,
            f"{self.path} was rewritten by something else while it was edited here. What was"
            f" typed is in {path}.",
        )
