"""Compute distances of two models' outputs: JS, ZRF, activations, KLOM."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.metrics.metric import ExampleMetric, Metric, probabilities
from pytest_unlearn.statistics.validation import real_array

BINS, CLIP, FLOOR = 20, 100.0, 1e-5  # as published with KLOM


def js_divergence(model: ArrayLike, other: ArrayLike) -> Metric:
    """Compute the mean Jensen-Shannon divergence, in nats, from 0 to log 2.

    `model` and `other` are probabilities of the same examples, shape (examples, classes); 0 if `other` is a retrained
    model and the unlearned one answers alike. Summed over classes, not averaged as in much public code, which divides
    it by their number. Raises ValueError for what is no probabilities, or shapes that differ. Source: Lin 1991.
    """
    value = float(_js(model, other).mean())
    return Metric(
        "JS divergence", value, 0.0, "lower", "two retrained models differ as well: compare with what lies between them"
    )


def zrf(unlearned: ArrayLike, incompetent: ArrayLike) -> Metric:
    """Compute 1 - the mean JS divergence from an untrained model on forget.

    `unlearned` and `incompetent` are probabilities on the forget set, shape (examples, classes), the latter's of a
    model with random weights. From 1 - log 2 to 1. Raises ValueError as `js_divergence`. Source: Chundawat 2023, "Can
    bad teaching induce forgetting?".
    """
    value = 1.0 - float(_js(unlearned, incompetent).mean())
    return Metric(
        "ZRF", value, None, "nearer", "it measures randomness: a retrained model is not random, so compare with its ZRF"
    )


def activation_distance(unlearned: ArrayLike, retrained: ArrayLike) -> Metric:
    """Compute the mean Euclidean distance of probabilities, from 0 to sqrt(2).

    `unlearned` and `retrained` are probabilities on the forget set, shape (examples, classes). Raises ValueError as
    `js_divergence`. Source: Golatkar 2021; Chundawat 2023.
    """
    one, other = _pair(unlearned, retrained)
    value = float(np.linalg.norm(one - other, axis=1).mean())
    return Metric(
        "activation distance", value, 0.0, "lower", "two retrained models differ as well: compare with their distance"
    )


def klom(unlearned: ArrayLike, oracles: ArrayLike) -> ExampleMetric:
    """Compute the KL divergence of each example's margins from retraining's.

    In nats. `unlearned` and `oracles` are margins z_y - logsumexp(other logits), shape (models, examples), of many
    unlearned and many retrained models. Margins are clipped to +-100 and counted in 20 common bins; empty bins of the
    oracles count 1e-5. Returns values of shape (examples,), small but not 0 under perfect unlearning: two halves of the
    oracles show how small, which is why there is no target. Raises ValueError for shapes that do not match or fewer
    than two models. Source: Rinberg 2025.
    """
    given = (("unlearned", unlearned), ("oracles", oracles))
    ours, theirs = (np.clip(real_array(name, margins), -CLIP, CLIP) for name, margins in given)
    if ours.ndim != 2 or theirs.ndim != 2 or ours.shape[1] != theirs.shape[1] or min(len(ours), len(theirs)) < 2:
        raise ValueError(f"margins have shape (models, examples), two models or more: not {ours.shape}, {theirs.shape}")
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise ValueError("margins must be finite")
    low = np.minimum(ours.min(axis=0), theirs.min(axis=0))
    width = np.maximum(ours.max(axis=0), theirs.max(axis=0)) - low
    p, q = (_histogram(margins, low, width) for margins in (ours, theirs))
    values = np.asarray(special.rel_entr(p, np.maximum(q, FLOOR)).sum(axis=0))
    return ExampleMetric(
        "KLOM", values, None, "lower", "never 0 for few models: compare with two halves of the oracles"
    )


def _histogram(margins: FloatArray, low: FloatArray, width: FloatArray) -> FloatArray:
    """Return the share of models in each bin, shape (bins, examples)."""
    place = (margins - low) / np.where(width > 0, width, 1.0) * BINS
    bins = np.minimum(place.astype(np.int64), BINS - 1)
    return np.asarray([(bins == k).mean(axis=0) for k in range(BINS)])


def _pair(model: ArrayLike, other: ArrayLike) -> tuple[FloatArray, FloatArray]:
    one, two = probabilities("the first model's output", model), probabilities("the second model's output", other)
    if one.shape != two.shape:
        raise ValueError(f"outputs of shape {one.shape} and {two.shape}: pass the same examples and classes")
    return one, two


def _js(model: ArrayLike, other: ArrayLike) -> FloatArray:
    one, two = _pair(model, other)
    middle = (one + two) / 2.0
    return np.asarray((special.rel_entr(one, middle) + special.rel_entr(two, middle)).sum(axis=1) / 2.0)
