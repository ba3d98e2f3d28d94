"""The one place where claims make their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pytest_unlearn.claims.common.verdict import Decision
from pytest_unlearn.core.evidence import Claim, Controls, Estimate, Evidence, Exposure
from pytest_unlearn.core.figures import Exhibit
from pytest_unlearn.core.settings import Setting


class Reported(Protocol):
    """What evidence lists: a name, its estimate, and whether PASS depends on it."""

    @property
    def name(self) -> str:
        """The attack's or the quantity's name."""

    @property
    def estimate(self) -> Estimate:
        """Its number with its bounds."""

    @property
    def deciding(self) -> bool:
        """Whether PASS depends on it."""


def build_evidence(
    claim: Claim,
    decision: Decision,
    findings: Sequence[Reported],
    *,
    controls: Controls,
    provenance: Mapping[str, Any],
    figures: Sequence[Exhibit] = (),
    most_exposed: tuple[Exposure, ...] = (),
) -> Evidence:
    """Build the evidence of a decision on a claim from what was found."""
    return Evidence(
        claim=claim,
        verdict=decision.verdict,
        estimate=decision.estimate,
        decided_by=decision.decided_by,
        label=decision.label,
        attacks={finding.name: finding.estimate for finding in findings},
        deciding=tuple(finding.name for finding in findings if finding.deciding),
        controls=controls,
        reasons=decision.reasons,
        advice=decision.advice,
        needed=decision.needed,
        most_exposed=most_exposed,
        provenance=provenance,
        exhibits=tuple(figures),
    )


def sources(**settings: Setting) -> dict[str, str]:
    """Return where each setting's value came from."""
    return {name: setting.source for name, setting in settings.items()}


def auc_claim(name: str, quantity: str, limit: Setting, confidence: Setting, require_controls: Setting) -> Claim:
    """Return the claim that an AUC lies between 1 - limit and limit."""
    return Claim(
        name=name,
        quantity=quantity,
        lowest=round(1 - limit.value, 12),
        highest=limit.value,
        sources=sources(max_mia_auc=limit, confidence=confidence, require_controls=require_controls),
    )


def rounded(estimate: Estimate) -> tuple[float, float, float]:
    """Return value and bounds to four digits, as cells of a table."""
    return round(estimate.value, 4), round(estimate.low, 4), round(estimate.high, 4)
