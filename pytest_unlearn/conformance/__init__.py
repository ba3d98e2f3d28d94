"""Check any unlearner against what all promise: as a library, a script or tests.

What every unlearner promises, whatever its method: `unlearner(model, retain, forget, *, seed) -> model` leaves its
input and the process alone, is reproducible, hands over a model like the one it got, and answers any request.
Whether it forgets is for the audits to find out.
"""

from pytest_unlearn.conformance.case import Case, ConformanceError, Unsupported
from pytest_unlearn.conformance.suite import Check, Outcome, Report, check_unlearner, unlearner_checks

__all__ = [
    "Case",
    "Check",
    "ConformanceError",
    "Outcome",
    "Report",
    "Unsupported",
    "check_unlearner",
    "unlearner_checks",
]
