"""`make judged`: measure every judged table, cell by cell, and write it to docs/judged/ as text.

Resumable: each finished cell is kept in docs/judged/.partial and not measured again until that folder is removed.
`python -m tools.judged NAME --kept` writes the page from what is kept, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from tools.judged.tables import TABLES, Row, Table

FOLDER = Path(__file__).parent.parent.parent / "docs" / "judged"


def kept_rows(table: Table) -> dict[int, Row]:
    """The rows of an interrupted run, by cell."""
    kept = _kept(table)
    lines = kept.read_text().splitlines() if kept.exists() else []
    return {row["cell"]: row for row in map(json.loads, lines)}


def rows_of(table: Table, jobs: int) -> list[Row]:
    """Every row of a table, measured now or kept from an interrupted run."""
    from joblib import Parallel, delayed

    kept, rows = _kept(table), kept_rows(table)
    kept.parent.mkdir(parents=True, exist_ok=True)
    missing = [cell for cell in table.cells if cell not in rows]
    for row in Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(_measure)(table.name, cell) for cell in missing
    ):
        rows[row["cell"]] = row
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{table.name}: cell {row['cell']} done", file=sys.stderr, flush=True)
    return [rows[cell] for cell in table.cells]


def _kept(table: Table) -> Path:
    return FOLDER / ".partial" / f"{table.name}.jsonl"


def _measure(name: str, cell: int) -> Row:
    import logging

    import torch

    logging.getLogger("pytest_unlearn").setLevel(logging.ERROR)  # forests cannot be stored, and say so each time
    torch.set_num_threads(1)
    table = next(table for table in TABLES if table.name == name)
    return {"cell": cell, **table.measure(cell)}


def text(table: Table, rows: list[Row]) -> str:
    """A table as text: what was measured, the rule and whether it holds, then every cell."""
    lines = [table.title.strip(), ""]
    if len(rows) < len(table.cells):
        lines += [f"  measured so far: {len(rows)} of {len(table.cells)} cells", ""]
    lines += [f"  {'holds' if holds else 'DOES NOT HOLD'}: {statement}" for statement, holds in table.rule(rows)]
    for row in rows:
        lines += ["", f"cell {row['cell']}"]
        for key, value in row.items():
            for entry in value if isinstance(value, list) else [value]:
                if key != "cell":
                    lines.append(f"  {key:<36} {entry}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Measure the named tables, or all; exit status 1 when a rule does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tools.judged", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(table.name for table in TABLES))
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="cells at once")
    parser.add_argument("--kept", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    holds = True
    for table in TABLES:
        if options.names and table.name not in options.names:
            continue
        start = time.monotonic()
        rows = [row for _, row in sorted(kept_rows(table).items())] if options.kept else rows_of(table, options.jobs)
        if not rows:
            continue
        (FOLDER / f"{table.name}.txt").write_text(text(table, rows))
        for statement, held in table.rule(rows):
            holds &= held
            print(f"{table.name}: {'holds' if held else 'DOES NOT HOLD'}: {statement}", flush=True)
        print(f"{table.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
