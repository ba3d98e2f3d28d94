"""Store what attacks found as plain data with its scores, and find the same again.

What is left out is what nobody needs who has the scores: how an attack comes to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

import numpy as np

from pytest_unlearn.attacks.registry import LABEL_ONLY, Attack, Pairing
from pytest_unlearn.attacks.subgroups import slice_measure
from pytest_unlearn.claims.common.certify import Shadowed
from pytest_unlearn.claims.common.conclusion import Found, OnDemand
from pytest_unlearn.claims.common.evidence import AucTerms
from pytest_unlearn.claims.common.findings import AttackFinding, attack_finding, score_problem
from pytest_unlearn.claims.common.verdict import Objection
from pytest_unlearn.core.evidence import ControlResult, Estimate, Scores, Verdict, to_plain
from pytest_unlearn.core.settings import MAX_MIA_AUC
from pytest_unlearn.core.stored_arrays import StoredArrays

Plain = dict[str, Any]
ATTACKS = "attacks"  # the kind of these records

_ATTACK, _PROBE = "pytest_unlearn.attacks.attack", "pytest_unlearn.claims.features.probe_attacks"
FUNCTIONS: Mapping[str, str] = {
    "auc": f"{_ATTACK}:auc_of_scores",
    "gap": f"{_ATTACK}:gap_of_scores",
    "cross-fitted auc": f"{_ATTACK}:cross_fitted_auc",
    "cross-fitted gap": f"{_ATTACK}:cross_fitted_gap",
    "share": f"{_ATTACK}:share_of_scores",
    "worst": "pytest_unlearn.attacks.subgroups:worst_measure",
    "worst class": "pytest_unlearn.attacks.subgroups:worst_class_measure",
    "auc among": f"{_PROBE}:auc_among",
    "share among": f"{_PROBE}:share_among",
    "band": f"{_PROBE}:band_of_scores",
    "share of bands": f"{_PROBE}:share_of_bands",
}
"""What may turn stored scores into a measure: a record names one of these, and no other function is ever called."""
_NAMES = {path: name for name, path in FUNCTIONS.items()}


class NotStorableError(ValueError):
    """Raised for a finding that nobody could compute again; the message says why."""


def record_of(found: Found, name: str, quantity: str) -> Plain:
    """Store what was found, under the claim's name, with the arrays it takes.

    A finding that cannot be stored leaves a record that says why, and no scores.
    """
    arrays = StoredArrays()
    write = partial(_write_finding, arrays)

    def write_all(findings: Sequence[AttackFinding] | None) -> list[Plain] | None:
        return None if findings is None else [write(one) for one in findings]

    record: Plain = {"kind": ATTACKS, "name": name, "quantity": quantity}
    judge: Any = found.judge_by
    try:
        record |= {
            "terms": _write_terms(found.terms),
            "pairing": {side: _optional(arrays, labels) for side, labels in numbered(found.pairing).items()},
            "exchangeable": found.pairing.exchangeable,
            "sizes": list(found.sizes),
            "findings": write_all(found.findings),
            "known": write_all(found.known),
            "plain": write_all(found.plain.answer),
            "what": found.what,
            "rotations": [write_all(one) for one in found.rotations],
            "references": found.references,
            "fewest_references": found.fewest_references,
            "counted": found.counted,
            **({} if found.calibrated else {"calibrated": False}),
            **({"matched": True} if found.matched else {}),
            **({"documents": True} if found.documents else {}),
            "simulable": found.simulable,
            "training": found.training,
            "runs_limit": found.runs_limit,
            "shadowed": to_plain(found.shadowed),
            "itself": found.itself,
            "blind": to_plain(found.blind),
            "differ": to_plain(found.differ.answer),
            **{part: to_plain(list(getattr(found, part))) for part in ("misaligned", "unlike", "before")},
            "notes": list(found.notes),
        }
        if judge is not None:
            seen = {part: getattr(judge, part).answer for part in ("in_full", "as_labels")}
            record["original"] = {part: write_all(findings) for part, findings in seen.items()}
            record["lowest"] = judge.claim.lowest
    except NotStorableError as problem:
        return {"kind": ATTACKS, "name": name, "quantity": quantity, "problem": str(problem), "arrays": {}}
    return {**record, "arrays": arrays}


def found_in(record: Mapping[str, Any], arrays: StoredArrays) -> Found:
    """Find again what a record was made of.

    Raises:
        KeyError, TypeError, ValueError: the record is damaged.
    """
    pairing = Pairing(
        exchangeable=record["exchangeable"],
        **{side: None if key is None else arrays.array(key) for side, key in record["pairing"].items()},
    )
    terms = AucTerms(**record["terms"], sources={})
    read = partial(findings_in, arrays=arrays, pairing=pairing, confidence=terms.confidence)
    seen = record.get("original", {})
    differ, plain = record["differ"], record["plain"]
    return Found(
        terms=terms,
        pairing=pairing,
        sizes=(int(record["sizes"][0]), int(record["sizes"][1])),
        findings=read(record["findings"]),
        known=None if record["known"] is None else read(record["known"]),
        plain=OnDemand(_not_stored) if plain is None else OnDemand(partial(read, plain)),
        what=record["what"],
        rotations=[read(one) for one in record["rotations"]],
        references=int(record["references"]),
        fewest_references=int(record["fewest_references"]),
        calibrated=bool(record.get("calibrated", True)),
        matched=bool(record.get("matched")),
        counted=record["counted"],
        documents=bool(record.get("documents")),
        simulable=bool(record["simulable"]),
        training=record.get("training"),
        runs_limit=float(record.get("runs_limit", MAX_MIA_AUC)),
        shadowed=None if record.get("shadowed") is None else Shadowed(**record["shadowed"]),
        itself=record["itself"],
        blind=None if record["blind"] is None else _control(record["blind"]),
        differ=OnDemand(_not_stored) if differ is None else OnDemand(lambda: tuple(differ)),
        notes=tuple(record["notes"]),
        seen={part: None if written is None else read(written) for part, written in seen.items()},
        misaligned=objections_in(record["misaligned"]),
        unlike=objections_in(record["unlike"]),
        before=objections_in(record["before"]),
    )


def objections_in(written: Sequence[Mapping[str, Any]]) -> list[Objection]:
    """Return stored objections."""
    return [
        Objection(tuple(one["reasons"]), tuple(one["advice"]), Verdict(one["verdict"]), one["label"]) for one in written
    ]


def findings_in(
    written: Sequence[Mapping[str, Any]], *, arrays: StoredArrays, pairing: Pairing, confidence: float
) -> tuple[AttackFinding, ...]:
    """Measure stored scores again, a finding each."""
    return tuple(_read_finding(arrays, one, pairing, confidence) for one in written)


def numbered(pairing: Pairing) -> dict[str, Any]:
    """Return strata and groups, with numbers from 0 in place of classes and persons."""
    found: dict[str, Any] = dict(pairing.labels)
    for kind in ("strata", "groups"):
        sides = [side for side in (f"forget_{kind}", f"control_{kind}") if found[side] is not None]
        if sides:
            numbers = np.unique(np.concatenate([found[side] for side in sides]), return_inverse=True)[1].reshape(-1)
            ends = np.cumsum([len(found[side]) for side in sides])
            found |= dict(zip(sides, np.split(numbers.astype(np.int64), ends[:-1]), strict=True))
    return found


def _write_finding(arrays: StoredArrays, finding: AttackFinding) -> Plain:
    attack, scores = finding.attack, finding.scores
    try:
        return {
            "name": finding.name,
            "role": finding.role,
            "part": _optional(arrays, finding.part),
            "attack": {
                "name": attack.name,
                "measure": _write_function(arrays, attack.measure),
                "share": _write_function(arrays, attack.share),
                "signed": attack.signed,
                "sides": list(attack.sides),
            },
            "scores": {
                "forget": arrays.put(scores.forget),
                "controls": arrays.put(scores.controls),
                "reference_forget": arrays.put_rows(scores.reference_forget),
                "reference_controls": arrays.put_rows(scores.reference_controls),
                "tie_share": float(scores.tie_share),
                "unfair": scores.unfair,
            },
        }
    except ValueError as error:
        raise NotStorableError(f"{attack.name}: {error}") from None


def _read_finding(
    arrays: StoredArrays, written: Mapping[str, Any], pairing: Pairing, confidence: float
) -> AttackFinding:
    about, kept = written["attack"], written["scores"]
    attack = Attack(
        name=about["name"],
        score=_not_stored,
        measure=_read_function(arrays, about["measure"]),
        share=_read_function(arrays, about["share"]),
        signed=about["signed"],
        sides=tuple(about["sides"]),
    )
    if attack.name == LABEL_ONLY.name and about["measure"] == {"name": "gap"}:
        attack = LABEL_ONLY
    scores = Scores(
        forget=arrays.array(kept["forget"]),
        controls=arrays.array(kept["controls"]),
        reference_forget=arrays.rows(kept["reference_forget"]),
        reference_controls=arrays.rows(kept["reference_controls"]),
        tie_share=kept["tie_share"],
        unfair=kept["unfair"],
    )
    part = None if written["part"] is None else arrays.array(written["part"])
    measure = attack.measure(scores, pairing) if part is None else slice_measure(attack, scores, pairing, part)
    problem = score_problem(attack, scores)
    found = attack_finding(attack, scores, measure, confidence, deciding=written["role"] == "decides", problem=problem)
    if part is None:
        return replace(found, name=written["name"])
    return replace(found, name=written["name"], role="bounded", failures={}, part=part)


def _write_function(arrays: StoredArrays, function: Any) -> Plain:
    """Name a function of the table, with whatever is given to it beforehand."""
    given = ()
    if isinstance(function, partial) and not function.keywords:
        function, given = function.func, function.args
    path = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
    if path not in _NAMES:
        raise ValueError("it is judged by a statistic of its own, which no report can name")
    return {"name": _NAMES[path], **({"given": [_write_value(arrays, one) for one in given]} if given else {})}


def _read_function(arrays: StoredArrays, written: Mapping[str, Any]) -> Callable[..., Any]:
    module, _, name = FUNCTIONS[written["name"]].partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    given = [_read_value(arrays, one) for one in written.get("given", ())]
    return partial(function, *given) if given else function


def _write_value(arrays: StoredArrays, value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        return {"array": arrays.put(value)}
    if isinstance(value, (list, tuple)):
        return [_write_value(arrays, one) for one in value]
    return _write_function(arrays, value)


def _read_value(arrays: StoredArrays, written: Any) -> Any:
    if isinstance(written, list):
        return tuple(_read_value(arrays, one) for one in written)
    if isinstance(written, Mapping):
        return arrays.array(written["array"]) if "array" in written else _read_function(arrays, written)
    return written


def _write_terms(terms: AucTerms) -> Plain:
    return {name: getattr(terms, name) for name in ("limit", "confidence", "require_controls", "max_share_left")}


def _optional(arrays: StoredArrays, values: Any) -> str | None:
    return None if values is None else arrays.put(values)


def _control(written: Mapping[str, Any]) -> ControlResult:
    estimate: dict[str, Any] = {
        name: math.nan if value is None else value for name, value in written["estimate"].items()
    }
    return ControlResult(
        name=written["name"],
        holds=written["holds"],
        attack=written["attack"],
        estimate=Estimate(**estimate),
        summary=written["says"],
    )


def _not_stored(*_: Any) -> NoReturn:
    raise ValueError("the verdict would need scores that were not stored, for they were not asked for")
