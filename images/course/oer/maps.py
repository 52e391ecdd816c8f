"""Maps without picture tiles: the outlines of the countries of Natural Earth instead."""

import copy
import functools
import json
import sys
from pathlib import Path
from typing import Any, Literal

import folium
from branca.element import Element, MacroElement
from folium.template import Template

from oer.notebook import assets

FOLDER = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "oer-assets" / "static"

Detail = Literal["110m", "50m"]
"""Scale of the outlines: 1 : 110 million for the world, 1 : 50 million for a part of it."""


class Outlines(MacroElement):
    """The countries as a layer below everything else; the browser gets them from the lab."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this._parent.get_name() }}.createPane("outlines").style.zIndex = 200;
        fetch({{ this.address|tojson }}).then(answer => answer.json()).then(world =>
          L.geoJSON(world, {
            pane: "outlines",
            interactive: false,
            attribution: "Made with Natural Earth",
            style: {weight: 1, color: "#a8a294", fillColor: "#f6f3ec", fillOpacity: 1},
          }).addTo({{ this._parent.get_name() }}));
        {% endmacro %}
        """
    )

    def __init__(self, detail: Detail) -> None:
        super().__init__()
        self._name = "Outlines"
        self.address = assets(f"countries-{detail}.json")


def new_map(
    location: tuple[float, float] = (30.0, 10.0),
    zoom_start: float = 1.5,
    *,
    height: int = 440,
    detail: Detail | None = None,
    **options: Any,
) -> folium.Map:
    """Return a Folium map that needs no Internet.

    ``location`` is latitude and longitude of the middle in degrees. ``zoom_start``
    1.5 shows the whole world, and each step of 1 doubles the size. ``height`` is in pixels,
    ``detail`` is chosen by the zoom when not given. All other options are those of `folium.Map`.
    """
    options = {"zoom_snap": 0.5, **options}
    made = folium.Map(location=location, zoom_start=zoom_start, tiles=None, **options)
    figure = folium.Figure(height=f"{height}px")
    figure.header.add_child(
        Element("<style>.folium-map.leaflet-container {background: #d8e6ee;}</style>")
    )
    made.add_to(figure)
    Outlines(detail or ("110m" if zoom_start <= 3 else "50m")).add_to(made)
    return made


def countries(detail: Detail = "110m") -> dict[str, Any]:
    """Return the countries as GeoJSON: ``id`` is the UN's number of a country, or 0.

    Source: Natural Earth, public domain. Borders show who administers a place and take no side.
    """
    return copy.deepcopy(_read(detail))


@functools.cache
def _read(detail: Detail) -> dict[str, Any]:
    world: dict[str, Any] = json.loads((FOLDER / f"countries-{detail}.json").read_text())
    return world
