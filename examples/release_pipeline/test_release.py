"""The gate, which the Makefile runs for each request."""

from pytest_unlearn import assert_forgotten, assert_utility


def test_everything_that_was_asked_for_is_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.6)


def test_the_model_is_as_useful_as_a_retrained_one(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.03, baseline="retrained")
