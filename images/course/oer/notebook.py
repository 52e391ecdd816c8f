"""Where plots get their scripts from: the lab, which has them all."""

import functools
import os
from typing import Any

from bokeh import io
from bokeh.resources import Resources
from branca.element import Link

ASSETS = "lab/extensions/oer-assets/static"
"""Below a server's address: the folder that images/course/Dockerfile fills."""

_NPM = "https://cdn.jsdelivr.net/npm"
_MARKERS = "https://cdnjs.cloudflare.com/ajax/libs/Leaflet.awesome-markers/2.0.2"

FOLIUM = {
    f"{_NPM}/leaflet@1.9.3/dist/leaflet.js": "leaflet/dist/leaflet.js",
    f"{_NPM}/leaflet@1.9.3/dist/leaflet.css": "leaflet/dist/leaflet.css",
    "https://code.jquery.com/jquery-3.7.1.min.js": "jquery/dist/jquery.min.js",
    f"{_NPM}/bootstrap@5.2.2/dist/js/bootstrap.bundle.min.js": (
        "bootstrap/dist/js/bootstrap.bundle.min.js"
    ),
    f"{_NPM}/bootstrap@5.2.2/dist/css/bootstrap.min.css": ("bootstrap/dist/css/bootstrap.min.css"),
    f"{_MARKERS}/leaflet.awesome-markers.js": (
        "leaflet.awesome-markers/dist/leaflet.awesome-markers.js"
    ),
    f"{_MARKERS}/leaflet.awesome-markers.css": (
        "leaflet.awesome-markers/dist/leaflet.awesome-markers.css"
    ),
    f"{_NPM}/@fortawesome/fontawesome-free@6.2.0/css/all.min.css": (
        "@fortawesome/fontawesome-free/css/all.min.css"
    ),
    "https://cdnjs.cloudflare.com/ajax/libs/d3/3.5.5/d3.min.js": "d3/d3.min.js",
}
"""Addresses that Folium writes into maps, and the files that stand in for them."""

NOT_NEEDED = (
    "https://netdna.bootstrapcdn.com/bootstrap/3.0.0/css/bootstrap-glyphicons.css",
    "https://cdn.jsdelivr.net/gh/python-visualization/folium/folium/templates"
    "/leaflet.awesome.rotate.min.css",
)
"""Icons from before Font Awesome, which ``folium.Icon(prefix="fa")`` has as well, and markers that
lie on their side."""


def assets(path: str = "") -> str:
    """Return the address, on the lab's own server, of a file that plots load."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    return f"{prefix.rstrip('/')}/{ASSETS}/{path}"


def output_notebook() -> None:
    """Show Bokeh's plots and Folium's maps below the cells that make them, without the Internet."""
    root = assets().removesuffix("static/")
    io.output_notebook(Resources(mode="server", root_url=root), hide_banner=True)
    _keep_folium_here()


@functools.cache
def _keep_folium_here() -> None:
    """Have every link that Folium makes from now on point to the lab."""
    original = Link.__init__

    def __init__(self: Any, url: str, download: bool = False) -> None:  # noqa: N807
        if url in NOT_NEEDED:
            url = "data:text/css,"
        elif url in FOLIUM:
            url = assets(FOLIUM[url])
        original(self, url, download)

    Link.__init__ = __init__
