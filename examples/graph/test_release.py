"""The gate: `pytest examples/graph/test_release.py --unlearn-gate --unlearn-report`."""

from pytest_unlearn import assert_forgotten, assert_matches_retrained, assert_utility


def test_blogs_are_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.6)


def test_the_network_is_still_useful(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.05, baseline="retrained")


def test_neighbours_of_deleted_blogs_are_answered_as_by_retrained_networks(unlearned_model, neighbour_loader):
    assert_matches_retrained(unlearned_model, neighbour_loader, max_gap=0.05)
