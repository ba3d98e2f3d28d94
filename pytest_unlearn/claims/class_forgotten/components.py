"""Components of the claim about a removed class, and their tables.

And the tables of what they come to, and of where the class is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.signals import correctness, probabilities
from pytest_unlearn.claims.common.verdict import Decision, FailureKind, Finding, Wording, excess, judge
from pytest_unlearn.core.evidence import Answers, Claim, FloatArray, IntArray, Side
from pytest_unlearn.core.figures import Cell, Table
from pytest_unlearn.statistics import among_references, shift

ACCURACY, CONFIDENCE_IN_IT = "accuracy on the class", "confidence in the class"
KNOWS = (ACCURACY, CONFIDENCE_IN_IT)  # what shows that a model knows the class
GAPS = (*KNOWS, "confidence in its answer")
SENT, UTILITY = "where they are sent", "utility on the other classes"

ELSEWHERE = (
    "repair the model on retain: what it makes of the class shows that it was removed, or that it is still known"
)
STILL_KNOWN, OVER_FORGOTTEN, UNLIKE, LESS_ACCURATE = (
    FailureKind(label, ELSEWHERE)
    for label in ("still known", "over-forgotten", "unlike the retrained models", "less accurate")
)
FAILURES: Mapping[str, Mapping[Side, FailureKind]] = {
    **{name: {"high": STILL_KNOWN, "low": OVER_FORGOTTEN} for name in KNOWS},
    GAPS[-1]: {"high": UNLIKE, "low": UNLIKE},
    SENT: {"high": UNLIKE},
    UTILITY: {"high": LESS_ACCURATE},
}
WORDING = Wording(
    beyond="{label}: {finding.name} is beyond the limit on the {side} side, with Holm's correction over all parts",
    unsettled="the interval of {finding.name} reaches beyond the limit, but not further than one more retrained model "
    "may",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Finding):
    """One quantity of a model beside the references'.

    `measure` is of its difference to the mean of retrained models, `tested` of what is left when that of one more
    retrained model is allowed for. `ours` and `theirs` [K] are the quantity itself.
    """

    limits: Claim
    ours: float
    theirs: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tolerances in accuracy, confidences, distribution of answers and utility."""

    gap: float
    shift: float
    drop: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """What of a model's answers the components are measured on.

    By unseen example of the removed classes: `right`, `in_class` (confidence in its own), `surest` (in whatever is
    answered) and `answer`; by test example of the others: `right_elsewhere`.
    """

    right: FloatArray
    in_class: FloatArray
    surest: FloatArray
    answer: IntArray
    right_elsewhere: FloatArray


