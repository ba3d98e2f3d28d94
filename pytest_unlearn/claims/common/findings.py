"""Attacks on one model, and the judgement of what they find."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from pytest_unlearn.attacks.online import Shadows
from pytest_unlearn.attacks.registry import LABEL_ONLY, OF_A_PART, Attack, Pairing, deciding_set, tripwires
from pytest_unlearn.attacks.subgroups import Mask, aucs_of_classes, slice_measure, worst_class_of, worst_of
from pytest_unlearn.attacks.thresholds import MOSTLY_TIED
from pytest_unlearn.claims.common.verdict import CONSPICUOUS, OVER_FORGOTTEN, RECOGNISABLE, Decision, Finding, judge
from pytest_unlearn.core.evidence import Answers, Claim, Scores, Side
from pytest_unlearn.models.reduced import labels_of
from pytest_unlearn.statistics import ExtremeMeasure, Measure

SPREAD_FLOOR = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackFinding(Finding):
    """Finding of one attack in one model, with its scores.

    `part` marks the forget examples that it is about; all by default.
    """

    attack: Attack
    scores: Scores
    part: Mask | None = None


def evaluate_attacks(
    target: Answers,
    references: Sequence[Answers],
    pairing: Pairing,
    confidence: float,
    *,
    more: Sequence[Attack] = (),
    slices: Mapping[str, Mask] = MappingProxyType({}),
    standard: bool = True,
    by_class: bool = True,
    shadows: Shadows | None = None,
) -> tuple[AttackFinding, ...]:
    """Run every attack on the target, label-only too where most pairs tie.

    Label-only then decides as well. `more` are further attacks, run where the target and enough references can be asked
    what they ask; `slices` are parts of the forget set that are judged as well, beside what references show there: a
    residual keeps some of the difficulty of a part that somebody chose. PASS needs each of them within the limit, and
    the worst of them can FAIL. Without `standard` only the deciding set is run, and label-only; without `by_class` no
    class is judged by itself. With `shadows` online attacks decide, and the residuals they take the place of watch.
    """
    columns = target.forget.columns
    find = partial(_find, target=target, references=references, pairing=pairing, confidence=confidence)
    known = deciding_set(references=bool(references), classes=columns)
    chosen = deciding_set(references=bool(references), classes=columns, shadows=shadows)
    deciding = [find(attack, deciding=True) for attack in chosen]
    coarse = max(finding.scores.tie_share for finding in deciding) > MOSTLY_TIED
    if not standard:
        return (*deciding, find(LABEL_ONLY, deciding=coarse))
    parts = []
    if slices:
        whole = find(OF_A_PART, deciding=False)
        parts = [_part(whole, name, mask, pairing, confidence) for name, mask in slices.items()]
    watching = tripwires(references=len(references), classes=columns, original=target.original is not None)
    watching = (*(attack for attack in known if attack not in chosen), *watching)
    added = worst_of(list(slices.values()), "slice", OF_A_PART)
    added += tuple(attack for attack in more if can_run(attack, target, references))
    return (
        *deciding,
        *parts,
        *(find(attack, deciding=coarse and attack is LABEL_ONLY) for attack in watching),
        *(_worst_classes(target, references, pairing, confidence) if by_class else ()),
        *(find(attack, deciding=False) for attack in added),
    )


def _worst_classes(
    target: Answers, references: Sequence[Answers], pairing: Pairing, confidence: float
) -> list[AttackFinding]:
    """Find the classes that stand out on either side; both are looked for in one measurement of all classes."""
    attacks = worst_class_of(pairing, OF_A_PART)
    if not attacks:
        return []
    scores = OF_A_PART.score(target, references, pairing)
    classes = aucs_of_classes(scores, pairing)
    return [
        attack_finding(
            attack,
            scores,
            ExtremeMeasure(parts=classes, side=attack.sides[0]),
            confidence,
            deciding=False,
            problem=score_problem(attack, scores),
        )
        for attack in attacks
    ]


def _part(whole: AttackFinding, name: str, mask: Mask, pairing: Pairing, confidence: float) -> AttackFinding:
    """Find on a slice what bounds PASS; uncorrected, as each of them has to hold."""
    measure = slice_measure(whole.attack, whole.scores, pairing, mask)
    estimate = measure.at(confidence)
    return replace(
        whole, name=f"slice {name}", measure=measure, estimate=estimate, role="bounded", failures={}, part=mask
    )


def run_attacks(
    deciding: Sequence[Attack],
    watching: Sequence[Attack],
    target: Any,
    references: Sequence[Any],
    pairing: Pairing,
    confidence: float,
) -> tuple[AttackFinding, ...]:
    """Run a deciding set and tripwires that the caller chose."""
    find = partial(_find, target=target, references=references, pairing=pairing, confidence=confidence)
    return tuple(find(attack, deciding=number < len(deciding)) for number, attack in enumerate((*deciding, *watching)))


def slice_masks(slices: Mapping[str, Any] | None, count: int) -> dict[str, Mask]:
    """Turn masks or positions into boolean masks over `count` forget examples.

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
    """Tell whether the models have answered what the attack asks."""
    models = (target, *references)
    sides = [side for one in models for side in (one.forget, one.controls)]
    return (
        len(references) >= attack.least_references
        and all(query.name in side.asked for query in attack.queries for side in sides)
        and not ("original" in attack.access and target.original is None)
        and not ("retain set" in attack.access and any(one.retain is None for one in models))
    )


