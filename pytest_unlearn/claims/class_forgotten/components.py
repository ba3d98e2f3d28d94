"""The parts of a claim about a removed class: each a quantity, its limits, and how far it is from the references'.

What a claim about a removed class shows: its parts, and where the class is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.signals import correctness, probabilities
from pytest_unlearn.core.evidence import Answers, Estimate, FloatArray, Verdict
from pytest_unlearn.core.figures import Cell, Table
from pytest_unlearn.statistics import Measure, among_references, holm, p_value, shift

ACCURACY, CONFIDENCE_IN_IT = "accuracy on the class", "confidence in the class"
KNOWS = (ACCURACY, CONFIDENCE_IN_IT)  # what shows that a model knows the class
GAPS = (*KNOWS, "confidence in its answer")
SENT, UTILITY = "where they are sent", "utility on the other classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One quantity of a model beside the references'.

    `measure` is of its difference to the mean of retrained models, `further` of what is left when that of one more
    retrained model is allowed for. `ours` and `theirs` [K] are the quantity itself.
    """

    name: str
    quantity: str
    lowest: float | None
    highest: float
    measure: Measure
    further: Measure
    ours: float
    theirs: FloatArray

    def excess(self, confidence: float) -> float:
        """How far beyond the limits the quantity may be; PASS needs it to be at most 0."""
        estimate = self.measure.at(confidence)
        below = -np.inf if self.lowest is None else self.lowest - estimate.low
        return float(max(estimate.high - self.highest, below))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the parts say of one model: the part that decides, and why."""

    verdict: Verdict
    part: Part
    estimate: Estimate
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is tolerated: in accuracy and confidences, in where examples are sent, and in utility."""

    gap: float
    shift: float
    drop: float


def parts_of(
    target: Answers, references: Sequence[Answers], gone: NDArray[np.bool_], kept: NDArray[np.bool_], limits: Limits
) -> tuple[Part, ...]:
    """Every part for one model.

    Args:
        target: the model's outputs, `forget` on unseen examples that hold the class, `controls` on the test set.
        references: the same of retrained models, two or more.
        gone: which of the first are of the removed classes.
        kept: which of the second are not.
        limits: of each part.
    """
    signals = (correctness, _confidence_in_label, _confidence)
    quantities = [f"{what} minus the retrained models'" for what in ("accuracy", "confidence", "largest confidence")]
    parts = []
    for name, quantity, signal in zip(GAPS, quantities, signals, strict=True):
        mine = signal(target.forget)[gone]
        theirs = np.array([signal(one.forget)[gone] for one in references])
        parts.append(_part(name, quantity, -limits.gap, limits.gap, mine - theirs.mean(axis=0), mine, theirs))
    answers = [one.forget.logits.argmax(axis=1)[gone] for one in (target, *references)]
    sent = shift(answers[0], np.array(answers[1:]), target.forget.labels[gone])
    parts.append(
        Part(
            name=SENT,
            quantity="distance in where examples are sent, beyond the retrained models' own",
            lowest=None,
            highest=limits.shift,
            measure=among_references(
                sent.differences, sent.theirs, further=False, sparse=True, method="total variation"
            ),
            further=among_references(sent.differences, sent.theirs, further=True, sparse=True),
            ours=sent.ours,
            theirs=sent.theirs,
        )
    )
    mine = correctness(target.controls)[kept]
    theirs = np.array([correctness(one.controls)[kept] for one in references])
    lost = theirs.mean(axis=0) - mine
    parts.append(_part(UTILITY, "drop in accuracy on the other classes", None, limits.drop, lost, mine, theirs))
    return tuple(parts)