def read_out(answers: Answers, gone: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Readout:
    """Read out one model.

    Args:
        answers: its outputs, `forget` on unseen examples that hold the class, `controls` on the test set.
        gone: which of the first are of the removed classes.
        kept: which of the second are not.
    """
    on_class = answers.forget
    return Readout(
        right=correctness(on_class)[gone],
        in_class=_confidence_in_label(on_class)[gone],
        surest=_confidence(on_class)[gone],
        answer=on_class.logits.argmax(axis=1)[gone],
        right_elsewhere=correctness(answers.controls)[kept],
    )


def measure_components(
    target: Readout, references: Sequence[Readout], labels: IntArray, limits: Limits, confidence: float
) -> tuple[Component, ...]:
    """Measure every component of one model.

    Args:
        target: the model.
        references: retrained models, two or more.
        labels: of the unseen examples of the removed classes.
        limits: of each component.
        confidence: of each bound.
    """
    component = partial(_component, confidence=confidence)
    quantities = [f"{what} minus the retrained models'" for what in ("accuracy", "confidence", "largest confidence")]
    found = []
    for name, what, part in zip(GAPS, quantities, ("right", "in_class", "surest"), strict=True):
        ours, theirs = getattr(target, part), np.array([getattr(one, part) for one in references])
        gaps, sparse = ours - theirs.mean(axis=0), _sparse(ours, theirs)
        found.append(component(name, what, limits.gap, gaps, ours.mean(), theirs.mean(axis=1), sparse=sparse))
    sent = shift(target.answer, np.array([one.answer for one in references]), labels)
    what = "distance in where examples are sent, beyond the retrained models' own"
    found.append(component(SENT, what, limits.shift, sent.differences, sent.ours, sent.theirs, sparse=True))
    ours, theirs = target.right_elsewhere, np.array([one.right_elsewhere for one in references])
    what, lost = "drop in accuracy on the other classes", theirs.mean(axis=0) - ours
    sparse = _sparse(ours, theirs)
    found.append(component(UTILITY, what, limits.drop, lost, ours.mean(), theirs.mean(axis=1), sparse=sparse))
    return tuple(found)


def _component(
    name: str,
    quantity: str,
    highest: float,
    gaps: FloatArray,
    ours: float,
    theirs: FloatArray,
    *,
    sparse: bool,
    confidence: float,
) -> Component:
    """Measure the mean of the model's `gaps` to the references, by example."""
    among = partial(among_references, gaps, theirs, sparse=sparse)
    measure = among(further=False, method="total variation") if name == SENT else among(further=False)
    return Component(
        name=name,
        measure=measure,
        estimate=measure.at(confidence),
        failures=FAILURES[name],
        role="decides" if name in GAPS else "bounded",
        tested=among(further=True),
        limits=Claim(name=name, quantity=quantity, lowest=-highest if name in GAPS else None, highest=highest),
        ours=float(ours),
        theirs=theirs,
    )


def _sparse(ours: FloatArray, theirs: FloatArray) -> bool:
    """Tell whether all values are yes or no."""
    return bool(np.isin(np.append(ours, theirs), (0.0, 1.0)).all())


def judge_components(components: Sequence[Component], confidence: float) -> Decision[Component]:
    """Judge one model: FAIL takes more than one more retrained model may differ."""
    claim = components[0].limits
    return judge(components, claim, confidence, wording=WORDING, foremost=lambda one: excess(one, claim), counted=True)


def _confidence_in_label(outputs: Any) -> FloatArray:
    return np.asarray(probabilities(outputs)[np.arange(len(outputs.labels)), outputs.labels])


def _confidence(outputs: Any) -> FloatArray:
    return np.asarray(probabilities(outputs).max(axis=1))


def components_table(own: Sequence[Component], original: Sequence[Component] | None) -> Table:
    """Tabulate every component of each model, and what decides the verdict."""
    rows: list[tuple[Cell, ...]] = []
    for k, part in enumerate(own):
        estimate = part.estimate
        shown = (
            part.ours,
            np.nan if original is None else original[k].ours,
            part.theirs.mean(),
            part.theirs.min(),
            part.theirs.max(),
            estimate.value,
            estimate.low,
            estimate.high,
            part.limits.highest or 0.0,
        )
        rows.append((part.name, *(None if np.isnan(value) else round(float(value), 4) for value in shown)))
    return Table(
        title="The removed class, part by part",
        caption="Each quantity of this model beside the original's and the retrained models'; the difference to these, "
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


def sent_table(target: Readout, original: Readout | None, references: Sequence[Readout]) -> Table:
    """Tabulate the distribution of answers on the removed classes."""
    answers = [one.answer for one in (target, *([original] if original is not None else []), *references)]
    columns = max(int(one.max()) for one in answers) + 1
    shares = np.array([np.bincount(one, minlength=columns) / len(one) for one in answers])
    retrained = shares[-len(references) :]
    rows = [
        (
            column,
            round(float(shares[0, column]), 4),
            round(float(shares[1, column]), 4) if original is not None else None,
            *(
                round(float(value), 4)
                for value in (retrained[:, column].mean(), retrained[:, column].min(), retrained[:, column].max())
            ),
        )
        for column in np.flatnonzero(shares.any(axis=0)).tolist()
    ]
    return Table(
        title="Where unseen examples of the class are sent",
        caption="Share of them that is answered with each column of the logits; retrained models spread by "
        "their seeds.",
        columns=("answer", "this model", "original", "retrained", "lowest", "highest"),
        rows=tuple(rows),
    )
