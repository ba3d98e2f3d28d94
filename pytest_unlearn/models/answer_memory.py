"""Remember what the original and the references answered, between candidates.

An answer belongs to a model's digest, the digest of what it was asked about, the request, and the question with its
code. Where one of these cannot be told, nothing is remembered.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.core import settings
from pytest_unlearn.core.array_memory import ArrayMemory
from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.data.view import View
from pytest_unlearn.models.identity import Identity
from pytest_unlearn.models.reduced import KeptSignals, ReducedOutputs
from pytest_unlearn.models.reducing import Question
from pytest_unlearn.training.fingerprint.walker import UnknownRecipe, Walk

SCHEMA = "pytest-unlearn answers 4"
LIBRARIES = ("pytest-unlearn", "numpy", "torch", "scikit-learn", "transformers")


class Questions:
    """Digest questions with their code, each once an audit."""

    def __init__(self) -> None:
        self._found: dict[Any, tuple[str, Any]] = {}

    def digest(self, question: Sequence[Any]) -> str:
        """Digest a question, by its parts; empty if it cannot be told from others."""
        name = tuple((type(part), _named(part)) for part in question)
        if name not in self._found:
            try:
                asked = Walk().digest([_plain(part) for part in question], "the question")
            except (UnknownRecipe, RecursionError):
                asked = ""
            self._found[name] = asked, question  # kept, so that no other part is given its id
        return self._found[name][0]

    def clear(self) -> None:
        """Forget all: code may be another when the next audit begins."""
        self._found.clear()


@dataclass(frozen=True)
class AnswerMemory:
    """Keep answers in a folder of the cache.

    Attributes:
        arrays: the folder.
        fresh: whether nothing is taken that an earlier run left.
    """

    arrays: ArrayMemory
    fresh: bool = False

    def key(self, identity: Identity, view: View, *question: Any, known: Questions | None = None) -> str:
        """Return what an answer is kept under; empty if it cannot be told from others.

        Args:
            identity: what the model is.
            view: the examples.
            *question: what is asked about them, and how.
            known: questions of the same audit whose code was read already.
        """
        if identity.obstacle or not identity.digest or view.task is None:
            return ""
        asked = (Questions() if known is None else known).digest(question)
        if not asked:
            return ""
        facts = (SCHEMA, _versions(), identity.digest, view.digest, view.task.split.digest, asked)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def load(self, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return notes and arrays; under a gate, only what this run or a key has sealed."""
        if not key:
            return None
        return self.arrays.load(key, own=self.fresh or bool(settings.resolve("gate").value))

    def load_outputs(self, key: str, question: Question) -> Outputs | None:
        """Return outputs that were kept.

        Of reduced ones the question is asked again where logits are wanted.
        """
        found = self.load(key)
        if found is None:
            return None
        note, arrays = found
        labels, kind = arrays.pop("labels"), note["kind"]
        if "digest" not in note:
            return Outputs(logits=arrays["logits"], labels=labels, kind=kind)
        sample, rows = arrays.pop("sample"), arrays.pop("rows")
        kept = KeptSignals(note["columns"], arrays, bytes.fromhex(note["digest"]), sample, rows)
        return ReducedOutputs(partial(question.logits, kind), kept, labels, kind)

    def save_outputs(self, key: str, outputs: Outputs) -> None:
        """Keep outputs."""
        if not key:
            return
        note: dict[str, Any] = {"kind": outputs.kind}
        arrays: dict[str, Any] = {"labels": outputs.labels}
        if isinstance(outputs, ReducedOutputs):
            kept = outputs.reduction
            note |= {"columns": kept.columns, "digest": kept.digest.hex()}
            arrays |= {**kept.signals, "sample": kept.sample, "rows": kept.rows}
        else:
            arrays["logits"] = outputs.logits
        self.arrays.save(key, note, arrays)

    def load_answer(self, key: str, count: int) -> FloatArray | None:
        """Return an answer to a query about so many examples, one row each."""
        found = self.load(key)
        return None if found is None or found[1]["answer"].shape[:1] != (count,) else found[1]["answer"]

    def save_answer(self, key: str, answer: FloatArray) -> None:
        """Keep an answer to a query."""
        if key:
            self.arrays.save(key, {}, {"answer": answer})

    def load_tokens(self, key: str, lengths: IntArray) -> TokenScores | None:
        """Return the scores of documents of so many tokens each."""
        found = self.load(key)
        scores = None if found is None else TokenScores(**found[1])
        return scores if scores is not None and np.array_equal(scores.lengths, lengths) else None

    def save_tokens(self, key: str, scores: TokenScores) -> None:
        """Keep the scores of documents."""
        if key:
            self.arrays.save(key, {}, {one.name: getattr(scores, one.name) for one in dataclasses.fields(scores)})


def _plain(value: Any) -> Any:
    """Make of a question what equal ones have in common: views by their digest, dataclasses by what they compare."""
    if isinstance(value, View):
        return "view", value.name, value.digest
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [(one.name, _plain(getattr(value, one.name))) for one in dataclasses.fields(value) if one.compare]
        return type(value), parts
    return value


def _named(part: Any) -> Any:
    try:
        hash(part)
    except TypeError:
        return id(part)
    return part


@functools.cache
def _versions() -> tuple[str, ...]:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} is not here")
    return tuple(found)
