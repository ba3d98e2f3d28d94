"""The release gate: run it with `pytest examples/digits_release_gate --unlearn-report`, or `make audit`."""

from pytest_unlearn import Verdict, assert_forgotten, assert_utility, audit_forgotten
from unlearners import FineTune

MAX_MIA_AUC = 0.60  # 300 forget examples cannot certify 0.55: see docs/explanation/small-requests.md


def test_request_is_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=MAX_MIA_AUC)


def test_model_is_still_useful(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.02)


def test_the_original_would_not_be_released(original_model, forget_loader):
    assert audit_forgotten(original_model, forget_loader, max_mia_auc=MAX_MIA_AUC).verdict is Verdict.FAIL


def test_a_fine_tuned_model_would_not_be_released(unlearning_task, forget_loader):
    fine_tuned = unlearning_task.unlearn(FineTune())
    assert audit_forgotten(fine_tuned, forget_loader, max_mia_auc=MAX_MIA_AUC).verdict is Verdict.FAIL