def labels_only(answers: Answers) -> Answers:
    """Reduce a model's answers to its labels."""
    beside = None if answers.beside is None else labels_of(answers.beside)
    return Answers(forget=labels_of(answers.forget), controls=labels_of(answers.controls), beside=beside)


def coarse_as(findings: Sequence[AttackFinding], answers: Answers) -> Answers:
    """Reduce answers to labels if the findings are of a model that shows no more."""
    return labels_only(answers) if is_coarse(findings) else answers


def is_coarse(findings: Sequence[AttackFinding]) -> bool:
    """Tell whether ties are so frequent that label-only must decide as well."""
    return any(finding.deciding and finding.attack is LABEL_ONLY for finding in findings)


def judge_attacks(
    findings: Sequence[AttackFinding],
    limit: float,
    confidence: float,
    certifiable: bool = True,
    counted: bool = False,
    spared: Collection[Side] = (),
) -> Decision[AttackFinding]:
    """Judge one model by attacks whose AUC should lie between 1 - limit and limit."""
    claim = Claim(name="", quantity="AUC", lowest=round(1 - limit, 12), highest=limit)
    return judge(
        findings, claim, confidence, foremost=_prominence, certifiable=certifiable, counted=counted, spared=spared
    )


def _prominence(finding: AttackFinding) -> tuple[bool, bool, float]:
    """Rank findings beyond the limit: signed, then deciding, then farthest."""
    return finding.attack.signed, finding.deciding, abs(finding.estimate.value - 0.5)


def attack_finding(
    attack: Attack, scores: Scores, measure: Measure, confidence: float, *, deciding: bool = True, problem: str = ""
) -> AttackFinding:
    """Make an attack's finding, without a direction for a deviation."""
    high = RECOGNISABLE if attack.signed else CONSPICUOUS
    return AttackFinding(
        name=attack.name,
        measure=measure,
        estimate=measure.at(confidence),
        failures={side: high if side == "high" else OVER_FORGOTTEN for side in attack.sides},
        role="decides" if deciding else "tripwire",
        problem=problem,
        one_sided=not attack.signed,
        attack=attack,
        scores=scores,
    )


def score_problem(attack: Attack, scores: Scores) -> str:
    """Explain why scores tell nothing; empty if they can be judged."""
    if attack is LABEL_ONLY:
        return ""
    if scores.unfair:
        return f"{attack.name}: {scores.unfair}"
    if scores.tie_share >= 1:
        return f"{attack.name}: every forget example ties with every control, so the scores tell nothing"
    if scores.reference_forget is None and np.ptp(np.concatenate([scores.forget, scores.controls])) < SPREAD_FLOOR:
        return f"{attack.name}: all scores are equal, so they tell nothing"
    return ""


def _find(
    attack: Attack, *, deciding: bool, target: Any, references: Sequence[Any], pairing: Pairing, confidence: float
) -> AttackFinding:
    scores = attack.score(target, references, pairing)
    measure, problem = attack.measure(scores, pairing), score_problem(attack, scores)
    return attack_finding(attack, scores, measure, confidence, deciding=deciding, problem=problem)
