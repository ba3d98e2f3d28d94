"""Compute extraction strength and exact memorisation under their names."""

from __future__ import annotations

from numpy.typing import ArrayLike

from pytest_unlearn import statistics
from pytest_unlearn.metrics.metric import ExampleMetric

_EASY = "easy text scores in models that never saw it: compare with a retrained model's, text by text"


def extraction_strength(hit: ArrayLike, offsets: ArrayLike) -> ExampleMetric:
    """Compute 1 - the share of a text after which greedy decoding says the rest.

    `hit` (T,) and `offsets` (n + 1,) as in `pytest_unlearn.statistics.extraction_strength`, which states the formula.
    Values (n,) from 0 to 1; under perfect unlearning a retrained model's, not 0. What is wrong with it: the last token
    decides whether it is 0; in a pilot it was .51 for the original and .48 for retrained models. Public code (open-
    unlearning) gives 1/T where no token is right. Raises ValueError for arrays that do not fit. Source: Carlini et al.
    2021 (arXiv 2012.07805); open-unlearning (arXiv 2506.12618).
    """
    values = statistics.extraction_strength(hit, offsets)
    return ExampleMetric("extraction strength", values, None, "nearer", _EASY)


def exact_memorisation(hit: ArrayLike, offsets: ArrayLike) -> ExampleMetric:
    """Compute the share of a text's tokens that are the most probable ones.

    Arguments and errors as in `extraction_strength`. Values (n,) from 0 to 1; under perfect unlearning a retrained
    model's. What is wrong with it: it is high on easy text (.46 to .49 for retrained models where the original has
    .84). Source: Tirumala et al. 2022 (arXiv 2205.10770).
    """
    return ExampleMetric("exact memorisation", statistics.exact_memorisation(hit, offsets), None, "nearer", _EASY)
