"""Signals that attacks compare: of logits, and of answers to queries."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from weakref import WeakKeyDictionary

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, Outputs
from pytest_unlearn.models.signals import (
    answered,
    correctness,
    hinge_margin,
    log_probability,
    logit_scaled_confidence,
    negative_entropy,
    negative_modified_entropy,
    probabilities,
)

__all__ = [
    "answered",
    "augmentation_stability",
    "boundary_distance",
    "correctness",
    "hinge_margin",
    "log_probability",
    "logit_scaled_confidence",
    "negative_entropy",
    "negative_gradient_norm",
    "negative_modified_entropy",
    "probabilities",
    "remembered",
]


def remembered(signal: Callable[[Outputs], FloatArray]) -> Callable[[Outputs], FloatArray]:
    """Compute a signal of what queries were answered once for the same outputs."""
    computed: WeakKeyDictionary[Outputs, FloatArray] = WeakKeyDictionary()

    @wraps(signal)
    def remembering(outputs: Outputs) -> FloatArray:
        values = computed.get(outputs)
        if values is None:
            values = signal(outputs)
            values.flags.writeable = False
            computed[outputs] = values
        return values

    return remembering


def negative_gradient_norm(outputs: Outputs) -> FloatArray:
    """Compute minus the log of the loss gradient's norm.

    Needs the query "gradient norm". Source: Nasr, Shokri & Houmansadr 2019, "Comprehensive privacy analysis".
    """
    return np.asarray(-np.log(np.maximum(outputs.asked["gradient norm"], np.finfo(np.float64).tiny)))


def augmentation_stability(outputs: Outputs) -> FloatArray:
    """Return the share of an example's augmentations that are labelled right.

    Needs the query "augmentations".

    Source: Choquette-Choo et al. 2021, "Label-only membership inference attacks".
    """
    right = outputs.asked["augmentations"].argmax(axis=2) == outputs.labels[:, None]
    return np.asarray(right.mean(axis=1))


def boundary_distance(outputs: Outputs) -> FloatArray:
    """Return how far the input is from a change of label; 0 where it is wrong.

    Needs the query "boundary distance".

    Source: Choquette-Choo et al. 2021; Chen, Jordan & Wainwright 2020, "HopSkipJumpAttack".
    """
    return np.asarray(outputs.asked["boundary distance"])
