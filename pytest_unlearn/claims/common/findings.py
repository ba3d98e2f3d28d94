"""Run every attack on one model, and judge the findings: the verdict rule of one model, before any control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import LABEL_ONLY, Attack, Pairing, deciding_set, tripwires, vulnerable_slices
from pytest_unlearn.attacks.subgroups import Mask, worst_of
from pytest_unlearn.core.evidence import Answers, Estimate, Outputs, Scores, Side, Verdict
from pytest_unlearn.statistics import Measure, holm, p_value

SPREAD_FLOOR = 1e-9
MOSTLY_TIED = 0.5
LABELS = {"high": "recognisable", "low": "over-forgotten"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One attack on one model: its scores, its measure, and why it cannot be interpreted, if it cannot."""

    attack: Attack
    deciding: bool
    scores: Scores
    measure: Measure
    estimate: Estimate
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the findings alone say of one model."""

    verdict: Verdict
    finding: Finding
    label: str
    reason: str


def examine(
    target: Answers,
    references: Sequence[Answers],
    pairing: Pairing,
    confidence: float,
    *,
    more: Sequence[Attack] = (),
    slices: Mapping[str, Mask] = MappingProxyType({}),
    standard: bool = True,
    vulnerable: bool = True,
) -> tuple[Finding, ...]:
    """Every attack's finding on the target. Label-only joins the deciding set when most pairs tie.

    `more` are further attacks, run where the target and enough references can be asked what they ask; `slices` are
    parts of the forget set that the first deciding attack is judged on as well. Without `standard` only the deciding
    set is run, and label-only; without `vulnerable` no slice is looked for.
    """
    columns = target.forget.logits.shape[1]
    find = partial(_find, target=target, references=references, pairing=pairing, confidence=confidence)
    deciding = [find(attack, deciding=True) for attack in deciding_set(references=bool(references), classes=columns)]
    coarse = max(finding.scores.tie_share for finding in deciding) > MOSTLY_TIED
    wires: tuple[Attack, ...] = (LABEL_ONLY,)
    if standard:
        wires = tripwires(references=len(references), classes=columns, original=target.original is not None)
        if vulnerable:
            wires += vulnerable_slices(target, references, pairing)
        wires += worst_of(list(slices.values()), "slice", deciding[0].attack)
        wires += tuple(attack for attack in more if can_run(attack, target, references))
    others = [find(attack, deciding=coarse and attack is LABEL_ONLY) for attack in wires]
    return (*deciding, *others)


def run_attacks(
    deciding: Sequence[Attack],
    wires: Sequence[Attack],
    target: Answers,
    references: Sequence[Answers],
    pairing: Pairing,
    confidence: float,
) -> tuple[Finding, ...]:
    """Findings of a deciding set and of tripwires that the caller chose."""
    find = partial(_find, target=target, references=references, pairing=pairing, confidence=confidence)
    return tuple(find(attack, deciding=number < len(deciding)) for number, attack in enumerate((*deciding, *wires)))


def slice_masks(slices: Mapping[str, Any] | None, count: int) -> dict[str, Mask]:
    """Boolean masks over a forget set of `count` examples, of masks or positions.

    Raises:
        ValueError: for a slice that is empty, names a position twice, or does not fit the forget set.
    """
    if slices is not None and not isinstance(slices, Mapping):
        raise ValueError(
            "slices= takes a mapping from names to parts of the forget set, such as {'minors': ages < 18}."
        )
    masks: dict[str, Mask] = {}
    for name, given in (slices or {}).items():
        if str(name) in masks:
            raise ValueError(f"two slices are called {str(name)!r}: give each its own name.")
        where = np.asarray(given)
        if where.size == 0:
            raise ValueError(f"slice {name!r} holds no forget example.")
        mask = np.zeros(count, dtype=bool)
        if where.dtype == bool and where.shape == (count,):
            mask = where
        elif where.dtype.kind in "iu" and where.ndim == 1 and len(np.unique(where)) == len(where):
            if ((where < 0) | (where >= count)).any():
                raise ValueError(f"slice {name!r} names positions outside the forget set of {count} examples.")
            mask[where] = True
        else:
            raise ValueError(
                f"slice {name!r} must be a boolean mask over the {count} forget examples, or distinct positions in it; "
                f"got {where.dtype}, shape {where.shape}."
            )
        if not mask.any():
            raise ValueError(f"slice {name!r} holds no forget example.")
        masks[str(name)] = mask
    return masks


def can_run(attack: Attack, target: Answers, references: Sequence[Answers]) -> bool:
    """Whether the models have answered what the attack asks."""
    models = (target, *references)
    sides = [side for one in models for side in (one.forget, one.controls)]
    return (
        len(references) >= attack.least_references
        and all(query.name in side.asked for query in attack.queries for side in sides)
        and not ("original" in attack.access and target.original is None)
        and not ("retain set" in attack.access and any(one.retain is None for one in models))
    )


def labels_only(answers: Answers) -> Answers:
    """What remains of a model's answers when only its labels are revealed."""
    return Answers(forget=_one_hot(answers.forget), controls=_one_hot(answers.controls))


