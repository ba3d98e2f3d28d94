"""Attacks that are added by name: what they cost, what they need, what they add to an audit."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import nn

from pytest_unlearn import EstimatorRecipe, SavedOutputs, Split, TorchRecipe, UnlearningTask, Verdict, audit_forgotten
from pytest_unlearn.attacks.attack import auc_of_scores
from pytest_unlearn.attacks.registry import ALWAYS, NAMED, RMIA, Attack, attacks_by_name, label_only_attacks
from pytest_unlearn.models.queries import Augmentations
from pytest_unlearn.models.query import Query
from tests.worlds.simulated import World, split

NAMES = {attack.name for attack in NAMED}
RNG = np.random.default_rng(0)


def data(n=240, seed=0):
    """Two Gaussian classes, a fifth of the labels wrong."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    inputs = (rng.normal(size=(n, 8)) + labels[:, None]).astype(np.float32)
    wrong = rng.random(n) < 0.2
    return inputs, np.where(wrong, 1 - labels, labels)


@pytest.fixture(scope="module")
def network_task(tmp_path_factory):
    parts = Split(data(seed=0), forget=np.arange(80), test=data(seed=1))
    recipe = TorchRecipe(lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2)), epochs=20)
    return UnlearningTask(parts, recipe, references=2, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def evidence(network_task):
    return audit_forgotten(network_task.original, network_task.forget, 0.7, attacks="all")


def left_out(evidence):
    return evidence.provenance["settings"]["attacks"]["left out"]


@pytest.mark.slow
def test_all_attacks_run_on_a_network_with_references(evidence):
    assert set(evidence.attacks) >= NAMES - {"update leakage, learned"}
    assert left_out(evidence) == {}


@pytest.mark.slow
def test_the_original_itself_is_not_attacked_by_comparing_it_with_itself(evidence):
    assert evidence.attacks["update leakage"].method == "paired DeLong"
    assert "update leakage" not in evidence.deciding


def test_further_tables_say_what_was_found(evidence):
    titles = {exhibit.title for exhibit in evidence.figures}
    assert titles >= {"Releasing both models", "Data that were retained", "Privacy loss"}


@pytest.mark.slow
def test_added_attacks_are_tripwires_and_can_fail_a_model(network_task):
    def sees_the_forget_set(model, view, answer):
        return np.where(view.name == "forget", 2.0, 0.0) + RNG.normal(size=len(view))

    def score(target, references, pairing):
        from pytest_unlearn.core.evidence import Scores

        sides = [replace(part).asked["oracle"] for part in (target.forget, target.controls)]
        return Scores(forget=sides[0], controls=sides[1])

    oracle = Attack(
        name="oracle", score=score, measure=auc_of_scores, queries=(Query(name="oracle", ask=sees_the_forget_set),)
    )
    honest = network_task.retrained[0]
    assert audit_forgotten(honest, network_task.forget, 0.7).verdict is not Verdict.FAIL
    found = audit_forgotten(honest, network_task.forget, 0.7, attacks=[oracle])
    assert found.attacks["oracle"].low > 0.6
    assert "oracle" not in found.deciding
    assert found.verdict is Verdict.INVALID  # it accuses the references as well, and so shows that it is unfair


class Counting:
    """A model as a callable that counts the rows it is asked for."""

    def __init__(self, model):
        self.model, self.rows = model.eval(), 0

    def __call__(self, inputs):
        import torch

        self.rows += len(inputs)
        with torch.no_grad():
            return self.model(torch.as_tensor(np.asarray(inputs)))


def rows_asked(task, attacks):
    model = Counting(task.retrained[0])
    audit_forgotten(model, task.forget, 0.7, attacks=attacks)
    return model.rows


@pytest.mark.slow
def test_an_attack_costs_no_evaluation_that_another_already_paid_for(network_task):
    plain = rows_asked(network_task, "standard")
    assert rows_asked(network_task, ["learned, all signals", "starting kit", "update leakage, learned"]) == plain
    assert rows_asked(network_task, ["quantile regression"]) == plain
    stability = rows_asked(network_task, ["augmentation stability"])
    assert stability > plain
    assert rows_asked(network_task, ["augmentation stability", "LiRA, augmented"]) == stability


def test_the_task_s_own_models_are_asked_once_a_session(network_task):
    asked = []

    def ask(model, view, answer):
        asked.append((id(model), view.name))
        return np.zeros(len(view))

    probe = Attack(name="probe", score=RMIA.score, measure=auc_of_scores, queries=(Query(name="probe", ask=ask),))
    audited = deepcopy(network_task.retrained[0])
    for _ in range(2):
        audit_forgotten(audited, network_task.forget, 0.7, attacks=[probe])
    # forget and controls: of the original and two references once, of the audited model in each audit
    assert len(asked) == 2 * 3 + 2 * 2


@pytest.mark.slow
def test_estimators_are_attacked_by_all_that_needs_no_weights(tmp_path):
    parts = Split(data(seed=0), forget=np.arange(80), test=data(seed=1))
    task = UnlearningTask(parts, EstimatorRecipe(LogisticRegression()), references=2, cache_dir=tmp_path)
    found = audit_forgotten(task.retrained[0], task.forget, 0.7, attacks="all")
    assert set(left_out(found)) == {"gradient norm"}
    with pytest.raises(ValueError, match="'gradient norm' cannot be run: it needs the weights of an nn.Module"):
        audit_forgotten(task.retrained[0], task.forget, 0.7, attacks="gradient norm")


@pytest.mark.slow
def test_saved_outputs_are_attacked_by_all_that_asks_nothing_further():
    world = World(split(n_forget=200, n_controls=400))
    found = audit_forgotten(world.model(), world.task(references=2).forget, 0.7, attacks="all")
    assert set(left_out(found)) == {
        "gradient norm", "augmentation stability", "boundary distance", "LiRA, augmented", "shadow models",
    }  # fmt: skip


@pytest.mark.slow
def test_integer_inputs_are_not_moved_by_fractions(tmp_path):
    tokens = [(np.random.default_rng(seed).integers(0, 50, size=(240, 6)), data(seed=seed)[1]) for seed in (0, 1)]
    recipe = TorchRecipe(
        lambda: nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(48, 2)), epochs=5, learning_rate=1e-2
    )
    task = UnlearningTask(
        Split(tokens[0], forget=np.arange(80), test=tokens[1]), recipe, references=2, cache_dir=tmp_path
    )
    found = audit_forgotten(task.retrained[0], task.forget, 0.7, attacks="all")
    assert set(left_out(found)) == {"augmentation stability", "boundary distance", "LiRA, augmented"}
    assert "gradient norm" in found.attacks
    shuffled = Augmentations(lambda rows, rng: rng.permuted(rows, axis=1), queries=3)
    own = audit_forgotten(task.retrained[0], task.forget, 0.7, attacks=[label_only_attacks(shuffled)[0]])
    assert "augmentation stability" in own.attacks


