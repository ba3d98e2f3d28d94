"""Gaussian poison: training inputs moved by secret noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.claims.canaries.planted import TrainingChange, moved
from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.data.dataset import Examples, to_numpy

STRENGTH = 1.5  # times the inputs' own spread: digits networks show it clearly, and lose no accuracy
LOOKED_AT = 2000  # rows that the inputs' spread is taken from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianPlan:
    """Clean inputs, labels, and noise in units of `scale`, (canaries, features)."""

    inputs: Any
    labels: IntArray
    noise: FloatArray
    scale: float


def plant_gaussian(
    examples: Examples, candidates: IntArray, count: int, rng: np.random.Generator, *, scale: float | None
) -> TrainingChange:
    """Move `count` candidates by noise of standard deviation `scale`, unclipped.

    Clipping to a valid range would weaken the trace wherever inputs lie at the edge of it.
    """
    if scale is None:
        scale = STRENGTH * _spread(examples)
    if isinstance(scale, (bool, str)) or not 0 < scale < float("inf"):
        raise ValueError(f"scale is the noise's standard deviation, above 0, in units of the inputs; got {scale!r}.")
    if count > len(candidates):
        raise ValueError(
            f"count={count} canaries need as many distinct training examples; there are {len(candidates)}."
        )
    rows = np.sort(rng.permutation(candidates)[:count])
    clean = examples.inputs(rows)
    if to_numpy(clean).dtype.kind != "f":
        raise ValueError(
            f"Gaussian canaries need inputs of floating point, to which noise can be added; these are {clean.dtype}. "
            'Convert them before planting, or plant kind="mislabelled".'
        )
    noise = rng.standard_normal((count, to_numpy(clean)[0].size))
    return TrainingChange(
        rows=rows,
        labels=examples.labels[rows],
        inputs=moved(clean, (scale * noise).reshape(clean.shape)),
        plan=GaussianPlan(inputs=clean, labels=examples.labels[rows], noise=noise, scale=scale),
    )


def _spread(examples: Examples) -> float:
    """Return the root mean square over features of their standard deviations."""
    some = np.unique(np.linspace(0, len(examples) - 1, min(LOOKED_AT, len(examples))).astype(np.int64))
    spread = float(np.sqrt(to_numpy(examples.inputs(some)).astype(np.float64).var(axis=0).mean()))
    if spread == 0:
        raise ValueError("all inputs of train are equal, so no scale can be derived from them: pass scale=.")
    return spread
