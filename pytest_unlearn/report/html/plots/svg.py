"""Draw with text that fits: what SVG needs, and how wide words are.

A drawing is as wide as a telephone's page. Its colours are the page's, by class. The widths of letters are those of a
wide font, so that a narrower one fits as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

WIDTH = 340.0
SIZE = 11.5  # of letters
LINE = 14.0  # from line to line
CLOSE = 0.4  # so far from a straight line is a point that nobody sees
GAP = 6.0  # between words of an axis
Anchor = Literal["start", "middle", "end"]
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]/ -"), frozenset("mwMW%@&")


def width_of(text: str) -> float:
    """Tell how wide a text is at most."""
    return sum(0.42 if c in _NARROW else 1.0 if c in _WIDE else 0.78 if c.isupper() else 0.65 for c in text) * SIZE


def wrapped(text: str, most: float = WIDTH) -> list[str]:
    """Break a text into lines of at most so wide; a word that is wider is broken."""
    lines = [""]
    for word in text.split() or [""]:
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer) <= most:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if width_of(lines[-1] + letter) > most:
                lines.append("")
            lines[-1] += letter
    return lines


@dataclass
class Drawing:
    """Collect the parts of a picture; `height` grows with what is added by `say`."""

    height: float = 0.0
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, anchor: Anchor = "start", kind: str = "") -> None:
        """Write words on a line at y, moved so that none of them leaves the picture."""
        wide = width_of(words)
        left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        moved = x + max(0.0, -left) - max(0.0, left + wide - WIDTH)
        classes = " ".join(filter(None, ("" if anchor == "start" else anchor, kind)))
        style = f' class="{classes}"' if classes else ""
        self.parts.append(f'<text x="{moved:.0f}" y="{y:.0f}"{style}>{escape(words)}</text>')

    def say(self, words: str, kind: str = "") -> None:
        """Write a paragraph below what is there."""
        for line in wrapped(words):
            self.height += LINE
            self.text(0, self.height - 3, line, kind=kind)

    def line(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        self.lines([points], kind)

    def lines(self, several: Iterable[Iterable[tuple[float, float]]], kind: str) -> None:
        """Draw lines of one kind, which share an element of the page."""
        self.parts.append(f'<path class="{kind}" d="{"".join(map(_path, several))}"/>')

    def mark(self, x: float, y: float, role: str) -> None:
        """Draw the mark of a role: a disc, a square, a triangle or a diamond."""
        a, b = short(x), short(y)
        if role == "unlearned":
            self.parts.append(f'<circle cx="{a}" cy="{b}" r="4" class="m {role}"/>')
            return
        left, above, shape = {"original": (4, 4, "h8v8h-8z"), "retrained": (0, 5, "l5 9h-10z")}.get(
            role, (0, 5, "l5 5-5 5-5-5z")
        )
        self.parts.append(f'<path class="m {role}" d="M{short(x - left)} {short(y - above)}{shape}"/>')

    def area(self, x: float, y: float, wide: float, high: float, kind: str) -> None:
        """Fill a rectangle."""
        box = f'x="{short(x)}" y="{short(y)}" width="{short(max(0.0, wide))}" height="{short(max(0.0, high))}"'
        self.parts.append(f'<rect {box} class="{kind}"/>')

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Write below the picture what each line or mark is: (kind, name)."""
        x, self.height = 0.0, self.height + LINE
        for kind, name in entries:
            lines = wrapped(name, WIDTH - 34)
            wide = 34 + max(map(width_of, lines))
            if x and x + wide > WIDTH:
                x, self.height = 0.0, self.height + LINE + 2
            if kind.startswith("l "):
                self.line([(x, self.height - 4), (x + 22, self.height - 4)], kind)
            elif kind.startswith("a "):
                self.area(x, self.height - 9, 22, 9, kind)
            else:
                self.mark(x + 11, self.height - 4, kind)
            for k, words in enumerate(lines):
                self.text(x + 28, self.height + k * LINE, words)
            self.height += (len(lines) - 1) * LINE
            x += wide + 8

    def document(self, title: str, name: str) -> str:
        """Return the SVG, named for those who hear it by its title and by what it says.

        `name` is unique in the page, where the element `name`-d says in words what is drawn.
        """
        return (
            f'<svg viewBox="0 0 {short(WIDTH)} {short(self.height + 4)}" role="img" '
            f'aria-labelledby="{name}-t {name}-d">'
            f'<title id="{name}-t">{escape(title)}</title>{"".join(self.parts)}</svg>'
        )


def short(value: float) -> str:
    """Write a coordinate with one decimal at most."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")
    )


def _path(points: Iterable[tuple[float, float]]) -> str:
    """Write a line as steps from point to point, in the fewest letters."""
    found = ""
    at = (0.0, 0.0)
    for k, (x, y) in enumerate(straightened(list(points))):
        across, down = round(x - at[0], 1), round(y - at[1], 1)
        if k == 0:
            found = f"M{short(across)} {short(down)}"
        elif across or down:
            found += f"h{short(across)}" if not down else f"v{short(down)}" if not across else _step(across, down)
        at = (round(at[0] + across, 1), round(at[1] + down, 1))
    return found


def _step(across: float, down: float) -> str:
    return f"l{short(across)}{'' if down < 0 else ' '}{short(down)}"


def straightened(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leave out points that hardly bend the line (Douglas and Peucker)."""
    if len(points) < 3:
        return points
    (x1, y1), (x2, y2) = points[0], points[-1]
    square = (x2 - x1) ** 2 + (y2 - y1) ** 2

    def off(point: tuple[float, float]) -> float:
        x, y = point
        along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / square if square else 0.0
        along = min(max(along, 0.0), 1.0)
        return math.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1))

    far = max(range(1, len(points) - 1), key=lambda k: off(points[k]))
    if off(points[far]) <= CLOSE:
        return [points[0], points[-1]]
    return [*straightened(points[: far + 1])[:-1], *straightened(points[far:])]


@dataclass(frozen=True)
class Axis:
    """Map numbers between two ends to places, by logarithms if asked."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a number; beyond the ends, that of the end."""
        inside = min(max(value, self.low), self.high)
        scale = math.log if self.logarithmic else float
        share = (scale(inside) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Choose round numbers between the ends."""
        if self.logarithmic:
            first, last = math.floor(math.log10(self.low) + 1e-9), math.ceil(math.log10(self.high) - 1e-9)
            steps = (1, 2, 5) if last - first < 2 else (1,)
            found = [step * 10.0**k for k in range(first, last + 1) for step in steps]
            return [tick for tick in found if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def bottom(drawing: Drawing, axis: Axis, label: str) -> None:
    """Draw an axis below what is there, with numbers and its name."""
    y = drawing.height
    lines = [[(axis.start, y), (axis.end, y)]]
    taken = -GAP
    for tick in axis.ticks():
        words, x = f"{tick:.3g}", axis(tick)
        wide = width_of(words)
        left = min(max(0.0, x - wide / 2), WIDTH - wide)
        if left < taken + GAP:
            continue
        lines.append([(x, y), (x, y + 4)])
        drawing.text(x, y + 4 + LINE - 3, words, "middle")
        taken = left + wide
    drawing.lines(lines, "l axis")
    drawing.height = y + 6 + LINE
    drawing.say(label)


def ends(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """Return the ends of an axis on which numbers have room."""
    low, high = min(values), max(values)
    room = (high - low) * margin or max(abs(high), 1.0) * margin
    return low - room, high + room
