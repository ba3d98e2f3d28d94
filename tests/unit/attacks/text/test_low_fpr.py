"""The share caught at 1% false positives: only where controls can tell what 1% is."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.attacks.text.low_fpr import least_controls, tpr_at_low_fpr


def test_one_percent_needs_299_controls():
    assert least_controls() == 299
    assert 0.99**299 <= 0.05 < 0.99**298
    forget = np.arange(10.0)
    assert tpr_at_low_fpr(forget, np.arange(298.0)) is None
    assert tpr_at_low_fpr(forget, np.arange(299.0)) is not None


def test_the_share_above_all_but_one_percent_of_the_controls():
    controls = np.arange(300.0)  # three may be accused: 297, 298 and 299
    found = tpr_at_low_fpr([296.0, 297.0, 297.5, 400.0], controls)
    assert found.value == 0.75
    assert 0.0 < found.at(0.95).low < 0.75 < found.at(0.95).high <= 1.0


def test_ties_count_against_the_attacker():
    assert tpr_at_low_fpr(np.zeros(50), np.zeros(400)).value == 0.0


def test_on_average_it_is_the_rate_itself_if_forgotten():
    rng = np.random.default_rng(0)
    found = [tpr_at_low_fpr(rng.normal(size=300), rng.normal(size=600)).value for _ in range(300)]
    assert np.mean(found) == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("fpr", [0.0, 1.0, float("nan")])
def test_other_rates_are_refused(fpr):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        tpr_at_low_fpr([1.0], [1.0], fpr=fpr)
