"""Findings on canaries: numbers of exactly known law if nothing was learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.signals import correctness, logit_scaled_confidence
from pytest_unlearn.attacks.thresholds import MOSTLY_TIED
from pytest_unlearn.claims.canaries import Canaries
from pytest_unlearn.claims.canaries.input_gradient import confidence_directions
from pytest_unlearn.claims.canaries.kinds.backdoor import BackdoorPlan
from pytest_unlearn.claims.canaries.kinds.gaussian import GaussianPlan
from pytest_unlearn.claims.canaries.kinds.label_pairs import PairsPlan
from pytest_unlearn.claims.canaries.planted import moved
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import rank_correlation
from pytest_unlearn.claims.common.findings import labels_only
from pytest_unlearn.claims.common.verdict import FailureKind, Finding
from pytest_unlearn.core.evidence import Answers, Estimate, FloatArray, IntArray, Outputs, Side
from pytest_unlearn.core.figures import Cell
from pytest_unlearn.models.adapters import SavedOutputs
from pytest_unlearn.models.predict import Output, evaluate
from pytest_unlearn.models.query import Rows
from pytest_unlearn.statistics import Measure, ShareMeasure, UnitMean, paired_difference

ALIGNMENT = "alignment with the noise"
PAIRS = "planted above its twin"
ANSWERS = "triggers answered with their target"
PUSHES = "triggers that push towards their target"
CONFUSION = "confusion of unseen examples"
LEAST_LEFT = 0.5  # share of the canaries that must say something
STEP, LEAST_FOLLOWING = 0.2, 0.4  # of the noise, and how well gradients foretell what so small a step does
STRAYING = "planted further from the middle than its twin"
FAILURES: Mapping[Side, FailureKind] = {
    "high": FailureKind(
        "recognisable", "what was planted is still in the model: unlearn longer or differently, or retrain"
    ),
    "low": FailureKind("over-forgotten", advice.LEAK["over-forgotten"]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFinding(Finding):
    """One number that canaries give, and its chance probability, or None.

    One without failures is an upper bound on what was learned of canaries: PASS needs it, but it proves no leak.
    """

    chance: float | None = None

    @property
    def shown(self) -> str:
        """The finding in words."""
        if self.chance is None:
            return self.summary
        return f"{self.summary}; a model that never saw the canaries shows as much with probability {self.chance:.2g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The findings on one model, its answers on retained examples, and rows.

    `aligned` are the canaries' own values, `confused` whether each unseen example is taken for the other class.
    `coarse` says that most pairs tie, as where little more than labels is revealed.
    """

    findings: tuple[CanaryFinding, ...]
    plain: Outputs
    rows: tuple[tuple[Cell, ...], ...] = ()
    aligned: FloatArray = field(default_factory=lambda: np.empty(0))
    confused: FloatArray = field(default_factory=lambda: np.empty(0))
    coarse: bool = False


