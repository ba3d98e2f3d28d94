"""The gate: `pytest examples/customers --unlearn-report`."""

from pytest_unlearn import assert_forgotten, assert_utility


def test_customers_are_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.7)


def test_model_is_still_useful(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.05)
