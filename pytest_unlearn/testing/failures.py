"""Record the evidence of assertions, and raise unless the claim is proven."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from pytest_unlearn.core.evidence import Evidence, Verdict
from pytest_unlearn.core.recorder import record, severity
from pytest_unlearn.core.settings import resolve
from pytest_unlearn.core.wording import explain


class AuditFailure(AssertionError):  # noqa: N818 - an assertion that failed, not an error
    """Raised for a claim that was not proven; `.evidence` has the reasons.

    One type for every verdict, so that Hypothesis sees one failure.
    """

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(explain(evidence.to_json()))
        self.evidence = evidence


class ReleaseFailure(AuditFailure):
    """Raised for a release of which some claims were not proven.

    `.evidences` holds all by name, `.evidence` the most severe.
    """

    def __init__(self, evidences: Mapping[str, Evidence]) -> None:
        self.evidences = dict(evidences)
        missing = [one for one in evidences.values() if not one.proven]
        worst = max(missing, key=lambda one: severity(one.to_json()))
        super().__init__(worst)
        rest = [f"{one.verdict} {one.claim.name}" for one in missing if one is not worst]
        if rest:
            self.args = (f"{self.args[0]}\n\nnot proven besides: {', '.join(rest)}",)


class InconclusiveWarning(UserWarning):
    """Warn of a claim neither proven nor refuted, which the settings let pass."""


def raise_unless_proven(evidence: Evidence) -> Evidence:
    """Record evidence, and hand it back where it may pass.

    Returns:
        The evidence, if it is a PASS, or inconclusive where the settings let that pass.

    Raises:
        AuditFailure: on any other verdict.
    """
    __tracebackhide__ = True
    if not _passes(evidence):
        raise AuditFailure(evidence)
    return evidence


def raise_unless_all_proven(evidences: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Record the evidence of several claims, and hand it back where all may pass.

    Returns:
        The evidence by claim, if each is proven, or inconclusive where the settings let that pass.

    Raises:
        ReleaseFailure: when any claim is not proven.
    """
    __tracebackhide__ = True
    if not all(list(map(_passes, evidences.values()))):  # each is recorded
        raise ReleaseFailure(evidences)
    return dict(evidences)


def _passes(evidence: Evidence) -> bool:
    """Record evidence, and tell whether it may pass, warning at the assertion."""
    record(evidence)
    if evidence.verdict is Verdict.INCONCLUSIVE and resolve("inconclusive").value == "warn":
        warnings.warn(explain(evidence.to_json()), InconclusiveWarning, stacklevel=4)
        return True
    return evidence.proven
