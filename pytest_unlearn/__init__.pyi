# Made by `python -m tools.public_names`; a test compares.

from pytest_unlearn.claims.accuracy import audit_matches_retrained as audit_matches_retrained
from pytest_unlearn.claims.accuracy import audit_utility as audit_utility
from pytest_unlearn.claims.algorithm.audit import audit_algorithm as audit_algorithm
from pytest_unlearn.claims.canaries.audit import audit_canaries_forgotten as audit_canaries_forgotten
from pytest_unlearn.claims.canaries.planting import Canaries as Canaries
from pytest_unlearn.claims.canaries.planting import plant_canaries as plant_canaries
from pytest_unlearn.claims.canaries.text.planting import TextCanaries as TextCanaries
from pytest_unlearn.claims.canaries.text.planting import plant_text_canaries as plant_text_canaries
from pytest_unlearn.claims.class_forgotten.audit import audit_class_forgotten as audit_class_forgotten
from pytest_unlearn.claims.efficient.audit import audit_efficient as audit_efficient
from pytest_unlearn.claims.features.audit import audit_features_forgotten as audit_features_forgotten
from pytest_unlearn.claims.forgotten.audit import audit_forgotten as audit_forgotten
from pytest_unlearn.claims.indistinguishable.audit import audit_indistinguishable as audit_indistinguishable
from pytest_unlearn.claims.leakage_reduced.audit import audit_leakage_reduced as audit_leakage_reduced
from pytest_unlearn.claims.policies import POLICIES as POLICIES
from pytest_unlearn.claims.policies import Policy as Policy
from pytest_unlearn.claims.policies import Step as Step
from pytest_unlearn.claims.relearning.audit import audit_not_relearnable as audit_not_relearnable
from pytest_unlearn.claims.release import audit_release as audit_release
from pytest_unlearn.claims.residual.audit import audit_no_residual as audit_no_residual
from pytest_unlearn.claims.sequence.adversary import adaptive_adversary as adaptive_adversary
from pytest_unlearn.claims.sequence.audit import audit_sequence as audit_sequence
from pytest_unlearn.claims.text.extraction import audit_not_extractable as audit_not_extractable
from pytest_unlearn.claims.text.forgotten import audit_text_forgotten as audit_text_forgotten
from pytest_unlearn.claims.text.knowledge import audit_knowledge_forgotten as audit_knowledge_forgotten
from pytest_unlearn.claims.text.residual import audit_text_residual as audit_text_residual
from pytest_unlearn.claims.text.utility import audit_text_utility as audit_text_utility
from pytest_unlearn.conformance.case import Case as Case
from pytest_unlearn.conformance.case import Unsupported as Unsupported
from pytest_unlearn.conformance.suite import check_unlearner as check_unlearner
from pytest_unlearn.conformance.suite import unlearner_checks as unlearner_checks
from pytest_unlearn.core.evidence import Claim as Claim
from pytest_unlearn.core.evidence import Estimate as Estimate
from pytest_unlearn.core.evidence import Evidence as Evidence
from pytest_unlearn.core.evidence import Verdict as Verdict
from pytest_unlearn.data.text.knowledge import Cloze as Cloze
from pytest_unlearn.data.text.knowledge import MultipleChoice as MultipleChoice
from pytest_unlearn.data.text.knowledge import OpenQuestion as OpenQuestion
from pytest_unlearn.data.text.split import TextSplit as TextSplit
from pytest_unlearn.data.text.twins import counterfactual_twins as counterfactual_twins
from pytest_unlearn.models.endpoint import endpoint as endpoint
from pytest_unlearn.models.lm_eval_samples import LmEvalSamples as LmEvalSamples
from pytest_unlearn.models.lm_eval_samples import read_lm_eval_samples as read_lm_eval_samples
from pytest_unlearn.models.onnx import onnx_model as onnx_model
from pytest_unlearn.models.predict import SavedOutputs as SavedOutputs
from pytest_unlearn.models.saved_writer import save_outputs as save_outputs
from pytest_unlearn.models.text.recording import record_logprobs as record_logprobs
from pytest_unlearn.models.text.saved import SavedLogprobs as SavedLogprobs
from pytest_unlearn.report.outside import write_report as write_report
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
from pytest_unlearn.testing.assertions import assert_release as assert_release
from pytest_unlearn.testing.laws import unlearning_laws as unlearning_laws
from pytest_unlearn.testing.stress import stress as stress
from pytest_unlearn.testing.unlearners import parametrize_unlearners as parametrize_unlearners
from pytest_unlearn.training.causal import CausalRecipe as CausalRecipe
from pytest_unlearn.training.lightning import LightningRecipe as LightningRecipe
from pytest_unlearn.training.recipes import EstimatorRecipe as EstimatorRecipe
from pytest_unlearn.training.recipes import Recipe as Recipe
from pytest_unlearn.training.recipes import TorchRecipe as TorchRecipe
from pytest_unlearn.training.transformers import TransformersClassifier as TransformersClassifier
from pytest_unlearn.training.transformers import TransformersRecipe as TransformersRecipe
from pytest_unlearn.training.transformers import audit_every as audit_every

__all__: list[str]
__version__: str
assert_algorithm = audit_algorithm
assert_canaries_forgotten = audit_canaries_forgotten
assert_class_forgotten = audit_class_forgotten
assert_efficient = audit_efficient
assert_features_forgotten = audit_features_forgotten
assert_forgotten = audit_forgotten
assert_indistinguishable = audit_indistinguishable
assert_knowledge_forgotten = audit_knowledge_forgotten
assert_leakage_reduced = audit_leakage_reduced
assert_matches_retrained = audit_matches_retrained
assert_no_residual = audit_no_residual
assert_not_extractable = audit_not_extractable
assert_not_relearnable = audit_not_relearnable
assert_sequence = audit_sequence
assert_survives = audit_survives
assert_text_forgotten = audit_text_forgotten
assert_text_residual = audit_text_residual
assert_text_utility = audit_text_utility
assert_utility = audit_utility
