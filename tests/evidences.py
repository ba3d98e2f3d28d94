"""Evidence of every kind, built by hand: what the plugin carries and the report prints does not depend on an audit."""

from __future__ import annotations

from typing import Any

from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, Exposure, Verdict


def evidence(
    verdict: str = "PASS",
    value: Any = 0.5,
    name: str = "forgotten",
    highest: float | None = 0.55,
    lowest: float | None = None,
    **rest: Any,
) -> Evidence:
    """Evidence with the given verdict; `rest` replaces any other field."""
    estimate = Estimate(
        value=value, low=value - 0.03, high=value + 0.03, confidence=0.95, method="Hanley", n_forget=400, n_controls=800
    )
    control = ControlResult(name="original", holds=True, attack="margin", estimate=estimate, summary="recognised")
    fields: dict[str, Any] = {
        "claim": Claim(
            name=name, quantity="membership AUC", highest=highest, lowest=lowest, sources={"max_mia_auc": "default"}
        ),
        "verdict": Verdict(verdict),
        "estimate": estimate,
        "decided_by": "margin",
        "attacks": {"margin": estimate, "entropy": estimate},
        "deciding": ("margin",),
        "controls": Controls(original=control, retrained=(control,)),
        "reasons": ("a reason",),
        "most_exposed": (Exposure(index=17, percentile=0.99),),
        "provenance": {"seed": 0, "model": {"type": "torch.nn.Linear", "digest": "5eed" * 16, "not identified": ""}},
    }
    return Evidence(**{**fields, **rest})


class Leak(AssertionError):  # noqa: N818 - like AuditFailure
    """Stands for the exception of a failed assertion: it carries the evidence."""

    def __init__(self, found: Evidence) -> None:
        super().__init__(f"{found.verdict}")
        self.evidence = found
