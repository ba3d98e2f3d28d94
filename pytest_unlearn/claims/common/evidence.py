"""The single place where claims build their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_unlearn.claims.common.verdict import Decision, Finding, Reported
from pytest_unlearn.core.evidence import Claim, Controls, Estimate, Evidence, Exposure, Simultaneous, Verdict
from pytest_unlearn.core.figures import Figure
from pytest_unlearn.core.settings import MAX_SHARE_LEFT, resolve
from pytest_unlearn.statistics import p_value


@dataclass(frozen=True, slots=True)
class AucTerms:
    """Settings of an AUC claim: limits, confidence, and whether controls count."""

    limit: float
    confidence: float
    require_controls: bool
    max_share_left: float
    sources: Mapping[str, str]

    def claim(self, name: str, quantity: str) -> Claim:
        """Return the claim that an AUC lies between 1 - limit and limit."""
        lowest = round(1 - self.limit, 12)
        return Claim(name=name, quantity=quantity, lowest=lowest, highest=self.limit, sources=self.sources)


def auc_terms(
    max_mia_auc: float, confidence: float, require_controls: bool, max_share_left: float = MAX_SHARE_LEFT
) -> AucTerms:
    """Resolve the settings of a claim about AUCs."""
    sources, values = resolve_all(
        max_mia_auc=max_mia_auc, confidence=confidence, require_controls=require_controls, max_share_left=max_share_left
    )
    limit, confidence, require_controls, share = values
    return AucTerms(limit, confidence, require_controls, share, sources)


def resolve_all(**given: Any) -> tuple[dict[str, str], tuple[Any, ...]]:
    """Resolve settings: their sources by name, and their values in order."""
    settings = {name: resolve(name, value) for name, value in given.items()}
    return {name: one.source for name, one in settings.items()}, tuple(one.value for one in settings.values())


def build_evidence(
    claim: Claim,
    decision: Decision[Reported],
    findings: Sequence[Reported],
    *,
    controls: Controls,
    provenance: Mapping[str, Any],
    figures: Sequence[Figure] = (),
    most_exposed: tuple[Exposure, ...] = (),
    share_left: Estimate | None = None,
    not_testable: str = "",
    scores: Mapping[str, Any] | None = None,
) -> Evidence:
    """Build the evidence of a decision on a claim from what was found."""
    return Evidence(
        claim=claim,
        verdict=decision.verdict,
        estimate=decision.finding.estimate,
        decided_by=decision.finding.name,
        label=decision.label,
        attacks={finding.name: finding.estimate for finding in findings},
        deciding=tuple(finding.name for finding in findings if finding.deciding),
        simultaneous=_simultaneous(findings, decision.limits, decision.finding.estimate.confidence),
        holm=_by_holm(findings, decision),
        controls=controls,
        reasons=decision.reasons,
        advice=decision.advice,
        needed=decision.needed,
        share_left=share_left,
        not_testable=not_testable if decision.verdict is Verdict.INCONCLUSIVE else "",
        most_exposed=most_exposed,
        provenance=provenance,
        figures=tuple(figures),
        scores=scores,
    )


def _simultaneous(findings: Sequence[Reported], claim: Claim, confidence: float) -> dict[str, Simultaneous]:
    """Bound each finding for all together, beside the limits beyond which it makes the verdict FAIL."""
    judged = [(one, one.accuses(claim)) for one in findings if isinstance(one, Finding)]
    strict = 1 - (1 - confidence) / max(1, sum(len(limits) for _, limits in judged))
    found = {}
    for one, limits in judged:
        bound = (one.tested or one.measure).at(strict)
        found[one.name] = Simultaneous(
            low=bound.low, high=bound.high, lowest=limits.get("low"), highest=limits.get("high")
        )
    return found


def _by_holm(findings: Sequence[Reported], decision: Decision[Reported]) -> Estimate | None:
    """Bound what lies beyond its limit at its step of Holm's correction: still beyond, or reaching back to it."""
    settled, limits = decision.finding, decision.limits
    estimate = settled.estimate
    above = limits.highest is not None and estimate.low > limits.highest
    below = limits.lowest is not None and estimate.high < limits.lowest
    if not isinstance(settled, Finding) or not (above or below):
        return None
    tried = [
        (one, p_value(one.tested or one.measure, limit, side))
        for one in findings
        if isinstance(one, Finding)
        for side, limit in one.accuses(limits).items()
    ]
    own = [p for one, p in tried if one is settled]
    if not own:
        return None
    ordered, alpha = sorted(p for _, p in tried), 1 - estimate.confidence
    count = len(ordered)
    step = next((k for k, p in enumerate(ordered) if p > alpha / (count - k)), count - 1)
    strict = 1 - alpha / (count - min(step, ordered.index(min(own))))
    return replace((settled.tested or settled.measure).at(strict), confidence=estimate.confidence)


def rounded(estimate: Estimate) -> tuple[float, float, float]:
    """Return value and bounds to four digits, as cells of a table."""
    return round(estimate.value, 4), round(estimate.low, 4), round(estimate.high, 4)