def is_coarse(findings: Sequence[Finding]) -> bool:
    """Whether so many pairs tie that label-only decides too."""
    return any(finding.deciding and finding.attack is LABEL_ONLY for finding in findings)


def judge(findings: Sequence[Finding], limit: float, confidence: float, can_certify: bool) -> Judgement:
    """INVALID, then FAIL (Holm over attack x side), then PASS (every deciding bound within), else INCONCLUSIVE."""
    deciding = [finding for finding in findings if finding.deciding]
    for finding in deciding:
        if finding.problem:
            return Judgement(verdict=Verdict.INVALID, finding=finding, label="", reason=finding.problem)
    rejected = _rejected(findings, limit, confidence)
    if rejected:
        finding, side = rejected
        says = f"{finding.attack.name} is beyond the limit on the {side} side, with Holm's correction over all attacks"
        return Judgement(verdict=Verdict.FAIL, finding=finding, label=_label(finding, side), reason=says)
    worst = max(deciding, key=lambda finding: _excess(finding, limit))
    if _excess(worst, limit) > 0:
        says = f"the interval of {worst.attack.name} reaches beyond the limit, but not with certainty"
        return Judgement(verdict=Verdict.INCONCLUSIVE, finding=worst, label="", reason=says)
    if not can_certify:
        says = "so few forget examples cannot certify this limit, whatever the model"
        return Judgement(verdict=Verdict.INCONCLUSIVE, finding=worst, label="", reason=says)
    return Judgement(verdict=Verdict.PASS, finding=worst, label="", reason="")


def shows_power(findings: Sequence[Finding], limit: float) -> Finding | None:
    """The deciding finding that recognises the forget set with certainty, if there is one; else None."""
    strong = [f for f in findings if f.deciding and not f.problem and f.estimate.low > limit]
    return max(strong, key=lambda finding: finding.estimate.low, default=None)


def _find(
    attack: Attack,
    *,
    deciding: bool,
    target: Answers,
    references: Sequence[Answers],
    pairing: Pairing,
    confidence: float,
) -> Finding:
    scores = attack.score(target, references, pairing)
    measure = attack.measure(scores, pairing)
    return Finding(
        attack=attack,
        deciding=deciding,
        scores=scores,
        measure=measure,
        estimate=measure.at(confidence),
        problem=_problem(attack, scores),
    )


def _problem(attack: Attack, scores: Scores) -> str:
    if attack is LABEL_ONLY:
        return ""
    if scores.unfair:
        return f"{attack.name}: {scores.unfair}"
    if scores.tie_share >= 1:
        return f"{attack.name}: every forget example ties with every control, so the scores tell nothing"
    if scores.reference_forget is None and np.ptp(np.concatenate([scores.forget, scores.controls])) < SPREAD_FLOOR:
        return f"{attack.name}: all scores are equal, so they tell nothing"
    return ""


def _rejected(findings: Sequence[Finding], limit: float, confidence: float) -> tuple[Finding, Side] | None:
    tried = [(finding, side) for finding in findings if not finding.problem for side in finding.attack.sides]
    p_values = [p_value(f.measure, limit if side == "high" else 1 - limit, side) for f, side in tried]
    adjusted = holm(np.array(p_values))
    beyond = [pair for pair, p in zip(tried, adjusted, strict=True) if p <= 1 - confidence]
    signed = [pair for pair in beyond if pair[0].attack.signed] or beyond
    return max(signed, key=lambda pair: (pair[0].deciding, abs(pair[0].estimate.value - 0.5)), default=None)


def _label(finding: Finding, side: Side) -> str:
    return LABELS[side] if finding.attack.signed or side == "low" else "conspicuous"


def _excess(finding: Finding, limit: float) -> float:
    """How far beyond the limit the finding may lie; PASS needs it to be at most 0.

    A deviation is one-sided: being nearer to the references than controls are is over-forgetting only if it is certain
    (then it FAILs), but an estimate beyond the limit is enough to withhold PASS.
    """
    estimate = finding.estimate
    lowest = estimate.low if finding.attack.signed else estimate.value
    return max(estimate.high - limit, (1 - limit) - lowest)


def _one_hot(outputs: Outputs) -> Outputs:
    logits = np.zeros_like(outputs.logits)
    logits[np.arange(len(logits)), outputs.logits.argmax(axis=1)] = 1.0
    return Outputs(logits=logits, labels=outputs.labels)
