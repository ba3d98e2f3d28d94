"""docs/decoys.md: what is released and which claim catches what, from docs/judged/joint.txt (`python -m` this)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MEASURED, PAGE = ROOT / "docs" / "judged" / "joint.txt", ROOT / "docs" / "decoys.md"
INTRODUCTION = """# What is released, and which claim catches what

Honest models, models that remember about half of the request, and methods that hide instead of forget
(`unlearners/decoys.py`, and linear filtration), under the policy `standard` of `assert_release`, at limits that the
examples can certify: how many models are released, and verdicts by claim as counts of FAIL / INVALID / INCONCLUSIVE /
not testable here / PASS. Generated from [judged/joint.txt](judged/joint.txt) (`make judged`), which lists every seed.

SISA is judged by references trained as SISA ensembles. "30% of the original's weights" is a retrained network moved
three tenths of the way to the original.
"""
ORDER = ("FAIL", "INVALID", "INCONCLUSIVE", "NOT TESTABLE", "PASS")


@dataclass
class Counts:
    """How many models of a kind were audited and released, and verdicts by claim."""

    models: int = 0
    released: int = 0
    claims: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def counted(text: str) -> dict[str, dict[str, Counts]]:
    """World -> kind of model -> counts."""
    found: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(Counts))
    world = ""
    for line in text.splitlines():
        match = re.match(r"  (\S.*?)  +(.+)$", line)
        if match and match[1] == "world":
            world = match[2]
        elif match and match[2].startswith(("released: ", "withheld: ")):
            word, verdicts = match[2].split(": ", 1)
            counts = found[world][match[1]]
            counts.models += 1
            counts.released += word == "released"
            for part in verdicts.split(", "):
                claim, verdict = part.split(" ", 1)
                counts.claims[claim][verdict] += 1
    return found


def table(kinds: dict[str, Counts]) -> list[str]:
    """Kinds of models by claims."""
    claims = list(dict.fromkeys(claim for counts in kinds.values() for claim in counts.claims))
    names = (claim.replace("_", " ") for claim in claims)
    lines = [f"| model | released | {' | '.join(names)} |", "|---" * (2 + len(claims)) + "|"]
    for kind, counts in kinds.items():
        cells = [" / ".join(str(counts.claims[claim][verdict]) for verdict in ORDER) for claim in claims]
        lines.append(f"| {kind} | {counts.released} of {counts.models} | {' | '.join(cells)} |")
    return lines


def page(text: str) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for world, kinds in counted(text).items():
        parts += [f"## {world[:1].upper()}{world[1:]}", "", *table(kinds), ""]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(MEASURED.read_text()))
