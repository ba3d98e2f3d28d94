"""Subtract examples from Gaussian naive Bayes."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.naive_bayes import GaussianNB

from unlearners._core.isolation import Examples, Unsupported, require_retain
from unlearners.exact.arrays import Array, arrays, positions


@dataclass(frozen=True, kw_only=True)
class GaussianNBDowndate:
    """Take examples out of a fitted scikit-learn `GaussianNB`.

    Source: unlearning of summations, Cao and Yang 2015. Counts, means, variances, priors and the smoothing epsilon_ are
    functions of sums over the examples, from which those of the forget set are taken away, by the formula of Chan,
    Golub and LeVeque (1979) read backwards. Of the retain set only its length is read.

    Exact: equals a refit on the retain set to 1e-9 of the variances before the request, which rounding allows where
    fit saw float64. A class that vanishes leaves `classes_`, as in a refit, which with given `priors` is an error.
    Models fitted with sample weights or by `partial_fit` are refused: their epsilon_ is not that of the examples.
    """

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:  # noqa: ARG002
        smoothing = _smoothing(model)
        require_retain(retain, "GaussianNBDowndate")
        unlearned = deepcopy(model)
        if len(forget) == 0:
            return unlearned
        x, y = arrays(forget)
        own = positions(y, model.classes_, "GaussianNBDowndate")
        gone = np.bincount(own, minlength=len(model.classes_))
        counts = model.class_count_ - gone
        if counts.min() < 0 or counts.sum() != len(retain):
            raise ValueError("GaussianNBDowndate: retain and forget together are not what the model was fitted on.")
        kept = np.flatnonzero(counts)
        if len(kept) < len(counts) and model.priors is not None:
            raise ValueError(
                f"A class vanishes, and the model was given priors for {len(counts)}; a refit would refuse."
            )
        means, variances = model.theta_.astype(float), np.maximum(model.var_.astype(float) - model.epsilon_, 0)
        for label in kept[gone[kept] > 0]:
            means[label], variances[label] = downdate(
                model.class_count_[label], means[label], variances[label], x[own == label]
            )
        counts, means, variances = counts[kept], means[kept], variances[kept]
        kind = model.theta_.dtype
        unlearned.classes_, unlearned.class_count_, unlearned.theta_ = model.classes_[kept], counts, means.astype(kind)
        unlearned.epsilon_ = smoothing * total_variance(counts, means, variances).max()
        unlearned.var_ = (variances + unlearned.epsilon_).astype(kind)
        if model.priors is None:
            unlearned.class_prior_ = counts / counts.sum()
        return unlearned


def downdate(count: float, mean: Array, variance: Array, rows: Array) -> tuple[Array, Array]:
    """Compute mean and variance of `count` examples less some rows."""
    own, gone = rows.mean(0), len(rows)
    left = count - gone
    rest = mean - gone / left * (own - mean)
    scatter = count * variance - gone * rows.var(0) - gone * left / count * (own - rest) ** 2
    # A variance of zero may come out as a rounding error below it.
    return rest, np.maximum(scatter, 0) / left


def total_variance(counts: Array, means: Array, variances: Array) -> Array:
    """Add the mean of the classes' variances and the variance of their means."""
    share = counts / counts.sum()
    total: Array = share @ (variances + (means - share @ means) ** 2)
    return total


def _smoothing(model: Any) -> float:
    """Check that a GaussianNB was fitted in one go, without weights."""
    if not isinstance(model, GaussianNB) or not hasattr(model, "theta_"):
        raise Unsupported(
            f"GaussianNBDowndate needs a fitted scikit-learn GaussianNB, not {model!r:.60}; Retrain(recipe) works for "
            "any model."
        )
    smoothing, counts = float(model.var_smoothing), model.class_count_
    found = smoothing * total_variance(counts, model.theta_, model.var_ - model.epsilon_).max()
    if not np.isclose(found, model.epsilon_, rtol=1e-4, atol=0) or (counts != np.round(counts)).any():
        raise Unsupported(
            "GaussianNBDowndate needs a GaussianNB from one fit() without sample weights: the epsilon_ of this one is "
            "not var_smoothing times the largest variance of its examples; use Retrain(recipe)."
        )
    return smoothing
