"""Steps of a sequence: run the method, audit the union, correct for looks.

And the figures of it: each step in a row, and how far the model drifts from retrained ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import deciding_set
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.subgroups import worst_of
from pytest_unlearn.claims.accuracy import audit_utility
from pytest_unlearn.claims.common.verdict import Reported, Role
from pytest_unlearn.claims.forgotten.audit import audit_forgotten
from pytest_unlearn.core.evidence import Evidence, IntArray, Verdict, most_severe
from pytest_unlearn.core.figures import Cell, Curves, Table
from pytest_unlearn.models.predict import Output, evaluate
from pytest_unlearn.task import UnlearningTask, View

AuditKeywords = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The spent part of a method's budget, in units of its own."""

    spent: float
    budget: float


@dataclass(frozen=True, slots=True)
class RequestStep:
    """The model after one request, the task of the union, and the audits.

    `distance` is how far the model's logit-scaled confidences on the controls are from the references' mean, on
    average; `usual` the same of each reference from the others (NaN for fewer than two).
    """

    request: IntArray
    model: Any
    task: UnlearningTask
    forgotten: Evidence
    utility: Evidence
    distance: float
    usual: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAudit(Reported):
    """One audit of one step, with its verdict after correction for all audits."""

    evidence: Evidence
    verdict: Verdict

    @property
    def uncorrected(self) -> bool:
        """Whether correction weakened the audit's verdict."""
        return self.verdict is not self.evidence.verdict


def next_step(
    unlearner: Any,
    task: UnlearningTask,
    model: Any,
    before: Sequence[RequestStep],
    request: IntArray,
    keywords: AuditKeywords,
) -> RequestStep:
    """Run the method on one more request and make all its audits."""
    every = [*(step.request for step in before), request]
    union = np.concatenate(every)
    after = task.with_request(np.sort(union))
    # The method sees neither the task nor, through it, controls and test set.
    retain, forget = (
        View(name, task.split.train, rows) for name, rows in (("retain", after.retain.indices), ("forget", request))
    )
    made = task.unlearn_from(model, unlearner, retain, forget, seed=task.seed + len(before))
    forgotten, utility = _audits(made, after, every, keywords)
    distance, usual = _distances(made, after, keywords["output"])
    return RequestStep(request, made, after, forgotten, utility, distance, usual)


def correct(steps: Sequence[RequestStep], keywords: AuditKeywords) -> list[StepAudit]:
    """Correct every audit's verdict for how many of them there are.

    What refutes (FAIL, INVALID) must do so at 1 - (1 - confidence) / m as well, the first step of Holm's procedure over
    all m audits; otherwise it is INCONCLUSIVE. PASS needs no correction, since all have to.
    """
    surer = {**keywords, "confidence": 1 - (1 - keywords["confidence"]) / (2 * len(steps))}
    requests = [step.request for step in steps]
    found = []
    for number, step in enumerate(steps, start=1):
        own = again = (step.forgotten, step.utility)
        if any(_refutes(one) for one in own):
            again = _audits(step.model, step.task, requests[:number], surer)
        for what, evidence, sure in zip(("forgetting", "utility"), own, again, strict=True):
            withdrawn = _refutes(evidence) and sure.verdict is not evidence.verdict
            verdict = Verdict.INCONCLUSIVE if withdrawn else evidence.verdict
            role: Role = "decides" if what == "forgetting" else "bounded"
            name = f"{what} after request {number}"
            found.append(
                StepAudit(name=name, estimate=evidence.estimate, role=role, evidence=evidence, verdict=verdict)
            )
    return found


def _refutes(evidence: Evidence) -> bool:
    return evidence.verdict.severity >= Verdict.FAIL.severity


def settle(audits: Sequence[StepAudit]) -> StepAudit:
    """Return the deciding audit: most severe, then furthest beyond its limit."""
    verdict = most_severe(one.verdict for one in audits)
    among = [one for one in audits if one.verdict is verdict and (one.deciding or verdict is not Verdict.PASS)]
    return max(among, key=lambda one: one.evidence.claim.excess(one.estimate))


