"""Choose each method's settings on the development draw: `python -m examples.neurips_leaderboard.tune [METHOD ...]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from examples.neurips_leaderboard.judging import Bench
from examples.neurips_leaderboard.methods import METHODS
from examples.neurips_leaderboard.world import development

CHOSEN = Path(__file__).parent / "chosen.json"


def main(names: list[str]) -> None:
    """Try every choice of the methods named (all by default) and keep the one with the lowest cost."""
    torch.set_num_threads(1)
    bench = Bench(development(), Path(".unlearn/leaderboard/development"))
    chosen = json.loads(CHOSEN.read_text()) if CHOSEN.exists() else {}
    for method in METHODS:
        if len(method.choices) < 2 or (names and method.name not in names) or (not names and method.name in chosen):
            continue
        rows = [bench.judge(method, settings) for settings in method.choices]
        best = min(rows, key=lambda row: row.cost)
        tried = [{**row.settings, "cost": round(row.cost, 4), "verdict": row.verdict} for row in rows]
        chosen[method.name] = {"settings": best.settings, "tried": tried}
        CHOSEN.write_text(json.dumps(chosen, indent=1) + "\n")
        print(method.name, best.settings, f"cost {best.cost:.3f}", best.verdict, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
