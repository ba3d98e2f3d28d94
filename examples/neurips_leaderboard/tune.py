"""Choose each method's settings on the development draw: `python -m examples.neurips_leaderboard.tune [METHOD ...]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from examples.neurips_leaderboard.judging import Bench
from examples.neurips_leaderboard.methods import METHODS
from examples.neurips_leaderboard.world import development

CHOSEN = Path(__file__).parent / "chosen.json"


def already_chosen() -> dict[str, Any]:
    """What is in the file now: several runs may write it."""
    found: dict[str, Any] = json.loads(CHOSEN.read_text()) if CHOSEN.exists() else {}
    return found


def main(names: list[str]) -> None:
    """Try every choice of the methods named (by default, those without a choice) and keep the one of lowest cost."""
    torch.set_num_threads(1)
    bench = Bench(development(), Path(".unlearn/leaderboard/development"))
    wanted = names or [method.name for method in METHODS if method.name not in already_chosen()]
    for method in METHODS:
        if len(method.choices) < 2 or method.name not in wanted:
            continue
        rows = [bench.judge(method, settings) for settings in method.choices]
        best = min(rows, key=lambda row: row.cost)
        tried = [{**row.settings, "cost": round(row.cost, 4), "verdict": row.verdict} for row in rows]
        chosen = already_chosen() | {method.name: {"settings": best.settings, "tried": tried}}
        CHOSEN.write_text(json.dumps(chosen, indent=1) + "\n")
        print(method.name, best.settings, f"cost {best.cost:.3f}", best.verdict, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
