"""An original behind coarse answers is not passed, an honest model behind the same ones may be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from pytest_unlearn import Verdict, audit_forgotten
from tests.worlds.simulated import World, changed, split

WORLDS = [World(split(n_forget=400, n_controls=2000), seed=seed) for seed in range(3)]
BOOST, LIMIT = 1.2, 0.75


def top(probabilities: np.ndarray) -> np.ndarray:
    """The first class's probability, the rest spread over the others."""
    first = probabilities.max(axis=1)
    shown = np.repeat(((1 - first) / (probabilities.shape[1] - 1))[:, None], probabilities.shape[1], axis=1)
    shown[np.arange(len(first)), probabilities.argmax(axis=1)] = first
    return shown


CHANNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "two decimals": lambda p: p.round(2),
    "one decimal": lambda p: p.round(1),
    "top class": top,
    "top class, one decimal": lambda p: top(p).round(1),
    "labels": lambda p: np.eye(p.shape[1])[p.argmax(axis=1)],
    "saturated": lambda p: np.clip(p, 0.1, 0.9),
    "saturated soon": lambda p: np.clip(p, 0.4, 0.6),
}


def behind(model, channel):
    """The saved model, of which the channel alone is seen."""
    return changed(model, both=lambda logits: np.log(np.maximum(channel(softmax(logits, axis=1)), 1e-12)))


@pytest.mark.slow
@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)
@pytest.mark.parametrize("world", WORLDS, ids=["0", "1", "2"])
def test_an_original_that_reveals_little_does_not_pass(world, channel):
    original = behind(world.original(BOOST), channel)
    found = audit_forgotten(original, world.task(boost=BOOST).forget, LIMIT)
    assert found.verdict is not Verdict.PASS
    assert found.share_left is None or found.share_left.value == pytest.approx(1, abs=0.3)
    assert not found.not_testable  # in full answers the original shows what these hide


@pytest.mark.parametrize("channel", ["two decimals", "top class", "saturated"])
def test_an_honest_model_that_reveals_enough_passes(channel):
    world = WORLDS[0]
    honest = behind(world.model(seed=3), CHANNELS[channel])
    assert audit_forgotten(honest, world.task(boost=BOOST).forget, LIMIT).verdict is Verdict.PASS


def test_the_original_is_seen_as_coarsely_as_the_audited_model():
    world = WORLDS[0]
    task = world.task(boost=BOOST)
    fine, coarse = (
        audit_forgotten(model, task.forget, LIMIT).controls.original.estimate
        for model in (world.model(seed=3), behind(world.model(seed=3), CHANNELS["saturated soon"]))
    )
    assert coarse.value < fine.value


def test_full_answers_leave_the_original_as_it_is():
    world = WORLDS[0]
    task = world.task(boost=BOOST)
    given = audit_forgotten(world.model(seed=3), task.forget, LIMIT)
    scaled = audit_forgotten(
        changed(world.model(seed=3), both=lambda z: log_softmax(z / 3, axis=1)), task.forget, LIMIT
    )
    attacks = [found.controls.original.attack for found in (given, scaled)]
    values = [found.controls.original.estimate.value for found in (given, scaled)]
    assert attacks[0] == attacks[1]
    assert values[0] == values[1]
