"""Helpers of the course: plots and maps without the Internet, and checks of exercises.

``oer.output_notebook()`` once at the top of a notebook, then plain Bokeh and plain Folium. What
their plots load in the browser comes from the lab itself and not from networks elsewhere, so a
saved plot shows in the lab it was made in; in another lab, run the notebook again.
"""

from oer.checks import check
from oer.maps import countries, new_map
from oer.notebook import output_notebook

__all__ = ["check", "countries", "new_map", "output_notebook"]
