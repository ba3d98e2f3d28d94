"""A planting that cannot be meant is refused with what to do, before a training set is made of it."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pytest_unlearn import plant_canaries

X, Y = load_digits(return_X_y=True)
DATA = (X[:200].astype(np.float32), Y[:200])
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "noise"}, "kind must be one of gaussian"),
        ({"kind": None}, "kind must be one of gaussian"),
        ({"count": 0}, "count must be a whole number from 1"),
        ({"count": 2.5}, "count must be a whole number from 1"),
        ({"count": True}, "count must be a whole number from 1"),
        ({"count": 10**6}, "1000000|1,000,000"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": "0"}, "seed must be a whole number from 0"),
        ({"seed": None}, "seed must be a whole number from 0"),
        ({"scale": NAN}, "scale is the noise's standard deviation"),
        ({"scale": INF}, "scale is the noise's standard deviation"),
        ({"scale": -1}, "scale is the noise's standard deviation"),
        ({"scale": "1"}, "scale is the noise's standard deviation"),
        ({"scale": True}, "scale is the noise's standard deviation"),
        ({"classes": [1, 2]}, 'classes= is for kind="confusion"'),
        ({"kind": "confusion", "classes": [1, 1]}, "classes"),
        ({"kind": "confusion", "classes": [1, 99]}, "99|classes"),
        ({"kind": "confusion", "classes": [1]}, "classes"),
        ({"kind": "confusion", "classes": 3}, "classes"),
        ({"kind": "backdoor", "triggers": 0}, "triggers"),
        ({"kind": "backdoor", "triggers": NAN}, "triggers"),
        ({"train": None}, "train is None"),
        ({"train": "train.npz"}, "not the data: load it"),
        ({"train": DATA[0]}, "labels are missing"),
    ],
    ids=str,
)
def test_a_planting_that_cannot_be_meant_is_refused(given, says):
    with pytest.raises((TypeError, ValueError), match=says) as refusal:
        plant_canaries(**{"train": DATA, "seed": 1, "count": 20, **given})
    assert "\n" not in str(refusal.value)
