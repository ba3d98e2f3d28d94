"""assert_x: run audit_x with the same arguments, record its evidence, raise unless the claim is proven."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec

from pytest_unlearn.audits.forgotten import audit_forgotten
from pytest_unlearn.audits.matches_retrained import audit_matches_retrained
from pytest_unlearn.audits.utility import audit_utility
from pytest_unlearn.evidence import Evidence, Verdict
from pytest_unlearn.recording import record
from pytest_unlearn.report.failure import explain
from pytest_unlearn.settings import resolve
from pytest_unlearn.stress.survive import audit_survives

Arguments = ParamSpec("Arguments")


class AuditFailure(AssertionError):  # noqa: N818 - an assertion that failed, not an error
    """A claim was not proven; `.evidence` says why. One type for every verdict, so that Hypothesis sees one failure."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(explain(evidence.to_json()))
        self.evidence = evidence


class InconclusiveWarning(UserWarning):
    """A claim was neither proven nor refuted, and the settings let that pass."""


def _asserting(audit: Callable[Arguments, Evidence], states: str) -> Callable[Arguments, Evidence]:
    """The assertion that goes with an audit: same arguments, same signature."""

    @functools.wraps(audit)
    def assertion(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Evidence:
        __tracebackhide__ = True
        return _require(audit(*args, **kwargs))

    assertion.__name__ = assertion.__qualname__ = audit.__name__.replace("audit_", "assert_")
    assertion.__module__ = __name__
    assertion.__doc__ = f"""Assert that {states}.

    Arguments: those of `{audit.__name__}`.

    Returns:
        The evidence, when its verdict is PASS.

    Raises:
        AuditFailure: on any other verdict; it carries `.evidence`.
    """
    return assertion


def _require(evidence: Evidence) -> Evidence:
    __tracebackhide__ = True
    record(evidence)
    if evidence.verdict is Verdict.PASS:
        return evidence
    if evidence.verdict is Verdict.INCONCLUSIVE and resolve("inconclusive").value == "warn":
        warnings.warn(explain(evidence.to_json()), InconclusiveWarning, stacklevel=3)
        return evidence
    raise AuditFailure(evidence)


assert_forgotten = _asserting(audit_forgotten, "the forget set is no longer recognisable in this model")
assert_survives = _asserting(audit_survives, "no deletion request was found that the method does not forget")
assert_utility = _asserting(audit_utility, "accuracy is at most `max_drop` below the baseline's")
assert_matches_retrained = _asserting(audit_matches_retrained, "accuracy is within `max_gap` of the references'")
