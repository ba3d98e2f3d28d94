"""Compute a number for each document from what one model answers.

Higher is more like training data. With tokens x_1..x_T and l_t = log p(x_t | x_<t). None of them sees how hard a
document is by itself: on one split every retrained model lies off one half, so they are judged beside references.
"""

from __future__ import annotations

import numpy as np

from pytest_unlearn.attacks.text.segments import (
    check_widths,
    document_means,
    document_sums,
    mean_of_lowest,
    same_tokens,
    window_sums,
)
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.core.token_scores import TokenScores

LOWEST_SHARE = 0.2  # as published with both min-k signals
LEAST_SPREAD = 1e-6  # nats: a law with less is certain, up to rounding
LEAST_LOSS = 1e-6  # nats: a document that is known by heart has a loss of 0


def mean_log_probability(scores: TokenScores) -> FloatArray:
    """Compute mean l_t, minus the loss: (n,), at most 0.

    Source: Yeom et al. 2018, "Privacy risk in machine learning". The mean, since by their sum short documents would
    look known.
    """
    return document_means(scores.logprob, scores.offsets)


def zlib_ratio(scores: TokenScores) -> FloatArray:
    """Compute sum l_t / bytes of the compressed text: (n,), at most 0.

    Nats a byte. Source: Carlini et al. 2021, "Extracting training data from large language models" (arXiv 2012.07805).
    The sum, since compressed bytes grow with the text: much public code divides the mean by them, so that length enters
    twice and long documents look known.
    """
    return np.asarray(document_sums(scores.logprob, scores.offsets) / np.maximum(scores.compressed, 1))


def min_k(scores: TokenScores, share: float = LOWEST_SHARE) -> FloatArray:
    """Average the lowest `share` of l_t: (n,), at most 0.

    Source: Shi et al. 2024, "Detecting pretraining data from large language models" (arXiv 2310.16789). One token at
    least: of a document of four tokens a fifth is none, and public code averages over nothing. Raises ValueError for a
    share outside (0, 1].
    """
    return mean_of_lowest(scores.logprob, scores.offsets, share)


def min_k_plus_plus(scores: TokenScores, share: float = LOWEST_SHARE) -> FloatArray:
    """Average the lowest `share` of (l_t - mean) / sd under the model's own law: (n,).

    Source: Zhang et al. 2024, "Min-K%++" (arXiv 2404.02936). 0 where the law is uniform or certain of the token. Public
    code floors the variance at 1e-6, a deviation of a thousandth of a nat, which shrinks the score of whoever is sure;
    here it is a millionth. Raises ValueError for a share outside (0, 1].
    """
    normalised = (scores.logprob - scores.mean) / np.maximum(scores.sd, LEAST_SPREAD)
    return mean_of_lowest(normalised, scores.offsets, share)


def drawn_runs(scores: TokenScores, samples: int, run: int) -> FloatArray:
    """Compute the share of runs that some of k samples give back: (n,).

    The expected share, between 0 and 1. A sample continues the true text before a run, at temperature 1, and gives the
    run with the product p of its tokens' probabilities: at least one of `samples` does with 1 - (1 - p)^k, which takes
    no sampling. Averaged over all places of a document. What greedy decoding does not show, samples do. Sources: leak@k
    (arXiv 2511.04934); (n, p)-discoverable extraction, Hayes et al. 2025 (arXiv 2410.19482), here of runs. Raises
    ValueError for numbers that are not whole and at least 1.
    """
    (samples,), (run,) = check_widths([samples]), check_widths([run])
    sums, windows = window_sums(scores.logprob, scores.offsets, run)
    sure = sums >= 0.0
    with np.errstate(divide="ignore"):
        missed = samples * np.log1p(-np.exp(np.minimum(sums, 0.0)))
    return document_means(np.where(sure, 1.0, -np.expm1(missed)), windows)


def recall_ratio(scores: TokenScores, after_prefix: TokenScores) -> FloatArray:
    """Compute LL(x | P) / LL(x), mean l_t with a prefix P to mean l_t without: (n,).

    Source: Xie et al. 2024, "ReCaLL: membership inference via relative conditional log-likelihoods" (arXiv 2406.15968).
    `after_prefix` scores the same tokens, those of P not among them. P must be a non-member of every model, and no
    control: it favours one side of a split in retrained models too (measured: AUC .56 to .60), so that this is judged
    beside references. A ratio of two losses, each at least a millionth of a nat: 1 for what is known by heart either
    way. Raises ValueError for documents that are not the same.
    """
    same_tokens(scores, after_prefix, "the model after the prefix")
    losses = (np.maximum(-mean_log_probability(one), LEAST_LOSS) for one in (after_prefix, scores))
    return np.asarray(next(losses) / next(losses))
