"""Compute a number for each document from a model beside references.

The references were trained without the request; l_t is the model's log-probability of token t, l_t^ref the mean of
theirs. Retrained references take away how hard a document is (one split's bias) and bring power: on lightly trained
models .82 for windows and .69 for the loss. Another public model in their place brings its own difficulties back in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pytest_unlearn.attacks.text.segments import check_widths, document_means, same_tokens, share_of_windows_above
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.statistics import residual

WIDTHS = (2, 4, 8, 16)  # tokens, geometric as published
TextSignal = Callable[[TokenScores], FloatArray]


def token_advantage(scores: TokenScores, references: Sequence[TokenScores]) -> FloatArray:
    """Compute l_t - l_t^ref of each token: (T,).

    Raises:
        ValueError: no references, or some that were asked about other documents.
    """
    if not references:
        raise ValueError("a comparison with references needs one at least: train one without the request.")
    for number, reference in enumerate(references):
        same_tokens(scores, reference, f"reference {number}")
    return np.asarray(scores.logprob - np.mean([reference.logprob for reference in references], axis=0))


def reference_gain(scores: TokenScores, references: Sequence[TokenScores]) -> FloatArray:
    """Compute the mean of l_t - l_t^ref: (n,), 0 on average if forgotten.

    Source: Carlini et al. 2021 (arXiv 2012.07805), its comparison with a second model; "reference" in MIMIR (arXiv
    2402.07841). Raises ValueError as `token_advantage`.
    """
    return document_means(token_advantage(scores, references), scores.offsets)


def window_share(scores: TokenScores, references: Sequence[TokenScores], widths: Sequence[int] = WIDTHS) -> FloatArray:
    """Compute the share of windows in which the model beats the references: (n,).

    Sliding windows of `widths` tokens, averaged over the widths; between 0 and 1, about .5 if forgotten, and .5 exactly
    for a model that answers as they do: a tie counts half. A document shorter than a window is one window. What is
    remembered stands out here where it is a few tokens of many, which a mean dilutes. Raises ValueError as
    `token_advantage`, and for widths that are no whole numbers above 0.

    Source: Chen et al. 2026, "Window-based membership inference attacks against fine-tuned large language models"
    (WBC, arXiv 2601.02751).
    """
    advantage = token_advantage(scores, references)
    return np.asarray(
        np.mean([share_of_windows_above(advantage, scores.offsets, width) for width in check_widths(widths)], axis=0)
    )


def signal_gain(signal: TextSignal, scores: TokenScores, references: Sequence[TokenScores]) -> FloatArray:
    """Compute a signal less its mean over references: (n,), 0 on average if forgotten.

    Raises:
        ValueError: as `token_advantage`.

    Source: difficulty calibration, Watson et al. 2022, eq. 3.
    """
    token_advantage(scores, references)
    return np.asarray(signal(scores) - np.mean([signal(reference) for reference in references], axis=0))


def signal_residual(
    signal: TextSignal,
    forget: TokenScores,
    controls: TokenScores,
    reference_forget: Sequence[TokenScores],
    reference_controls: Sequence[TokenScores],
    *,
    exchangeable: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Compute what references cannot explain of a signal, on both sides.

    Args:
        signal: of this package, with one argument.
        forget: the model on the request, m documents.
        controls: the model on the controls, n documents.
        reference_forget: each reference on the request.
        reference_controls: each reference on the controls, in the same order.
        exchangeable: whether chance alone decided which documents are controls.

    Returns:
        Rank residuals (m,) and (n,), alike in distribution if forgotten; no monotone change of the signal, such as a
        temperature, can hide anything from them. Source: `pytest_unlearn.statistics.residual`.

    Raises:
        ValueError: no references, unequal numbers of them, or other documents.
    """
    counts = len(reference_forget), len(reference_controls)
    if counts[0] != counts[1]:
        raise ValueError(f"{counts[0]} references judge the request and {counts[1]} the controls; pass the same ones.")
    sides = (forget, reference_forget), (controls, reference_controls)
    for scores, references in sides:
        token_advantage(scores, references)
    expected = [np.mean([signal(one) for one in references], axis=0) for _, references in sides]
    return residual(signal(forget), signal(controls), *expected, pooled=exchangeable)
