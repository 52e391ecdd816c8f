"""What measurements found: figures with median and spread, targets, and progress meanwhile."""

import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """What a figure should be: its median, p95 or max at most this much."""

    statistic: Literal["median", "p95", "max"]
    at_most: float


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)), 1) - 1]


def summary(unit: str, values: Sequence[float], target: Target | None = None) -> Json:
    """Number of runs, median, p95, least and most; with the target, whether it is met."""
    numbers: dict[str, float] = {
        "median": statistics.median(values),
        "p95": percentile(values, 0.95),
        "min": min(values),
        "max": max(values),
    }
    figure: Json = {"unit": unit, "runs": len(values)}
    figure |= {name: round(number, 3) for name, number in numbers.items()}
    if target is not None:
        figure["target"] = {target.statistic: f"<= {target.at_most:g}"}
        figure["met"] = numbers[target.statistic] <= target.at_most
    return figure


@dataclass
class Report:
    """The figures of one measurement, as they come in."""

    name: str
    with_postgres: bool = False
    figures: dict[str, Json] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _begin: float = field(default_factory=time.monotonic)

    def add(
        self, name: str, unit: str, values: Sequence[float], target: Target | None = None
    ) -> Json:
        """Write down a figure and say it."""
        figure = summary(unit, values, target)
        self.figures[name] = figure
        verdict = ""
        if target is not None:
            verdict = ", target met" if figure["met"] else ", TARGET MISSED"
        middle, spread = figure["median"], figure["p95"]
        self.say(f"{name}: {middle:g} {unit} (p95 {spread:g}, {len(values)} runs{verdict})")
        return figure

    def note(self, text: str) -> None:
        """Write down something that whoever reads the figures must know."""
        self.notes.append(text)
        self.say(text)

    def say(self, text: str) -> None:
        """Show progress."""
        seconds = time.monotonic() - self._begin
        sys.stderr.write(f"[{self.name} {seconds:5.1f} s] {text}\n")
        sys.stderr.flush()
