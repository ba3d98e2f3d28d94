"""The gate: `pytest examples/shift/test_release.py --unlearn-gate --unlearn-report`."""

from pytest_unlearn import assert_forgotten, assert_utility


def test_the_biopsies_are_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.65)


def test_the_model_is_still_useful(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.05, baseline="retrained")
