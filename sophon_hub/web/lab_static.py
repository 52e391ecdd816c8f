"""The files of JupyterLab that all labs share; who may see them does not matter."""

import gzip
from pathlib import PurePosixPath

from tornado.web import RequestHandler

from sophon_hub.lab_static import DIGEST, NAME, LabStatic
from sophon_hub.web import security
from sophon_hub.web.portal import Portal

PATTERN = f"lab-static/({DIGEST})/({NAME})"
YEAR_SECONDS = 365 * 24 * 3600
TYPES = {
    ".css": "text/css",
    ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
"""By ending; what the machine knows would differ from one to the next."""
OTHER = "application/octet-stream"


class LabStaticFile(RequestHandler):
    """One file. What is at its address never changes."""

    def initialize(self, portal: Portal) -> None:
        """Take the portal's parts from the application."""
        self._files = LabStatic.of(portal.settings)
        security.set_headers(self, security.API_POLICY)

    def get(self, digest: str, name: str) -> None:
        """Send it, packed if the browser unpacks."""
        found = self._files.read(digest, name)
        if found is None:
            self.set_status(404)
            self.finish()
            return
        self.set_header("Content-Type", TYPES.get(PurePosixPath(name).suffix, OTHER))
        self.set_header("Cache-Control", f"public, max-age={YEAR_SECONDS}, immutable")
        content = found.content
        if found.is_gzip and "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
        elif found.is_gzip:
            content = gzip.decompress(content)
        self.finish(content)

    head = get
