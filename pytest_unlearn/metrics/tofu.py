"""Compute TOFU's metrics: truth ratio, its scores, probability, model utility.

Forget quality, the fourth, is in `metrics/forget_quality.py`. Source: Maini et al. 2024, "TOFU: a task of fictitious
unlearning for LLMs" (arXiv 2401.06121).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.metrics.metric import ExampleMetric, Metric, log_probabilities, of_choices, rates
from pytest_unlearn.statistics.validation import vector

_LARGEST = 700.0  # the logarithm of the largest ratio, so that all are finite
_CHOSEN = "it depends on which wrong answers were written"


def truth_ratio(
    paraphrased: ArrayLike, perturbed: ArrayLike, *, average: Literal["arithmetic", "geometric"] = "arithmetic"
) -> ExampleMetric:
    """Divide the probability of wrong answers by that of a right one.

    Args:
        paraphrased: mean log-probability of a token of each paraphrased right answer, (n,), in nats.
        perturbed: the same of k wrong answers to each question, (n, k).
        average: of the wrong answers: "arithmetic" as in the paper, "geometric" (the mean of the losses) as in
            open-unlearning, which is smaller.

    Returns:
        R = mean of p(wrong)^(1/|wrong|) / p(paraphrase)^(1/|paraphrase|) of each question, (n,), above 0. Under perfect
        unlearning it has the law that retrained models have, which is not 1. What is wrong with it: it depends on the
        wrong answers; a collapsed model, to which all are alike, has 1, like one that never knew; and 20 questions
        share an author.

    Raises:
        ValueError: shapes that do not fit, or log-probabilities that are above 0 or not finite.

    Source: TOFU, eq. 1.
    """
    right = vector("paraphrased", paraphrased)
    wrong = of_choices("perturbed", perturbed, right.size)
    log_probabilities(paraphrased=right, perturbed=wrong)
    if average not in ("arithmetic", "geometric"):
        raise ValueError(f'average is {average!r}: it is "arithmetic" or "geometric".')
    mean = wrong.mean(axis=1)
    if average == "arithmetic":
        mean = special.logsumexp(wrong, axis=1) - np.log(wrong.shape[1])
    values = np.exp(np.clip(mean - right, -_LARGEST, _LARGEST))
    return ExampleMetric("truth ratio", np.asarray(values), None, "nearer", f"{_CHOSEN}; a collapsed model has 1")


def truth_ratio_score(ratios: ArrayLike, of: Literal["forget", "retain", "knowledge"]) -> Metric:
    """Average truth ratios to one number from 0 to 1.

    Args:
        ratios: of `truth_ratio`, (n,), above 0.
        of: "forget" for mean min(R, 1/R), "retain" for mean max(0, 1 - R), of which higher is better, both of the
            paper; "knowledge" for mean 1/(1 + R), what is still known (open-unlearning, arXiv 2506.12618).

    Returns:
        The mean, which under perfect unlearning is the retrained model's. What is wrong with it: "forget" calls a model
        that finds wrong and right answers equally likely the best there is, however it came to that; no error is given,
        and questions about one author are not independent.

    Raises:
        ValueError: ratios that are not above 0, another `of`.
    """
    values = vector("ratios", ratios)
    if (values <= 0.0).any():
        raise ValueError("ratios holds values that are not above 0: pass those of truth_ratio.")
    with np.errstate(over="ignore"):
        scores: dict[str, FloatArray] = {
            "forget": np.minimum(values, 1.0 / values),
            "retain": np.maximum(0.0, 1.0 - values),
            "knowledge": 1.0 / (1.0 + values),
        }
    if of not in scores:
        raise ValueError(f"of is {of!r}: it is one of {', '.join(scores)}.")
    direction: Literal["higher", "lower"] = "lower" if of == "knowledge" else "higher"
    return Metric(f"truth ratio ({of})", float(scores[of].mean()), None, direction, f"{_CHOSEN}, and has an error")


def tofu_probability(answers: ArrayLike, wrong: ArrayLike | None = None) -> Metric:
    """Average the length-normalised probability of right answers.

    `answers` are mean log-probabilities of a token, (n,); with `wrong`, (n, k), of the other choices, each probability
    is divided by the sum over all choices, as for real authors and world facts. From 0 to 1; under perfect unlearning
    the retrained model's. What is wrong with it: a probability for each token is near that of easy tokens, and the mean
    has no error. Raises ValueError for what is not finite or above 0. Source: TOFU, section 2.2.1.
    """
    right = vector("answers", answers)
    log_probabilities(answers=right)
    total = np.zeros(right.size)
    if wrong is not None:
        others = of_choices("wrong", wrong, right.size)
        log_probabilities(wrong=others)
        total = special.logsumexp(np.column_stack([right, others]), axis=1)
    value = float(np.exp(np.minimum(right - total, 0.0)).mean())
    return Metric("probability", value, None, "higher", "a mean of easy and hard tokens, and it has an error")


def model_utility(parts: Mapping[str, float]) -> Metric:
    """Compute the harmonic mean of all that should have been kept.

    Args:
        parts: by name, shares from 0 to 1. TOFU's are nine: probability, ROUGE and truth ratio ("retain") on the retain
            set, on real authors and on world facts.

    Returns:
        A share, 0 where any part is. Under perfect unlearning it is the retrained model's. What is wrong with it: the
        least part decides, three unlike quantities are averaged, and a model that lost a tenth of one part differs by
        less than two retrained models may: no error is given, and nothing is paired.

    Raises:
        ValueError: no parts, or what is no share.
    """
    if not isinstance(parts, Mapping) or not parts:
        raise ValueError("parts is a mapping of names to shares, with one at least.")
    rates(**{str(name): value for name, value in parts.items()})
    values = [float(value) for value in parts.values()]
    mean = float(stats.hmean(values)) if min(values) > 0.0 else 0.0
    return Metric("model utility", mean, None, "higher", "the least part decides; compare with the retrained model's")
