"""Draw plots as inline SVG, coloured by the page's style sheet.

matplotlib is imported when the first plot is drawn. Lines differ in style as well as in colour.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 4.4, 2.9  # inches at 72 points: a plot fills a telephone's width without being scaled down
# Placeholders, which no plot would choose; the style sheet has their colours.
INK, MUTED = "#010203", "#040506"
ROLES = {"unlearned": "#0a0b0c", "original": "#0d0e0f", "retrained": "#101112", "limit": "#131415"}
OTHERS = ("#161718", "#191a1b", "#1c1d1e")
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    **{colour: f"--{role}" for role, colour in ROLES.items()},
    **{colour: f"--other-{k}" for k, colour in enumerate(OTHERS)},
}
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pytest-unlearn",
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.6,
    "legend.fontsize": 8.5,
    "savefig.transparent": True,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"), INK
    ),
}

DASHES = {"unlearned": "-", "original": "--", "retrained": "-."}
MARKERS = {"unlearned": "o", "original": "s", "retrained": "^"}
LONGEST_LABEL = 34


@contextlib.contextmanager
def _styled() -> Iterator[None]:
    """Draw under our settings, whatever the process uses elsewhere."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        yield


@_styled()
def intervals(rows: Sequence[tuple[str, str, Mapping[str, Any]]], limits: Sequence[float], label: str) -> str:
    """Draw an interval a row, (name, role, estimate), and the limits as lines."""
    rows = [row for row in rows if row[2]["value"] is not None]
    longest = max((len(_short(name)) for name, _, _ in rows), default=0)
    figure, (axes,) = _figure(0.3 + 0.072 * longest, 0.85 + 0.24 * max(1, len(rows)), top=0.3)
    for position, (_, role, estimate) in enumerate(rows):
        low, high = (estimate[side] if estimate[side] is not None else estimate["value"] for side in ("low", "high"))
        colour = ROLES.get(role, MUTED)
        axes.plot([low, high], [position, position], color=colour, solid_capstyle="butt", linewidth=2.4)
        axes.plot([estimate["value"]], [position], color=colour, marker=MARKERS.get(role, "D"), markersize=6)
    for limit in limits:
        side = "right" if limit == min(limits) and len(limits) > 1 else "left"
        axes.axvline(limit, color=ROLES["limit"], linestyle=(0, (4, 2)), linewidth=1.4)
        axes.annotate(f"limit {limit:g}", (limit, 1), xycoords=("data", "axes fraction"), color=ROLES["limit"],
                      ha=side, va="bottom", fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(rows)), [_short(name) for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(_short(label, 60))
    axes.margins(x=0.06)
    return _svg(figure)


@_styled()
def curves(exhibit: Mapping[str, Any]) -> str:
    """Draw lines over a common axis."""
    figure, (axes,) = _figure(0.62)
    drawn = [value for xs, ys in exhibit["series"].values() for value in (*xs, *ys) if value]
    if exhibit["diagonal"]:
        ends = [min(drawn, default=0.01), 1.0] if exhibit["logarithmic"] else [0.0, 1.0]
        axes.plot(ends, ends, color=MUTED, linestyle=":", linewidth=1.2, label="guessing")
    for position, (name, (xs, ys)) in enumerate(exhibit["series"].items()):
        axes.plot(xs, ys, color=_colour(name, position), linestyle=DASHES.get(name, ":"), label=_short(name))
    if exhibit["logarithmic"] and drawn:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
    axes.set_xlabel(_short(exhibit["x_label"], 60))
    axes.set_ylabel(_short(exhibit["y_label"], 40))
    axes.legend(loc="best", frameon=False)
    return _svg(figure)


@_styled()
def histograms(exhibit: Mapping[str, Any]) -> str:
    """Draw a panel a model: the first set as a line, the second as a filled area."""
    panels = exhibit["panels"]
    figure, axes = _figure(0.5, 0.6 + 1.1 * max(1, len(panels)), max(1, len(panels)), top=0.25)
    for axis, (position, (name, (first, second))) in zip(axes, enumerate(panels.items()), strict=False):
        axis.stairs(second, exhibit["edges"], fill=True, color=MUTED, alpha=0.45, label=exhibit["sets"][1])
        colour = _colour(name, position)
        axis.stairs(first, exhibit["edges"], color=colour, linewidth=1.6, label=exhibit["sets"][0])
        axis.set_title(_short(name), loc="left", fontsize=9, pad=2)
        axis.locator_params(axis="y", nbins=3)
        axis.legend(loc="upper right", frameon=False)
    axes[-1].set_xlabel(_short(exhibit["x_label"], 60))
    return _svg(figure)


def picture(pixels: Sequence[Any]) -> bytes:
    """Encode a small image as PNG."""
    import numpy as np
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, np.asarray(pixels, dtype=np.uint8), format="png", cmap="gray", vmin=0, vmax=255)
    return file.getvalue()


DRAWN = {"curves": curves, "histograms": histograms}


def _figure(left: float, height: float = HEIGHT, rows: int = 1, top: float = 0.1) -> tuple[Any, list[Any]]:
    """Make a figure with `left` and `top` inches of margin, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    # A layout engine would draw everything twice.
    figure.subplots_adjust(
        left=left / WIDTH, right=1 - 0.15 / WIDTH, top=1 - top / height, bottom=0.5 / height, hspace=0.45
    )
    return figure, list(axes)


def _svg(figure: Any) -> str:
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a character without a glyph is drawn by the browser's font, not by ours
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return _embedded(file.getvalue())


def _embedded(document: str) -> str:
    """Strip a drawing of head, unused names and digits; colours are the page's."""
    drawing = document[document.index("<svg") :].strip()
    drawing = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", drawing, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', drawing))
    drawing = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", drawing)
    drawing = re.sub(r'(<svg[^>]*?) width="[^"]*pt" height="[^"]*pt"', r'\1 aria-hidden="true"', drawing, count=1)
    drawing = re.sub(
        r'font-family: [^;"]*; |<path [^>]*style="fill: none"/>| transform="rotate\(-0 [^"]*"', "", drawing
    )
    drawing = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d+\.\d)\d+", r"\1", tag[0]), drawing)
    drawing = re.sub(r"\s*\n\s*", "", drawing)
    for colour, variable in VARIABLES.items():
        drawing = drawing.replace(colour, f"var({variable})")
    return drawing


def _colour(name: str, position: int) -> str:
    return ROLES.get(name, OTHERS[position % len(OTHERS)])


def _short(text: str, most: int = LONGEST_LABEL) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
