"""Compute scores made of accuracies: ToW, ToW-MIA, NoMUS, and AIN."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pytest_unlearn.metrics.metric import Metric, rates
from pytest_unlearn.statistics.validation import is_number

SETS = ("forget", "retain", "test")


def tow(unlearned: Mapping[str, float], retrained: Mapping[str, float]) -> Metric:
    """Multiply 1 - |difference to the retrained model's accuracy| over the sets.

    Both hold accuracies in [0, 1] under "forget", "retain" and "test". From 0 to 1. Raises ValueError for a missing set
    or what is no share. Source: Zhao 2024, "What makes unlearning hard and what to do about it" (RUM), tug of war.
    """
    return Metric(
        "ToW",
        _product(unlearned, retrained, SETS),
        1.0,
        "higher",
        "equal accuracy is not equal behaviour, and has an error",
    )


def tow_mia(unlearned: Mapping[str, float], retrained: Mapping[str, float]) -> Metric:
    """Compute ToW with a membership attack's accuracy in place of forget's.

    It stands under "mia". Raises ValueError as `tow`. Source: Zhao 2024.
    """
    names = ("mia", "retain", "test")
    return Metric(
        "ToW-MIA", _product(unlearned, retrained, names), 1.0, "higher", "it is as good as its membership attack"
    )


def _product(unlearned: Mapping[str, float], retrained: Mapping[str, float], names: tuple[str, ...]) -> float:
    value = 1.0
    for given in (unlearned, retrained):
        if not isinstance(given, Mapping):
            raise ValueError(f"accuracies are a mapping with {', '.join(names)}, for both models, not {given!r}")
    for name in names:
        if name not in unlearned or name not in retrained:
            raise ValueError(f"{name!r} is missing: give accuracies under {', '.join(names)} for both models")
        rates(**{f"unlearned {name}": unlearned[name], f"retrained {name}": retrained[name]})
        value *= 1.0 - abs(unlearned[name] - retrained[name])
    return value


def nomus(test_accuracy: float, mia_accuracy: float) -> Metric:
    """Compute (test accuracy + 1 - 2 |MIA accuracy - 1/2|) / 2, from 0 to 1.

    Raises ValueError for what is no share. Source: Choi & Na 2023, "Towards machine unlearning benchmarks" (MUFAC).
    """
    rates(test_accuracy=test_accuracy, mia_accuracy=mia_accuracy)
    value = (test_accuracy + 1.0 - 2.0 * abs(mia_accuracy - 0.5)) / 2.0
    return Metric(
        "NoMUS",
        value,
        None,
        "higher",
        "half of it is accuracy, which forgetting nothing keeps; compare with retraining",
    )


def ain(relearn_unlearned: float, relearn_scratch: float) -> Metric:
    """Divide the steps to relearn the forget set by those from scratch.

    Both are steps until the accuracy on the forget set is within some percent of the original's, above 0. Far below 1
    is residual knowledge, far above 1 conspicuous forgetting. Raises ValueError for steps that are no positive number:
    give the steps tried where the accuracy was never reached. Source: Chundawat 2023, "Zero-shot
    machine unlearning", anamnesis index.
    """
    if not all(is_number(steps) and 0 < steps < math.inf for steps in (relearn_unlearned, relearn_scratch)):
        raise ValueError(
            f"relearning took {relearn_unlearned} and {relearn_scratch} steps: both are above 0 and finite"
        )
    return Metric(
        "AIN", relearn_unlearned / relearn_scratch, 1.0, "nearer", "it can be gamed: a masked logit relearns slowly"
    )
