"""Choose each method's settings on development draws: `python -m examples.neurips_leaderboard.tune [METHOD ...]`.

A method that says `tuned` gets 12 settings on three draws (`unlearners.tune`), and 12 more where none has an
effect on most of them and is no worse than doing nothing.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from examples.neurips_leaderboard.methods import METHODS, Method
from examples.neurips_leaderboard.world import development_draws, tuned_on
from unlearners import UNLEARNERS
from unlearners.tune import Draw, space_of, told, tune

CHOSEN = Path(__file__).parent / "chosen.json"
TRIALS = 12


def already_chosen() -> dict[str, Any]:
    """What is in the file now: several runs may write it."""
    found: dict[str, Any] = json.loads(CHOSEN.read_text()) if CHOSEN.exists() else {}
    return found


def keep(chosen: dict[str, Any], path: Path = CHOSEN) -> None:
    """Write a line for each method's choice, and one for each trial."""
    parts = []
    for name, found in chosen.items():
        trials = ",\n".join(f"  {json.dumps(trial, allow_nan=False)}" for trial in found["tried"])
        rest = json.dumps({key: value for key, value in found.items() if key != "tried"}, allow_nan=False)
        parts.append(f'{json.dumps(name)}: {rest[:-1]}, "tried": [\n{trials}]}}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def on_three_draws(method: Method, draws: list[Draw]) -> dict[str, Any]:
    """Choose by `unlearners.tune`; the entry says what is wrong with the choice."""
    unseen = tuned_on(0)
    space = method.space or space_of(UNLEARNERS[method.name])

    found = tune(lambda **settings: method.make(unseen, settings), draws, space=space, trials=TRIALS, more=TRIALS)
    for sentence in told(found):
        print(method.name, sentence, flush=True)
    tried = [
        {
            **trial.settings,
            "objective": _finite(trial.objective),
            "forget": round(mean(trial.forget), 4),
            "changed": trial.changed,
        }
        for trial in found.trials
    ]
    notes = {
        "effect": found.effect,
        "on_most": found.on_most,
        "stable": found.stable,
        "nothing": round(found.nothing, 4),
    }
    return {"settings": found.best.settings, "objective": round(found.best.objective, 4), **notes, "tried": tried}


def _finite(objective: float) -> float | None:
    """Round; null where answers were not finite, as strict readers of JSON refuse Infinity."""
    return round(objective, 4) if math.isfinite(objective) else None


def main(names: list[str]) -> None:
    """Choose for the methods named, by default for those without a choice."""
    torch.set_num_threads(1)
    wanted = names or [method.name for method in METHODS if method.name not in already_chosen()]
    draws = development_draws()
    for method in METHODS:
        if method.tuned and method.name in wanted:
            keep(already_chosen() | {method.name: on_three_draws(method, draws)})


if __name__ == "__main__":
    main(sys.argv[1:])
