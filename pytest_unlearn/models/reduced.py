"""Outputs of which only signals are kept, since their logits are too many.

They are reduced as they come, batch by batch. Whoever wants logits all the same has the model asked again, and what it
answers compared with what it did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.models.channel import BY_COMPANY, SINGLE_PRECISION_TOLERANCE, STRAYING
from pytest_unlearn.models.signals import BLOCK, REDUCED, answered, logit_scaled_confidence

MOST_LOGITS = 1 << 20  # of a view, that are kept: 8 MB
SAMPLE = 256  # examples whose logits are kept, to be compared with what is answered in other company

Source = Callable[[], Iterable[FloatArray]]


@dataclass(frozen=True, eq=False)
class KeptSignals:
    """What is kept of a model's logits on a view.

    Attributes:
        columns: how many there are of an example.
        signals: by name, one number an example on the last axis.
        digest: of all logits, in order.
        sample: positions of examples whose logits are kept.
        rows: these logits, shape (sample, columns).
    """

    columns: int
    signals: Mapping[str, FloatArray]
    digest: bytes
    sample: IntArray
    rows: FloatArray


def too_many(examples: int, columns: int) -> bool:
    """Tell whether logits of a view are too many to be kept."""
    return examples * columns > MOST_LOGITS


class Reducer:
    """Reduce logits as they come, in order.

    Args:
        labels: of all examples, as columns.
        columns: how many logits an example has.
    """

    def __init__(self, labels: IntArray, columns: int) -> None:
        self.labels, self.columns, self.done = labels, columns, 0
        self.sample = np.sort(np.random.default_rng(0).permutation(len(labels))[:SAMPLE])
        self._signals: list[dict[str, FloatArray]] = []
        self._rows: list[FloatArray] = []
        self._digest = hashlib.sha256()

    def add(self, logits: FloatArray) -> None:
        """Reduce the next logits."""
        if logits.shape[1] != self.columns:
            raise ValueError(f"the model gives {self.columns} logits for some examples, {logits.shape[1]} for others.")
        start, end = self.done, self.done + len(logits)
        block = Outputs(logits=logits, labels=self.labels[start:end])
        for signal in REDUCED:
            signal(block)
        self._signals.append(block.signals)
        self._rows.append(logits[self.sample[(self.sample >= start) & (self.sample < end)] - start])
        self._digest.update(block.content)
        self.done = end

    def reduction(self) -> KeptSignals:
        """Return what is kept of all logits."""
        signals = {name: np.concatenate([one[name] for one in self._signals], axis=-1) for name in self._signals[0]}
        for values in signals.values():
            values.flags.writeable = False
        return KeptSignals(self.columns, signals, self._digest.digest(), self.sample, np.concatenate(self._rows))


def labels_of(outputs: Outputs) -> Outputs:
    """Reduce outputs to labels: one logit of 1 an example, the others 0."""
    said, columns = answered(outputs), outputs.columns
    rows = max(1, BLOCK // columns)

    def one_hot() -> Iterator[FloatArray]:
        for start in range(0, len(said), rows):
            yield np.asarray(said[start : start + rows, None] == np.arange(columns), dtype=np.float64)

    if not too_many(len(said), columns):
        return Outputs(logits=np.concatenate(list(one_hot())), labels=outputs.labels)
    reducer = Reducer(outputs.labels, columns)
    for logits in one_hot():
        reducer.add(logits)
    return ReducedOutputs(one_hot, reducer.reduction(), outputs.labels, "logits")


class ReducedOutputs(Outputs):
    """Outputs whose logits are asked for again where anybody wants them.

    Args:
        source: asks the model again: its logits in order, some at a time.
        kept: what is kept of them.
        labels: of the examples, as columns.
        kind: what the model answered.
        where: which of the source's examples these are, all by default.
        asked: answers to queries.
    """

    _source: Source
    _kept: KeptSignals
    _where: IntArray | None

    def __init__(
        self,
        source: Source,
        kept: KeptSignals,
        labels: IntArray,
        kind: str,
        *,
        where: IntArray | None = None,
        asked: Mapping[str, FloatArray] | None = None,
    ) -> None:
        own = {"labels": labels, "kind": kind, "asked": dict(asked or {}), "signals": dict(kept.signals)}
        own |= {"_source": source, "_kept": kept, "_where": where}
        vars(self).update(own)

    @property
    def logits(self) -> FloatArray:
        """Ask the model again, for all of its logits."""
        found = np.empty((len(self.labels), self.columns))
        for positions, logits in self._again():
            found[positions] = logits
        return found

    @property
    def columns(self) -> int:
        """How many classes the model tells apart."""
        return self._kept.columns

    @property
    def content(self) -> Any:
        """What identifies the logits, to be digested."""
        where = b"" if self._where is None else self._where.tobytes()
        return hashlib.sha256(self._kept.digest + where).digest()

    @property
    def known(self) -> IntArray:
        """Positions of examples whose logits are at hand."""
        return self._kept.sample if self._where is None else np.arange(0)

    def rows(self, positions: IntArray) -> FloatArray:
        """Return the logits of examples whose logits are at hand."""
        return self._kept.rows[np.searchsorted(self._kept.sample, positions)]

    @property
    def reduction(self) -> KeptSignals:
        """What is kept of the logits."""
        return self._kept

    def take(self, rows: Any) -> Outputs:
        """Keep some examples: positions in any order, a mask or a slice of them."""
        where = (np.arange(len(self.labels)) if self._where is None else self._where)[rows]
        asked = {name: values[rows] for name, values in self.asked.items()}
        taken = ReducedOutputs(self._source, self._kept, self.labels[rows], self.kind, where=where, asked=asked)
        taken.signals.update({name: values[..., rows] for name, values in self.signals.items()})
        return taken

    def asking(self, asked: Mapping[str, FloatArray]) -> Outputs:
        """Return the same outputs beside the answers to queries."""
        beside = ReducedOutputs(self._source, self._kept, self.labels, self.kind, where=self._where, asked=asked)
        vars(beside)["signals"] = self.signals
        return beside

    def blocks(self, size: int) -> Iterator[Outputs]:
        """Yield the outputs by rows, as the model is asked again."""
        if self._where is not None and (np.diff(self._where) <= 0).any():
            yield from Outputs(logits=self.logits, labels=self.labels, asked=self.asked, kind=self.kind).blocks(size)
            return
        for positions, logits in self._again():
            asked = {name: values[positions] for name, values in self.asked.items()}
            yield Outputs(logits=logits, labels=self.labels[positions], asked=asked, kind=self.kind)

    def _again(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield positions among these examples, and their logits; ValueError where these are not what they were."""
        start, where = 0, np.arange(len(self.labels)) if self._where is None else self._where
        for answer in self._source():
            positions = np.flatnonzero((where >= start) & (where < start + len(answer)))
            logits = answer[where[positions] - start]
            start += len(answer)
            if len(positions):
                self._compare(positions, logits)
                yield positions, logits

    def _compare(self, positions: IntArray, logits: FloatArray) -> None:
        now = logit_scaled_confidence(Outputs(logits=logits, labels=self.labels[positions]))
        before = self.signals[logit_scaled_confidence.__name__][positions]
        near = np.abs(now - before) <= SINGLE_PRECISION_TOLERANCE * (1 + np.abs(logits).max(axis=1))
        if (~near).sum() > 1 + STRAYING * len(near):
            raise ValueError(BY_COMPANY)
