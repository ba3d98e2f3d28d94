"""Choose a method's settings on draws that nothing else is judged on.

`python -m unlearners.tune METHOD` tries the same number of settings for every method, the defaults first, on three
draws that share no example, and as many more where none has an effect on most of them that is worth it. The draws are
of `sklearn.datasets.load_digits` and a small network with BatchNorm, or what `--world module:function` returns, a list
of `Draw`. Audit on other data: a model that was tuned on them looks better there.
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
    """Hold settings, and by draw the objective and the share of right answers on forget.

    changed: by draw, answers on the forget set that became wrong, and that became right.
    """

    settings: Settings
    objectives: tuple[float, ...]
    forget: tuple[float, ...]
    changed: tuple[tuple[int, int], ...] = ()

    @property
    def objective(self) -> float:
        """The mean over draws; 0 for a retrained model at no cost."""
        return mean(self.objectives)

    @property
    def p(self) -> float:
        """The p-value of the sign test (McNemar's, exact) that as many answers became wrong as right, of all draws."""
        return sign_test(*map(sum, zip(*self.changed, strict=True))) if self.changed else 1.0

    @property
    def p_of_most(self) -> float:
        """The upper median of the draws' p-values: below a level, more than half of them show it by themselves."""
        return sorted(sign_test(*one) for one in self.changed)[len(self.changed) // 2] if self.changed else 1.0


def sign_test(one: int, other: int) -> float:
    """Return the two-sided p-value that both are as likely, exactly."""
    n = one + other
    return float(min(1.0, 2 * sum(math.comb(n, i) for i in range(min(one, other) + 1)) / 2**n))


@dataclass(frozen=True)
class Tuned:
    """Hold the best settings of those that have an effect.

    best: of least objective among the settings that change the accuracy on the forget set with certainty (p below 0.05
        over the number of trials) on most draws; else among those that do on all draws together; else among all.
    stable: whether settings chosen so on all draws but one are, on that one, within 0.02 of the best there.
    effect: whether any setting changes that accuracy with certainty, on all draws together.
    on_most: whether the best does on more than half of the draws, each by itself.
    nothing: the objective of the originals as they are: a best that is above it is worse than doing nothing.
    """

    best: Trial
    stable: bool
    effect: bool
    nothing: float
    trials: tuple[Trial, ...]
    on_most: bool = True


def tune(
    make: Callable[..., Any],
    draws: Sequence[Draw],
    *,
    space: Mapping[str, Range] | None = None,
    trials: int = 12,
    more: int = 0,
    seed: int = 0,
) -> Tuned:
    """Try settings on every draw, and choose those of the least mean objective.

    The objective is the mean distance to the retrained models' accuracy on forget, retain and test, plus 0.1 times the
    CPU time as a share of a retraining's, at most 1. Answers that are not finite make it infinite.

    make: `make(**settings) -> unlearner`. draws: at least two.
    space: field -> a function that draws a value from a numpy generator; by default `space_of(make)`.
    trials: how many settings, the defaults first; at least 12, so that all methods have had a fair chance.

    more: how many further ones where none of them has an effect on most draws and is no worse than doing nothing.
    What is chosen has an effect with certainty, where any of the settings has, even if doing nothing were better. One
    draw alone may owe its effect to chance: a setting at the edge of a cliff does nothing to the next model.

    Errors: ValueError for fewer trials or draws; Unsupported where the method does not work on these models.
    """
    if trials < 12 or len(draws) < 2:
        raise ValueError(f"tune needs at least 12 trials and 2 draws, not {trials} and {len(draws)}.")
    rng, ranges = np.random.default_rng(seed), space_of(make) if space is None else space
    settings = [{}, *({name: draw(rng) for name, draw in ranges.items()} for _ in range(trials + more - 1))]
    nothing = mean(_distance(draw.original, draw) for draw in draws)
    tried: tuple[Trial, ...] = ()
    for one in settings if ranges else settings[:1]:
        if len(tried) == trials and any(t.objective <= nothing for t in with_effect(tried, on_most=True)):
            break
        tried += (_trial(make, one, draws, seed),)
    everywhere, anywhere = with_effect(tried, on_most=True), with_effect(tried)
    eligible = everywhere or anywhere or tried
    best, stable = min(eligible, key=lambda trial: trial.objective), all(_holds(eligible, i) for i in range(len(draws)))
    return Tuned(best, stable, bool(anywhere), nothing, tried, bool(everywhere))


def with_effect(tried: tuple[Trial, ...], *, on_most: bool = False) -> tuple[Trial, ...]:
    """Return the trials that change the accuracy on the forget set with certainty, and whose answers are finite."""
    level = 0.05 / len(tried)
    return tuple(t for t in tried if (t.p_of_most if on_most else t.p) < level and math.isfinite(t.objective))


def space_of(make: Callable[..., Any]) -> dict[str, Range]:
    """Derive ranges from a method's fields: sensitive ones evenly in the logarithm."""
    found: dict[str, Range] = {}
    for field in fields(make):  # type: ignore[arg-type]
        name, default = field.name, field.default
        if default is MISSING or not isinstance(default, (int, float)) or isinstance(default, bool):
            continue
        if name == "epochs" and default:
            found[name] = one_of(max(1, default // 2), default, 2 * default)
        elif name == "alpha" and 0.01 <= default < 1:
            found[name] = weight()
        elif default > 0 and (name in SENSITIVE or name == "alpha" or name.endswith("_lr")):
            found[name] = around(float(default), SENSITIVE.get(name, 10))
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


def told(tuned: Tuned) -> list[str]:
    """Say what there is against the choice."""
    if not tuned.effect:
        return [f"no setting of {len(tuned.trials)} tried has an effect on the forget set"]
    found = [f"chosen: {tuned.best.settings or 'defaults'}, {tuned.best.objective:.3f}"]
    if tuned.best.objective > tuned.nothing:
        found.append(f"worse than doing nothing ({tuned.nothing:.3f}, which costs no time)")
    if not tuned.on_most:
        found.append("its effect is certain on all draws together, and not on most by themselves")
    if not tuned.stable:
        found.append("unstable: what is best on all draws but one is not good on that one")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Tune a method by name, print every trial, and end with 0 where one has an effect."""
    parser = argparse.ArgumentParser(prog="python -m unlearners.tune", description="Choose a method's settings.")
    parser.add_argument("method", choices=[*UNLEARNERS], metavar="METHOD", help="a name in unlearners.UNLEARNERS")
    parser.add_argument("--world", metavar="MODULE:FUNCTION", help="returns a list of unlearners.tune.Draw")
    parser.add_argument("--trials", type=int, default=12, help="how many settings, at least 12")
    parser.add_argument("--more", type=int, default=12, help="how many more, where none of these has an effect")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    make = UNLEARNERS[given.method]
    needed = [f.name for f in fields(make) if f.default is MISSING and f.default_factory is MISSING]  # type: ignore[arg-type]
    if needed:
        parser.error(f"{given.method} needs {', '.join(needed)}: call unlearners.tune.tune with a function that knows.")
    module, _, name = (given.world or "unlearners.tune:digits").partition(":")
    torch.set_num_threads(1)
    try:
        tuned = tune(
            make, getattr(import_module(module), name)(), trials=given.trials, more=given.more, seed=given.seed
        )
    except (Unsupported, ValueError) as error:
        parser.error(str(error))
    for trial in sorted(tuned.trials, key=lambda one: one.objective):
        shown = "  ".join(f"{name}={value:.3g}" for name, value in trial.settings.items()) or "defaults"
        print(f"{trial.objective:.3f}  forget {mean(trial.forget):.3f}  {shown}")
    for sentence in told(tuned):
        print(sentence)
    return 0 if tuned.effect else 1


def _trial(make: Callable[..., Any], settings: Settings, draws: Sequence[Draw], seed: int) -> Trial:
    found = [_judged(make(**settings), draw, seed + i) for i, draw in enumerate(draws)]
    objectives, forget, wrong, right = zip(*found, strict=True)
    return Trial(settings, objectives, forget, tuple(zip(wrong, right, strict=True)))


def _judged(unlearner: Any, draw: Draw, seed: int) -> tuple[float, float, int, int]:
    """Return the objective, the accuracy on forget, and how many answers there became wrong and right."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what diverges is judged by what it returns
        model = unlearner(draw.original, draw.retain, draw.forget, seed=seed)
    share = min(1.0, (time.process_time() - start) / max(draw.seconds, 1e-9))
    objective = _distance(model, draw) + TIME_WEIGHT * share
    now, before = _right(model, draw.forget), _right(draw.original, draw.forget)
    if now is None or before is None:
        return objective, 0.0, 0, 0
    return objective, float(now.double().mean()), int((before & ~now).sum()), int((now & ~before).sum())


def _distance(model: Any, draw: Draw) -> float:
    """Return the mean distance to the retrained models' accuracy; infinite for answers that are not finite."""
    return mean(
        abs(_accuracy(model, part) - mean(_accuracy(reference, part) for reference in draw.retrained))
        for part in (draw.forget, draw.retain, draw.test)
    )


def _accuracy(model: Any, data: Examples) -> float:
    right = _right(model, data)
    return math.inf if right is None else float(right.double().mean())


def _right(model: Any, data: Examples) -> torch.Tensor | None:
    """Tell of each example whether it is classified as labelled; None where answers are not finite."""
    if not isinstance(model, nn.Module):
        raise Unsupported(f"tune asks networks, and the method returned a {type(model).__name__}.")
    x, y = stack(data, model)
    logits = class_logits(answers(frozen_copy(model), x))
    return logits.argmax(1) == y if bool(logits.isfinite().all()) else None


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
    """Draw a number of three digits."""
    return float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


def around(default: float, factor: float) -> Range:
    """Draw up to a factor less or more than a default, evenly in the logarithm."""
    return lambda rng: _log_uniform(rng, default / factor, default * factor)


def weight(low: float = 0.003, high: float = 0.7) -> Range:
    """Draw a weight whose distance from 1 counts, evenly in the logarithm."""
    return lambda rng: round(1 - _log_uniform(rng, low, high), 5)


def one_of(*values: Any) -> Range:
    """Draw one of the values."""
    return lambda rng: values[rng.integers(len(values))]


if __name__ == "__main__":
    sys.exit(main())
