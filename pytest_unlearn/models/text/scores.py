"""Ask a language model what it thinks of each token of some documents.

Batch by batch, so that what is in memory does not grow with documents times vocabulary. Sequences are padded on the
right, whatever a tokenizer would do: what follows a token changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.data.text.encoding import Encoded, TokenSequence
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.text.adapters import Ask, bare, open_language_model

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 32
MOST_LOGITS = 1 << 26  # numbers that a batch's logits consist of, at most: 256 MB
AT_ONCE = 1 << 22  # numbers whose logarithms are taken at once, in double precision
AT_ONCE_CPU = 1 << 17  # the same on a processor, in whose cache a megabyte stays: half the time
FLOOR = -100.0  # nats: of a token that a model rules out
PROBES = 8  # sequences that are asked again, alone
BY_COMPANY = (
    "the model's log-probabilities of a document changed when it was asked again alone: it draws at random, keeps "
    "state between calls, or does not heed the attention mask. An audit needs one answer a document, whatever else is "
    "asked with it."
)


def token_scores(
    model: Any, encoded: Encoded, *, batch_size: int = BATCH_SIZE, device: str | None = None
) -> TokenScores:
    """Score every token of some documents.

    Args:
        model: any language model but saved log-probabilities.
        encoded: n documents, as token ids.
        batch_size: sequences at a time, fewer where logits would take too much memory.
        device: where a module runs; its own by default.

    Returns:
        The scores, in double precision: 1e-5 nats from those of any other batch size in single precision.

    Raises:
        ValueError: the model cannot be asked, answers something else than logits, or not the same in other company.
    """
    chunks = encoded.sequences
    counts = [int(one.scored.sum()) for one in chunks]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    found = np.empty((4, int(starts[-1])))
    with open_language_model(model, device) as ask:
        rest = _mixed(chunks)
        vocabulary, done = 0, 0  # the first sequence tells how large that is
        while done < len(rest):
            most = MOST_LOGITS // (vocabulary * len(chunks[rest[done]].ids)) if vocabulary else 1
            batch = rest[done : done + max(1, min(batch_size, most))]
            vocabulary, scores = _ask(ask, [chunks[k] for k in batch])
            for k, own in zip(batch, scores, strict=True):
                found[:, starts[k] : starts[k + 1]] = own
            done += len(batch)
        _check_alone(ask, model, chunks, starts, found[0])
    return TokenScores(
        offsets=np.concatenate([[0], np.cumsum(encoded.lengths)]),
        logprob=found[0],
        mean=found[1],
        sd=found[2],
        hit=found[3] > 0,
        text_bytes=encoded.text_bytes,
        compressed=encoded.compressed,
    )


def _mixed(chunks: Sequence[TokenSequence]) -> IntArray:
    """Order sequences by length, those of one length at random: what a batch holds says nothing of its sides."""
    draw = np.random.default_rng(0).permutation(len(chunks))
    return np.lexsort((draw, -np.array([len(one.ids) for one in chunks]))).astype(np.int64)


def _ask(ask: Ask, chunks: Sequence[TokenSequence]) -> tuple[int, list[FloatArray]]:
    """Ask about a batch: the size of the vocabulary, and scores of shape (4, scored tokens) for each sequence."""
    import torch

    longest = max(len(one.ids) for one in chunks)
    ids = np.zeros((len(chunks), longest), dtype=np.int64)
    mask, scored = np.zeros_like(ids), np.zeros(ids.shape, dtype=bool)
    for row, one in enumerate(chunks):
        ids[row, : len(one.ids)], mask[row, : len(one.ids)], scored[row, : len(one.ids)] = one.ids, 1, one.scored
    logits = ask(torch.from_numpy(ids), torch.from_numpy(mask))
    vocabulary = int(logits.shape[2])
    if int(ids.max()) >= vocabulary:
        raise ValueError(
            f"the documents hold the token id {int(ids.max())}, and the model answers for {vocabulary} tokens: this is "
            "not its tokenizer."
        )
    rows, places = (torch.from_numpy(one).to(logits.device) for one in np.nonzero(scored))
    wanted = torch.from_numpy(ids[scored]).to(logits.device)
    step = max(1, (AT_ONCE_CPU if logits.device.type == "cpu" else AT_ONCE) // vocabulary)
    parts = [
        _scored(logits[rows[k : k + step], places[k : k + step] - 1], wanted[k : k + step])
        for k in range(0, len(wanted), step)
    ]
    return vocabulary, np.split(np.concatenate(parts, axis=1), np.cumsum(scored.sum(axis=1))[:-1], axis=1)


def _scored(logits: torch.Tensor, wanted: torch.Tensor) -> FloatArray:
    """Score tokens by the logits before each, shape (tokens, vocabulary)."""
    import torch

    if logits.device.type == "mps":  # which has no double precision
        logits, wanted = logits.cpu(), wanted.cpu()
    law = torch.log_softmax(logits.double(), dim=-1)
    if not bool(torch.isfinite(law.amax(dim=-1)).all()):
        raise ValueError("the model gives logits that are not finite: such a model cannot be judged.")
    law = law.clamp(min=FLOOR)
    own, p = law.gather(-1, wanted[:, None])[:, 0], law.exp()
    mean = (p * law).sum(dim=-1)
    sd = (p * (law - mean[:, None]) ** 2).sum(dim=-1).sqrt()
    hit = (logits.argmax(dim=-1) == wanted).double()
    found: FloatArray = torch.stack([own.clamp(max=0.0), mean, sd, hit]).cpu().numpy()
    return found


def _check_alone(ask: Ask, model: Any, chunks: Sequence[TokenSequence], starts: IntArray, before: FloatArray) -> None:
    """Ask about some sequences again, each alone; ValueError where the answer is another."""
    tolerance = _precision(model) ** 0.5
    for k in np.unique(np.linspace(0, len(chunks) - 1, min(PROBES, len(chunks))).astype(int)).tolist():
        again = _ask(ask, [chunks[k]])[1][0][0]
        own = before[starts[k] : starts[k + 1]]
        if not (np.abs(again - own) <= tolerance * (1 + np.abs(own))).all():
            raise ValueError(BY_COMPANY)


def _precision(model: Any) -> float:
    import torch

    model = bare(model)
    kinds = [one.dtype for one in model.parameters() if one.is_floating_point()] if is_module(model) else []
    return max([torch.finfo(torch.float32).eps, *(torch.finfo(one).eps for one in kinds)])
