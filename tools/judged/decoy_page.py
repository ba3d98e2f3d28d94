"""docs/decoys.md: which claim catches which decoy, from docs/judged/decoys.txt (`python -m` this module)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MEASURED, PAGE = ROOT / "docs" / "judged" / "decoys.txt", ROOT / "docs" / "decoys.md"
INTRODUCTION = """# Decoys and claims

Methods that hide instead of forget (`unlearners/decoys.py`, and linear filtration), and honest models, under the policy
`standard` of `assert_release`: verdicts by claim, as counts of FAIL / INVALID / INCONCLUSIVE / PASS. Limits: AUC .60,
gaps .1, drops .03. A decoy must get FAIL or INVALID from at least one claim; honest models must get neither beyond the
nominal 5%. Generated from [judged/decoys.txt](judged/decoys.txt) (`make judged`), which lists every seed.

SISA is judged by references trained as SISA ensembles.
"""
ORDER = ("FAIL", "INVALID", "INCONCLUSIVE", "PASS")
Counts = dict[str, dict[str, Counter[str]]]


def counted(text: str) -> dict[str, Counts]:
    """World -> model -> claim -> how often each verdict."""
    found: dict[str, Counts] = defaultdict(lambda: defaultdict(lambda: defaultdict(Counter)))
    world = ""
    for line in text.splitlines():
        match = re.match(r"  (\S.*?)  +(.+)$", line)
        if not match:
            continue
        key, value = match.groups()
        if key == "world":
            world = value
        elif key != "seed":
            for part in value.split(", "):
                claim, verdict = part.rsplit(" ", 1)
                found[world][key][claim][verdict] += 1
    return found


def table(counts: Counts) -> list[str]:
    """Models by claims."""
    claims = list(dict.fromkeys(claim for model in counts.values() for claim in model))
    lines = [
        "| model | " + " | ".join(claim.replace("_", " ") for claim in claims) + " |",
        "|---" * (1 + len(claims)) + "|",
    ]
    for name, found in counts.items():
        cells = [" / ".join(str(found[claim][verdict]) for verdict in ORDER) for claim in claims]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def page(text: str) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for world, counts in counted(text).items():
        parts += [f"## {world[:1].upper()}{world[1:]}", "", *table(counts), ""]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(MEASURED.read_text()))
