"""Screenshots that README and docs show, taken by the journeys so that they cannot go stale."""

import os
from pathlib import Path

from playwright.sync_api import Page

KEPT = "SOPHON_KEEP_PICTURES"


def keep_picture(page: Page, name: str) -> None:
    """Take a screenshot into the directory named by ``SOPHON_KEEP_PICTURES``, if it is set."""
    directory = os.environ.get(KEPT)
    if directory:
        page.screenshot(path=Path(directory) / f"{name}.png")
