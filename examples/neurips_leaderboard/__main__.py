"""Run every method on draws 0, 1 and 2 and write the table: `python -m examples.neurips_leaderboard`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from examples.neurips_leaderboard.judging import Bench
from examples.neurips_leaderboard.methods import METHODS
from examples.neurips_leaderboard.table import render
from examples.neurips_leaderboard.tune import CHOSEN
from examples.neurips_leaderboard.world import audited

DRAWS = (0, 1, 2)
DONE = Path(".unlearn/leaderboard/rows")
TABLE = Path("docs/leaderboard.md")


def main() -> None:
    """Resumable: a row that is there is not run again."""
    torch.set_num_threads(1)
    chosen = json.loads(CHOSEN.read_text())
    rows: list[dict[str, Any]] = []
    for draw in DRAWS:
        bench = None
        for method in METHODS:
            settings = chosen[method.name]["settings"] if method.name in chosen else method.choices[0]
            done = DONE / f"{draw}-{method.name}.json"
            if not done.exists() or json.loads(done.read_text())["settings"] != settings:
                bench = bench or Bench(audited(draw), Path(f".unlearn/leaderboard/{draw}"))
                row = {"draw": draw, "family": method.family, **bench.judge(method, settings, seed=draw).plain()}
                done.parent.mkdir(parents=True, exist_ok=True)
                done.write_text(json.dumps(row))
                print(draw, method.name, row["verdict"] or row["unsupported"], flush=True)
            rows.append(json.loads(done.read_text()))
    TABLE.write_text(render(rows))


if __name__ == "__main__":
    main()
