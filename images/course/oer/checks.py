"""Checks of the exercises: what is right, and what to try when it is not.

Answers are worked out from the data here as well, so that no lesson gives its answer away. Data
are imported where they are needed, since importing them reads them.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import folium
import pandas as pd
from bokeh.models import Plot

from oer.maps import countries

Check = Callable[[Any], str]
"""Takes an answer and gives a hint, or nothing when it is right."""


def check(lesson: str, answer: Any) -> None:
    """Print whether ``answer`` is right in the exercise of ``lesson``, or a hint.

    An answer that makes the check itself fail is as wrong as any other and ends in a hint too.
    """
    if lesson not in CHECKS:
        print(f"There is no exercise called {lesson!r}; there is {', '.join(CHECKS)}.")  # noqa: T201
        return
    try:
        hint = CHECKS[lesson](answer)
    except Exception as error:
        hint = f"your answer could not be checked ({type(error).__name__}: {error})."
    print(f"Not yet: {hint}" if hint else "Right! Well done.")  # noqa: T201


def scatter_plot(answer: Any) -> str:
    """A plot of flippers against body mass, with labelled axes."""
    if not isinstance(answer, Plot):
        return "put the plot that figure() gives into answer."
    drawn = [
        (getattr(one.glyph, "x", None), getattr(one.glyph, "y", None)) for one in answer.renderers
    ]
    if ("flipper_length_mm", "body_mass_g") in drawn:
        return "exchange the columns: body mass goes to the right, flippers go up."
    if ("body_mass_g", "flipper_length_mm") not in drawn:
        return "there are no dots yet. Give scatter() the two columns and source=penguins."
    across, up = answer.xaxis[0].axis_label or "", answer.yaxis[0].axis_label or ""
    if "(g)" not in across or "(mm)" not in up:
        return "say on both axes what they show, with the units (g) and (mm)."
    return ""


def time_series(answer: Any) -> str:
    """The day with the warmest average."""
    from bokeh.sampledata.sea_surface_temperature import sea_surface_temperature as sea  # noqa: PLC0415

    if answer is ...:
        return "replace the three dots by the day. Which table has one average for each day?"
    day = pd.Timestamp(answer)
    if day.date() == sea["temperature"].idxmax().date():
        return "that is the day of the warmest half hour. Take the averages of days instead."
    wanted = sea["temperature"].resample("D").mean().idxmax()
    return "" if day.date() == wanted.date() else "use idxmax() on the averages of the days."


def heat_map(answer: Any) -> str:
    """The number of months with more than ten per cent."""
    from bokeh.sampledata.unemployment1948 import data  # noqa: PLC0415

    if answer is ...:
        return "replace the three dots by the number. Start with: rates['rate'] > 10"
    rates = data.drop(columns=["Year", "Annual"])
    if answer == (rates >= 10).sum().sum():
        return "that counts months with exactly 10 % as well. Higher than 10 is asked for."
    wanted = (rates > 10).sum().sum()
    return "" if answer == wanted else "compare the column rate with 10, then use sum()."


def binary_tree(answer: Any) -> str:
    """A function that gives the height of a tree."""

    def node(left: Any = None, right: Any = None) -> Any:
        return SimpleNamespace(value=0, left=left, right=right)

    if not callable(answer):
        return "height has to be a function."
    if answer(None) is None:
        return "your function gives nothing back. Begin with: if node is None: return 0"
    if answer(None) != 0:
        return "the height of None is 0."
    if answer(node()) != 1:
        return "a node without children has height 1."
    if answer(node(node(), None)) != 2 or answer(node(None, node(node(), None))) != 3:
        return "look at both children, and take the higher one: max(..., ...)"
    return "" if answer(node(node(node()), node())) == 3 else "count levels, not nodes."


def map_with_markers(answer: Any) -> str:
    """A map with a marker on Edinburgh, with its name."""
    if not isinstance(answer, folium.Map):
        return "put the map into answer."
    kinds = (folium.Marker, folium.CircleMarker, folium.Circle)
    markers = [child for child in answer._children.values() if isinstance(child, kinds)]
    if not markers:
        return "there is no marker on the map yet. Do not forget .add_to(answer)."
    for marker in markers:
        latitude, longitude = marker.location
        if abs(latitude - 55.95) < 0.06 and abs(longitude + 3.19) < 0.06:
            named = any(
                isinstance(child, (folium.Popup, folium.Tooltip))
                for child in marker._children.values()
            )
            return "" if named else "give the marker a tooltip or a popup with the name."
    latitude, longitude = markers[-1].location
    if abs(longitude - 3.19) < 0.06:
        return "your marker is east of Greenwich. West is negative."
    if abs(latitude + 3.19) < 0.06:
        return "latitude comes first, then longitude."
    return f"your marker is at {latitude}, {longitude}. Edinburgh is at 55.95, -3.19."


def choropleth_map(answer: Any) -> str:
    """The country of the map with the greatest share of old people in 2050."""
    from bokeh.sampledata.population import data  # noqa: PLC0415

    if answer is ...:
        return "replace the three dots by the name. Start with the year 2050, as in step 2."
    features = countries()["features"]
    names = {feature["id"]: feature["properties"]["name"] for feature in features}

    def oldest(year: int) -> str:
        people = data[data["Year"] == year]
        old = people[people["AgeGrpStart"] >= 65].groupby("LocID")["Value"].sum()
        share = old / people.groupby("LocID")["Value"].sum()
        return str(names[share[share.index.isin(names)].idxmax()])

    if answer == oldest(2050):
        return ""
    if answer == oldest(2025):
        return "that is the country of 2025. Take the year 2050."
    return "take the rows with AgeGrpStart of 65 and more, divide by everybody, use idxmax()."


def voronoi_map(answer: Any) -> str:
    """The place nearest to Loch Ness."""
    if answer is ...:
        return "replace the three dots by a name. A loop over cells.items() helps."
    if answer == "Inverness":
        return ""
    if answer == "Fort William":
        return "near, but not the nearest. Ask the cells which one contains the point."
    return "find the cell that contains loch_ness; the name of its place is the answer."


CHECKS: dict[str, Check] = {
    "scatter-plot": scatter_plot,
    "time-series": time_series,
    "heat-map": heat_map,
    "binary-tree": binary_tree,
    "map-with-markers": map_with_markers,
    "choropleth-map": choropleth_map,
    "voronoi-map": voronoi_map,
}
