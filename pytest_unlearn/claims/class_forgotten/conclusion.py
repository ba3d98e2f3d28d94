"""Conclude from what models make of a removed class, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_unlearn.claims.class_forgotten.components import (
    KNOWS,
    UTILITY,
    Component,
    Limits,
    Readout,
    components_table,
    judge_components,
    measure_components,
    sent_table,
)
from pytest_unlearn.claims.common.controls import PowerCheck, family_confidence, negative_control, power_check, without
from pytest_unlearn.claims.common.evidence import build_evidence
from pytest_unlearn.claims.common.stored_findings import objections_in
from pytest_unlearn.claims.common.verdict import Decision, Objection, controls_waived, decide, invalid, missing_controls
from pytest_unlearn.core.evidence import Claim, Controls, Estimate, Evidence, IntArray, Verdict, to_plain
from pytest_unlearn.core.stored_arrays import StoredArrays
from pytest_unlearn.statistics import share_of_estimates

REMOVED_CLASS = "removed class"  # the kind of record that its scores are stored in
JUDGED_BY = ("confidence", "require_controls", "max_share_left")
DIFFERS, ALIKE = "is unlike the other retrained models", "is like the other retrained models"
DISAGREE = "allow for it with a larger limit, train longer so that seeds matter less, or give more references"
NOTHING_KNOWN = "with an original that does not know the class there is nothing to forget, and nothing is shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What models make of unseen examples of the removed classes.

    `labels` are of those examples, `classes` names what was removed.
    """

    target: Readout
    references: Sequence[Readout]
    original: Readout | None
    labels: IntArray
    classes: str
    limits: Limits
    confidence: float
    require_controls: bool
    max_share_left: float
    misaligned: Sequence[Objection] = ()

    def record(self) -> dict[str, Any]:
        """Store it as plain data, with the arrays it takes."""
        arrays = StoredArrays()

        def write(one: Readout) -> dict[str, str]:
            return {name: arrays.put(getattr(one, name)) for name in Readout.__slots__}

        return {
            "kind": REMOVED_CLASS,
            "target": write(self.target),
            "references": [write(one) for one in self.references],
            "original": None if self.original is None else write(self.original),
            "labels": arrays.put(self.labels),
            "classes": self.classes,
            "limits": asdict(self.limits),
            **{name: getattr(self, name) for name in JUDGED_BY},
            "misaligned": to_plain(list(self.misaligned)),
            "arrays": arrays,
        }


def removed_in(record: Mapping[str, Any], arrays: StoredArrays) -> Removed:
    """Find again what a record was made of."""

    def read(written: Mapping[str, Any]) -> Readout:
        return Readout(**{name: arrays.array(key) for name, key in written.items()})

    return Removed(
        target=read(record["target"]),
        references=[read(one) for one in record["references"]],
        original=None if record["original"] is None else read(record["original"]),
        labels=arrays.array(record["labels"]),
        classes=record["classes"],
        limits=Limits(**record["limits"]),
        misaligned=objections_in(record["misaligned"]),
        **{name: record[name] for name in JUDGED_BY},
    )


def conclude(removed: Removed, sources: Mapping[str, str], **about: Any) -> Evidence:
    """Judge every part, hold them to the controls, and build the evidence.

    Args:
        removed: what was read out.
        sources: of the settings.
        about: what else the evidence says: provenance, scores.
    """
    references, confidence = removed.references, removed.confidence

    def components(one: Readout, others: Sequence[Readout]) -> tuple[Component, ...]:
        return measure_components(one, others, removed.labels, removed.limits, confidence)

    own = components(removed.target, references)
    before = None if removed.original is None else components(removed.original, references)
    judged = judge_components(own, confidence)
    power = None if before is None else _power(before, own, removed.max_share_left)
    corrected = family_confidence(confidence, len(references))
    controls = Controls(
        original=None if power is None else power.control,
        retrained=tuple(
            negative_control(k, judge_components(components(one, without(references, k)), corrected), DIFFERS, ALIKE)
            for k, one in enumerate(references)
        ),
    )
    waived = Objection(controls_waived(removed.require_controls), verdict=Verdict.PASS)
    unsettled = [Objection((), (_more(judged),))] if judged.verdict is Verdict.INCONCLUSIVE else []
    decision = decide(
        judged,
        vetoes=[*removed.misaligned, *_vetoes(controls)],
        doubts=[
            *missing_controls(controls, removed.require_controls, (NOTHING_KNOWN,)),
            *(power.objections() if power is not None else []),
            waived,
            *unsettled,
        ],
        scope=(_scope(removed),),
    )
    claim = Claim(
        name="class_forgotten",
        quantity=judged.limits.quantity,
        lowest=judged.limits.lowest,
        highest=judged.limits.highest,
        sources=sources,
    )
    return build_evidence(
        claim,
        decision,
        own,
        controls=controls,
        **({} if power is None else power.recorded),
        figures=(components_table(own, before), sent_table(removed.target, removed.original, references)),
        **about,
    )


def _power(before: Sequence[Component], own: Sequence[Component], most: float) -> PowerCheck:
    """Check that the original knows the class, and bound what is left of that."""
    knows = [one for one in before if one.name in KNOWS]

    def share(audited: Component, original: Component) -> Estimate:
        return share_of_estimates(audited.estimate, original.estimate)

    left = [one for one in own if one.name in KNOWS]
    return power_check(knows, left, share, most, chance=0.0, what="the removed class is", where="by the original model")


def _vetoes(controls: Controls) -> list[Objection]:
    """Name the first reference that is unlike the others, and in what."""
    failed = [control for control in controls.retrained if not control.holds]
    return [
        invalid(f"the negative control fails: {control.summary} in {control.attack}", DISAGREE)
        for control in failed[:1]
    ]


def _more(judged: Decision[Component]) -> str:
    many = f"about {judged.needed:,} examples" if judged.needed is not None else "no number of examples"
    where = "test examples of the other classes" if judged.finding.name == UTILITY else "unseen examples of the class"
    return f"{many} would settle it: give more {where} or more references, or choose a wider limit"


def _scope(removed: Removed) -> str:
    seen = f"{len(removed.target.right)} unseen examples of it, {len(removed.target.right_elsewhere)} of other classes"
    return f"removed: class {removed.classes}; {seen}"
