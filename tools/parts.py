"""Measure which remembered part of a request an audit finds.

`python -m tools.parts` prints the tables of docs/parts.md, of models that were retrained on retain and on a random
fraction of the request. Gaussian scores are judged by the product's own statistics, real digits by `audit_forgotten`.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator

import numpy as np
from scipy.stats import norm

from pytest_unlearn.statistics import auc_measure, share_left

FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
SIZES = (40, 100, 300, 1000)
ORIGINALS = (0.65, 0.75, 0.9)
CONTROLS, SHARED, LIMIT, CONFIDENCE, MOST_LEFT = 5000, 0.3, 0.55, 0.95, 0.5
COMPARISONS = 24  # attacks x sides in a standard audit, over which Holm corrects a FAIL
DRAWS = 300


def gaussian(size: int, original: float, fraction: float, rng: np.random.Generator) -> tuple[bool, bool]:
    """Draw one audit: whether it PASSes, and whether it FAILs."""
    lift = norm.ppf(original) * 2**0.5
    known = rng.permutation(size) < round(fraction * size)
    scores = []
    for side in (size, CONTROLS):
        common = rng.normal(size=side) * SHARED**0.5
        scores.append([common + rng.normal(size=side) * (1 - SHARED) ** 0.5 for _ in range(2)])
    (ours, theirs), (controls, other) = scores
    measure = auc_measure(ours + lift * known, controls)
    within = measure.at(CONFIDENCE)
    left = share_left(ours + lift * known, controls, theirs + lift, other).at(CONFIDENCE)
    passes = within.high <= LIMIT and within.low >= 1 - LIMIT and left.high <= MOST_LEFT
    return passes, measure.at(1 - (1 - CONFIDENCE) / COMPARISONS).low > LIMIT


def simulated() -> Iterator[str]:
    """Yield a table of PASS / FAIL in percent."""
    yield f"| forget | original's AUC | {' | '.join(f'{fraction:.0%}' for fraction in FRACTIONS)} |"
    yield "|---" * (2 + len(FRACTIONS)) + "|"
    for size in SIZES:
        for original in ORIGINALS:
            rng = np.random.default_rng(size)
            cells = []
            for fraction in FRACTIONS:
                found = np.mean([gaussian(size, original, fraction, rng) for _ in range(DRAWS)], axis=0)
                cells.append(f"{found[0]:.0%} / {found[1]:.0%}")
            yield f"| {size:,} | {original:g} | {' | '.join(cells)} |"


def digits(draws: int) -> Iterator[str]:
    """Yield a table of PASS / FAIL, in counts, of forests on digits with a fifth of the labels wrong."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, audit_forgotten

    recipe = EstimatorRecipe(RandomForestClassifier(50))
    yield f"| forget | original's AUC | {' | '.join(f'{fraction:.0%}' for fraction in FRACTIONS)} |"
    yield "|---" * (2 + len(FRACTIONS)) + "|"
    for size in (100, 300):
        verdicts: list[list[str]] = [[] for _ in FRACTIONS]
        shown = []
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            x, y = load_digits(return_X_y=True)
            order, wrong = rng.permutation(len(y)), rng.random(len(y)) < 0.2
            x, y = x[order], np.where(wrong, rng.integers(10, size=len(y)), y[order])
            split = Split((x[:900], y[:900]), forget=range(size), test=(x[900:], y[900:]))
            task = UnlearningTask(split, recipe, seed=seed, cache_dir=tempfile.mkdtemp())
            for number, fraction in enumerate(FRACTIONS):
                kept = rng.permutation(size)[: round(fraction * size)]
                model = task.train_on([np.concatenate([kept, np.arange(size, 900)])], first_seed=50 + seed)[0]
                evidence = audit_forgotten(model, task.forget, 0.6)
                verdicts[number].append(evidence.verdict.value)
                shown.append(evidence.controls.original.estimate.value)
        cells = [f"{one.count('PASS')} / {one.count('FAIL')}" for one in verdicts]
        yield f"| {size:,} | {np.mean(shown):.2f} | {' | '.join(cells)} |"


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for line in (*simulated(), "", *digits(int(sys.argv[1]) if sys.argv[1:] else 10)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
