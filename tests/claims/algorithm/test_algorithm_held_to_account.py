"""What a mean over models would hide is not passed, and an exact method is not accused: judged on tables of logits."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn import Verdict, audit_algorithm, audit_forgotten
from tests.worlds.tables import Retrained, Table, numbers, table_task

LONERS = 40  # 20 single forget examples and the 20 that are retained
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return table_task(tmp_path_factory.mktemp("cache"), forget=300, controls=900)


def audit(method, task, limit=0.55, **kwargs):
    return audit_algorithm(method, task, limit, **kwargs)


def audit_exact(task):
    return audit(Retrained(task.recipe), task, runs=6)


def test_an_exact_method_passes_and_one_that_does_nothing_fails(task):
    assert audit(Retrained(task.recipe), task, runs=10).verdict is Verdict.PASS
    assert audit(lambda model, retain, forget, *, seed: model, task, runs=5).verdict is Verdict.FAIL


def test_outputs_drowned_in_noise_are_not_passed(task):
    def noisy(model, retain, forget, *, seed):
        return Table(model.logits + 30 * np.random.default_rng([seed, 3]).normal(size=model.logits.shape))

    evidence = audit(noisy, task, runs=6)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no power on this model" in reason for reason in evidence.reasons)


def test_a_method_that_trains_on_the_controls_is_not_passed(task):
    evidence = audit(Retrained(task.recipe, extra=list(task.controls)), task, runs=6)
    assert evidence.verdict is not Verdict.PASS
    assert any("trained on them" in reason for reason in evidence.reasons)


def test_a_class_that_is_remembered_fails_the_method(tmp_path):
    task = table_task(tmp_path, forget=600, controls=900, classes=20)
    leaky = Retrained(task.recipe, push=lambda seed, labels: 5.0 * (labels == 3))
    evidence = audit(leaky, task, runs=5)
    assert (evidence.verdict, evidence.decided_by) == (Verdict.FAIL, "most exposed class")
    assert audit(Retrained(task.recipe), task, 0.6, runs=5).verdict is Verdict.PASS


def test_a_method_that_returns_the_original_under_one_seed_of_ten_fails(task):
    def sometimes(model, retain, forget, *, seed):
        return model if seed % 10 == 0 else task.recipe(retain, seed=seed)

    evidence = audit(sometimes, task, runs=10)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.label == "told apart under some seeds"
    assert "in 1 of 10 runs the model is told apart by itself: seeds 9000" in evidence.reasons[-1]


def test_leaks_that_cancel_over_seeds_are_not_passed(task):
    alternating = Retrained(task.recipe, push=lambda seed, labels: 0.45 * (1 if seed % 2 else -1))
    evidence = audit(alternating, task, runs=16)
    assert evidence.attacks["confidence residual"].high < 0.55
    assert evidence.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)


def test_a_method_sees_nothing_that_tells_it_of_the_audit(task):
    seen = []

    def curious(model, retain, forget, *, seed):
        seen.append((retain.examples.name, len(retain.examples), set(numbers(retain.examples)), set(numbers(forget))))
        return task.recipe(retain, seed=seed)

    audit(curious, task, runs=3)
    for name, count, everything, request in seen:
        assert (name, count) == ("train", len(task.split.train))
        assert everything == request | set(numbers(task.retain))


def test_method_and_original_do_not_share_a_seed(tmp_path):
    # with the same seed their noise would cancel in the change from one to the other, and accuse an exact method
    values = [
        audit_exact(table_task(tmp_path / str(world), forget=100, world=world))
        .attacks["update leakage"].value
        for world in (1, 2, 3)
    ]  # fmt: skip
    assert np.mean(values) == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("size", [10, 20])
def test_small_requests_are_judged_without_bias(tmp_path, size):
    values = []
    for world in range(6):
        task = table_task(tmp_path / str(world), forget=size, controls=100, world=world, match=None)
        evidence = audit(Retrained(task.recipe), task, 0.6, runs=16)
        assert evidence.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
        values.append([evidence.attacks[name].value for name in ("confidence deviation", "margin deviation", "RMIA")])
    # with ranks and line fitted on ten controls alone, deviations of an exact method would be at .61, RMIA at .55
    assert np.mean(values, axis=0) == pytest.approx(np.full(3, 0.5), abs=0.03)


def test_groups_of_unequal_size_are_drawn_alike(tmp_path):
    groups = np.r_[np.repeat([0, 1, 2], 20), np.arange(3, 3 + LONERS)]
    values = []
    for world in range(8):
        task = table_task(tmp_path / str(world), forget=80, controls=80, world=world, match=None, groups=groups)
        evidence = audit(Retrained(task.recipe), task, 0.6, runs=8)
        values.append(evidence.attacks["U-LiRA"].value)
    assert np.mean(values) == pytest.approx(0.5, abs=4 * np.std(values) / 8**0.5)


def test_a_tied_run_says_nothing_of_the_others(task):
    def constant(model, retain, forget, *, seed):
        fresh = task.recipe(retain, seed=seed)
        return Table(np.zeros_like(fresh.logits)) if seed % 5 == 0 else fresh

    evidence = audit(constant, task, runs=6)  # two of six
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("in some runs all scores tie" in reason for reason in evidence.reasons)
    silent = audit(lambda model, retain, forget, *, seed: Table(np.zeros_like(model.logits)), task, runs=4)
    assert silent.verdict is Verdict.INVALID


def test_where_models_reveal_labels_alone_power_is_shown_on_labels_alone(tmp_path):
    # sure of nearly every label, an attack on labels sees little even in the originals
    task = table_task(tmp_path, forget=60, controls=200)

    def labels_of(model, retain, forget, *, seed):
        return Table(np.eye(task.recipe.classes)[task.recipe(retain, seed=seed).logits.argmax(axis=1)])

    evidence = audit(labels_of, task, 0.6, runs=6)
    assert "label only" in evidence.deciding
    assert evidence.controls.original.estimate.value < audit_exact(task).controls.original.estimate.value


def test_without_controls_of_its_own_left_a_run_is_no_error(tmp_path):
    task = table_task(tmp_path, forget=60, controls=4, match=None)
    assert audit(Retrained(task.recipe), task, 0.65, runs=5).verdict is not Verdict.FAIL


class TestWhatAModelSharesWithItsOriginal:
    """A seed, or starting weights, in common with the original is no memory of the forget set."""

    def models(self, task, seed):
        return audit_forgotten(task.recipe(task.retain, seed=seed), task.forget, 0.6)

    def test_update_leakage_accuses_no_retrained_model_of_the_original_s_seed(self, task):
        same, other = self.models(task, seed=0), self.models(task, seed=12345)
        assert same.attacks["update leakage"].value > 0.6
        assert other.attacks["update leakage"].value < 0.55
        assert same.verdict is Verdict.PASS
        assert other.verdict is Verdict.PASS

    def test_an_excess_of_update_leakage_is_judged_where_it_is_fair(self, task):
        worse = Retrained(task.recipe, push=lambda seed, labels: -0.9)(None, task.retain, task.forget, seed=777)
        assert audit_forgotten(worse, task.forget, 0.6).attacks["update leakage"].low > 0.55


class Partial:
    """Retrains on what is kept and a share of the request, which its seed chooses."""

    def __init__(self, recipe, share):
        self.recipe, self.share = recipe, share

    def __call__(self, model, retain, forget, *, seed):
        """A new table."""
        kept = np.flatnonzero(np.random.default_rng(seed).random(len(forget)) < self.share)
        return self.recipe([*retain, *(forget[int(k)] for k in kept)], seed=seed)


class TestADeterministicRecipe:
    """One model for every seed: references are bootstraps, and exact retraining gives the same model in each run."""

    def task(self, folder, world=0, **kwargs):
        return table_task(folder, world=world, deterministic=True, **kwargs)

    def test_exact_retraining_passes(self, tmp_path):
        task = self.task(tmp_path, world=1)
        evidence = audit(Retrained(task.recipe), task, runs=10)
        assert task.bootstrapped
        assert evidence.verdict is Verdict.PASS
        assert "U-LiRA" in evidence.deciding
        assert "U-LiRA, unlearned null" not in evidence.attacks
        assert any("the models of all runs answer alike" in reason for reason in evidence.reasons)

    @pytest.mark.parametrize("limit", [0.55, 0.75])
    def test_a_method_that_remembers_all_or_half_does_not_pass(self, tmp_path, limit):
        task = self.task(tmp_path, world=1)
        nothing = audit(lambda model, retain, forget, *, seed: model, task, limit, runs=6)
        assert nothing.verdict is (Verdict.FAIL if limit == 0.55 else Verdict.INCONCLUSIVE)  # at .75: nothing is gone
        half = audit(Partial(task.recipe, 0.5), task, limit, runs=6)
        assert half.verdict is not Verdict.PASS
        assert "U-LiRA, unlearned null" in half.deciding

    def test_a_reference_that_is_the_unlearned_model_itself_judges_nothing(self, tmp_path):
        task = self.task(tmp_path, world=1, references=1)
        evidence = audit(Retrained(task.recipe), task, runs=6, require_controls=False)
        assert evidence.verdict is not Verdict.INVALID
        assert "confidence" in evidence.deciding  # drawn requests need no references to be fair
        with pytest.raises(ValueError, match="answers exactly like it"):
            audit(Retrained(task.recipe), task, runs=3, requests="same")

    def test_no_number_of_runs_settles_the_same_examples(self, tmp_path):
        evidence = audit(Retrained(self.task(tmp_path).recipe), self.task(tmp_path), 0.53, runs=5, requests="same")
        assert evidence.verdict is Verdict.INCONCLUSIVE
        assert "no number of runs settles it" in evidence.advice[0]

    @pytest.mark.long
    def test_over_thirty_worlds_exact_retraining_passes_and_what_leaks_does_not(self, tmp_path):
        honest, half, most = [], [], []
        for world in range(30):
            task = self.task(tmp_path / str(world), world=world)
            honest.append(audit(Retrained(task.recipe), task, runs=10).verdict)
            half.append(audit(Partial(task.recipe, 0.5), task, 0.75, runs=10).verdict)
            most.append(audit(Partial(task.recipe, 0.7), task, 0.75, runs=10).verdict)
        assert honest.count(Verdict.PASS) >= 20
        assert Verdict.FAIL not in honest
        assert Verdict.INVALID not in honest
        assert half.count(Verdict.PASS) <= 4  # half is what PASS may leave: one in twenty, plus Monte Carlo error
        assert Verdict.PASS not in most
