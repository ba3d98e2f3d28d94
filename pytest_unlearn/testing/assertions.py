"""Assert claims: run the audit, record its evidence, raise unless it is proven.

There is one assertion a row of the claim table, made when its name is asked for; `__init__.pyi` has its type.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from pytest_unlearn.claims.policies import Policy
from pytest_unlearn.claims.release import audit_release
from pytest_unlearn.core.claim_table import TABLE, ClaimSpec
from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.testing.failures import (
    AuditFailure,
    InconclusiveWarning,
    ReleaseFailure,
    raise_unless_all_proven,
    raise_unless_proven,
)

__all__ = ["AuditFailure", "InconclusiveWarning", "ReleaseFailure", "assert_release"]


def __getattr__(name: str) -> Callable[..., Evidence]:
    spec = TABLE.get(name.removeprefix("assert_")) if name.startswith("assert_") else None
    if spec is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _assertion(spec)


@functools.cache
def _assertion(spec: ClaimSpec) -> Callable[..., Evidence]:
    """Make the assertion of a claim's audit, with its arguments and signature."""
    audit = spec.audit()

    @functools.wraps(audit)
    def assertion(*args: Any, **kwargs: Any) -> Evidence:
        __tracebackhide__ = True
        return raise_unless_proven(audit(*args, **kwargs))

    assertion.__name__ = assertion.__qualname__ = f"assert_{spec.name}"
    assertion.__module__ = __name__
    assertion.__doc__ = f"""Assert that {spec.states}.

    Arguments: those of `{audit.__name__}`.

    Returns:
        The evidence, when its verdict is PASS.

    Raises:
        AuditFailure: on any other verdict; it carries `.evidence`.
    """
    return assertion


def assert_release(
    model: Any,
    task: UnlearningTask,
    policy: str | Policy = "standard",
    *,
    unlearner: Any = None,
    canaries: Any = None,
    files: Iterable[Any] = (),
    **settings: Any,
) -> dict[str, Evidence]:
    """Assert that every claim of a policy is proven for this model, in one call.

    Arguments: those of `audit_release`.

    Returns:
        The evidence of each claim by its name, when every required claim is PASS and each other one is PASS or not
        testable here, for a reason that lies in the original and the request.

    Raises:
        ReleaseFailure: an AuditFailure of the most severe claim; `.evidences` holds all. Every claim was run and
            recorded.
    """
    __tracebackhide__ = True
    found = audit_release(model, task, policy, unlearner=unlearner, canaries=canaries, files=files, **settings)
    return raise_unless_all_proven(found)
