"""The gate: `pytest examples/people/test_release.py -m "" --unlearn-gate --unlearn-report`."""

import pytest

from pytest_unlearn import assert_class_forgotten, assert_forgotten

pytestmark = pytest.mark.slow  # six trainings


def test_their_photographs_are_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.6)


def test_they_are_not_recognised(unlearned_model, forget_loader):
    assert_class_forgotten(unlearned_model, forget_loader, max_gap=0.05, max_drop=0.05)
