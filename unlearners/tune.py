"""Choose a method's settings on draws that nothing else is judged on.

`python -m unlearners.tune METHOD` tries the same number of settings for every method, the defaults first, on three
draws that share no example: `sklearn.datasets.load_digits` and a small network with BatchNorm, or what `--world
module:function` returns, a list of `Draw`. Audit on other data: a model that was tuned on them looks better there.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from unlearners._core.distillation import answers, class_logits, frozen_copy
from unlearners._core.isolation import Examples, Unsupported, isolated
from unlearners._core.training import Training, seeded, stack
from unlearners.table import UNLEARNERS

Settings = dict[str, Any]
Range = Callable[[np.random.Generator], Any]
TIME_WEIGHT = 0.1
TOLERANCE = 0.02
SENSITIVE = {"lr": 100, "rate": 100, "step": 100, "damping": 100, "anchor": 100, "gamma": 10, "noise": 10, "std": 3}
"""Field -> by how much less or more than its default it is tried, evenly in its logarithm."""


@dataclass(frozen=True)
class Draw:
    """Hold an original, models retrained without the forget set, and the examples.

    seconds: of CPU time that a retraining took.
    """

    original: Any
    retrained: Sequence[Any]
    retain: Examples
    forget: Examples
    test: Examples
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Hold settings, and by draw the objective and the share of right answers on forget."""

    settings: Settings
    objectives: tuple[float, ...]
    forget: tuple[float, ...]

    @property
    def objective(self) -> float:
        """The mean over draws; 0 for a retrained model at no cost."""
        return mean(self.objectives)


@dataclass(frozen=True)
class Tuned:
    """Hold the best settings of all tried.

    stable: whether settings chosen on all draws but one are, on that one, within 0.02 of the best there.
    effect: whether any setting moves the accuracy on the forget set by more than 0.01, in the mean.
    """

    best: Trial
    stable: bool
    effect: bool
    trials: tuple[Trial, ...]


def tune(
    make: Callable[..., Any],
    draws: Sequence[Draw],
    *,
    space: Mapping[str, Range] | None = None,
    trials: int = 12,
    seed: int = 0,
) -> Tuned:
    """Try settings on every draw, and choose those of the least mean objective.

    The objective is the mean distance to the retrained models' accuracy on forget, retain and test, plus 0.1 times the
    CPU time as a share of a retraining's, at most 1. Answers that are not finite make it infinite.

    make: `make(**settings) -> unlearner`. draws: at least two.
    space: field -> a function that draws a value from a numpy generator; by default `space_of(make)`.
    trials: how many settings, the defaults first; at least 12, so that all methods have had a fair chance.

    Errors: ValueError for fewer trials or draws; Unsupported where the method does not work on these models.
    """
    if trials < 12 or len(draws) < 2:
        raise ValueError(f"tune needs at least 12 trials and 2 draws, not {trials} and {len(draws)}.")
    rng, ranges = np.random.default_rng(seed), space_of(make) if space is None else space
    settings = [{}, *({name: draw(rng) for name, draw in ranges.items()} for _ in range(trials - 1))]
    tried = tuple(_trial(make, one, draws, seed) for one in (settings if ranges else settings[:1]))
    best = min(tried, key=lambda trial: trial.objective)
    start = [_accuracy(draw.original, draw.forget) for draw in draws]
    moved = [mean(abs(f - s) for f, s in zip(trial.forget, start, strict=True)) for trial in tried]
    return Tuned(best, all(_holds(tried, i) for i in range(len(draws))), max(moved) > 0.01, tried)


