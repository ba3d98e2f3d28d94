"""All strata measured at once: what each one alone would be measured to be."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_unlearn.statistics import (
    ExtremeMeasure,
    auc_difference,
    auc_differences_by_stratum,
    auc_measure,
    aucs_by_stratum,
)

GROUPED = ("examples", "groups", "groups on both sides", "controls in groups")


def comparison(seed, grouped, decimals, strata=None):
    """Scores, strata and groups of a few strata, down to one with a single example on each side."""
    rng = np.random.default_rng(seed)
    count = strata or rng.integers(2, 8)
    m, n = rng.integers(count, 120), rng.integers(2 * count, 400)
    forget_strata = np.concatenate([np.arange(count), rng.integers(0, count, m - count)])
    control_strata = np.concatenate([np.arange(count), rng.integers(0, count + 2, n - count)])  # two are not compared
    forget = (rng.normal(size=m) + rng.choice([0.0, 1.0, 8.0])).round(decimals)
    groups = {
        "examples": (None, None),
        "groups": (rng.integers(0, m, m), rng.integers(m, m + n, n)),
        "groups on both sides": (rng.integers(0, 30, m), rng.integers(0, 30, n)),
        "controls in groups": (None, rng.integers(0, n // 3 + 1, n)),
    }[grouped]
    references = [rng.normal(size=(rng.integers(1, 4), m)).round(decimals)]
    references.append(rng.normal(size=(len(references[0]), n)).round(decimals))
    return (forget, rng.normal(size=n).round(decimals)), references, (forget_strata, control_strata), groups


def labelled(strata, groups):
    names = ("forget_strata", "control_strata", "forget_groups", "control_groups")
    return dict(zip(names, (*strata, *groups), strict=True))


def of(number, sides, strata):
    """What lies in one stratum of forget set and controls; sides may be absent, or have a row a reference."""
    return [
        None if one is None else one[..., labels == number] for one, labels in zip(sides, strata, strict=True)
    ]  # fmt: skip


def same(one, other):
    assert one.method == other.method
    assert (one.n_forget, one.n_controls) == (other.n_forget, other.n_controls)
    for bound in ("value", "low", "high"):
        assert getattr(one, bound) == pytest.approx(getattr(other, bound), abs=1e-12)


@given(
    seed=st.integers(0, 2**32 - 1), grouped=st.sampled_from(GROUPED), decimals=st.sampled_from([0, 1, 9]),
    beside=st.booleans(), confidence=st.sampled_from([0.9, 0.95, 0.9999]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_each_stratum_is_measured_as_if_it_were_alone(seed, grouped, decimals, beside, confidence):
    scores, references, strata, groups = comparison(seed, grouped, decimals)
    given_scores = (*scores, *references) if beside else scores
    together = (auc_differences_by_stratum if beside else aucs_by_stratum)(*given_scores, **labelled(strata, groups))
    low, high = together.bounds(confidence)
    assert len(together) == len(np.unique(strata[0]))
    for number, one in enumerate(together):
        own = of(number, scores, strata) + (of(number, references, strata) if beside else [])
        labels = labelled(of(number, strata, strata), of(number, groups, strata))
        alone = (auc_difference if beside else auc_measure)(*own, **labels).at(confidence)
        same(one.at(confidence), alone)
        assert together.values[number] == pytest.approx(alone.value, abs=1e-12)
        assert (low[number], high[number]) == pytest.approx((alone.low, alone.high), abs=1e-12)


@pytest.mark.parametrize("decimals", [2, 9], ids=["ties", "no ties"])
def test_large_strata_are_measured_as_if_each_were_alone(decimals):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(0.1, size=9_000).round(decimals), rng.normal(size=30_000).round(decimals)
    strata = rng.permutation(9_000) % 3, rng.permutation(30_000) % 3
    together = aucs_by_stratum(forget, controls, **labelled(strata, (None, None)))
    for number, one in enumerate(together):
        alone = auc_measure(*of(number, (forget, controls), strata))
        for field in fields(alone):
            assert getattr(one, field.name) == pytest.approx(getattr(alone, field.name), rel=1e-11)


def test_an_extreme_of_strata_measured_at_once_is_that_of_their_measures():
    scores, _, strata, groups = comparison(1, "examples", 9, strata=6)
    together = aucs_by_stratum(*scores, **labelled(strata, groups))
    for side in ("high", "low"):
        at_once, apart = ExtremeMeasure(parts=together, side=side), ExtremeMeasure(parts=list(together), side=side)
        assert at_once.value == apart.value
        same(at_once.at(0.95), apart.at(0.95))


def test_a_stratum_without_controls_and_references_of_one_side_are_refused():
    labels = {"forget_strata": [0, 1], "control_strata": [0, 0]}
    with pytest.raises(ValueError, match="no control in stratum 1"):
        aucs_by_stratum([0.0, 1.0], [0.0, 1.0], **labels)
    with pytest.raises(ValueError, match="2 references score forget but 1 score controls"):
        auc_differences_by_stratum([0.0], [1.0], [[0.0], [1.0]], [[0.0]], forget_strata=[0], control_strata=[0])
