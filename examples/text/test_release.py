"""The gate: `pytest examples/text --unlearn-report`."""

from pytest_unlearn import assert_text_forgotten, assert_text_utility


def test_docstrings_are_forgotten(unlearned_model, unlearning_task):
    assert_text_forgotten(unlearned_model, unlearning_task.forget, max_mia_auc=0.65)


def test_language_is_kept(unlearned_model, unlearning_task):
    assert_text_utility(unlearned_model, unlearning_task.test, max_drop=0.1, baseline="retrained")
