"""Draw the pictures of the documentation: `python -m tools.pictures` writes docs/pictures/*.svg, and a test compares.

Numbers in them come from the statistics of the product. Plain SVG of a few kilobytes, for light and dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import NormalDist

from pytest_unlearn.claims.common.certify import request

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
STYLE = (
    "text{font:14px sans-serif;fill:#333}.s{font-size:12px}.l{stroke:#333;fill:none}.a{stroke:#0969da;fill:none}"
    ".f{fill:#0969da;fill-opacity:.25;stroke:#0969da}.g{fill:#888;fill-opacity:.25;stroke:#888}.d{stroke-dasharray:4 4}"
    ".ok{stroke:#1a7f37}.no{stroke:#cf222e}.w{stroke-width:2.5}.b{fill:#888;fill-opacity:.1;stroke:#888}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.l{stroke:#ddd}}"
)


def svg(width: int, height: int, parts: Iterable[str]) -> str:
    """Put shapes into a picture."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Write words at a place."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{words}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "l") -> str:
    """Draw a straight line."""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>'


def path(points: Iterable[tuple[float, float]], kind: str, *, closed: bool = False) -> str:
    """Draw a line through points."""
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<{"polygon" if closed else "polyline"} points="{steps}" class="{kind}"/>'


def scores() -> str:
    """Two crowds of scores, and how often one of the first is above one of the second."""
    apart = 0.7
    auc = NormalDist().cdf(apart / math.sqrt(2))

    def bell(centre: float, kind: str) -> str:
        xs = [-3.5 + step / 10 for step in range(78)]
        curve = [(60 + 65 * (x + 3.5), 190 - 330 * NormalDist(centre, 1).pdf(x)) for x in xs]
        return path([(60, 190), *curve, (curve[-1][0], 190)], kind, closed=True)

    return svg(
        600,
        240,
        [
            bell(0, "g"),
            bell(apart, "f"),
            line(50, 190, 570, 190),
            text(310, 215, "score: how much the model treats an example like training data", "s", "middle"),
            text(110, 90, "never trained on", "", "middle"),
            text(470, 70, "forget set", "", "middle"),
            text(
                310, 30, f"AUC {auc:.2f}: of two drawn at random, the forgotten one is above in {auc:.0%}", "", "middle"
            ),
        ],
    )


def verdicts() -> str:
    """An interval beside its limits, a line a verdict."""
    left, right, low, high = 170, 570, 0.4, 0.6

    def x(auc: float) -> float:
        return left + (right - left) * (auc - 0.3) / 0.5

    rows = [
        ("PASS", 0.46, 0.51, 0.56, "ok", ""),
        ("FAIL, recognisable", 0.66, 0.70, 0.74, "no", ""),
        ("FAIL, over-forgotten", 0.31, 0.345, 0.38, "no", ""),
        ("INCONCLUSIVE", 0.53, 0.58, 0.63, "l", "beyond the limit, but not surely"),
        ("INCONCLUSIVE", 0.35, 0.52, 0.69, "l", "too few examples"),
        ("INVALID", 0.5, 0.5, 0.5, "", "a control fails: no interval is believed"),
    ]
    parts = [f'<rect x="{x(low):g}" y="20" width="{x(high) - x(low):g}" height="230" class="b"/>']
    for number, (name, bottom, value, top, kind, remark) in enumerate(rows):
        y = 45 + 36 * number
        parts.append(text(10, y + 5, name, "s"))
        if kind:
            parts += [line(x(bottom), y, x(top), y, f"w {kind}"), line(x(value), y - 6, x(value), y + 6, f"w {kind}")]
        if remark:
            parts.append(text(x(0.55), y + 18, remark, "s", "middle"))
    parts += [line(left, 255, right, 255)]
    for auc in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        parts += [line(x(auc), 255, x(auc), 260), text(x(auc), 275, f"{auc:g}", "s", "middle")]
    return svg(600, 290, [*parts, text(x(0.5), 15, "within the limit", "s", "middle")])


def certifiable() -> str:
    """How many forget examples certify a limit on an AUC in four of five audits, beside 10,000 controls."""
    sizes = [round(20 * 2 ** (step / 4)) for step in range(31)]
    limits = [request(size, 10_000).likely_limit(0.95) for size in sizes]

    def place(n: float, limit: float) -> tuple[float, float]:
        return 70 + 500 * math.log(n / 20) / math.log(4000 / 20), 230 - 950 * (limit - 0.5)

    curve = [place(n, limit) for n, limit in zip(sizes, limits, strict=True)]
    parts = [line(70, 230, 580, 230), line(70, 20, 70, 230), path(curve, "a w")]
    for n in (20, 40, 100, 300, 600, 1000, 2000, 4000):
        at, _ = place(n, 0.5)
        parts += [line(at, 230, at, 235), text(at, 250, f"{n:,}", "s", "middle")]
    for limit in (0.5, 0.55, 0.6, 0.65, 0.7):
        _, y = place(20, limit)
        parts += [line(65, y, 70, y), text(60, y + 4, f"{limit:.2f}", "s", "end")]
    parts += [
        text(325, 272, "forget examples, with 10,000 controls", "s", "middle"),
        text(80, 15, "limit that a perfect method is shown to be within, in four of five audits", "s"),
    ]
    return svg(600, 285, parts)


def share_left() -> str:
    """What the original shows beyond guessing, and how much of it a model shows."""
    parts = []
    for number, (name, excess, kind) in enumerate(
        (("original", 0.24, "f"), ("half a memory", 0.12, "f"), ("honest", 0.01, "g"))
    ):
        y = 30 + 46 * number
        parts += [
            text(10, y + 17, name, "s"),
            f'<rect x="170" y="{y}" width="{1500 * excess:g}" height="26" class="{kind}"/>',
            text(180 + 1500 * excess, y + 17, f"AUC {0.5 + excess:.2f}: {excess / 0.24:.0%} left", "s"),
        ]
    half = 170 + 1500 * 0.12
    parts += [
        line(170, 15, 170, 170),
        line(half, 15, half, 170, "l d"),
        text(half, 190, "at most this much, with certainty", "s", "middle"),
    ]
    return svg(720, 200, [*parts, text(170, 190, "guessing", "s", "middle")])


def decisions() -> str:
    """Which question is asked first, and where it leads."""
    steps = [
        ("Is it INVALID?", "mend the comparison: controls, order, outputs"),
        ("not testable here?", "audit the original; a sharper claim or attack"),
        ("a control is missing?", "hand over original and two references"),
        ("too few examples?", "small requests"),
        ("not enough is gone?", "unlearn longer, or retrain"),
        ("no power on this model?", "same recipe? rows in order? ask a policy"),
        ("trained on the controls?", "other controls"),
    ]
    parts = []
    for number, (question, answer) in enumerate(steps):
        y = 10 + 46 * number
        parts += [
            f'<rect x="10" y="{y}" width="220" height="32" rx="6" class="b"/>',
            text(120, y + 21, question, "s", "middle"),
            line(230, y + 16, 290, y + 16),
            text(260, y + 11, "yes", "s", "middle"),
            text(300, y + 21, answer, "s"),
        ]
        if number:
            parts += [line(120, y - 14, 120, y), text(128, y - 3, "no", "s")]
    return svg(640, 46 * len(steps) + 6, parts)


PICTURES: dict[str, Callable[[], str]] = {
    made.__name__: made for made in (scores, verdicts, certifiable, share_left, decisions)
}


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
