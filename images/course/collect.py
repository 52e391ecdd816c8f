"""Collect what maps need from npm's packages, with their licences: ``collect.py FROM TO``.

FROM is a folder ``node_modules`` with the packages of package-lock.json. Natural Earth's countries
become GeoJSON, which is what Leaflet and pandas people read.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FILES = {
    "leaflet": ("dist/leaflet.js", "dist/leaflet.css", "dist/images/*.png", "LICENSE"),
    "jquery": ("dist/jquery.min.js", "LICENSE.txt"),
    "bootstrap": ("dist/js/bootstrap.bundle.min.js", "dist/css/bootstrap.min.css", "LICENSE"),
    "d3": ("d3.min.js", "LICENSE"),
    "leaflet.awesome-markers": (
        "dist/leaflet.awesome-markers.js",
        "dist/leaflet.awesome-markers.css",
        "dist/images/*.png",
        "LICENSE",
    ),
    "@fortawesome/fontawesome-free": (
        "css/all.min.css",
        "webfonts/fa-solid-900.woff2",
        "webfonts/fa-regular-400.woff2",
        "webfonts/fa-brands-400.woff2",
        "LICENSE.txt",
    ),
    "world-atlas": ("LICENSE",),
}

Ring = list[list[float]]


def copy(packages: Path, target: Path) -> None:
    """Copy the files; a name that stands for none is an error."""
    for package, patterns in FILES.items():
        for pattern in patterns:
            found = sorted((packages / package).glob(pattern))
            if not found:
                raise SystemExit(f"{package} has no {pattern}: has its new version moved it?")
            for file in found:
                copied = target / package / file.relative_to(packages / package)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copied)


def countries(packages: Path, detail: str) -> dict[str, Any]:
    """Return the countries of the world in this detail (50m, 110m) as GeoJSON."""
    program = packages / "topojson-client" / "bin" / "topo2geo"
    atlas = packages / "world-atlas" / f"countries-{detail}.json"
    node = shutil.which("node") or "node"
    made = subprocess.run(  # noqa: S603
        [node, str(program), "countries=-"], stdin=atlas.open(), capture_output=True, check=True
    )
    world: dict[str, Any] = json.loads(made.stdout)
    for country in world["features"]:
        shape = country["geometry"]
        several = shape["type"] == "MultiPolygon"
        polygons = shape["coordinates"] if several else [shape["coordinates"]]
        unwrapped = [[unwrap(ring) for ring in polygon] for polygon in polygons]
        shape["coordinates"] = unwrapped if several else unwrapped[0]
        # 0 is no country of the United Nations: Kosovo, Somaliland and a few others have no number
        country["id"] = int(country.get("id", 0))
    return world


def unwrap(ring: Ring) -> Ring:
    """Return a ring that does not jump from one edge of the map to the other.

    What crosses the 180th meridian (Russia, Fiji) goes on beyond it; what goes around the pole
    (Antarctica) is closed along the edge of the map.
    """
    turns, before = 0, ring[0]
    line = []
    for point in ring:
        turns += (before[0] - point[0] > 180) - (before[0] - point[0] < -180)
        line.append([round(point[0] + 360 * turns, 3), round(point[1], 3)])
        before = point
    if turns:
        line += [[line[-1][0], -85.0], [line[0][0], -85.0], line[0]]
    return line


def main() -> None:
    """Fill the folder."""
    packages, target = map(Path, sys.argv[1:])
    copy(packages, target)
    for detail in ("110m", "50m"):
        file = target / f"countries-{detail}.json"
        file.write_text(json.dumps(countries(packages, detail), separators=(",", ":")))


if __name__ == "__main__":
    main()
