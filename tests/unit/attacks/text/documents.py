"""Documents of random lengths, as a model that nobody trained might score them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.core.token_scores import TokenScores


def scored(*documents: Sequence[float], mean=None, sd=None, hit=None, compressed=None) -> TokenScores:
    """Documents with these log-probabilities."""
    lengths = [len(document) for document in documents]
    tokens = sum(lengths)
    return TokenScores(
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        logprob=np.concatenate(documents),
        mean=np.full(tokens, -2.0) if mean is None else np.asarray(mean),
        sd=np.ones(tokens) if sd is None else np.asarray(sd),
        hit=np.zeros(tokens, dtype=bool) if hit is None else np.asarray(hit),
        text_bytes=np.array(lengths) * 4,
        compressed=np.array(lengths) * 3 if compressed is None else np.asarray(compressed),
    )


def random_scores(seed: int, documents: int = 40, longest: int = 50) -> TokenScores:
    """Documents of 1 to `longest` tokens."""
    rng = np.random.default_rng(seed)
    lengths = np.random.default_rng(99).integers(1, longest + 1, documents)
    tokens = int(lengths.sum())
    return scored(
        *np.split(-rng.exponential(2.0, tokens), np.cumsum(lengths)[:-1]),
        mean=-rng.exponential(2.0, tokens),
        sd=rng.uniform(0.1, 2.0, tokens),
        hit=rng.random(tokens) < 0.5,
    )


def each(scores: TokenScores, values) -> list[np.ndarray]:
    """Split an array of tokens by document."""
    return np.split(np.asarray(values), scores.offsets[1:-1])
