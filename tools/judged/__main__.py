"""`make judged`: measure every judged table, cell by cell, and write it to docs/judged/ as text.

Resumable: each finished cell is kept in docs/judged/.partial and not measured again until that folder is removed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tools.judged.tables import TABLES, Row, Table

FOLDER = Path(__file__).parent.parent.parent / "docs" / "judged"


def rows_of(table: Table) -> list[Row]:
    """Every row of a table, measured now or kept from an interrupted run."""
    from joblib import Parallel, delayed

    kept = FOLDER / ".partial" / f"{table.name}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text().splitlines() if kept.exists() else []
    rows = {row["cell"]: row for row in map(json.loads, lines)}
    missing = [cell for cell in table.cells if cell not in rows]
    for row in Parallel(n_jobs=min(2, os.cpu_count() or 1), return_as="generator_unordered")(
        delayed(_measure)(table.name, cell) for cell in missing
    ):
        rows[row["cell"]] = row
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{table.name}: cell {row['cell']} done", file=sys.stderr, flush=True)
    return [rows[cell] for cell in table.cells]


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
    lines += [f"  {'holds' if holds else 'DOES NOT HOLD'}: {statement}" for statement, holds in table.rule(rows)]
    for row in rows:
        lines += ["", f"cell {row['cell']}"]
        for key, value in row.items():
            for entry in value if isinstance(value, list) else [value]:
                if key != "cell":
                    lines.append(f"  {key:<36} {entry}")
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> int:
    """Measure the named tables, or all; exit status 1 when a rule does not hold."""
    holds = True
    for table in TABLES:
        if names and table.name not in names:
            continue
        start = time.monotonic()
        rows = rows_of(table)
        (FOLDER / f"{table.name}.txt").write_text(text(table, rows))
        for statement, held in table.rule(rows):
            holds &= held
            print(f"{table.name}: {'holds' if held else 'DOES NOT HOLD'}: {statement}", flush=True)
        print(f"{table.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
