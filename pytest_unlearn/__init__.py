"""Test whether data that a model was asked to forget is recognisable in it.

Everything public is here.

Names are loaded when they are used (PEP 562): pytest imports this package in every run of every project that has it
installed, and must not pay for torch each time. Each name is written once: claims in the claim table, others below.
`__init__.pyi`, from which editors and type checkers read them, is made by `python -m tools.public_names`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "claims.canaries.planting": ("Canaries", "plant_canaries"),
    "claims.canaries.text.planting": ("TextCanaries", "plant_text_canaries"),
    "claims.policies": ("POLICIES", "Policy", "Step"),
    "claims.release": ("audit_release",),
    "claims.sequence.adversary": ("adaptive_adversary",),
    "conformance.case": ("Case", "Unsupported"),
    "conformance.suite": ("check_unlearner", "unlearner_checks"),
    "core.evidence": ("Claim", "Estimate", "Evidence", "Verdict"),
    "data.text.knowledge": ("Cloze", "MultipleChoice", "OpenQuestion"),
    "data.text.split": ("TextSplit",),
    "data.text.twins": ("counterfactual_twins",),
    "models.endpoint": ("endpoint",),
    "models.lm_eval_samples": ("LmEvalSamples", "read_lm_eval_samples"),
    "models.onnx": ("onnx_model",),
    "models.predict": ("SavedOutputs",),
    "models.saved_writer": ("save_outputs",),
    "models.text.recording": ("record_logprobs",),
    "models.text.saved": ("SavedLogprobs",),
    "report.outside": ("write_report",),
    "search.budget": ("Budget",),
    "search.request": ("ForgetRequest",),
    "search.strategies": ("forget_sets",),
    "search.survives": ("audit_request",),
    "task": ("Split", "UnlearningTask", "reserve_controls"),
    "testing.assertions": ("AuditFailure", "ReleaseFailure", "assert_release"),
    "testing.laws": ("unlearning_laws",),
    "testing.stress": ("stress",),
    "testing.unlearners": ("parametrize_unlearners",),
    "training.causal": ("CausalRecipe",),
    "training.lightning": ("LightningRecipe",),
    "training.recipes": ("EstimatorRecipe", "Recipe", "TorchRecipe"),
    "training.transformers": ("TransformersClassifier", "TransformersRecipe", "audit_every"),
}


def _homes() -> dict[str, str]:
    """Return the module of each public name."""
    from pytest_unlearn.core.claim_table import TABLE

    return {
        **{name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names},
        **{f"audit_{name}": spec.module for name, spec in TABLE.items()},
        **{f"assert_{name}": f"{__name__}.testing.assertions" for name in TABLE},
    }


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from pytest_unlearn.report.environment import own_version

        return own_version()
    homes = _homes()
    if name == "__all__":
        return sorted([*homes, "__version__"])
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes(), "__all__", "__version__"})
