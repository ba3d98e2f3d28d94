"""Backdoor canaries: secret input patterns trained to give a drawn class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.claims.canaries.planted import TrainingChange
from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.data.dataset import Examples, is_tensor, to_numpy

PROBES = 50  # clean inputs that each trigger is tried on
LOOKED_AT = 2000  # rows that the features' extremes are taken from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackdoorPlan:
    """Clean inputs with their labels, and the triggers to put into them.

    `features`, bool, and `values` have shape (triggers, features); `targets` and `rows`, the number of canaries that
    carry it, have shape (triggers,). `classes` are those that targets were drawn from.
    """

    probes: Any
    labels: IntArray
    features: NDArray[np.bool_]
    values: FloatArray
    targets: IntArray
    rows: IntArray
    classes: IntArray

    def triggered(self, trigger: int) -> Any:
        """Put one trigger into the probes."""
        return with_trigger(self.probes, self.features[trigger], self.values[trigger])


def plant_backdoor(
    examples: Examples, candidates: IntArray, count: int, rng: np.random.Generator, *, triggers: int
) -> TrainingChange:
    """Plant triggers in `count` rows evenly, each with a uniformly drawn target."""
    classes = np.unique(examples.labels)
    if not isinstance(triggers, int) or not 1 <= triggers <= count:
        raise ValueError(f"triggers must be a whole number from 1 to count={count}, not {triggers!r}.")
    if len(classes) < 2:
        raise ValueError("backdoor canaries need two classes or more: with one, every model hits every target.")
    if count >= len(candidates):
        raise ValueError(
            f"count={count} canaries and a clean input to try them on need more distinct training examples than there "
            f"are ({len(candidates)})."
        )
    order = rng.permutation(candidates)
    rows, probes = order[:count], np.sort(order[count : count + PROBES])
    features, values = _patterns(examples, triggers, rng)
    targets = classes[rng.integers(len(classes), size=triggers)]
    of = np.arange(count) % triggers
    clean = examples.inputs(rows)
    parts = [with_trigger(clean[of == t], features[t], values[t]) for t in range(triggers)]
    for t, part in enumerate(parts):
        clean[of == t] = part
    return TrainingChange(
        rows=rows,
        labels=targets[of],
        inputs=clean,
        plan=BackdoorPlan(
            probes=examples.inputs(probes),
            labels=examples.labels[probes],
            features=features,
            values=values,
            targets=targets,
            rows=np.bincount(of, minlength=triggers).astype(np.int64),
            classes=classes,
        ),
    )


def with_trigger(inputs: Any, features: NDArray[np.bool_], values: FloatArray) -> Any:
    """Copy the inputs, stacked, with the trigger's values in its features."""
    shape = inputs.shape
    if is_tensor(inputs):
        import torch

        flat = inputs.clone().reshape(len(inputs), -1)
        flat[:, torch.as_tensor(features)] = torch.as_tensor(values[features]).to(flat.dtype)
        return flat.reshape(shape)
    flat = inputs.copy().reshape(len(inputs), -1)
    flat[:, features] = values[features].astype(flat.dtype)
    return flat.reshape(shape)


def _patterns(examples: Examples, triggers: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], FloatArray]:
    """Draw about sqrt(features) features, each at its less usual extreme."""
    some = np.unique(np.linspace(0, len(examples) - 1, min(LOOKED_AT, len(examples))).astype(np.int64))
    seen = to_numpy(examples.inputs(some)).reshape(len(some), -1).astype(np.float64)
    lowest, highest, mean = seen.min(axis=0), seen.max(axis=0), seen.mean(axis=0)
    varying = np.flatnonzero(highest > lowest)
    size = math.ceil(math.sqrt(seen.shape[1]))
    if len(varying) <= size:
        raise ValueError(
            f"backdoor triggers of {size} features need more than as many features that vary; train has {len(varying)}."
        )
    features = np.zeros((triggers, seen.shape[1]), dtype=bool)
    for pattern in features:
        pattern[rng.choice(varying, size=size, replace=False)] = True
    values = np.where(highest - mean > mean - lowest, highest, lowest)
    return features, np.where(features, values, 0.0)
