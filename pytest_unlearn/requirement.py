"""What every assertion does with its evidence: record it, and raise unless the claim is proven."""

from __future__ import annotations

import warnings

from pytest_unlearn.evidence import Evidence, Verdict
from pytest_unlearn.recording import record
from pytest_unlearn.report.failure import explain
from pytest_unlearn.settings import resolve


class AuditFailure(AssertionError):  # noqa: N818 - an assertion that failed, not an error
    """A claim was not proven; `.evidence` says why. One type for every verdict, so that Hypothesis sees one failure."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(explain(evidence.to_json()))
        self.evidence = evidence


class InconclusiveWarning(UserWarning):
    """A claim was neither proven nor refuted, and the settings let that pass."""


def require(evidence: Evidence) -> Evidence:
    """Record evidence, and hand it back if it is a PASS (or inconclusive where the settings let that pass).

    Raises:
        AuditFailure: on any other verdict.
    """
    __tracebackhide__ = True
    record(evidence)
    if evidence.verdict is Verdict.PASS:
        return evidence
    if evidence.verdict is Verdict.INCONCLUSIVE and resolve("inconclusive").value == "warn":
        warnings.warn(explain(evidence.to_json()), InconclusiveWarning, stacklevel=3)
        return evidence
    raise AuditFailure(evidence)