def certificate_of(model: Any) -> Certificate | None:
    """Read a model's attribute `certificate`, numbers `spent` and `budget`."""
    given = getattr(model, "certificate", None)
    spent, budget = getattr(given, "spent", None), getattr(given, "budget", None)
    if not isinstance(spent, Real) or not isinstance(budget, Real):
        return None
    return Certificate(spent=float(spent), budget=float(budget))


def _audits(
    model: Any, task: UnlearningTask, requests: Sequence[IntArray], keywords: AuditKeywords
) -> tuple[Evidence, Evidence]:
    """Audit forgetting, with each request as a tripwire besides, and utility."""
    limit, drop, baseline, strict = (
        keywords[name] for name in ("max_mia_auc", "max_drop", "baseline", "require_controls")
    )
    both = {name: keywords[name] for name in ("confidence", "output")}
    # Not as slices: a single request may be too small to be certified, and PASS is of the union.
    parts = [np.isin(task.forget.indices, one) for one in requests] if len(requests) > 1 else []
    attack = deciding_set(references=bool(task.retrained), classes=len(task.split.classes))[0]
    attacks = worst_of(parts, "request", attack) or "standard"
    return (
        audit_forgotten(model, task.forget, limit, require_controls=strict, attacks=attacks, **both),
        audit_utility(model, task.test, drop, baseline=baseline, **both),
    )


def _distances(model: Any, task: UnlearningTask, output: Output) -> tuple[float, float]:
    answers = evaluate(model, task.controls, classes=task.split.classes, output=output, device=task.device)
    ours = logit_scaled_confidence(answers)
    references = [logit_scaled_confidence(task.models.of(one).outputs(task.controls, output)) for one in task.retrained]
    if not references:
        return float("nan"), float("nan")
    if len(references) == 1:
        return float(np.abs(ours - references[0]).mean()), float("nan")
    theirs = np.array(references)
    rests = [np.delete(theirs, k, axis=0).mean(axis=0) for k in range(len(theirs))]
    # Everyone is compared with the mean of all references but one, so that a retrained model is as far as they are.
    distance = np.mean([np.abs(ours - rest).mean() for rest in rests])
    usual = np.mean([np.abs(one - rest).mean() for one, rest in zip(theirs, rests, strict=True)])
    return float(distance), float(usual)


COLUMNS = (
    "request", "examples", "union", "AUC", "low", "high", "forgetting", "drop", "highest drop", "utility", "distance",
    "retrained's", "spent", "budget",
)  # fmt: skip


def steps_table(steps: Sequence[RequestStep]) -> Table:
    """Tabulate request by request what was asked, found and spent."""
    rows: list[tuple[Cell, ...]] = []
    for number, step in enumerate(steps, start=1):
        auc, drop, given = step.forgotten.estimate, step.utility.estimate, certificate_of(step.model)
        rows.append(
            (
                number,
                len(step.request),
                len(step.task.forget),
                *map(_rounded, (auc.value, auc.low, auc.high)),
                step.forgotten.verdict.value,
                *map(_rounded, (drop.value, drop.high)),
                step.utility.verdict.value,
                *map(_rounded, (step.distance, step.usual)),
                *([None, None] if given is None else [float(f"{part:.4g}") for part in (given.spent, given.budget)]),
            )
        )
    return Table(
        title="Request by request",
        caption="The AUC that decides for the union so far, the drop in accuracy, the mean distance of the outputs on "
        "controls from retrained models' beside that of these from each other, and the certificate's budget where "
        "there is one. Verdicts are of each step by itself, before correction.",
        columns=COLUMNS,
        rows=tuple(rows),
    )


def accumulation_curves(steps: Sequence[RequestStep]) -> Curves:
    """Draw how far the model's outputs are from retrained models', request by request."""
    numbers = tuple(float(number) for number in range(1, len(steps) + 1))
    series = {
        name: (numbers, tuple(round(value, 6) for value in values))
        for name, values in (
            ("this model", [step.distance for step in steps]),
            ("retrained", [step.usual for step in steps]),
        )
        if np.isfinite(values).all()
    }
    return Curves(
        title="Error accumulation",
        caption="Mean absolute difference in logit-scaled confidence on the controls, to the mean of retrained models: "
        "errors that add up from request to request rise above what retrained models differ by.",
        x_label="request",
        y_label="distance from the retrained models",
        series=series,
    )


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
