"""The challenge's score: what Gaussian laws give, its accuracy ratios, its cut-off."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn import metrics as compat


def logits(models, examples, shift=0.0, seed=0):
    """Two classes: the logit-scaled confidence of label 1 is the second logit."""
    values = np.random.default_rng(seed).normal(shift, 1, size=(models, examples))
    return np.stack([np.zeros_like(values), values], axis=2)


LABELS = np.ones(100, dtype=int)
EVEN = {"retain_accuracies": (0.9, 0.9), "test_accuracies": (0.8, 0.8)}


def test_equal_laws_score_a_fifth_and_there_is_no_target():
    found = compat.neurips2023_score(logits(64, 100), logits(64, 100, seed=1), LABELS, **EVEN)
    assert 0.15 < found.value < 0.22
    assert found.target is None
    assert "not 1" in found.caution
    assert compat.neurips2023_score(logits(64, 100, 2.0), logits(64, 100, seed=1), LABELS, **EVEN).value < 0.02


def test_accuracies_multiply_and_slow_methods_score_nothing():
    pair = logits(16, 100), logits(16, 100, seed=1)
    even = compat.neurips2023_score(*pair, LABELS, **EVEN).value
    uneven = {"retain_accuracies": (0.45, 0.9), "test_accuracies": (0.88, 0.8)}
    assert compat.neurips2023_score(*pair, LABELS, **uneven).value == pytest.approx(even * 0.55)
    assert compat.neurips2023_score(*pair, LABELS, **EVEN, time_fraction=0.2).value == even
    assert compat.neurips2023_score(*pair, LABELS, **EVEN, time_fraction=0.21).value == 0.0


@pytest.mark.parametrize(
    ("ours", "labels", "says"),
    [
        (logits(16, 100)[:, :, 0], LABELS, "logits have shape"),
        (logits(8, 100), LABELS, "as many of each"),
        (logits(16, 100), LABELS[:-1], "a label for each example"),
        (logits(16, 100), LABELS + 1, "columns of the logits"),
    ],
)
def test_what_makes_no_sense_is_refused(ours, labels, says):
    with pytest.raises(ValueError, match=says):
        compat.neurips2023_score(ours, logits(16, 100), labels, **EVEN)
