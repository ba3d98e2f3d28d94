"""Compute forget quality (TOFU) and the score of the NeurIPS 2023 challenge.

Forget quality is a p-value, which must not be taken for proof; beside it stands what proves likeness. The challenge's
score is forgetting quality times accuracy ratios.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.core.evidence import FloatArray, Outputs
from pytest_unlearn.metrics.metric import Metric
from pytest_unlearn.statistics import example_epsilons, forgetting_quality, published_score
from pytest_unlearn.statistics.epsilon.forgetting_quality import TIME_LIMIT
from pytest_unlearn.statistics.validation import check_open_unit, is_number, real_array, vector


@dataclass(frozen=True, slots=True)
class ForgetQuality:
    """Hold the published p-value, the distance of the laws, and its upper bound."""

    p_value: float
    distance: float
    upper: float
    confidence: float

    @property
    def metric(self) -> Metric:
        """The p-value; it is uniform under perfect unlearning and has no target."""
        caution = "a large p-value proves nothing, least of all with few examples: ask for equivalent(margin)"
        return Metric("forget quality", self.p_value, None, "higher", caution)

    def equivalent(self, margin: float) -> bool:
        """Say whether the laws are proven to lie within `margin` of each other."""
        check_open_unit("margin", margin)
        return self.upper <= margin


def forget_quality(unlearned: ArrayLike, retrained: ArrayLike, confidence: float = 0.95) -> ForgetQuality:
    """Compare a statistic's law under unlearning with that under retraining.

    `unlearned` [m], `retrained` [n] are truth ratios, or any other statistic. `p_value` is that of the two-sample
    Kolmogorov-Smirnov test: uniform under perfect unlearning. `upper` bounds the largest difference of the two
    distribution functions, by Massart's constant for each. Raises ValueError for what is empty or not finite, or a
    confidence outside (0, 1). Source: Maini 2024 (TOFU); Massart 1990.

    What is wrong with the p-value: a large one is taken for equality, which it gives for lack of data. A shift of .3
    standard deviations passes .05 in 87% of requests of 40 questions, and in 4% of 400. And it counts questions as
    independent: of identical laws with 20 authors of 20 questions, correlated by .5, it rejects 54%, where
    `clustered_difference` keeps to 5%.
    """
    ours, theirs = vector("unlearned", unlearned), vector("retrained", retrained)
    check_open_unit("confidence", confidence)
    tested = stats.ks_2samp(ours, theirs)
    # each empirical law is within sqrt(log(2/a)/2n) of its own with probability 1 - a; half of alpha goes to either
    reach = sum(np.sqrt(np.log(4.0 / (1.0 - confidence)) / (2.0 * side.size)) for side in (ours, theirs))
    distance = float(tested.statistic)
    return ForgetQuality(float(tested.pvalue), distance, min(1.0, distance + float(reach)), confidence)


def neurips2023_score(
    unlearned_logits: ArrayLike,
    retrained_logits: ArrayLike,
    labels: ArrayLike,
    *,
    retain_accuracies: tuple[float, float],
    test_accuracies: tuple[float, float],
    time_fraction: float = 0.0,
) -> Metric:
    """Multiply F by both accuracy ratios; 0 if the method is too slow.

    Args:
        unlearned_logits: on the forget set, shape (models, examples, classes), four models or more.
        retrained_logits: the same of as many retrained models; the challenge had 512 of each.
        labels: columns of the true labels, shape (examples,).
        retain_accuracies: mean accuracy on the retain set of the unlearned and of the retrained models.
        test_accuracies: the same on the test set.
        time_fraction: of the time of retraining that the method takes; above 0.2 it is rejected.

    Returns:
        The score, 0.16 to 0.21 under perfect unlearning if output laws are Gaussian, and less where they are narrow.
        Thresholds are exact: the published grid of 0.01 misses some, and may score slightly more.

    Raises:
        ValueError: shapes that do not match, too few models, or what is no accuracy or no time.

    Source: Triantafillou 2023, "Evaluation for the NeurIPS machine unlearning competition", and its code.
    """
    true = np.asarray(labels)
    sides = [_margins(n, v, true) for n, v in (("unlearned", unlearned_logits), ("retrained", retrained_logits))]
    if len(sides[0]) != len(sides[1]):
        raise ValueError(
            f"{len(sides[0])} unlearned and {len(sides[1])} retrained models: F depends on their number, so pass as "
            "many of each."
        )
    if not is_number(time_fraction) or not time_fraction >= 0.0:
        raise ValueError(f"time_fraction is {time_fraction!r}: it is a number, at least 0.")
    for name, pair in (("retain_accuracies", retain_accuracies), ("test_accuracies", test_accuracies)):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                f"{name} is {pair!r}: it is the unlearned models' mean accuracy and the retrained models'."
            )
    quality = forgetting_quality(example_epsilons(*sides), len(sides[0]))
    score = published_score(quality, retain_accuracies, test_accuracies)
    return Metric(
        "NeurIPS 2023 score",
        score if time_fraction <= TIME_LIMIT else 0.0,
        None,
        "higher",
        "perfect unlearning scores about 0.2, not 1, and depends on how many models there are: compare with the score "
        "that other retrained models get, as audit_indistinguishable does",
    )


def _margins(name: str, logits: ArrayLike, labels: np.typing.NDArray[np.generic]) -> FloatArray:
    """Return logit-scaled confidences, shape (models, examples)."""
    stack = real_array(f"{name}_logits", logits)
    if stack.ndim != 3 or not stack.size or stack.shape[2] < 2 or labels.shape != (stack.shape[1],):
        raise ValueError(
            f"{name}_logits of shape {stack.shape} with labels of shape {labels.shape}: logits have shape (models, "
            "examples, classes), two classes or more, and there is a label for each example."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= stack.shape[2]:
        raise ValueError(f"labels must be whole numbers from 0 to {stack.shape[2] - 1}: columns of the logits.")
    columns = labels.astype(np.int64)
    return np.array([logit_scaled_confidence(Outputs(logits=rows, labels=columns)) for rows in stack])