@pytest.mark.slow
def test_without_references_what_is_left_runs():
    world = World(split(n_forget=200, n_controls=400))
    task = UnlearningTask(world.split, original=world.original(1.5), references=0)
    found = audit_forgotten(world.model(), task.forget, 0.7, attacks="all")
    assert set(found.attacks) >= {"quantile regression", "learned, all signals", "starting kit"}
    assert "it needs 1 references or more" in left_out(found)["update leakage, learned"]


def test_too_few_examples_to_learn_from_are_said_to_be_few():
    world = World(split(n_forget=12, n_controls=400))
    with pytest.raises(ValueError, match="it learns from examples: 20 or more a side, and there are 12"):
        audit_forgotten(world.model(), world.task().forget, 0.7, attacks=["quantile regression"])


@pytest.mark.parametrize(
    ("attacks", "says"),
    [
        ("everything", "there is no attack 'everything'"),
        (["RMIA", "magic"], "there is no attack 'magic'.*learned, all signals"),
        ([RMIA, "RMIA"], None),
        ([*label_only_attacks(), "boundary distance"], "two attacks called 'boundary distance'"),
        ([replace(RMIA, measure=auc_of_scores, cost="mine")], "two attacks called 'RMIA'"),
    ],
)
def test_names_are_checked_before_anything_is_asked(attacks, says):
    if says is None:
        assert attacks_by_name(attacks) == ()
        return
    with pytest.raises(ValueError, match=says):
        audit_forgotten(None, None, attacks=attacks)


def test_two_queries_of_one_name_are_refused(network_task):
    attacks = [
        Attack(name=name, score=RMIA.score, measure=auc_of_scores,
               queries=(Query(name="q", ask=lambda m, v, a, k=k: np.full(len(v), k)),))
        for k, name in enumerate(("one", "two"))
    ]  # fmt: skip
    with pytest.raises(ValueError, match="different queries of one name"):
        audit_forgotten(network_task.original, network_task.forget, attacks=attacks)


@pytest.mark.parametrize("answer", [np.zeros(3), np.array(0.0), "nan"])
def test_a_query_gives_one_finite_row_an_example(network_task, answer):
    def ask(model, view, _):
        return np.full(len(view), np.nan) if isinstance(answer, str) else answer

    attack = Attack(name="mine", score=RMIA.score, measure=auc_of_scores, queries=(Query(name="mine", ask=ask),))
    with pytest.raises(ValueError, match="one row of finite numbers an example"):
        audit_forgotten(network_task.original, network_task.forget, attacks=[attack])


def test_every_attack_declares_what_it_needs():
    for attack in (*ALWAYS, *NAMED):
        assert attack.access, attack.name
        assert attack.cost, attack.name
        assert attack.source, attack.name
        assert ("references" in attack.access) <= (attack.least_references > 0 or "learned" in attack.name), attack.name
    assert len({attack.name for attack in (*ALWAYS, *NAMED)}) == len(ALWAYS) + len(NAMED)


