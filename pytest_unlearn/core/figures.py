"""Hold the figures of an audit as data; reports draw them by their kind.

A claim adds what it wants to show by handing over figures; no renderer has to learn of the claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Draw lines over a common axis.

    `series` maps a model's name to its x and y values, and `caption` is the plot in words. `logarithmic` is for both
    axes; `diagonal` draws y = x, what guessing would give.
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    series: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    logarithmic: bool = False
    diagonal: bool = False
    kind: str = field(default="curves", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histograms:
    """Show how two sets are distributed under several models, in common bins.

    `sets` names the two sets; `panels` maps a model's name to the share of each set in each bin between `edges`.
    """

    title: str
    caption: str
    x_label: str
    edges: tuple[float, ...]
    sets: tuple[str, str]
    panels: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    kind: str = field(default="histograms", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """List rows of cells under column names; `caption` is what to read in it."""

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Draw values with their bounds below each other, of several models a thing.

    A row is (what, whose, value, low, high): `whose` is "unlearned", "original", "retrained" or another name; without
    bounds, low and high are None. `limits` are drawn as lines.
    """

    title: str
    caption: str
    x_label: str
    rows: tuple[tuple[str, str, float | None, float | None, float | None], ...]
    limits: tuple[float, ...] = ()
    kind: str = field(default="intervals", init=False)


Figure = Curves | Histograms | Table | Intervals
