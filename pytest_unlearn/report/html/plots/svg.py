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
MANY = 20  # points of a line, which then takes a page's bytes
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
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        style = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text x="{short(moved)}" y="{short(y)}"{where}{style}>{escape(words)}</text>')

    def say(self, words: str, kind: str = "") -> None:
        """Write a paragraph below what is there."""
        for line in wrapped(words):
            self.height += LINE
            self.text(0, self.height - 3, line, kind=kind)

    def line(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """Draw a line through points; where there are many, without decimals."""
        places = list(points)
        write = short if len(places) < MANY else "{:.0f}".format
        path = " ".join(f"{write(x)},{write(y)}" for x, y in places)
        self.parts.append(f'<polyline points="{path}" class="{kind}"/>')

    def mark(self, x: float, y: float, role: str) -> None:
        """Draw the mark of a role: a disc, a square, a triangle or a diamond."""
        a, b = short(x), short(y)
        if role == "unlearned":
            self.parts.append(f'<circle cx="{a}" cy="{b}" r="4" class="m {role}"/>')
            return
        shape = {"original": "M-4-4h8v8h-8z", "retrained": "M0-5l5 9h-10z"}.get(role, "M0-5l5 5-5 5-5-5z")
        self.parts.append(f'<path d="{shape}" transform="translate({a} {b})" class="m {role}"/>')

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

    def document(self, title: str, says: str, name: str) -> str:
        """Return the SVG, named for those who hear it; `name` is unique in the page."""
        return (
            f'<svg viewBox="0 0 {short(WIDTH)} {short(self.height + 4)}" role="img" '
            f'aria-labelledby="{name}-t {name}-d">'
            f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(says)}</desc>'
            f"{''.join(self.parts)}</svg>"
        )


def short(value: float) -> str:
    """Write a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


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
    drawing.line([(axis.start, y), (axis.end, y)], "l axis")
    taken = -GAP
    for tick in axis.ticks():
        words, x = f"{tick:.3g}", axis(tick)
        wide = width_of(words)
        left = min(max(0.0, x - wide / 2), WIDTH - wide)
        if left < taken + GAP:
            continue
        drawing.line([(x, y), (x, y + 4)], "l axis")
        drawing.text(x, y + 4 + LINE - 3, words, "middle")
        taken = left + wide
    drawing.height = y + 6 + LINE
    drawing.say(label)


def ends(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """Return the ends of an axis on which numbers have room."""
    low, high = min(values), max(values)
    room = (high - low) * margin or max(abs(high), 1.0) * margin
    return low - room, high + room
