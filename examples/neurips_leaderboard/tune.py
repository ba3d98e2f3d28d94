"""Choose each method's settings on development draws: `python -m examples.neurips_leaderboard.tune [METHOD ...]`.

A method that says `tuned` gets 12 settings on three draws (`unlearners.tune`), and 12 more where none has an
effect on each and is no worse than doing nothing. The others have their few choices on one draw.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from examples.neurips_leaderboard.judging import Bench
from examples.neurips_leaderboard.methods import METHODS, Method
from examples.neurips_leaderboard.world import development, development_draws, tuned_on
from unlearners import UNLEARNERS
from unlearners.tune import Draw, space_of, told, tune

CHOSEN = Path(__file__).parent / "chosen.json"
TRIALS = 12


def already_chosen() -> dict[str, Any]:
    """What is in the file now: several runs may write it."""
    found: dict[str, Any] = json.loads(CHOSEN.read_text()) if CHOSEN.exists() else {}
    return found


def on_three_draws(method: Method, draws: list[Draw]) -> dict[str, Any]:
    """Choose by `unlearners.tune`; the entry says what is wrong with the choice."""
    unseen = tuned_on(0)
    space = method.space or space_of(UNLEARNERS[method.name])

    found = tune(lambda **settings: method.make(unseen, settings), draws, space=space, trials=TRIALS, more=TRIALS)
    for sentence in told(found):
        print(method.name, sentence, flush=True)
    tried = [
        {**trial.settings, "objective": _finite(trial.objective), "forget": round(mean(trial.forget), 4)}
        for trial in found.trials
    ]
    notes = {
        "effect": found.effect,
        "on_each": found.on_each,
        "stable": found.stable,
        "nothing": round(found.nothing, 4),
    }
    return {"settings": found.best.settings, "objective": round(found.best.objective, 4), **notes, "tried": tried}


def _finite(objective: float) -> float | None:
    """Round; null where answers were not finite, as strict readers of JSON refuse Infinity."""
    return round(objective, 4) if math.isfinite(objective) else None


def on_one_draw(method: Method, bench: Bench) -> dict[str, Any]:
    """Try every choice, and keep the one of lowest cost."""
    rows = [bench.judge(method, settings) for settings in method.choices]
    best = min(rows, key=lambda row: row.cost)
    print(method.name, best.settings, f"cost {best.cost:.3f}", best.verdict, flush=True)
    tried = [{**row.settings, "cost": round(row.cost, 4), "verdict": row.verdict} for row in rows]
    return {"settings": best.settings, "tried": tried}


def main(names: list[str]) -> None:
    """Choose for the methods named, by default for those without a choice."""
    torch.set_num_threads(1)
    wanted = names or [method.name for method in METHODS if method.name not in already_chosen()]
    todo = [method for method in METHODS if method.name in wanted]
    draws = development_draws() if any(method.tuned for method in todo) else []
    bench = Bench(development(), Path(".unlearn/leaderboard/development"))
    for method in todo:
        if method.tuned:
            found = on_three_draws(method, draws)
        elif len(method.choices) > 1:
            found = on_one_draw(method, bench)
        else:
            continue
        CHOSEN.write_text(json.dumps(already_chosen() | {method.name: found}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
