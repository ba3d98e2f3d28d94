"""Compute MUSE's six: VerbMem, KnowMem, PrivLeak, utility, scale, sequence.

PrivLeak is `priv_leak` in `metrics/membership.py`. Source: Shi et al. 2024, "MUSE: machine unlearning six-way
evaluation for language models" (arXiv 2407.06460).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.metrics.metric import ExampleMetric, Metric, rates
from pytest_unlearn.metrics.rouge import Rouge, rouge_l
from pytest_unlearn.statistics.validation import is_number, vector

_GREEDY = "refusals and gibberish score 0, and so may a model that forgot nothing: greedy words are what filters change"


def verb_mem(continuations: Sequence[str], generated: Sequence[str], kind: Rouge = "recall") -> Metric:
    """Average ROUGE-L of greedy continuations of the request (criterion 1).

    Args:
        continuations: the true rest of each text after its first tokens, n.
        generated: what the model says after them, n.
        kind: as in `rouge_l`; the published code averages "F".

    Returns:
        From 0 to 1. Under perfect unlearning it is the retrained model's, not 0. What is wrong with it: an original
        with membership AUC .96 had .124 on the request and .128 on texts that it never saw, so that it passes by having
        no power; after unlearning, sampling finds what greedy decoding hides (arXiv 2511.04934).

    Raises:
        ValueError: as `rouge_l`.
    """
    return Metric("VerbMem", float(rouge_l(continuations, generated, kind).mean()), None, "nearer", _GREEDY)


def know_mem(answers: Sequence[str], generated: Sequence[str], kind: Rouge = "recall") -> Metric:
    """Average ROUGE-L of answers to questions about a text (criterion 2, and 4).

    Args:
        answers: the true answer to each question, n.
        generated: what the model answers, n.
        kind: as in `rouge_l`; the published code averages "F".

    Returns:
        From 0 to 1. On questions about the request it is the retrained model's under perfect unlearning; about retained
        texts it is MUSE's utility preservation. What is wrong with it: who repeats the question scores, other words
        for the same do not; no error, and questions about one text are not independent.

    Raises:
        ValueError: as `rouge_l`.
    """
    return Metric("KnowMem", float(rouge_l(answers, generated, kind).mean()), None, "nearer", _GREEDY)


def scalability(utilities: ArrayLike, original: float) -> ExampleMetric:
    """Divide utility after ever larger requests by the original's (criterion 5).

    Args:
        utilities: KnowMem on retained texts after unlearning each size of request, (sizes,), from 0 to 1.
        original: the same before.

    Returns:
        Ratios, (sizes,), as MUSE's figure shows them. Under perfect unlearning they are retraining's, about 1. What is
        wrong with it: each is one run, and runs vary.

    Raises:
        ValueError: what is no share, an original of 0.
    """
    return _kept("scalability", utilities, original)


def sustainability(utilities: ArrayLike, original: float) -> ExampleMetric:
    """Divide utility after each of a sequence of requests by the original's (6).

    `utilities` are KnowMem on retained texts after 1, 2, ... requests, (requests,), from 0 to 1; else as `scalability`.
    """
    return _kept("sustainability", utilities, original)


def _kept(name: str, utilities: ArrayLike, original: float) -> ExampleMetric:
    values = vector("utilities", utilities)
    rates(original=original, **{f"utilities[{k}]": float(value) for k, value in enumerate(values)})
    if not is_number(original) or original == 0.0:
        raise ValueError("the original's utility is 0: there is nothing to keep.")
    return ExampleMetric(
        name, np.asarray(values / original), None, "higher", "one run each: compare with a retrained model's after each"
    )
