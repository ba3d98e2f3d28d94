"""What every assertion does with its evidence: record it, and raise unless the claim is proven."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from pytest_unlearn.evidence import Evidence, Verdict
from pytest_unlearn.recording import badness, record
from pytest_unlearn.report.failure import explain
from pytest_unlearn.settings import resolve


class AuditFailure(AssertionError):  # noqa: N818 - an assertion that failed, not an error
    """A claim was not proven; `.evidence` says why. One type for every verdict, so that Hypothesis sees one failure."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(explain(evidence.to_json()))
        self.evidence = evidence


class ReleaseFailure(AuditFailure):
    """Some claims of a release were not proven; `.evidences` holds all by name, `.evidence` the gravest."""

    def __init__(self, evidences: Mapping[str, Evidence]) -> None:
        self.evidences = dict(evidences)
        missing = [one for one in evidences.values() if one.verdict is not Verdict.PASS]
        gravest = max(missing, key=lambda one: badness(one.to_json()))
        super().__init__(gravest)
        rest = [f"{one.verdict} {one.claim.name}" for one in missing if one is not gravest]
        if rest:
            self.args = (f"{self.args[0]}\n\nnot proven besides: {', '.join(rest)}",)


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


def require_all(evidences: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Record the evidence of several claims, and hand it back if each is a PASS (or inconclusive where that may pass).

    Raises:
        ReleaseFailure: when any claim is not proven.
    """
    __tracebackhide__ = True
    lenient = resolve("inconclusive").value == "warn"
    failed = False
    for evidence in evidences.values():
        record(evidence)
        if evidence.verdict is Verdict.INCONCLUSIVE and lenient:
            warnings.warn(explain(evidence.to_json()), InconclusiveWarning, stacklevel=3)
        elif evidence.verdict is not Verdict.PASS:
            failed = True
    if failed:
        raise ReleaseFailure(evidences)
    return dict(evidences)
