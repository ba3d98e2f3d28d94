"""Signals: what logits come down to; higher means more member-like."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs

BLOCK = 1 << 20  # logits that are reduced at once: 8 MB

Signal = Callable[[Outputs], FloatArray]


def of_logits(signal: Signal) -> Signal:
    """Compute a signal of logits and labels alone once, block by block."""

    @wraps(signal)
    def computing(outputs: Outputs) -> FloatArray:
        if signal.__name__ not in outputs.signals:
            values = np.concatenate([signal(block) for block in outputs.blocks(BLOCK)], axis=-1)
            values.flags.writeable = False
            outputs.signals[signal.__name__] = values
        return outputs.signals[signal.__name__]

    return computing


@of_logits
def logit_scaled_confidence(outputs: Outputs) -> FloatArray:
    """Compute z_y - logsumexp of the other logits: confidence in the true label.

    Equal to log p_y - log(1 - p_y) without its saturation. Source: Carlini et al. 2022, "Membership inference attacks
    from first principles", eq. 6.
    """
    own, rest = _own_and_rest(outputs)
    return np.asarray(own - np.logaddexp.reduce(rest, axis=1))


@of_logits
def hinge_margin(outputs: Outputs) -> FloatArray:
    """Compute z_y - max of the other logits.

    Unlike confidence it keeps the order of examples under any temperature. For two classes it equals
    logit-scaled confidence. Source: Carlini et al. 2022, section VI.
    """
    own, rest = _own_and_rest(outputs)
    return np.asarray(own - rest.max(axis=1))


def negative_entropy(outputs: Outputs) -> FloatArray:
    """Compute sum of p log p: certainty, whatever the label.

    Misses confidently wrong members.

    Source: Salem et al. 2019, "ML-Leaks"; Song and Mittal 2021.
    """
    return np.asarray(_of_probabilities(outputs)[0])


def negative_modified_entropy(outputs: Outputs) -> FloatArray:
    """Compute (1 - p_y) log p_y + sum over i != y of p_i log(1 - p_i).

    Certain and right: 0 exactly when p_y = 1. Source: Song and Mittal 2021, "Systematic evaluation of privacy risks of
    machine learning models", eq. 8 (negated).
    """
    return np.asarray(_of_probabilities(outputs)[1])


def log_probability(outputs: Outputs) -> FloatArray:
    """Compute log p_y, the loss with its sign turned (Yeom et al. 2018)."""
    return np.asarray(_of_probabilities(outputs)[2])


def probabilities(outputs: Outputs) -> FloatArray:
    """Compute the posteriors, shape (examples, classes)."""
    return np.asarray(np.exp(_log_probabilities(outputs)))


def correctness(outputs: Outputs) -> FloatArray:
    """Return 1 where the largest logit is the true label's, else 0 (Yeom et al. 2018)."""
    return np.asarray(answered(outputs) == outputs.labels, dtype=np.float64)


def answered(outputs: Outputs) -> IntArray:
    """Return the column of the largest logit, the first of equal ones."""
    return _answered(outputs).astype(np.int64)


@of_logits
def _answered(outputs: Outputs) -> FloatArray:
    return np.asarray(outputs.logits.argmax(axis=1), dtype=np.float64)


def _own_and_rest(outputs: Outputs) -> tuple[FloatArray, FloatArray]:
    """Split logits into the true label's and the others, with -inf in its place."""
    rest, rows = outputs.logits.copy(), np.arange(len(outputs.labels))
    own = rest[rows, outputs.labels]
    rest[rows, outputs.labels] = -np.inf
    return own, rest


@of_logits
def _of_probabilities(outputs: Outputs) -> FloatArray:
    """Compute what signals need of probabilities: entropies, and log p_y, (3, examples)."""
    log_p = _log_probabilities(outputs)
    log_rest, p, rows = _log_complements(log_p), np.exp(log_p), np.arange(len(log_p))
    own = log_p[rows, outputs.labels]
    terms = p * log_rest
    terms[rows, outputs.labels] = np.exp(log_rest[rows, outputs.labels]) * own
    return np.stack([(p * log_p).sum(axis=1), terms.sum(axis=1), own])


def _log_probabilities(outputs: Outputs) -> FloatArray:
    logits = outputs.logits - outputs.logits.max(axis=1, keepdims=True)  # keeps log of the sum exact at huge logits
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


def _log_complements(log_p: FloatArray) -> FloatArray:
    """Compute log(1 - p), the largest p's from the sum of the others."""
    largest = log_p.argmax(axis=1)
    rows = np.arange(len(log_p))
    others = log_p.copy()
    others[rows, largest] = -np.inf
    p = np.exp(others)
    result = np.log1p(-p)
    result[rows, largest] = np.logaddexp.reduce(others, axis=1)
    return np.asarray(result)


REDUCED = (logit_scaled_confidence, hinge_margin, _of_probabilities, _answered)
"""What is computed of logits that are too many to be kept: all that attacks ask of them as long as none is named."""
