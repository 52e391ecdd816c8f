"""images/build.py, run as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

IMAGES = Path(__file__).parents[2] / "images"


def run_build(
    *arguments: str, folder: Path = IMAGES, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run build.py as a person does, and return what it said."""
    return subprocess.run(
        [sys.executable, str(folder / "build.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
