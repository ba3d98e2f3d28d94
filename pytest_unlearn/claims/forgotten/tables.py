"""Tables beside the verdict: slices, both releases, retain, epsilon, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import OF_A_PART, UPDATE_LEAKAGE, Pairing
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.subgroups import Mask, slice_measure
from pytest_unlearn.attacks.update_leakage import release_risk
from pytest_unlearn.claims.common.evidence import rounded
from pytest_unlearn.claims.common.findings import AttackFinding
from pytest_unlearn.claims.common.matched import Matched
from pytest_unlearn.core.evidence import Answers, IntArray
from pytest_unlearn.core.figures import Cell, Table
from pytest_unlearn.statistics import (
    EpsilonBound,
    auc_difference,
    auc_measure,
    effective_size,
    empirical_null,
    epsilon_bound,
    epsilon_gaussian,
    strata_weights,
    weighted_auc,
)
from pytest_unlearn.statistics.references.rank import ENOUGH

DELTA = 1e-5
FEWEST = 20  # a side, below which no bound on epsilon says anything


def slices_table(
    target: Answers, references: Sequence[Answers], slices: Mapping[str, Mask], pairing: Pairing, confidence: float
) -> Table | None:
    """Tabulate how each slice that the caller named fared."""
    if not slices:
        return None
    scores = OF_A_PART.score(target, references, pairing)
    rows: list[tuple[Cell, ...]] = []
    for name, mask in slices.items():
        estimate = slice_measure(OF_A_PART, scores, pairing, mask).at(confidence)
        rows.append((name, int(mask.sum()), *rounded(estimate)))
    return Table(
        title="Named slices",
        caption="AUC of the confidence residual on parts of the forget set against all controls they compare with, as "
        "0.5 + difference to what references have there: 0.5 under perfect unlearning. One-sided "
        f"{confidence:.0%} bounds are for each; the verdict's hold for all together.",
        columns=("slice", "forget", "AUC", "low", "high"),
        rows=tuple(rows),
    )


def release_table(findings: Sequence[AttackFinding], pairing: Pairing, confidence: float) -> Table | None:
    """Tabulate the risk from holding both releases, and the method's part of it."""
    found = next((finding for finding in findings if finding.attack is UPDATE_LEAKAGE), None)
    if found is None:
        return None
    scores = found.scores
    assert scores.reference_forget is not None
    assert scores.reference_controls is not None
    pairs = [
        auc_measure(f, c, **pairing.labels).at(confidence)
        for f, c in zip(scores.reference_forget, scores.reference_controls, strict=True)
    ]
    risk = UPDATE_LEAKAGE.measure(release_risk(scores), pairing).at(confidence)
    rows: list[tuple[Cell, ...]] = [
        ("original and this model", *rounded(risk)),
        (
            f"original and a retrained one (mean of {len(pairs)})",
            *(round(float(np.mean([getattr(p, end) for p in pairs])), 4) for end in ("value", "low", "high")),
        ),
        ("excess, as 0.5 + difference", *rounded(found.estimate)),
    ]
    return Table(
        title="Releasing both models",
        caption="What whoever holds the original and this model learns from the change of confidence: the AUC with "
        "which "
        "the forget set is told from controls. Exact retraining has this risk too; only the excess over it is judged.",
        columns=("pair", "AUC", "low", "high"),
        rows=tuple(rows),
    )


def retain_table(target: Answers, references: Sequence[Answers], confidence: float) -> Table | None:
    """Tabulate whether the data that stay became more exposed by the unlearning."""
    original = target.original
    if target.retain is None or original is None:
        return None
    if not np.isin(target.retain.labels, target.controls.labels).any():
        return None  # of a class that goes as a whole, nothing is retained
    models = {"this model": target, "original": original, **{f"retrained {k}": one for k, one in enumerate(references)}}
    rows: list[tuple[Cell, ...]] = [
        (name, *rounded(auc_measure(**_retained(one)).at(confidence))) for name, one in models.items()
    ]
    ours, before = _retained(target), _retained(original)
    excess = auc_difference(
        **ours, reference_forget=before["forget"][None], reference_controls=before["controls"][None]
    )
    rows.append(("this model beyond the original, as 0.5 + difference", *rounded(excess.at(confidence))))
    return Table(
        title="Data that were retained",
        caption="AUC with which retained examples are told from controls of their class by confidence. They were "
        "trained "
        "on and may be recognised; unlearning should not make them easier to recognise than they were in the original.",
        columns=("model", "AUC", "low", "high"),
        rows=tuple(rows),
    )


