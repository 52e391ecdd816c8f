"""Settings of every lab of this image. What the spawner passes as arguments wins over them."""

from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821

# The home is the volume: what is kept there survives the container. /tmp does not, and the current
# directory is the people's own.
state = Path.home() / ".local" / "share" / "sophon"
state.mkdir(parents=True, exist_ok=True)

# Real-time collaboration. The store of document updates must outlive the container: when it is
# lost while a browser still has a document open, the reconnecting browser doubles the cells.
c.SQLiteYStore.db_path = str(state / "ystore.db")
c.SQLiteYStore.squash_after_inactivity_of = 3600
c.BaseFileIdManager.db_path = str(state / "file_ids.db")
c.YDocExtension.session_store_path = str(state / "sessions.json")
c.YDocExtension.document_save_delay = 0.5
c.YDocExtension.document_cleanup_delay = 300
c.YDocExtension.file_poll_interval = 1

# Deleting deletes. A hidden rubbish bin fills the quota of people who cannot see it.
c.FileContentsManager.delete_to_trash = False
c.FileContentsManager.always_delete_dir = True

# A lab has no Internet to ask for news or updates, and its environment belongs to the image.
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
