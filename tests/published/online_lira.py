"""Online LiRA, the published attack: reference models that were trained with the example and without it."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.attacks.lira import Variance, likelihood_ratios
from pytest_unlearn.core.evidence import FloatArray


def online_scores(
    target: FloatArray, references: FloatArray, included: np.ndarray, *, variance: Variance = "auto"
) -> FloatArray:
    """How much likelier the model's statistic is under models with the example than under models without it, in logs.

    Args:
        target: the model's statistic, shape (examples,), or (queries, examples).
        references: the same of models, shape (models, [queries,] examples).
        included: which model was trained on which example, shape (models, examples).
        variance: as in `offline_scores`; "auto" counts the models of the rarer kind.

    Returns:
        A log-likelihood ratio for each example, shape (examples,), averaged over queries. With known laws a shift of d
        standard deviations gives an AUC of Phi(d / sqrt(2)).

    Raises:
        ValueError: shapes that do not match, or an example that is in, or out of, too few models.
    """
    included = np.asarray(included, dtype=bool)
    return likelihood_ratios(target, references, included, ~included, variance=variance)
