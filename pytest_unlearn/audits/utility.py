"""audit_utility: is the unlearned model still as accurate as it has to be?"""

from __future__ import annotations

from typing import Any

from pytest_unlearn.audits.paired import compare, conclude
from pytest_unlearn.evidence import Claim, Evidence
from pytest_unlearn.outputs import Output
from pytest_unlearn.settings import CONFIDENCE, MAX_DROP, resolve


def audit_utility(
    model: Any,
    test: Any,
    max_drop: float = MAX_DROP,
    *,
    baseline: Any = "original",
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Is the model's accuracy at most `max_drop` below its baseline's? A paired non-inferiority claim.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        test: the test view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset with `baseline=`.
        max_drop: largest tolerated drop in accuracy, from 0 and below 1. A perfect method's drop against "retrained"
            is 0; against "original" it is whatever the deleted data were worth.
        baseline: "original", "retrained" (the mean of the references), or a model or list of models.
        confidence: of the one-sided bound.
        output: which entry of a dict or tuple output holds the logits.

    Returns:
        Evidence; its estimate is the drop, baseline minus model. PASS needs the upper bound within max_drop.

    Raises:
        ValueError: a bare loader without `baseline=`, or a task without such models.

    Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
        paired-sample design", eq. 6-8.
    """
    limit, level = resolve("max_drop", max_drop), resolve("confidence", confidence)
    claim = Claim(
        name="utility",
        quantity="drop in accuracy",
        highest=limit.value,
        sources={"max_drop": limit.source, "confidence": level.source},
    )
    return conclude(model, compare(model, test, baseline, output=output), claim, level.value, drop=True)
