"""Headless Chromium, as all tests that drive a browser start it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.tls import CHROMIUM_RESOLVES

LAUNCHER = Path(__file__).with_name("chromium_without_netlink.py")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def running_chromium(resolver_rules: str = CHROMIUM_RESOLVES) -> Iterator[Browser]:
    """Start Chromium with these rules for names of hosts; ends with the block."""
    # the launcher needs the packages of the interpreter that runs the tests
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=LAUNCHER,
            args=[*ARGUMENTS, resolver_rules],
            env={**os.environ, "PATH": path},
            headless=True,
        )
        yield browser
        browser.close()