def space_of(make: Callable[..., Any]) -> dict[str, Range]:
    """Derive ranges from a method's fields: sensitive ones evenly in the logarithm."""
    found: dict[str, Range] = {}
    for field in fields(make):  # type: ignore[arg-type]
        name, default = field.name, field.default
        if default is MISSING or not isinstance(default, (int, float)) or isinstance(default, bool):
            continue
        if name == "epochs" and default:
            found[name] = _one_of(max(1, default // 2), default, 2 * default)
        elif name == "alpha" and 0.01 <= default < 1:  # a weight: what matters is how far it is from 1
            found[name] = lambda rng: 1 - _log_uniform(rng, 0.003, 0.7)
        elif default > 0 and (name in SENSITIVE or name == "alpha" or name.endswith("_lr")):
            found[name] = _around(float(default), SENSITIVE.get(name, 10))
    return found


def digits(draws: int = 3) -> list[Draw]:
    """Make draws of scikit-learn's digits: 380 images to train on, 80 of them to forget.

    A fifth of the training labels are wrong, as digits are so alike that there is little else to remember them by.
    """
    from sklearn.datasets import load_digits

    data, tape, found = load_digits(), seeded(0), []
    x, y = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16 - 0.3, torch.tensor(data.target)
    order = torch.randperm(len(y), generator=tape)
    for i in range(draws):
        rows = order[580 * i : 580 * (i + 1)]
        wrong = rows[:380][torch.rand(380, generator=tape) < 0.2]
        labels = y.clone()
        labels[wrong] = (y[wrong] + torch.randint(1, 10, wrong.shape, generator=tape)) % 10
        forget, retain, test = (TensorDataset(x[part], labels[part]) for part in (rows[:80], rows[80:380], rows[380:]))
        original = _trained(TensorDataset(x[rows[:380]], labels[rows[:380]]), 10 * i)
        start = time.process_time()
        retrained = [_trained(retain, 10 * i + j) for j in (1, 2)]
        found.append(Draw(original, retrained, retain, forget, test, (time.process_time() - start) / 2))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Tune a method by name, print every trial, and end with 0 where one has an effect."""
    parser = argparse.ArgumentParser(prog="python -m unlearners.tune", description="Choose a method's settings.")
    parser.add_argument("method", choices=[*UNLEARNERS], metavar="METHOD", help="a name in unlearners.UNLEARNERS")
    parser.add_argument("--world", metavar="MODULE:FUNCTION", help="returns a list of unlearners.tune.Draw")
    parser.add_argument("--trials", type=int, default=12, help="how many settings, at least 12")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    make = UNLEARNERS[given.method]
    needed = [f.name for f in fields(make) if f.default is MISSING and f.default_factory is MISSING]  # type: ignore[arg-type]
    if needed:
        parser.error(f"{given.method} needs {', '.join(needed)}: call unlearners.tune.tune with a function that knows.")
    module, _, name = (given.world or "unlearners.tune:digits").partition(":")
    torch.set_num_threads(1)
    try:
        tuned = tune(make, getattr(import_module(module), name)(), trials=given.trials, seed=given.seed)
    except (Unsupported, ValueError) as error:
        parser.error(str(error))
    for trial in sorted(tuned.trials, key=lambda one: one.objective):
        shown = "  ".join(f"{name}={value:.3g}" for name, value in trial.settings.items()) or "defaults"
        print(f"{trial.objective:.3f}  forget {mean(trial.forget):.3f}  {shown}")
    if not tuned.effect:
        print(f"no setting of {len(tuned.trials)} tried has an effect on the forget set")
    elif not tuned.stable:
        print("unstable: what is best on two draws is not good on the third")
    return 0 if tuned.effect else 1


def _trial(make: Callable[..., Any], settings: Settings, draws: Sequence[Draw], seed: int) -> Trial:
    found = [_judged(make(**settings), draw, seed + i) for i, draw in enumerate(draws)]
    objectives, forget = zip(*found, strict=True)
    return Trial(settings, objectives, forget)


def _judged(unlearner: Any, draw: Draw, seed: int) -> tuple[float, float]:
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what diverges is judged by what it returns
        model = unlearner(draw.original, draw.retain, draw.forget, seed=seed)
    share = min(1.0, (time.process_time() - start) / max(draw.seconds, 1e-9))
    gaps = [
        abs(_accuracy(model, part) - mean(_accuracy(reference, part) for reference in draw.retrained))
        for part in (draw.forget, draw.retain, draw.test)
    ]
    forget = _accuracy(model, draw.forget)
    return mean(gaps) + TIME_WEIGHT * share, forget if math.isfinite(forget) else 0.0


def _accuracy(model: Any, data: Examples) -> float:
    if not isinstance(model, nn.Module):
        raise Unsupported(f"tune asks networks, and the method returned a {type(model).__name__}.")
    x, y = stack(data, model)
    logits = class_logits(answers(frozen_copy(model), x))
    if not bool(logits.isfinite().all()):
        return math.inf
    return float((logits.argmax(1) == y).double().mean())


def _holds(tried: Sequence[Trial], left_out: int) -> bool:
    """Tell whether the choice of the other draws is good on the one left out."""
    others = [mean(o for i, o in enumerate(t.objectives) if i != left_out) for t in tried]
    chosen = tried[others.index(min(others))]
    return chosen.objectives[left_out] <= min(t.objectives[left_out] for t in tried) + TOLERANCE


def _trained(data: TensorDataset, seed: int) -> nn.Module:
    with isolated(seed):
        model = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(128, 10)),
        )
        training = Training(epochs=40, lr=3e-3, batch_size=32, optimizer="adam")
        order, (x, y) = seeded(seed), data.tensors
        training.minimise(model, lambda: training.losses(model, (x, y), order))
        return model.eval()


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _around(default: float, factor: float) -> Range:
    return lambda rng: _log_uniform(rng, default / factor, default * factor)


def _one_of(*values: Any) -> Range:
    return lambda rng: values[rng.integers(len(values))]


if __name__ == "__main__":
    sys.exit(main())
