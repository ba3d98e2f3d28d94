"""TokenScores: what a language model thought of each token of some documents."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.core.evidence import FloatArray, IntArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)  # no slots: signals are remembered by a weak reference to it
class TokenScores:
    """Hold the scored tokens of n documents, T in all, one document after another.

    Document i has the tokens from `offsets[i]` to `offsets[i + 1]`; the first token of a text, which no model predicts,
    and a prompt are not among them.

    Args:
        offsets: integers, shape (n + 1,), from 0 to T, rising: no document is without a scored token.
        logprob: natural log-probability of each token given those before it, shape (T,), at most 0.
        mean: mean of the log-probabilities of the whole vocabulary under the model's own law, shape (T,): minus the
            entropy in nats.
        sd: their standard deviation under it, shape (T,), at least 0; 0 where the law is uniform or certain.
        hit: whether the token is the model's most probable one, shape (T,).
        text_bytes: length of each document's scored text in UTF-8, shape (n,), in bytes.
        compressed: its length after zlib at level 9, shape (n,), in bytes.

    Raises:
        ValueError: arrays that do not fit each other, or numbers that no model can give.
    """

    offsets: IntArray
    logprob: FloatArray
    mean: FloatArray
    sd: FloatArray
    hit: BoolArray
    text_bytes: IntArray
    compressed: IntArray

    def __post_init__(self) -> None:
        for each in fields(self):
            kind = np.bool_ if each.name == "hit" else np.float64
            kind = np.int64 if each.name in ("offsets", "text_bytes", "compressed") else kind
            object.__setattr__(self, each.name, np.ascontiguousarray(getattr(self, each.name), dtype=kind))
        offsets = self.offsets
        if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or (np.diff(offsets) < 1).any():
            raise ValueError("offsets must start at 0 and rise: each document needs a scored token.")
        tokens, documents = (int(offsets[-1]),), (len(offsets) - 1,)
        for name in ("logprob", "mean", "sd", "hit", "text_bytes", "compressed"):
            wanted = documents if name in ("text_bytes", "compressed") else tokens
            if getattr(self, name).shape != wanted:
                raise ValueError(f"{name} has the shape {getattr(self, name).shape}, and {wanted} is needed.")
        for name in ("logprob", "mean", "sd"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} has values that are not finite: such a model cannot be judged.")
        if (self.logprob > 1e-6).any():
            raise ValueError("a log-probability is above 0: these are no log-probabilities.")

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """The number of scored tokens of each document, shape (n,)."""
        return np.diff(self.offsets)

    def take(self, documents: IntArray) -> TokenScores:
        """Keep some documents, in this order."""
        rows = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in documents]
        tokens = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
        return TokenScores(
            offsets=np.concatenate([[0], np.cumsum(self.lengths[documents])]),
            logprob=self.logprob[tokens],
            mean=self.mean[tokens],
            sd=self.sd[tokens],
            hit=self.hit[tokens],
            text_bytes=self.text_bytes[documents],
            compressed=self.compressed[documents],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class TextAnswers:
    """What one model thought of the two sets of documents an audit compares.

    Args:
        forget: of the documents that had to go.
        controls: of documents that no model was trained on.
        channel: a model that may reveal less; attacks then see no more in these scores than it tells apart.
        after: of the same documents after another text, where the model was asked so too.
    """

    forget: TokenScores
    controls: TokenScores
    channel: TextAnswers | None = None
    after: TextAnswers | None = None
