"""Whether data that a model was asked to forget is still recognisable in it, as tests. Everything public is here.

Names are loaded when first used (PEP 562): pytest imports this package in every run of every project that has it
installed, and must not pay for torch each time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_unlearn.assertions import AuditFailure as AuditFailure
    from pytest_unlearn.assertions import ReleaseFailure as ReleaseFailure
    from pytest_unlearn.assertions import assert_algorithm as assert_algorithm
    from pytest_unlearn.assertions import assert_canaries_forgotten as assert_canaries_forgotten
    from pytest_unlearn.assertions import assert_class_forgotten as assert_class_forgotten
    from pytest_unlearn.assertions import assert_efficient as assert_efficient
    from pytest_unlearn.assertions import assert_features_forgotten as assert_features_forgotten
    from pytest_unlearn.assertions import assert_forgotten as assert_forgotten
    from pytest_unlearn.assertions import assert_indistinguishable as assert_indistinguishable
    from pytest_unlearn.assertions import assert_matches_retrained as assert_matches_retrained
    from pytest_unlearn.assertions import assert_no_residual as assert_no_residual
    from pytest_unlearn.assertions import assert_not_relearnable as assert_not_relearnable
    from pytest_unlearn.assertions import assert_release as assert_release
    from pytest_unlearn.assertions import assert_sequence as assert_sequence
    from pytest_unlearn.assertions import assert_survives as assert_survives
    from pytest_unlearn.assertions import assert_utility as assert_utility
    from pytest_unlearn.audits.algorithm import audit_algorithm as audit_algorithm
    from pytest_unlearn.audits.canaries import audit_canaries_forgotten as audit_canaries_forgotten
    from pytest_unlearn.audits.class_forgotten import audit_class_forgotten as audit_class_forgotten
    from pytest_unlearn.audits.efficient import audit_efficient as audit_efficient
    from pytest_unlearn.audits.features import audit_features_forgotten as audit_features_forgotten
    from pytest_unlearn.audits.forgotten import audit_forgotten as audit_forgotten
    from pytest_unlearn.audits.indistinguishable import audit_indistinguishable as audit_indistinguishable
    from pytest_unlearn.audits.matches_retrained import audit_matches_retrained as audit_matches_retrained
    from pytest_unlearn.audits.relearning import audit_not_relearnable as audit_not_relearnable
    from pytest_unlearn.audits.release import audit_release as audit_release
    from pytest_unlearn.audits.requests import adaptive_adversary as adaptive_adversary
    from pytest_unlearn.audits.residual import audit_no_residual as audit_no_residual
    from pytest_unlearn.audits.sequence import audit_sequence as audit_sequence
    from pytest_unlearn.audits.utility import audit_utility as audit_utility
    from pytest_unlearn.canaries.planting import Canaries as Canaries
    from pytest_unlearn.canaries.planting import plant_canaries as plant_canaries
    from pytest_unlearn.conformance.battery import unlearner_checks as unlearner_checks
    from pytest_unlearn.conformance.case import Case as Case
    from pytest_unlearn.conformance.case import Unsupported as Unsupported
    from pytest_unlearn.conformance.decorator import parametrize_unlearners as parametrize_unlearners
    from pytest_unlearn.conformance.report import check_unlearner as check_unlearner
    from pytest_unlearn.evidence import Claim as Claim
    from pytest_unlearn.evidence import Estimate as Estimate
    from pytest_unlearn.evidence import Evidence as Evidence
    from pytest_unlearn.evidence import Verdict as Verdict
    from pytest_unlearn.outputs import SavedOutputs as SavedOutputs
    from pytest_unlearn.policies import POLICIES as POLICIES
    from pytest_unlearn.policies import Policy as Policy
    from pytest_unlearn.policies import Step as Step
    from pytest_unlearn.references.recipe import EstimatorRecipe as EstimatorRecipe
    from pytest_unlearn.references.recipe import Recipe as Recipe
    from pytest_unlearn.references.recipe import TorchRecipe as TorchRecipe
    from pytest_unlearn.stress.as_tests import stress as stress
    from pytest_unlearn.stress.budget import Budget as Budget
    from pytest_unlearn.stress.law_tests import unlearning_laws as unlearning_laws
    from pytest_unlearn.stress.requests import ForgetRequest as ForgetRequest
    from pytest_unlearn.stress.strategy import forget_sets as forget_sets
    from pytest_unlearn.stress.survive import audit_request as audit_request
    from pytest_unlearn.stress.survive import audit_survives as audit_survives
    from pytest_unlearn.task import Split as Split
    from pytest_unlearn.task import UnlearningTask as UnlearningTask
    from pytest_unlearn.task import reserve_controls as reserve_controls

    __version__: str

_HOMES = {
    "assertions": (
        "AuditFailure",
        "ReleaseFailure",
        "assert_release",
        "assert_algorithm",
        "assert_class_forgotten",
        "assert_efficient",
        "assert_features_forgotten",
        "assert_canaries_forgotten",
        "assert_forgotten",
        "assert_indistinguishable",
        "assert_matches_retrained",
        "assert_no_residual",
        "assert_not_relearnable",
        "assert_sequence",
        "assert_survives",
        "assert_utility",
    ),
    "audits.algorithm": ("audit_algorithm",),
    "audits.class_forgotten": ("audit_class_forgotten",),
    "audits.efficient": ("audit_efficient",),
    "audits.features": ("audit_features_forgotten",),
    "audits.canaries": ("audit_canaries_forgotten",),
    "audits.forgotten": ("audit_forgotten",),
    "audits.indistinguishable": ("audit_indistinguishable",),
    "audits.matches_retrained": ("audit_matches_retrained",),
    "audits.relearning": ("audit_not_relearnable",),
    "audits.requests": ("adaptive_adversary",),
    "audits.release": ("audit_release",),
    "audits.residual": ("audit_no_residual",),
    "audits.sequence": ("audit_sequence",),
    "audits.utility": ("audit_utility",),
    "canaries": ("Canaries", "plant_canaries"),
    "conformance": ("Case", "Unsupported", "check_unlearner", "parametrize_unlearners", "unlearner_checks"),
    "evidence": ("Claim", "Estimate", "Evidence", "Verdict"),
    "outputs": ("SavedOutputs",),
    "policies": ("POLICIES", "Policy", "Step"),
    "references.recipe": ("EstimatorRecipe", "Recipe", "TorchRecipe"),
    "stress.as_tests": ("stress",),
    "stress.budget": ("Budget",),
    "stress.law_tests": ("unlearning_laws",),
    "stress.requests": ("ForgetRequest",),
    "stress.strategy": ("forget_sets",),
    "stress.survive": ("audit_request", "audit_survives"),
    "task": ("Split", "UnlearningTask", "reserve_controls"),
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
        from pytest_unlearn.report.about import own_version

        return own_version()
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
