"""assert_x: run audit_x with the same arguments, record its evidence, raise unless the claim is proven."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from pytest_unlearn.claims.accuracy import audit_matches_retrained, audit_utility
from pytest_unlearn.claims.algorithm.audit import audit_algorithm
from pytest_unlearn.claims.canaries.audit import audit_canaries_forgotten
from pytest_unlearn.claims.class_forgotten.audit import audit_class_forgotten
from pytest_unlearn.claims.efficient.audit import audit_efficient
from pytest_unlearn.claims.features.audit import audit_features_forgotten
from pytest_unlearn.claims.forgotten.audit import audit_forgotten
from pytest_unlearn.claims.indistinguishable.audit import audit_indistinguishable
from pytest_unlearn.claims.policies import Policy
from pytest_unlearn.claims.relearning.audit import audit_not_relearnable
from pytest_unlearn.claims.release import audit_release
from pytest_unlearn.claims.residual.audit import audit_no_residual
from pytest_unlearn.claims.sequence.audit import audit_sequence
from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.search.survives import audit_survives
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.testing.failures import AuditFailure, InconclusiveWarning, ReleaseFailure, require, require_all

__all__ = [
    "AuditFailure",
    "InconclusiveWarning",
    "ReleaseFailure",
    "assert_algorithm",
    "assert_canaries_forgotten",
    "assert_class_forgotten",
    "assert_efficient",
    "assert_features_forgotten",
    "assert_forgotten",
    "assert_indistinguishable",
    "assert_matches_retrained",
    "assert_no_residual",
    "assert_not_relearnable",
    "assert_release",
    "assert_sequence",
    "assert_survives",
    "assert_utility",
]

Arguments = ParamSpec("Arguments")


def _asserting(audit: Callable[Arguments, Evidence], states: str) -> Callable[Arguments, Evidence]:
    """The assertion that goes with an audit: same arguments, same signature."""

    @functools.wraps(audit)
    def assertion(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Evidence:
        __tracebackhide__ = True
        return require(audit(*args, **kwargs))

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


assert_algorithm = _asserting(audit_algorithm, "the method forgets, whatever its seeds")
assert_class_forgotten = _asserting(audit_class_forgotten, "a removed class is treated as by the retrained models")
assert_efficient = _asserting(audit_efficient, "the method takes at most `max_fraction` of the time of retraining")
assert_canaries_forgotten = _asserting(audit_canaries_forgotten, "nothing is left of the canaries planted in train")
assert_forgotten = _asserting(audit_forgotten, "the forget set is no longer recognisable in this model")
assert_sequence = _asserting(audit_sequence, "after every request of a sequence, all of it is forgotten")
assert_indistinguishable = _asserting(
    audit_indistinguishable, "unlearned models are as like retrained ones as these are like each other"
)
assert_survives = _asserting(audit_survives, "no deletion request was found that the method does not forget")
assert_utility = _asserting(audit_utility, "accuracy is at most `max_drop` below the baseline's")
assert_matches_retrained = _asserting(audit_matches_retrained, "accuracy is within `max_gap` of the references'")
assert_features_forgotten = _asserting(
    audit_features_forgotten, "the features of no layer tell more of the forget set than retrained models' do"
)
assert_no_residual = _asserting(
    audit_no_residual, "the forget set does not come back near its examples or in weakened copies of the model"
)
assert_not_relearnable = _asserting(
    audit_not_relearnable, "the forget set is relearned no faster and no slower than by retrained models"
)


def assert_release(
    model: Any,
    task: UnlearningTask,
    policy: str | Policy = "standard",
    *,
    unlearner: Any = None,
    canaries: Any = None,
    **settings: Any,
) -> dict[str, Evidence]:
    """Assert that every claim of a policy is proven for this model, in one call.

    Arguments: those of `audit_release`.

    Returns:
        The evidence of each claim by its name, when every verdict is PASS.

    Raises:
        ReleaseFailure: an AuditFailure of the gravest claim; `.evidences` holds all. Every claim was run and recorded.
    """
    __tracebackhide__ = True
    return require_all(audit_release(model, task, policy, unlearner=unlearner, canaries=canaries, **settings))
