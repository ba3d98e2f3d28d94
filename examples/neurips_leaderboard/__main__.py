"""Run every method and write the table: `python -m examples.neurips_leaderboard [--draws N] [METHOD ...]`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from examples.neurips_leaderboard.judging import Bench
from examples.neurips_leaderboard.methods import METHODS, Method, Settings
from examples.neurips_leaderboard.rows import code_of, keep, kept, stands
from examples.neurips_leaderboard.table import render
from examples.neurips_leaderboard.tune import CHOSEN
from examples.neurips_leaderboard.world import audited

TABLE = Path("docs/leaderboard.md")
PUBLISHED = Path(__file__).parent / "published.md"


def main() -> None:
    """Resumable: a row of the same settings and code is not run again."""
    parser = argparse.ArgumentParser(prog="python -m examples.neurips_leaderboard")
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="by default all")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="write the table of what is there, run nothing")
    given = parser.parse_args()
    torch.set_num_threads(1)
    chosen = json.loads(CHOSEN.read_text())
    wanted = [method for method in METHODS if not given.methods or method.name in given.methods]
    for draw in range(0 if given.table else given.draws):
        bench = None
        for method in wanted:
            settings = settings_of(method, chosen)
            if stands(kept().get(f"{draw} {method.name}"), settings):
                continue
            bench = bench or Bench(audited(draw), Path(f".unlearn/leaderboard/{draw}"))
            row = bench.judge(method, settings, seed=draw).plain()
            keep({"draw": draw, "family": method.family, "code": code_of(method.name), **row})
            print(draw, method.name, row["verdict"] or row["unsupported"], flush=True)
    rows = [
        row
        for method in METHODS
        for draw in range(given.draws)
        if (row := kept().get(f"{draw} {method.name}")) and stands(row, settings_of(method, chosen))
    ]
    TABLE.write_text(render(rows, chosen, [method.name for method in METHODS], PUBLISHED.read_text()))


def settings_of(method: Method, chosen: dict[str, Settings]) -> Settings:
    """What was chosen, or the defaults where nothing was."""
    found: Settings = chosen.get(method.name, {}).get("settings", {})
    return found


if __name__ == "__main__":
    main()
