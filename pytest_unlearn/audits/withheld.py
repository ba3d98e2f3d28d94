"""Evidence of a claim that a model does not let itself be asked: nothing was shown, and that is no PASS."""

from __future__ import annotations

from typing import Any

from pytest_unlearn.audits.provenance import provenance
from pytest_unlearn.evidence import Claim, Estimate, Evidence, Verdict
from pytest_unlearn.settings import resolve
from pytest_unlearn.task import UnlearningTask

ADVICE = (
    "hand over the network itself, of the references' architecture; a filter around it must show what it wraps",
    "or choose a policy without this claim, and say so to whoever relies on the release",
)


def withheld(model: Any, task: UnlearningTask, claim: str, says: str) -> Evidence:
    """INCONCLUSIVE: a claim about weights or layers, of a model that does not show those that references show."""
    return Evidence(
        claim=Claim(name=claim, quantity="nothing that could be measured", lowest=0.0, highest=0.0),
        verdict=Verdict.INCONCLUSIVE,
        estimate=Estimate(
            value=float("nan"),
            low=float("-inf"),
            high=float("inf"),
            confidence=resolve("confidence").value,
            method="not measured",
            n_forget=len(task.forget),
        ),
        decided_by="nothing",
        reasons=(f"this model could not be asked: {says}",),
        advice=ADVICE,
        provenance=provenance(model, (task.forget,), task, original=False, retrained=False),
    )