def epsilon_table(finding: AttackFinding, pairing: Pairing, confidence: float) -> Table | None:
    """Tabulate the epsilon that the attack proves, and the largest it could."""
    if pairing.forget_groups is not None or pairing.control_groups is not None:
        return None
    scores = finding.scores.forget, finding.scores.controls[_same_mix(pairing, len(finding.scores.controls))]
    if min(map(len, scores)) < FEWEST:
        return None
    found: list[EpsilonBound] = [
        epsilon_bound(*scores, confidence, DELTA),
        epsilon_gaussian(*scores, confidence, DELTA),
    ]
    return Table(
        title="Privacy loss",
        caption=f"Lower bounds on epsilon (delta {DELTA:g}, confidence {confidence:.0%}) by {finding.attack.name}, 0 "
        "under perfect unlearning, and the largest bound that a perfect attack on this many examples could give. A "
        "bound of 0 proves nothing; examples must be independent, and forget and controls from one law.",
        columns=("method", "epsilon at least", "ceiling", "assumes"),
        rows=tuple(
            (one.method, round(one.low, 4), round(one.ceiling, 4), one.assumes or "nothing further") for one in found
        ),
    )


def _same_mix(pairing: Pairing, n_controls: int) -> IntArray:
    """Choose controls in the forget set's mix of classes, evenly spaced."""
    wanted, there = pairing.forget_strata, pairing.control_strata
    if wanted is None or there is None:
        return np.arange(n_controls)
    labels, counts = np.unique(wanted, return_counts=True)
    share = min(float((there == label).sum()) / count for label, count in zip(labels, counts, strict=True))
    kept = []
    for label, count in zip(labels, counts, strict=True):
        members = np.flatnonzero(there == label)
        kept.append(members[np.linspace(0, len(members) - 1, int(share * count)).astype(np.int64)])
    return np.concatenate(kept)


def null_table(findings: Sequence[AttackFinding], rotations: Sequence[Sequence[AttackFinding]]) -> Table | None:
    """Tabulate the model's rank among eight or more cross-judged references."""
    if len(rotations) < ENOUGH:
        return None
    rows: list[tuple[Cell, ...]] = []
    for finding in findings:
        peers = [one.estimate.value for found in rotations for one in found if one.attack.name == finding.attack.name]
        if len(peers) == len(rotations):
            null = empirical_null(finding.estimate.value, peers)
            rows.append(
                (
                    finding.attack.name,
                    *np.round([null.value, null.lowest, null.highest], 4).tolist(),
                    null.above,
                    round(null.p, 4),
                )
            )
    return Table(
        title="Among retrained models",
        caption=f"The model's AUCs beside those of {len(rotations)} retrained models, each judged by the others. Under "
        f"exact unlearning every rank is equally likely; with {len(rotations)} models no p-value is below "
        f"{2 / (len(rotations) + 1):.3f}, and they are not corrected for looking at several attacks.",
        columns=("attack", "this model", "lowest retrained", "highest retrained", "retrained above it", "p, two-sided"),
        rows=tuple(rows),
    )


def matched_table(
    matched: Matched | None, findings: Sequence[AttackFinding], pairing: Pairing, confidence: float
) -> Table | None:
    """Tabulate AUCs within matched strata beside those of weighted controls."""
    if matched is None or matched.fails:
        return None
    weights = matched.odds
    if weights is None:
        weights = strata_weights(matched.forget_strata, matched.control_strata)
    rows: list[tuple[Cell, ...]] = []
    groups = {name: value for name, value in pairing.labels.items() if name.endswith("groups")}
    for finding in findings:
        scores = finding.scores
        if finding.attack.signed and finding.part is None and finding.deciding and len(scores.controls) == len(weights):
            weighted = weighted_auc(scores.forget, scores.controls, weights, **groups).at(confidence)
            rows.append((finding.name, *rounded(finding.estimate), *rounded(weighted)))
    return Table(
        title="Matched controls",
        caption=f"{matched.note()}. AUCs within strata, which decide, and of all these controls, weighted by how much "
        f"more often each would be asked for: 0.5 under perfect unlearning, with one-sided {confidence:.0%} bounds. "
        f"The weights are worth {effective_size(weights):.0f} equally weighted controls.",
        columns=("attack", "AUC", "low", "high", "weighted AUC", "low, weighted", "high, weighted"),
        rows=tuple(rows),
    )


def _retained(answers: Answers) -> dict[str, Any]:
    """Return confidences on retained examples and controls of their classes."""
    assert answers.retain is not None
    kept = np.isin(answers.retain.labels, answers.controls.labels)
    return {
        "forget": logit_scaled_confidence(answers.retain)[kept],
        "controls": logit_scaled_confidence(answers.controls),
        "forget_strata": answers.retain.labels[kept],
        "control_strata": answers.controls.labels,
    }
