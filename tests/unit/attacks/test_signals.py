"""Per-example statistics against closed forms and published values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from pytest_unlearn.attacks.signals import (
    augmentation_stability,
    boundary_distance,
    correctness,
    hinge_margin,
    log_probability,
    logit_scaled_confidence,
    negative_entropy,
    negative_gradient_norm,
    negative_modified_entropy,
)
from pytest_unlearn.core.evidence import Outputs

SIGNALS = (logit_scaled_confidence, hinge_margin, negative_entropy, negative_modified_entropy, correctness)


def outputs(probabilities, labels):
    return Outputs(logits=np.log(np.array(probabilities, dtype=float)), labels=np.array(labels))


def test_modified_entropy_equals_the_published_values():
    p = [[0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [1 / 3] * 3]
    assert -negative_modified_entropy(outputs(p, [0, 1, 2])) == pytest.approx(
        [0.0156653810, 4.9208369083, 1.0027182645], abs=1e-10
    )


def test_modified_entropy_of_an_example_does_not_depend_on_the_batch():
    """The defect of a much copied implementation, which indexes columns by all labels of the batch."""
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=6)
    labels = [0, 1, 2, 3, 0, 1]
    together = negative_modified_entropy(outputs(p, labels))
    alone = [negative_modified_entropy(outputs(p[i : i + 1], labels[i : i + 1]))[0] for i in range(6)]
    assert together == pytest.approx(alone, abs=1e-14)


def test_confidence_is_the_log_odds_of_the_label():
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=20)
    labels = np.arange(20) % 5
    own = p[np.arange(20), labels]
    assert logit_scaled_confidence(outputs(p, labels)) == pytest.approx(np.log(own / (1 - own)))


def test_confidence_does_not_saturate_where_probabilities_do():
    logits = np.array([[800.0, 0, 0], [900.0, 0, 0]])
    values = logit_scaled_confidence(Outputs(logits=logits, labels=np.array([0, 0])))
    assert values == pytest.approx([800 - np.log(2), 900 - np.log(2)])


def test_entropy_is_that_of_the_probabilities():
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=20)
    assert negative_entropy(outputs(p, [0] * 20)) == pytest.approx((p * np.log(p)).sum(1))


def test_modified_entropy_keeps_its_digits_when_the_model_is_certain():
    logits = np.array([[0.0, 60.0, 0.0], [60.0, 0.0, 0.0]])
    value = -negative_modified_entropy(Outputs(logits=logits, labels=np.array([0, 0])))
    rest = np.log(2) - logsumexp([0, 60, 0])  # log(1 - p) of the certain class
    assert value[0] == pytest.approx(60 - rest, rel=1e-12)
    assert 0 < value[1] < 1e-20


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 8), st.floats(0.01, 100), st.integers(0, 2**32 - 1))
def test_every_statistic_ignores_a_shift_of_all_logits_and_is_finite(classes, scale, seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(10, classes)) * scale, rng.integers(classes, size=10)
    for signal in SIGNALS:
        plain = signal(Outputs(logits=logits, labels=labels))
        shifted = signal(Outputs(logits=logits + 3.0, labels=labels))
        assert np.isfinite(plain).all()
        assert shifted == pytest.approx(plain, rel=1e-9, abs=1e-9)


def test_margin_keeps_the_order_under_any_temperature_and_equals_confidence_for_two_classes():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 4)), rng.integers(4, size=50)
    hot = hinge_margin(Outputs(logits=logits / 20, labels=labels))
    assert np.array_equal(np.argsort(hot), np.argsort(hinge_margin(Outputs(logits=logits, labels=labels))))
    two = Outputs(logits=logits[:, :2], labels=labels % 2)
    assert hinge_margin(two) == pytest.approx(logit_scaled_confidence(two))


def test_correctness_is_that_of_the_largest_logit():
    assert correctness(outputs([[0.6, 0.4], [0.4, 0.6]], [0, 0])).tolist() == [1, 0]


class TestSignalsOfFurtherQueries:
    """What was asked besides logits is found under the query's name."""

    LABELS = np.array([0, 1, 1])

    def outputs(self, **asked):
        return Outputs(logits=np.zeros((3, 2)), labels=self.LABELS, asked=asked)

    def test_a_small_gradient_is_like_a_member(self):
        found = negative_gradient_norm(self.outputs(**{"gradient norm": np.array([1e-3, 1.0, 0.0])}))
        assert found[:2] == pytest.approx([-np.log(1e-3), 0.0])
        assert np.isfinite(found[2])
        assert found[2] > found[0]

    def test_stability_is_the_share_of_right_labels(self):
        logits = np.zeros((3, 4, 2))
        logits[0, :, 0] = 1.0  # always right
        logits[1, :3, 1], logits[1, 3, 0] = 1.0, 1.0  # right three times in four
        logits[2, :, 0] = 1.0  # never
        assert augmentation_stability(self.outputs(augmentations=logits)).tolist() == [1.0, 0.75, 0.0]

    def test_distance_is_itself(self):
        distance = np.array([0.5, 0.0, 2.0])
        assert (boundary_distance(self.outputs(**{"boundary distance": distance})) == distance).all()

    def test_what_was_not_asked_is_not_there(self):
        for signal in (negative_gradient_norm, augmentation_stability, boundary_distance):
            with pytest.raises(KeyError):
                signal(self.outputs())


@pytest.mark.parametrize("signal", [*SIGNALS, log_probability])
def test_signals_of_a_million_logits_are_those_of_their_rows(signal):
    rng = np.random.default_rng(0)
    logits, labels = 3 * rng.normal(size=(1100, 1000)), rng.integers(0, 1000, 1100)
    some = [slice(0, 3), slice(1040, 1060), slice(1099, 1100)]
    found = signal(Outputs(logits=logits, labels=labels))
    for rows in some:
        assert np.array_equal(found[rows], signal(Outputs(logits=logits[rows], labels=labels[rows])))
