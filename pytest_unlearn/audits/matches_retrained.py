"""audit_matches_retrained: does the model get as many examples right as retrained models do, no more and no fewer?"""

from __future__ import annotations

from typing import Any

from pytest_unlearn.audits.paired import compare, conclude
from pytest_unlearn.evidence import Claim, Evidence
from pytest_unlearn.outputs import Output
from pytest_unlearn.settings import CONFIDENCE, MAX_GAP, resolve


def audit_matches_retrained(
    model: Any,
    view: Any,
    max_gap: float = MAX_GAP,
    *,
    baseline: Any = "retrained",
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Is the model's accuracy within `max_gap` of the retrained references', on either side? A paired equivalence.

    On the forget view this is the literature's unlearning-accuracy gap (UA), on retain RA, on test TA.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        view: any view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset with `baseline=`.
        max_gap: largest tolerated difference in accuracy, above 0 and below 1. Perfect unlearning gives 0.
        baseline: "retrained" (the mean of the references), or a retrained model or list of them.
        confidence: of each one-sided bound.
        output: which entry of a dict or tuple output holds the logits.

    Returns:
        Evidence; its estimate is model minus references. PASS needs both bounds within max_gap.

    Raises:
        ValueError: a bare loader without `baseline=`, or a task without references.

    Source: two one-sided tests, Schuirmann 1987; Tango 1998 for one reference.
    """
    limit, level = resolve("max_gap", max_gap), resolve("confidence", confidence)
    claim = Claim(
        name="matches_retrained",
        quantity="accuracy minus the retrained models'",
        lowest=-limit.value,
        highest=limit.value,
        sources={"max_gap": limit.source, "confidence": level.source},
    )
    return conclude(model, compare(model, view, baseline, output=output), claim, level.value, drop=False)
