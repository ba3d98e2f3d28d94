"""Compute evidence again from its stored scores, without any model or data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_unlearn.claims.accuracy import ACCURACY, RightAnswers, decide_accuracy
from pytest_unlearn.claims.class_forgotten import conclusion as class_forgotten
from pytest_unlearn.claims.common.conclusion import OnDemand, conclude
from pytest_unlearn.claims.common.evidence import build_evidence
from pytest_unlearn.claims.common.stored_findings import ATTACKS, found_in, objections_in
from pytest_unlearn.claims.leakage_reduced.audit import ReducedBy, reductions
from pytest_unlearn.claims.relearning import conclusion as relearning
from pytest_unlearn.core.evidence import Claim, Evidence
from pytest_unlearn.core.stored_arrays import StoredArrays
from pytest_unlearn.core.text import shown

AGAIN = (
    "claim",
    "verdict",
    "estimate",
    "decided_by",
    "label",
    "attacks",
    "deciding",
    "simultaneous",
    "holm",
    "controls",
    "reasons",
    "advice",
    "needed",
    "share_left",
    "leakage_reduction",
    "not_testable",
)
TOLERANCE = 1e-9


def recompute(record: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Compute again what evidence says.

    Args:
        record: what `Evidence.scores` stored, `arrays` or not.
        arrays: the texts of its arrays, by digest.

    Returns:
        The fields of the evidence that follow from the scores (`AGAIN`), as JSON, and as `settings` those by which it
        was judged.

    Raises:
        ValueError: nothing can be computed from the record; the sentence says why.
    """
    if record.get("problem"):
        raise ValueError(str(record["problem"]))
    stored = StoredArrays(dict(arrays))
    try:
        kinds = {
            ATTACKS: _by_attacks,
            ACCURACY: _by_accuracy,
            relearning.RELEARNING: _by_relearning,
            class_forgotten.REMOVED_CLASS: _by_removed_class,
        }
        evidence, settings = kinds[record["kind"]](record, stored)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"its record is damaged ({type(error).__name__}: {error})") from None
    again = evidence.to_json()
    del again["claim"]["sources"]
    return {**{name: shown(again[name]) for name in AGAIN}, "settings": settings}


def differences(evidence: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field that was computed again with another result, and both values.

    Numbers may differ by 1e-9 of the larger, or of 1.
    """
    claim = {name: value for name, value in evidence["claim"].items() if name != "sources"}
    stored = {**evidence, "claim": claim}
    for name in AGAIN:
        yield from _differences(name, stored.get(name), again[name])
    written = (evidence.get("provenance") or {}).get("settings") or {}
    for name, value in again["settings"].items():
        yield from _differences(f"provenance.settings.{name}", written.get(name), value)


def _differences(where: str, stored: Any, again: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(stored, Mapping) and isinstance(again, Mapping):
        for name in dict.fromkeys((*again, *stored)):
            yield from _differences(f"{where}.{name}", stored.get(name, "nothing"), again.get(name, "nothing"))
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for position, pair in enumerate(zip(stored, again, strict=True)):
            yield from _differences(f"{where}[{position}]", *pair)
    elif not _equal(stored, again):
        yield where, stored, again


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or not isinstance(one, (int, float)):
        return type(one) is type(other) and bool(one == other)
    return isinstance(other, (int, float)) and math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _by_attacks(record: Mapping[str, Any], arrays: StoredArrays) -> tuple[Evidence, dict[str, Any]]:
    found = found_in(record, arrays)
    claim = found.terms.claim(record["name"], record["quantity"])
    reduced = None
    if "original" in record:
        claim = Claim(name=record["name"], quantity=record["quantity"], lowest=record["lowest"])
        seen = {part: OnDemand(partial(_once_stored, findings)) for part, findings in found.seen.items()}
        reduced = ReducedBy(claim, found.pairing, **seen)
        found = replace(found, judge_by=reduced)
    concluded, findings = conclude(found), found.findings
    if reduced is not None:
        known = {one.name: one for one in reduced.known(findings)}
        findings = reductions(findings, known, found.pairing, found.terms.confidence)
    evidence = build_evidence(
        claim,
        concluded.decision,
        findings,
        controls=concluded.controls,
        provenance={},
        share_left=concluded.share_left,
        not_testable=concluded.not_testable,
    )
    names = "max_share_left", "require_controls"
    return evidence, {name: getattr(found.terms, name) for name in names}


def _once_stored(findings: Sequence[Any] | None) -> Sequence[Any]:
    if findings is None:
        raise ValueError("the verdict would need scores of the original that were not stored")
    return findings


def _by_accuracy(record: Mapping[str, Any], arrays: StoredArrays) -> tuple[Evidence, dict[str, Any]]:
    lowest, highest = record["limits"]
    claim = Claim(name=record["name"], quantity=record["quantity"], lowest=lowest, highest=highest)
    theirs = arrays.rows(record["theirs"])
    assert theirs is not None
    right = RightAnswers(
        ours=arrays.array(record["ours"]),
        theirs=theirs,
        of=record["of"],
        baseline=record["baseline"],
        misaligned=objections_in(record["misaligned"]),
    )
    decision, finding, controls = decide_accuracy(right, claim, record["confidence"], record["label"])
    evidence = build_evidence(claim, decision, [finding], controls=controls, provenance={})
    return evidence, {"baseline": record["baseline"], "references": len(theirs)}


def _by_relearning(record: Mapping[str, Any], arrays: StoredArrays) -> tuple[Evidence, dict[str, Any]]:
    lowest, highest = record["limits"]
    claim = Claim(name=record["name"], quantity=record["quantity"], lowest=lowest, highest=highest)
    relearned = relearning.relearned_in(record, arrays)
    settings = {name: getattr(relearned, name) for name in ("require_controls", "max_share_left")}
    return relearning.conclude(relearned, claim, provenance={}), settings


def _by_removed_class(record: Mapping[str, Any], arrays: StoredArrays) -> tuple[Evidence, dict[str, Any]]:
    removed = class_forgotten.removed_in(record, arrays)
    settings = {name: getattr(removed, name) for name in ("require_controls", "max_share_left")}
    settings["max_shift"] = removed.limits.shift
    return class_forgotten.conclude(removed, {}, provenance={}), settings
