"""Ways to hide memory from the share that is left: halves that cancel, noise for each input, idle members."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn import (
    Policy,
    SavedOutputs,
    UnlearningTask,
    Verdict,
    audit_features_forgotten,
    audit_forgotten,
    audit_leakage_reduced,
    audit_release,
)
from pytest_unlearn.claims.common.controls import noisier_than_references
from pytest_unlearn.claims.policies import Step
from pytest_unlearn.models.layers import features
from tests.worlds.hidden import fresh, random_task
from tests.worlds.networks import Boxed
from tests.worlds.simulated import World, changed, split

DATA = split(n_forget=400, n_controls=3000)


def halves(world, boost, other):
    """A model with one boost on every second forget example, and another on the rest."""
    one, rest = (world.model(b).parts["forget"] for b in (boost, other))
    odd = np.arange(len(one))[:, None] % 2
    return changed(world.model(), forget=lambda _: np.where(odd, one, rest))


@pytest.mark.slow
@pytest.mark.parametrize("audit", [audit_forgotten, audit_leakage_reduced])
@pytest.mark.parametrize("other", [-0.5, -1.0])
def test_a_half_that_is_remembered_is_not_made_good_by_one_that_is_over_forgotten(audit, other):
    arguments = (0.65,) if audit is audit_forgotten else ()
    for seed in range(4):
        world = World(DATA, seed=seed, difficulty=0.5, skill=1.5)
        task = world.task(boost=2.2)
        assert audit(halves(world, 2.2, 2.2 * other), task.forget, *arguments).verdict is not Verdict.PASS
        assert audit(world.model(), task.forget, *arguments).verdict is Verdict.PASS


@pytest.mark.slow
def test_the_original_behind_noise_of_its_own_for_each_input_does_not_pass():
    for seed in range(4):
        world = World(DATA, seed=seed, skill=5.0)
        task, rng = world.task(boost=1.0), np.random.default_rng(seed)
        noisy = changed(task.original, both=lambda z, rng=rng: z * np.exp(rng.normal(0, 2.5, len(z)))[:, None])
        evidence = audit_forgotten(noisy, task.forget, 0.6)
        assert evidence.verdict is not Verdict.PASS
        assert evidence.not_testable == ""
        assert audit_forgotten(world.model(), task.forget, 0.6).verdict is Verdict.PASS


def by_noise(model, world, classes=range(4), spread=2.5):
    """The saved model with its logits multiplied by a random factor for each input of some classes."""
    rng, parts = np.random.default_rng(world.seed), {}
    for side, logits in model.parts.items():
        factors = np.exp(rng.normal(0, spread, len(logits)))
        parts[side] = logits * np.where(np.isin(world.labels[side], list(classes)), factors, 1.0)[:, None]
    return SavedOutputs(**parts)


@pytest.mark.parametrize("limit", [0.6, 0.7])
def test_the_original_behind_noise_does_not_pass_beside_two_references_either(limit):
    for seed in range(4):
        world = World(DATA, seed=seed, skill=5.0)
        task = world.task(references=2, boost=1.5)
        assert audit_forgotten(by_noise(task.original, world), task.forget, limit).verdict is not Verdict.PASS
        assert audit_forgotten(world.model(), task.forget, limit).verdict is Verdict.PASS


def test_the_original_behind_noise_on_half_of_the_classes_does_not_pass():
    for seed in range(4):
        world = World(DATA, seed=seed, skill=5.0)
        task, honest = world.task(boost=1.5), world.model()
        noisy = by_noise(task.original, world, classes=(0, 1))
        one = {side: np.isin(world.labels[side], (0, 1))[:, None] for side in noisy.parts}
        mixed = {side: np.where(one[side], noisy.parts[side], honest.parts[side]) for side in one}
        assert audit_forgotten(SavedOutputs(**mixed), task.forget, 0.65).verdict is not Verdict.PASS


@pytest.mark.slow
def test_an_original_is_seen_through_as_much_noise_as_the_model_has():
    """Noise divides what a model shows, and leaves of its memory what it was."""
    for seed in range(4):
        world = World(DATA, seed=seed, skill=5.0)
        task = world.task(boost=1.5)
        noisy = by_noise(task.original, world, spread=0.8)
        assert audit_forgotten(noisy, task.forget, 0.7).share_left.value > 0.7
        assert audit_leakage_reduced(noisy, task.forget).estimate.value < 0.3


def test_an_honest_model_is_no_noisier_than_references_even_on_few_controls():
    from pytest_unlearn.core.evidence import Answers, Outputs

    def answers(rows, labels):
        half = len(labels) // 2
        sides = [Outputs(logits=rows[part], labels=labels[part]) for part in (slice(half), slice(half, None))]
        return Answers(forget=sides[0], controls=sides[1])

    accused = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels, common = rng.integers(0, 4, 100), rng.normal(0, 2, (100, 4))
        models = [answers(common + rng.normal(size=common.shape), labels) for _ in range(5)]
        accused += bool(noisier_than_references(models[0], models[1:]))
    assert accused <= 4


class Diluted(nn.Module):
    """The original, beside members whose answers count for nothing."""

    def __init__(self, main, idle):
        super().__init__()
        self.main = copy.deepcopy(main)
        self.idle = nn.ModuleList(copy.deepcopy(idle))

    def forward(self, x):
        return self.main(x) + sum(1e-6 * member(x) for member in self.idle)


def test_members_that_do_not_matter_dilute_no_probe():
    task = random_task()
    torch.manual_seed(0)
    idle = [copy.deepcopy(task.original) for _ in range(20)]
    for member in idle:
        for layer in member:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    diluted = Diluted(task.original, idle).eval()
    evidence, plain = (audit_features_forgotten(model, task.forget) for model in (diluted, task.original))
    assert evidence.verdict is plain.verdict is Verdict.FAIL
    assert evidence.estimate.value == pytest.approx(plain.estimate.value, abs=0.01)
    one, all_of_them = (features(model, task.forget, ("into 2",))[0] for model in (task.original, diluted))
    assert one.shape == all_of_them.shape


def test_a_first_reference_that_hides_its_layers_makes_no_claim_vanish():
    task = random_task()
    claims = Policy(name="mine", says="mine", steps=(Step(claim="features_forgotten", says="", needs="weights"),))
    references = [Boxed(task.retrained[0]), *task.retrained[1:]]
    boxed = UnlearningTask(task.split, original=task.original, references=references)
    found = audit_release(fresh(task), boxed, claims)
    assert found["features_forgotten"].verdict is Verdict.INCONCLUSIVE
    assert found["features_forgotten"].not_testable == ""
