"""The gate: `pytest examples/cifar10/test_release.py -m "" --unlearn-gate --unlearn-report`."""

import pytest

from pytest_unlearn import assert_forgotten, assert_utility

pytestmark = pytest.mark.slow  # six trainings of a ResNet-18


def test_images_are_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.65)


def test_the_network_is_still_useful(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.1, baseline="retrained")
