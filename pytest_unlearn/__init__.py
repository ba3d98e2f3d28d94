"""Whether data that a model was asked to forget is still recognisable in it, as tests. Everything public is here.

Names are loaded when first used (PEP 562): pytest imports this package in every run of every project that has it
installed, and must not pay for torch each time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_unlearn.claims.accuracy import audit_matches_retrained as audit_matches_retrained
    from pytest_unlearn.claims.accuracy import audit_utility as audit_utility
    from pytest_unlearn.claims.algorithm.audit import audit_algorithm as audit_algorithm
    from pytest_unlearn.claims.canaries.audit import audit_canaries_forgotten as audit_canaries_forgotten
    from pytest_unlearn.claims.canaries.planting import Canaries as Canaries
    from pytest_unlearn.claims.canaries.planting import plant_canaries as plant_canaries
    from pytest_unlearn.claims.class_forgotten.audit import audit_class_forgotten as audit_class_forgotten
    from pytest_unlearn.claims.efficient.audit import audit_efficient as audit_efficient
    from pytest_unlearn.claims.features.audit import audit_features_forgotten as audit_features_forgotten
    from pytest_unlearn.claims.forgotten.audit import audit_forgotten as audit_forgotten
    from pytest_unlearn.claims.indistinguishable.audit import audit_indistinguishable as audit_indistinguishable
    from pytest_unlearn.claims.policies import POLICIES as POLICIES
    from pytest_unlearn.claims.policies import Policy as Policy
    from pytest_unlearn.claims.policies import Step as Step
    from pytest_unlearn.claims.relearning.audit import audit_not_relearnable as audit_not_relearnable
    from pytest_unlearn.claims.release import audit_release as audit_release
    from pytest_unlearn.claims.residual.audit import audit_no_residual as audit_no_residual
    from pytest_unlearn.claims.sequence.adversary import adaptive_adversary as adaptive_adversary
    from pytest_unlearn.claims.sequence.audit import audit_sequence as audit_sequence
    from pytest_unlearn.conformance.case import Case as Case
    from pytest_unlearn.conformance.case import Unsupported as Unsupported
    from pytest_unlearn.conformance.suite import check_unlearner as check_unlearner
    from pytest_unlearn.conformance.suite import unlearner_checks as unlearner_checks
    from pytest_unlearn.core.evidence import Claim as Claim
    from pytest_unlearn.core.evidence import Estimate as Estimate
    from pytest_unlearn.core.evidence import Evidence as Evidence
    from pytest_unlearn.core.evidence import Verdict as Verdict
    from pytest_unlearn.models.predict import SavedOutputs as SavedOutputs
    from pytest_unlearn.search.budget import Budget as Budget
    from pytest_unlearn.search.request import ForgetRequest as ForgetRequest
    from pytest_unlearn.search.strategies import forget_sets as forget_sets
    from pytest_unlearn.search.survives import audit_request as audit_request
    from pytest_unlearn.search.survives import audit_survives as audit_survives
    from pytest_unlearn.task import Split as Split
    from pytest_unlearn.task import UnlearningTask as UnlearningTask
    from pytest_unlearn.task import reserve_controls as reserve_controls
    from pytest_unlearn.testing.assertions import AuditFailure as AuditFailure
    from pytest_unlearn.testing.assertions import ReleaseFailure as ReleaseFailure
    from pytest_unlearn.testing.assertions import assert_algorithm as assert_algorithm
    from pytest_unlearn.testing.assertions import assert_canaries_forgotten as assert_canaries_forgotten
    from pytest_unlearn.testing.assertions import assert_class_forgotten as assert_class_forgotten
    from pytest_unlearn.testing.assertions import assert_efficient as assert_efficient
    from pytest_unlearn.testing.assertions import assert_features_forgotten as assert_features_forgotten
    from pytest_unlearn.testing.assertions import assert_forgotten as assert_forgotten
    from pytest_unlearn.testing.assertions import assert_indistinguishable as assert_indistinguishable
    from pytest_unlearn.testing.assertions import assert_matches_retrained as assert_matches_retrained
    from pytest_unlearn.testing.assertions import assert_no_residual as assert_no_residual
    from pytest_unlearn.testing.assertions import assert_not_relearnable as assert_not_relearnable
    from pytest_unlearn.testing.assertions import assert_release as assert_release
    from pytest_unlearn.testing.assertions import assert_sequence as assert_sequence
    from pytest_unlearn.testing.assertions import assert_survives as assert_survives
    from pytest_unlearn.testing.assertions import assert_utility as assert_utility
    from pytest_unlearn.testing.laws import unlearning_laws as unlearning_laws
    from pytest_unlearn.testing.stress import stress as stress
    from pytest_unlearn.testing.unlearners import parametrize_unlearners as parametrize_unlearners
    from pytest_unlearn.training.recipes import EstimatorRecipe as EstimatorRecipe
    from pytest_unlearn.training.recipes import Recipe as Recipe
    from pytest_unlearn.training.recipes import TorchRecipe as TorchRecipe

    __version__: str

_HOMES = {
    "testing.assertions": (
        "AuditFailure",
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
    ),
    "claims.algorithm.audit": ("audit_algorithm",),
    "claims.canaries.audit": ("audit_canaries_forgotten",),
    "claims.class_forgotten.audit": ("audit_class_forgotten",),
    "claims.efficient.audit": ("audit_efficient",),
    "claims.features.audit": ("audit_features_forgotten",),
    "claims.forgotten.audit": ("audit_forgotten",),
    "claims.indistinguishable.audit": ("audit_indistinguishable",),
    "claims.accuracy": (
        "audit_matches_retrained",
        "audit_utility",
    ),
    "claims.relearning.audit": ("audit_not_relearnable",),
    "claims.release": ("audit_release",),
    "claims.sequence.adversary": ("adaptive_adversary",),
    "claims.residual.audit": ("audit_no_residual",),
    "claims.sequence.audit": ("audit_sequence",),
    "claims.canaries.planting": (
        "Canaries",
        "plant_canaries",
    ),
    "conformance.suite": (
        "unlearner_checks",
        "check_unlearner",
    ),
    "conformance.case": (
        "Case",
        "Unsupported",
    ),
    "testing.unlearners": ("parametrize_unlearners",),
    "core.evidence": (
        "Claim",
        "Estimate",
        "Evidence",
        "Verdict",
    ),
    "models.predict": ("SavedOutputs",),
    "claims.policies": (
        "POLICIES",
        "Policy",
        "Step",
    ),
    "training.recipes": (
        "EstimatorRecipe",
        "Recipe",
        "TorchRecipe",
    ),
    "testing.stress": ("stress",),
    "search.budget": ("Budget",),
    "testing.laws": ("unlearning_laws",),
    "search.request": ("ForgetRequest",),
    "search.strategies": ("forget_sets",),
    "search.survives": (
        "audit_request",
        "audit_survives",
    ),
    "task": (
        "Split",
        "UnlearningTask",
        "reserve_controls",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "POLICIES",
    "AuditFailure",
    "Budget",
    "Canaries",
    "Case",
    "Claim",
    "Estimate",
    "EstimatorRecipe",
    "Evidence",
    "ForgetRequest",
    "Policy",
    "Recipe",
    "ReleaseFailure",
    "SavedOutputs",
    "Split",
    "Step",
    "TorchRecipe",
    "UnlearningTask",
    "Unsupported",
    "Verdict",
    "__version__",
    "adaptive_adversary",
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
    "audit_algorithm",
    "audit_canaries_forgotten",
    "audit_class_forgotten",
    "audit_efficient",
    "audit_features_forgotten",
    "audit_forgotten",
    "audit_indistinguishable",
    "audit_matches_retrained",
    "audit_no_residual",
    "audit_not_relearnable",
    "audit_release",
    "audit_request",
    "audit_sequence",
    "audit_survives",
    "audit_utility",
    "check_unlearner",
    "forget_sets",
    "parametrize_unlearners",
    "plant_canaries",
    "reserve_controls",
    "stress",
    "unlearner_checks",
    "unlearning_laws",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from pytest_unlearn.report.environment import own_version

        return own_version()
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
