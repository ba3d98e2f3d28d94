"""assert_x: run audit_x with the same arguments, record its evidence, raise unless the claim is proven."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from pytest_unlearn.audits.forgotten import audit_forgotten
from pytest_unlearn.audits.matches_retrained import audit_matches_retrained
from pytest_unlearn.audits.utility import audit_utility
from pytest_unlearn.evidence import Evidence, Verdict
from pytest_unlearn.outputs import Output
from pytest_unlearn.recording import record
from pytest_unlearn.report.failure import explain
from pytest_unlearn.settings import CONFIDENCE, MAX_DROP, MAX_GAP, MAX_MIA_AUC, REQUIRE_CONTROLS, resolve


class AuditFailure(AssertionError):  # noqa: N818 - an assertion that failed, not an error
    """A claim was not proven; `.evidence` says why. One type for every verdict, so that Hypothesis sees one failure."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(explain(evidence.to_json()))
        self.evidence = evidence


class InconclusiveWarning(UserWarning):
    """A claim was neither proven nor refuted, and the settings let that pass."""


def assert_forgotten(
    model: Any,
    forget: Any,
    max_mia_auc: float = MAX_MIA_AUC,
    *,
    nonmembers: Any = None,
    baseline: Any = None,
    references: Sequence[Any] | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    match: str | None = "inherit",
    output: Output = None,
) -> Evidence:
    """Assert that the forget set is no longer recognisable in this model. Arguments: see `audit_forgotten`.

    Returns:
        The evidence, when its verdict is PASS.

    Raises:
        AuditFailure: on any other verdict; it carries `.evidence`.
    """
    __tracebackhide__ = True
    return _require(
        audit_forgotten(
            model,
            forget,
            max_mia_auc,
            nonmembers=nonmembers,
            baseline=baseline,
            references=references,
            require_controls=require_controls,
            confidence=confidence,
            match=match,
            output=output,
        )
    )


def assert_utility(
    model: Any,
    test: Any,
    max_drop: float = MAX_DROP,
    *,
    baseline: Any = "original",
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Assert that accuracy is at most `max_drop` below the baseline's. Arguments: see `audit_utility`.

    Returns:
        The evidence, when its verdict is PASS.

    Raises:
        AuditFailure: on any other verdict; it carries `.evidence`.
    """
    __tracebackhide__ = True
    return _require(audit_utility(model, test, max_drop, baseline=baseline, confidence=confidence, output=output))


def assert_matches_retrained(
    model: Any,
    view: Any,
    max_gap: float = MAX_GAP,
    *,
    baseline: Any = "retrained",
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Assert that accuracy is within `max_gap` of the retrained references'. Arguments: see `audit_matches_retrained`.

    Returns:
        The evidence, when its verdict is PASS.

    Raises:
        AuditFailure: on any other verdict; it carries `.evidence`.
    """
    __tracebackhide__ = True
    return _require(
        audit_matches_retrained(model, view, max_gap, baseline=baseline, confidence=confidence, output=output)
    )


def _require(evidence: Evidence) -> Evidence:
    __tracebackhide__ = True
    record(evidence)
    if evidence.verdict is Verdict.PASS:
        return evidence
    if evidence.verdict is Verdict.INCONCLUSIVE and resolve("inconclusive").value == "warn":
        warnings.warn(explain(evidence.to_json()), InconclusiveWarning, stacklevel=3)
        return evidence
    raise AuditFailure(evidence)
