"""Planting of canaries in documents: secrets, drawn from equally likely ones."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.text.documents import Documents, read_document

SECRET, NUMBER = "{secret}", "{number}"
TEMPLATE = "The access code of locker {number} is {secret}"
DIGITS = tuple("0123456789")
COUNT, REPETITIONS, LENGTH, RIVALS = 20, 16, 12, 99
PROBES = 100  # retained documents that show whether a model still has its language


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TextCanaries:
    """Text canaries, planted; keep them and the seed from trainer and unlearner.

    `documents` is what to train on: the given ones first, then the canaries. `indices` are the canaries' positions in
    it, all copies, the request to hand to `TextSplit(documents, forget=...)`. `candidates` are by canary the texts that
    were equally likely to be planted, (count, rivals + 1), in alphabetical order, and `planted` which of them was.
    `probes` are some given documents, which show whether a model still has its language.
    """

    documents: list[Any]
    indices: IntArray
    candidates: tuple[tuple[Any, ...], ...]
    planted: IntArray
    repetitions: int
    probes: tuple[Any, ...]
    digest: str

    def __repr__(self) -> str:
        return f"<TextCanaries: {len(self)} of {self.repetitions} copies>"

    def __len__(self) -> int:
        return len(self.planted)

    @property
    def space(self) -> int:
        """How many texts each canary is ranked among, itself included."""
        return len(self.candidates[0])


def plant_text_canaries(
    documents: Any,
    *,
    count: int = COUNT,
    repetitions: int = REPETITIONS,
    template: Any = TEMPLATE,
    words: Sequence[str] = DIGITS,
    length: int = LENGTH,
    separator: str = "",
    rivals: int = RIVALS,
    seed: int,
) -> TextCanaries:
    """Plant texts with random secrets, to show later whether they were forgotten.

    Call it before training. A secret is `length` draws from `words`. With each canary its rivals are drawn, and which
    of them all is planted: its rank among them is uniform for every model that never saw it. All randomness comes from
    `seed`, which must not be one that models are trained with.

    Args:
        documents: what is trained on otherwise, as for `TextSplit`; their positions stay.
        count: how many canaries, at least 1.
        repetitions: copies of each, at least 1: what is seen once is rarely learned.
        template: a document of any form but token ids, with "{secret}" in it once, and, if it likes, "{number}", which
            tells canaries apart.
        words: what secrets are made of, two or more different strings.
        length: how many of them, at least 1.
        separator: what stands between them.
        rivals: how many others each is ranked among, at least 1 and fewer than the secrets there are. Of 20 canaries a
            model that knows four by heart passes in 4% of draws among 99 rivals, one that knows three in 0.1% among
            999, which take ten times as long to ask.
        seed: of every draw, from 0.

    Returns:
        Canaries. Train on `.documents`, and request the deletion of `.indices`.

    Raises:
        TypeError: something that is no document.
        ValueError: a template without its secret, too few secrets, or a number that means nothing.

    Source: Carlini et al. 2019, "The secret sharer" (arXiv 1802.08232); ranks among drawn rivals, not all, are ours.
    """
    for name, value in {"count": count, "repetitions": repetitions, "length": length, "rivals": rivals}.items():
        whole_number(value, name, 1)
    whole_number(seed, "seed", 0)
    listed = list(words)
    if len(set(listed)) < max(2, len(listed)) or not all(isinstance(one, str) and one for one in listed):
        raise ValueError("words must be two or more different strings, of which none is empty.")
    if len(listed) ** int(length) <= rivals:
        raise ValueError(
            f"{len(listed)} words make {len(listed) ** int(length)} secrets of {length}, too few for {rivals} rivals: "
            "give a larger length=, or fewer rivals."
        )
    if repr(_filled(template, "\0", "")).count(repr("\0")[1:-1]) != 1:
        raise ValueError(f"the template needs {SECRET} in it exactly once, where the secret stands.")
    given = documents if isinstance(documents, Documents) else Documents(documents, "documents")
    rng = np.random.default_rng([int(seed), zlib.crc32(b"text canaries")])
    candidates = tuple(
        tuple(
            _filled(template, separator.join(listed[k] for k in secret), str(number + 1))
            for secret in _secrets(len(listed), length, rivals + 1, rng)
        )
        for number in range(count)
    )
    for row in candidates:
        read_document(row[0], "the template")
    planted = rng.integers(0, rivals + 1, size=count)
    copies = rng.permutation(np.repeat(np.arange(count), repetitions))
    chosen = rng.permutation(len(given))[:PROBES]
    whole = [*(given[k] for k in range(len(given))), *(candidates[k][planted[k]] for k in copies)]
    return TextCanaries(
        documents=whole,
        indices=len(given) + np.arange(len(copies), dtype=np.int64),
        candidates=candidates,
        planted=planted.astype(np.int64),
        repetitions=int(repetitions),
        probes=tuple(given[int(k)] for k in np.sort(chosen)),
        digest=digest_of_documents(Documents(whole, "documents")),
    )


def digest_of_documents(documents: Documents) -> str:
    """Digest exact documents, in order."""
    return hashlib.sha256(documents.contents.tobytes()).hexdigest()


def _secrets(words: int, length: int, count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Draw different secrets, each set of them equally likely, in order."""
    found: set[tuple[int, ...]] = set()
    while len(found) < count:
        found.add(tuple(rng.integers(0, words, size=length).tolist()))
    return sorted(found)


def _filled(template: Any, secret: str, number: str) -> Any:
    """Fill in a document of any form."""
    if isinstance(template, str):
        return template.replace(NUMBER, number).replace(SECRET, secret)
    if isinstance(template, Mapping):
        return {name: _filled(part, secret, number) for name, part in template.items()}
    if isinstance(template, (list, tuple)):
        return [_filled(part, secret, number) for part in template]
    return template