@pytest.mark.slow
class TestSlices:
    """A slice fails the forget set, whatever the average."""

    WORLD = World(split(n_forget=1200, n_controls=2400))
    TASK = WORLD.task()
    MINORITY = np.arange(0, 1200, 8)

    def boosted(self, where, by=2.5, seed=0):
        model = self.WORLD.model(seed=seed)
        logits = model.parts["forget"].copy()
        logits[where, self.WORLD.labels["forget"][where]] += by
        return SavedOutputs(forget=logits, test=model.parts["test"])

    def test_a_leak_in_a_named_slice_fails_a_model_that_passes_on_average(self):
        leaky = self.boosted(self.MINORITY[:60])
        rest = np.setdiff1d(np.arange(1200), self.MINORITY)
        assert audit_forgotten(leaky, self.TASK.forget, 0.6).verdict is Verdict.PASS
        found = audit_forgotten(leaky, self.TASK.forget, 0.6, slices={"asked": self.MINORITY[:60], "rest": rest})
        assert (found.verdict, found.decided_by) == (Verdict.FAIL, "most exposed slice")
        table = next(exhibit for exhibit in found.figures if exhibit.title == "Named slices")
        assert [row[0] for row in table.rows] == ["asked", "rest"]
        assert table.rows[0][2] > 0.8 > table.rows[1][2]

    def test_a_class_that_is_remembered_fails_without_being_named(self):
        found = audit_forgotten(
            self.boosted(np.flatnonzero(self.WORLD.labels["forget"] == 2), by=1.2), self.TASK.forget, 0.62
        )
        assert (found.verdict, found.decided_by) == (Verdict.FAIL, "most exposed class")

    @pytest.mark.slow
    def test_named_slices_accuse_no_honest_model(self):
        tenths = {f"part {k}": np.arange(k, 1200, 10) for k in range(10)}
        halves = {f"half {k}": np.arange(k, 1200, 2) for k in range(2)}
        for seed in range(5):
            found = audit_forgotten(self.WORLD.model(seed=seed), self.TASK.forget, 0.6, slices=halves)
            assert found.verdict is Verdict.PASS
            found = audit_forgotten(self.WORLD.model(seed=seed), self.TASK.forget, 0.6, slices=tenths)
            assert found.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)

    def test_a_named_slice_withholds_pass_until_it_is_certified(self):
        honest, few = self.WORLD.model(seed=3), np.arange(12)
        assert audit_forgotten(honest, self.TASK.forget, 0.6).verdict is Verdict.PASS
        found = audit_forgotten(honest, self.TASK.forget, 0.6, slices={"minors": few, "rest": np.arange(12, 1200)})
        assert (found.verdict, found.decided_by) == (Verdict.INCONCLUSIVE, "slice minors")
        assert found.estimate.n_forget == 12
        assert "slice minors" not in found.deciding
        assert "the interval of slice minors reaches beyond the limit" in found.reasons[0]
        assert "slice minors has 12 forget examples, and about" in found.advice[0]
        slices = {"rest": np.arange(12, 1200)}
        assert audit_forgotten(honest, self.TASK.forget, 0.6, slices=slices).verdict is Verdict.PASS

    def test_each_slice_is_bounded_by_itself_for_pass_and_all_together_for_fail(self):
        halves = {f"half {k}": np.arange(k, 1200, 2) for k in range(2)}
        found = audit_forgotten(self.WORLD.model(seed=0), self.TASK.forget, 0.6, slices=halves)
        worst = max((found.attacks[f"slice half {k}"] for k in range(2)), key=lambda one: one.value)
        assert worst.value == found.attacks["most exposed slice"].value
        assert worst.high < found.attacks["most exposed slice"].high

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (np.zeros(1200, dtype=bool), "holds no forget example"),
            (np.ones(7, dtype=bool), "a boolean mask over the 1200 forget examples"),
            ([1, 1], "distinct positions"),
            ([1200], "outside the forget set"),
            ([0.5], "got float64"),
        ],
    )
    def test_a_slice_that_does_not_fit_is_refused(self, given, says):
        with pytest.raises(ValueError, match=says):
            audit_forgotten(self.WORLD.model(), self.TASK.forget, slices={"mine": given})


@pytest.mark.slow
def test_with_eight_references_the_model_is_ranked_among_them():
    world = World(split(n_forget=300, n_controls=900))
    task = world.task(references=8)
    tables = {x.title: x for x in audit_forgotten(world.model(boost=1.5), task.forget, 0.6).figures}
    rows = {row[0]: row for row in tables["Among retrained models"].rows}
    assert rows["confidence residual"][4] == 0  # no retrained model above it
    assert rows["confidence residual"][5] == pytest.approx(2 / 9, abs=1e-4)
    assert "Among retrained models" not in {
        x.title for x in audit_forgotten(world.model(), world.task(references=7).forget, 0.6).figures
    }