def judge_parts(parts: Sequence[Part], confidence: float) -> Finding:
    """FAIL (Holm over part x side, beyond what one more retrained model may reach), then PASS, else INCONCLUSIVE."""
    tried = [(part, side) for part in parts for side in (("high", "low") if part.lowest is not None else ("high",))]
    limits = {"high": lambda part: part.highest, "low": lambda part: part.lowest}
    adjusted = holm(np.array([p_value(part.further, limits[side](part), side) for part, side in tried]))  # type: ignore[arg-type]
    beyond = [pair for pair, p in zip(tried, adjusted, strict=True) if p <= 1 - confidence]
    if beyond:
        part, side = max(beyond, key=lambda pair: pair[0].excess(confidence))
        says = f"{part.name} is beyond the limit on the {side} side, with Holm's correction over all parts"
        return _finding(Verdict.FAIL, part, confidence, says)
    worst = max(parts, key=lambda part: part.excess(confidence))
    if worst.excess(confidence) > 0:
        says = (
            f"the interval of {worst.name} reaches beyond the limit, but not further than one more retrained model may"
        )
        return _finding(Verdict.INCONCLUSIVE, worst, confidence, says)
    gaps = [part for part in parts if part.name in GAPS]
    return _finding(Verdict.PASS, max(gaps, key=lambda part: part.excess(confidence)), confidence, "")


def _finding(verdict: Verdict, part: Part, confidence: float, reason: str) -> Finding:
    return Finding(verdict=verdict, part=part, estimate=part.measure.at(confidence), reason=reason)


def _part(
    name: str,
    quantity: str,
    lowest: float | None,
    highest: float,
    gap: FloatArray,
    ours: FloatArray,
    theirs: FloatArray,
) -> Part:
    values, sparse = theirs.mean(axis=1), bool(np.isin(np.append(ours, theirs), (0.0, 1.0)).all())
    return Part(
        name=name,
        quantity=quantity,
        lowest=lowest,
        highest=highest,
        measure=among_references(gap, values, further=False, sparse=sparse),
        further=among_references(gap, values, further=True, sparse=sparse),
        ours=float(ours.mean()),
        theirs=values,
    )


def _confidence_in_label(outputs: Any) -> FloatArray:
    return np.asarray(probabilities(outputs)[np.arange(len(outputs.labels)), outputs.labels])


def _confidence(outputs: Any) -> FloatArray:
    return np.asarray(probabilities(outputs).max(axis=1))


def parts_table(own: Sequence[Part], known: Sequence[Part] | None, confidence: float) -> Table:
    """Every part's quantity, of each model, and what the verdict is made from."""
    rows: list[tuple[Cell, ...]] = []
    for k, part in enumerate(own):
        estimate = part.measure.at(confidence)
        shown = (
            part.ours,
            *([known[k].ours] if known is not None else [np.nan]),
            part.theirs.mean(),
            part.theirs.min(),
            part.theirs.max(),
            estimate.value,
            estimate.low,
            estimate.high,
            part.highest,
        )
        rows.append((part.name, *(None if np.isnan(value) else round(float(value), 4) for value in shown)))
    return Table(
        title="The removed class, part by part",
        says="Each quantity of this model beside the original's and the retrained models'; the difference to these, "
        "with its one-sided bounds, has to stay within the limit. Where examples are sent is a distance to the others.",
        columns=(
            "part",
            "this model",
            "original",
            "retrained",
            "lowest",
            "highest",
            "difference",
            "low",
            "high",
            "limit",
        ),
        rows=tuple(rows),
    )


def sent_table(
    target: Answers, original: Answers | None, references: Sequence[Answers], gone: NDArray[np.bool_]
) -> Table:
    """The distribution of answers on the removed classes."""
    models = [target, *([original] if original is not None else []), *references]
    answers = [one.forget.logits.argmax(axis=1)[gone] for one in models]
    columns = max(int(one.max()) for one in answers) + 1
    shares = np.array([np.bincount(one, minlength=columns) / len(one) for one in answers])
    known = shares[-len(references) :]
    rows = [
        (
            column,
            round(float(shares[0, column]), 4),
            round(float(shares[1, column]), 4) if original is not None else None,
            *(
                round(float(value), 4)
                for value in (known[:, column].mean(), known[:, column].min(), known[:, column].max())
            ),
        )
        for column in np.flatnonzero(shares.any(axis=0)).tolist()
    ]
    return Table(
        title="Where unseen examples of the class are sent",
        says="Share of them that is answered with each column of the logits; retrained models spread by their seeds.",
        columns=("answer", "this model", "original", "retrained", "lowest", "highest"),
        rows=tuple(rows),
    )
