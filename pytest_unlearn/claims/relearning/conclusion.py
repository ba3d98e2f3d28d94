"""Conclude from relearning curves alone: in a run, or from a report's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import PowerCheck, family_confidence, negative_control, power_check, without
from pytest_unlearn.claims.common.evidence import build_evidence
from pytest_unlearn.claims.common.verdict import Finding, decide, failed_negative_control, missing_controls
from pytest_unlearn.claims.relearning.curves import judge_areas, measure_areas, retrained_curves
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray
from pytest_unlearn.core.stored_arrays import StoredArrays
from pytest_unlearn.statistics import normal_quantile, share_of_estimates

RELEARNING = "relearning"  # the kind of record that its scores are stored in
JUDGED_BY = ("confidence", "require_controls", "max_share_left")
DIFFERS, ALIKE = (
    f"{how} retrained models" for how in ("relearns at another speed than", "cannot be told with certainty from")
)
FEWEST_REFERENCES = 3
TOO_FEW = "at least three references are needed, of which two judge the third"
NO_POWER = "train copies for fewer steps or at a smaller learning rate, or do without this claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relearned:
    """Relearning curves of every model by its name, and how they are judged.

    `curves` have the shape (examples, seeds, looks, 2), of losses and of right answers. `notes` are on the audited
    model's identity.
    """

    curves: Mapping[str, FloatArray]
    confidence: float
    require_controls: bool
    max_share_left: float
    notes: Sequence[str] = ()

    def record(self, claim: Claim) -> dict[str, Any]:
        """Store them as plain data, with the arrays they take."""
        arrays = StoredArrays()
        losses, right = (
            [[name, arrays.put(curve[..., k].ravel().astype(kind))] for name, curve in self.curves.items()]
            for k, kind in enumerate((np.float64, np.bool_))
        )
        return {
            "kind": RELEARNING,
            "name": claim.name,
            "quantity": claim.quantity,
            "limits": [claim.lowest, claim.highest],
            **{name: getattr(self, name) for name in JUDGED_BY},
            "notes": list(self.notes),
            "shape": list(next(iter(self.curves.values())).shape[:-1]),
            "losses": losses,
            "right": right,
            "arrays": arrays,
        }


def relearned_in(record: Mapping[str, Any], arrays: StoredArrays) -> Relearned:
    """Find again what a record was made of."""
    curves = {
        name: np.stack([arrays.array(key).reshape(record["shape"]) for key in (loss, right)], axis=-1)
        for (name, loss), (_, right) in zip(record["losses"], record["right"], strict=True)
    }
    return Relearned(curves=curves, notes=tuple(record["notes"]), **{name: record[name] for name in JUDGED_BY})


def conclude(relearned: Relearned, claim: Claim, **about: Any) -> Evidence:
    """Judge the audited model's areas, held to the controls, and build the evidence.

    Args:
        relearned: the curves.
        claim: the limits.
        about: what else the evidence says: provenance, figures, scores.
    """
    curves, confidence = relearned.curves, relearned.confidence
    n_forget = len(curves["this model"])
    findings = measure_areas(curves["this model"], retrained_curves(curves), n_forget, confidence)
    judged = judge_areas(findings, claim, confidence)
    power = original_power(curves, findings, relearned.max_share_left, claim.highest or 0.0)
    retrained = retrained_controls(curves, n_forget, claim, confidence)
    controls = Controls(original=power.control if power is not None else None, retrained=retrained)
    vetoes = failed_negative_control(controls, advice.UNLIKE_REFERENCES)
    few = "" if len(retrained) >= FEWEST_REFERENCES else TOO_FEW
    decision = decide(
        judged,
        vetoes=vetoes,
        advice=advice.TRIAL_UNSETTLED,
        doubts=[
            *missing_controls(controls, relearned.require_controls, (NO_POWER,), few),
            *(power.objections() if power is not None else []),
        ],
        notes=(*(() if vetoes else (finding.summary for finding in findings)), *relearned.notes),
    )
    return build_evidence(
        claim, decision, findings, controls=controls, **({} if power is None else power.recorded), **about
    )


def original_power(
    curves: Mapping[str, FloatArray], findings: Sequence[Finding], most: float, limit: float
) -> PowerCheck | None:
    """Check that the original differs from references, and bound what is left of that."""
    if "original" not in curves:
        return None
    estimate = findings[0].estimate
    original = measure_areas(curves["original"], retrained_curves(curves), estimate.n_forget, estimate.confidence)

    def share(audited: Finding, known: Finding) -> Estimate:
        return share_of_estimates(audited.estimate, known.estimate)

    where = "by the speed at which the original relearns"
    z = normal_quantile(estimate.confidence)  # the band is the references' alone
    errors = {one.name: (one.estimate.high - one.estimate.low) / (2 * z) for one in findings}
    return power_check(
        original, findings, share, most, limit=limit, chance=0.0, errors=errors, two_sided=True, where=where
    )


def retrained_controls(
    curves: Mapping[str, FloatArray], n_forget: int, claim: Claim, confidence: float
) -> tuple[ControlResult, ...]:
    """Check that no reference differs from the others."""
    references = retrained_curves(curves)
    corrected = family_confidence(confidence, len(references))
    rows = []
    for k, curve in enumerate(references if len(references) > 2 else ()):
        areas = measure_areas(curve, without(references, k), n_forget, confidence)
        rows.append(negative_control(k, judge_areas(areas, claim, corrected), DIFFERS, ALIKE))
    return tuple(rows)