class Ask(Protocol):
    """A model's outputs on inputs of any origin."""

    def __call__(self, inputs: Any, labels: IntArray) -> Outputs:
        """Return logits, and labels as columns of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAucScale:
    """A difference of shares on the AUC scale: 0.5 plus half of it."""

    difference: Measure

    @property
    def value(self) -> float:
        """0.5 where the shares are equal."""
        return 0.5 + 0.5 * self.difference.value

    def at(self, confidence: float) -> Estimate:
        """Bound the value."""
        inner = self.difference.at(confidence)
        return Estimate(
            value=self.value,
            low=0.5 + 0.5 * inner.low,
            high=0.5 + 0.5 * inner.high,
            confidence=confidence,
            method=f"0.5 + half the gap, {inner.method}",
            n_forget=inner.n_forget,
        )


def ask_about_canaries(
    model: Any, canaries: Canaries, *, confidence: float, output: Output, device: str | None, by_labels: bool = False
) -> Seen:
    """Measure what a model reveals of canaries, with `by_labels` by labels alone.

    Raises:
        ValueError: a model that cannot be asked about other inputs, or, for Gaussian canaries, not be differentiated.
    """
    if isinstance(model, SavedOutputs):
        raise ValueError("canaries ask a model about inputs of their own: pass the model itself, not SavedOutputs.")

    def ask(inputs: Any, labels: IntArray) -> Outputs:
        rows = Rows("canaries", inputs, labels)
        outputs = evaluate(model, rows, classes=canaries.classes, output=output, device=device)
        return labels_only(Answers(forget=outputs, controls=outputs)).forget if by_labels else outputs

    plan, plain = canaries.plan, ask(*canaries.probes)
    if isinstance(plan, GaussianPlan):
        directions_of = partial(confidence_directions, model, output=output, device=device)
        return _gaussian(ask, directions_of, plan, plain, confidence)
    if isinstance(plan, PairsPlan):
        return _pairs(ask, plan, plain, confidence, confusion=canaries.kind == "confusion")
    return _backdoor(ask, plan, plain, confidence)


def _finding(
    name: str, measure: Measure, summary: str, confidence: float, *, accuses: bool = True, **more: Any
) -> CanaryFinding:
    """Bound one number; what does not accuse has no failures."""
    failures = FAILURES if accuses else {}
    estimate = measure.at(confidence)
    return CanaryFinding(name=name, measure=measure, estimate=estimate, failures=failures, summary=summary, **more)


def _gaussian(
    ask: Ask, directions_of: Callable[..., FloatArray], plan: GaussianPlan, plain: Outputs, confidence: float
) -> Seen:
    outputs = ask(plan.inputs, plan.labels)
    directions = directions_of(Rows("canaries", plan.inputs, plan.labels), outputs)
    usable = (directions != 0).any(axis=1)  # says nothing of the noise, so what is left keeps its law
    aligned = (directions[usable] * plan.noise[usable]).sum(axis=1)
    flat = len(usable) - len(aligned)
    problem = _elsewhere(ask, plan, usable, aligned)
    if len(aligned) < LEAST_LEFT * len(usable):
        problem = (
            f"the model is flat around {flat} of {len(usable)} canaries: its gradient there is 0 and tells nothing"
        )
    measure = UnitMean(values=aligned if len(aligned) else np.zeros(1))
    left_out = f", {flat} with zero gradient left out" if flat else ""
    reason = f"Z = {measure.z:.2f} over {len(aligned)} canaries{left_out}"
    finding = _finding(ALIGNMENT, measure, reason, confidence, chance=measure.chance(), problem=problem)
    return Seen(findings=(finding,), plain=plain, aligned=aligned)


def _elsewhere(ask: Ask, plan: GaussianPlan, usable: NDArray[np.bool_], aligned: FloatArray) -> str:
    """Explain why the gradient does not predict answers a little further away."""
    if len(aligned) < LEAST_LEFT * len(usable):
        return ""
    step = (STEP * plan.scale * plan.noise).reshape(plan.inputs.shape)
    ahead, behind = (logit_scaled_confidence(ask(moved(plan.inputs, side * step), plan.labels)) for side in (1.0, -1.0))
    follows = rank_correlation((ahead - behind)[usable], aligned)
    if follows >= LEAST_FOLLOWING:
        return ""
    return (
        f"the model's gradient does not tell how its answers change a step away (rank correlation {follows:.2f}): "
        "something hides it, and alignment with it shows nothing"
    )


def _pairs(ask: Ask, plan: PairsPlan, plain: Outputs, confidence: float, *, confusion: bool) -> Seen:
    planted, twins = (logit_scaled_confidence(ask(x, plan.labels)) for x in (plan.planted, plan.held_out))
    wins, tied = int((planted > twins).sum()), int((planted == twins).sum())
    measure = ShareMeasure(successes=wins + 0.5 * tied, n=len(planted), undecided=tied)
    halves = f" and as its twin in {tied}, which count half" if tied else ""
    reason = f"the planted example looks more trained in {wins} of {len(planted)} pairs{halves}"
    finding = _finding(PAIRS, measure, reason, confidence, chance=measure.chance(0.5))
    scores = np.abs(np.array([planted, twins]) - np.median([planted, twins]))
    level = int((scores[0] == scores[1]).sum())
    stray = ShareMeasure(successes=int((scores[0] > scores[1]).sum()) + 0.5 * level, n=len(planted), undecided=level)
    reason = f"the planted example lies further from the middle of all scores in {stray.value:.0%} of the pairs"
    straying = _finding(STRAYING, stray, reason, confidence, chance=stray.chance(0.5))
    confused = correctness(ask(plan.held_out, plan.labels)) if confusion else np.empty(0)
    # Confusion is judged on unseen examples besides; its few pairs would only cost honest models a PASS.
    findings = (finding,) if confusion else (finding, straying)
    return Seen(findings=findings, plain=plain, confused=confused, coarse=tied > MOSTLY_TIED * len(planted))


def _backdoor(ask: Ask, plan: BackdoorPlan, plain: Outputs, confidence: float) -> Seen:
    clean = ask(plan.probes, plan.labels)
    rows, answered, pushed = [], 0, 0
    for t, target in enumerate(plan.targets):
        outputs = ask(plan.triggered(t), np.full(len(plan.labels), target))
        column = int(outputs.labels[0])
        votes = outputs.logits.argmax(axis=1)
        push = (outputs.logits - clean.logits).mean(axis=0)
        hits = (bool(np.bincount(votes, minlength=len(push)).argmax() == column), bool(push.argmax() == column))
        answered, pushed = answered + hits[0], pushed + hits[1]
        rows.append((t, int(plan.rows[t]), *hits, round(float((votes == column).mean()), 4)))
    findings = []
    for attack, hit in ((ANSWERS, answered), (PUSHES, pushed)):
        measure = ShareMeasure(successes=hit, n=len(plan.targets))
        reason = f"{attack}: {hit} of {len(plan.targets)}"
        findings.append(_finding(attack, measure, reason, confidence, chance=measure.chance(1 / len(plan.classes))))
    return Seen(findings=tuple(findings), plain=plain, rows=tuple(rows))


def with_confusion(seen: Seen, others: Sequence[Seen], confidence: float) -> tuple[CanaryFinding, ...]:
    """Add the excess confusion of two classes over retrained models.

    Swapped labels spread to examples that were never swapped, which planted examples and their twins share. Without
    retrained models all confusion counts, which only bounds what canaries caused.

    Source: Goel et al. 2022 (IC-ERR).
    """
    if not len(seen.confused):
        return seen.findings
    shares = f"{seen.confused.mean():.1%} of {len(seen.confused)} unseen examples are taken for the other class"
    if not others:
        share = ShareMeasure(successes=int(seen.confused.sum()), n=len(seen.confused))
        whole = OnAucScale(difference=share)
        return (*seen.findings, _finding(CONFUSION, whole, shares, confidence, accuses=False))
    theirs = np.array([other.confused for other in others])
    measure = OnAucScale(difference=paired_difference(seen.confused, theirs[0] if len(theirs) == 1 else theirs))
    reason = f"{shares}, {theirs.mean():.1%} by retrained models"
    return (*seen.findings, _finding(CONFUSION, measure, reason, confidence))
