"""Answers in another order than the examples or labels are asked about, and damage is not taken for disorder."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn import (
    SavedOutputs,
    Split,
    UnlearningTask,
    Verdict,
    audit_class_forgotten,
    audit_forgotten,
    audit_matches_retrained,
    audit_utility,
)
from pytest_unlearn.claims.common.alignment import Answered, misaligned_others, misaligned_views
from pytest_unlearn.core.evidence import Outputs
from tests.worlds.simulated import World, split

RNG = np.random.default_rng(0)
DATA = split(n_forget=200, n_controls=800, n_retain=800)
WORLD = World(DATA, difficulty=0.7, skill=4.0)
TASK = WORLD.task(boost=3.0)
LIMIT = 0.65


def shuffled(part):
    return part[RNG.permutation(len(part))]


def permuted(part):
    return part[:, [2, 3, 1, 0]]


def saved(model, forget=None, test=None):
    parts = dict(model.parts)
    for name, change in (("forget", forget), ("test", test)):
        parts[name] = parts[name] if change is None else change(parts[name])
    return SavedOutputs(**parts)


@pytest.mark.parametrize("remembers", [False, True])
@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"forget": shuffled}, "the forget set", "rows"),
        ({"test": shuffled}, "the controls", "rows"),
        ({"forget": shuffled, "test": shuffled}, "the forget set", "rows"),
        ({"forget": permuted, "test": permuted}, "the forget set", "columns"),
        ({"forget": np.fliplr, "test": np.fliplr}, "the forget set", "columns"),
    ],
    ids=["forget", "controls", "both", "columns", "reversed columns"],
)
def test_outputs_out_of_order_are_said_to_be_so(remembers, change, where, what):
    model = WORLD.original(3.0) if remembers else WORLD.model()
    assert audit_forgotten(model, TASK.forget, LIMIT).verdict is (Verdict.FAIL if remembers else Verdict.PASS)
    evidence = audit_forgotten(saved(model, **change), TASK.forget, LIMIT)
    assert evidence.verdict is Verdict.INVALID
    assert evidence.label == ""
    assert evidence.reasons[0].startswith(f"outputs misaligned? on {where} the model is right on ")
    assert f"with its {what} in another order" in evidence.reasons[0]
    assert "saved rows in the order of the view" in evidence.advice[0]


ALONE = {"references": [], "require_controls": False}


@pytest.mark.parametrize("remembers", [False, True])
@pytest.mark.parametrize(
    "change",
    [{"test": shuffled}, {"forget": shuffled, "test": shuffled}, {"forget": permuted, "test": permuted}],
    ids=["controls", "both", "columns"],
)
def test_without_references_the_original_says_which_controls_are_out_of_order(remembers, change):
    model = WORLD.original(3.0) if remembers else WORLD.model()
    evidence = audit_forgotten(saved(model, **change), TASK.forget, LIMIT, **ALONE)
    assert evidence.verdict is Verdict.INVALID
    assert evidence.reasons[0].startswith("outputs misaligned? on the controls the model is right on ")


def test_without_references_a_forget_set_out_of_order_may_be_a_hard_one_and_does_not_pass():
    evidence = audit_forgotten(saved(WORLD.model(), forget=shuffled), TASK.forget, LIMIT, **ALONE)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert evidence.reasons[0].startswith("outputs misaligned? on the forget set the model is right on ")
    assert evidence.reasons[0].endswith("unless this request is hard")
    assert "saved rows in the order of the view" in evidence.advice[0]


@pytest.mark.parametrize("seed", range(3))
def test_an_honest_model_that_guesses_on_a_hard_request_is_neither_invalid_nor_accused(seed):
    """Nobody who did not train on it gets more of the request right than by chance."""
    world = World(DATA, seed=seed, difficulty=0.7, skill=0.0)
    original, honest = (world.model(boost, control_boost=4.0, seed=k) for k, boost in enumerate([9.0, 0.0]))
    task = UnlearningTask(DATA, original=original, references=0)
    evidence = audit_forgotten(honest, task.forget, LIMIT, require_controls=False)
    assert (evidence.verdict, evidence.not_testable) == (Verdict.INCONCLUSIVE, "")
    assert any("harder than its controls" in reason for reason in evidence.reasons)
    assert any("say how hard the request is" in step for step in evidence.advice)
    assert audit_forgotten(original, task.forget, LIMIT, require_controls=False).verdict is Verdict.FAIL


@pytest.mark.parametrize("seed", range(3))
def test_an_honest_model_is_not_accused_of_a_class_that_is_harder_than_its_controls(seed):
    """A cluster of one class asks, whose unseen members are easier; all else is alike."""
    world = World(DATA, seed=seed, difficulty=0.7, skill=4.0)
    world.centres["forget"][world.labels["forget"] == 0, 0] -= 3.0
    task = UnlearningTask(DATA, original=world.original(3.0), references=0)
    evidence = audit_forgotten(world.model(), task.forget, LIMIT, require_controls=False)
    assert (evidence.verdict, evidence.not_testable) == (Verdict.INCONCLUSIVE, "")
    assert evidence.reasons[0].startswith("most over-forgotten class is beyond the limit on the low side")


@pytest.mark.parametrize("part", ["forget", "test"])
def test_accuracy_of_outputs_out_of_order_is_no_verdict_on_the_model(part):
    model = saved(WORLD.model(), **{part: shuffled})
    evidence = audit_matches_retrained(model, getattr(TASK, part))
    assert evidence.verdict is Verdict.INVALID
    assert any("outputs misaligned?" in reason for reason in evidence.reasons)


def test_a_model_with_permuted_columns_is_of_no_use():
    model, baseline = saved(WORLD.model(), test=permuted), WORLD.model(seed=1)
    assert audit_utility(model, TASK.test, baseline=baseline).verdict is Verdict.FAIL


def over_forgotten(part):
    """Wrong on every forget example, and sure of it."""
    made = part.copy()
    made[np.arange(len(made)), WORLD.labels["forget"]] -= 12.0
    return made


def collapsed(part):
    return np.tile([3.0, 0.0, 0.0, 0.0], (len(part), 1)) + RNG.normal(0, 0.3, part.shape)


@pytest.mark.parametrize("forget", [over_forgotten, collapsed])
def test_a_model_that_over_forgot_is_told_from_one_out_of_order(forget):
    evidence = audit_forgotten(saved(WORLD.model(), forget=forget), TASK.forget)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "over-forgotten")


def test_a_destroyed_model_that_leaks_still_fails():
    def destroyed(part):
        return collapsed(part) + RNG.normal(0, 0.3, part.shape)

    def leaking(part):
        made = destroyed(part)
        made[np.arange(len(made)), WORLD.labels["forget"]] += 2.0
        return made

    evidence = audit_forgotten(saved(WORLD.model(), forget=leaking, test=destroyed), TASK.forget)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "recognisable")


def answers(labels, predicted, classes=4):
    return Outputs(logits=np.eye(classes)[predicted] * 5.0, labels=np.asarray(labels))


def sides(labels, predicted, classes=4):
    return {"the test examples": (answers(labels, predicted, classes), [answers(labels, labels, classes)])}


LABELS = np.arange(200) % 4


@pytest.mark.parametrize(
    ("predicted", "found"),
    [
        (LABELS, False),
        (np.roll(LABELS, 37 * 4 + 1), True),
        (3 - LABELS, True),
        (np.zeros(200, dtype=int), False),
        (np.where(RNG.random(200) < 0.5, LABELS, RNG.permutation(LABELS)), False),
    ],
    ids=["in order", "rolled", "reversed labels", "one label", "half right"],
)
def test_only_answers_that_another_order_puts_right_are_out_of_order(predicted, found):
    assert bool(misaligned_views(SavedOutputs(test=np.zeros((200, 4))), sides(LABELS, predicted))) == found


def test_rows_of_a_module_are_in_order_and_its_columns_may_not_be():
    """Random labels taught to a network leave it guessing; that is what it was made to, and no disorder."""
    module, guesses = nn.Linear(3, 4), RNG.permutation(LABELS)
    assert misaligned_views(module, sides(LABELS, guesses)) == []
    assert misaligned_views(lambda x: x, sides(LABELS, guesses))
    assert misaligned_views(module, sides(LABELS, 3 - LABELS))


def test_a_set_that_one_model_gets_wrong_is_no_disorder_of_columns():
    """Two classes, a forget set answered wrong throughout, and controls answered right: gradient ascent did that."""
    labels = np.arange(200) % 2
    found = {**sides(labels, 1 - labels, 2), "the controls": sides(labels, labels, 2)["the test examples"]}
    assert misaligned_views(SavedOutputs(test=np.zeros((200, 2))), found) == []


def test_one_class_has_no_order_of_columns():
    labels = np.full(100, 2)
    assert misaligned_views(nn.Linear(3, 4), sides(labels, np.full(100, 1))) == []


def test_without_comparable_models_nothing_is_said():
    found = {"the test examples": (answers(LABELS, 3 - LABELS), [])}
    assert misaligned_views(SavedOutputs(test=np.zeros((200, 4))), found) == []


def test_a_module_with_permuted_columns_is_no_class_forgotten():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(800, 4)).astype(np.float32)
    y = X.argmax(axis=1)

    def net(scale, seed):
        torch.manual_seed(seed)
        layer = nn.Linear(4, 4)
        with torch.no_grad():
            layer.weight.copy_(scale * torch.eye(4) + 0.05 * torch.randn(4, 4))
            layer.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -30.0]))
        return layer

    task = UnlearningTask(
        Split((X[:300], y[:300]), forget=np.flatnonzero(y[:300] == 3), test=(X[300:], y[300:])),
        original=nn.Linear(4, 4),
        references=[net(5.0, k) for k in range(3)],
    )
    permuted_model = copy.deepcopy(net(5.0, 9))
    with torch.no_grad():
        permuted_model.weight.copy_(permuted_model.weight[[1, 2, 0, 3]])
    assert audit_class_forgotten(net(5.0, 9), task.forget).reasons[0].startswith("outputs") is False
    evidence = audit_class_forgotten(permuted_model, task.forget)
    assert evidence.verdict is Verdict.INVALID
    assert any("outputs misaligned?" in reason for reason in evidence.reasons)


@pytest.mark.slow
def test_a_poor_draw_of_an_honest_model_is_not_taken_for_disorder():
    """Few examples, of which models like it are right on half: one that is right on a third still knows something."""
    for n_forget, n_controls, references, seed in ((100, 4000, 4, 4), (100, 4000, 4, 58), (30, 200, 2, 78)):
        world = World(split(n_forget, n_controls, seed=seed), seed=seed)
        task = world.task(references=references)
        assert audit_forgotten(world.model(), task.forget, 0.6).verdict is not Verdict.INVALID
        mixed = saved(world.model(), forget=shuffled, test=shuffled)
        assert "outputs misaligned?" in audit_forgotten(mixed, task.forget, 0.6).reasons[0]


def mixed(model):
    return saved(model, forget=shuffled, test=shuffled)


@pytest.mark.parametrize("which", ["original", "one reference", "all references", "no original"])
def test_a_model_to_compare_with_that_is_out_of_order_is_named(which):
    original, references = WORLD.original(3.0), WORLD.references(2)
    if which == "original":
        original = mixed(original)
    else:
        references = [
            mixed(references[0]),
            *(map(mixed, references[1:]) if which == "all references" else references[1:]),
        ]
    task = UnlearningTask(DATA, original=None if which == "no original" else original, references=references)
    evidence = audit_forgotten(WORLD.model(), task.forget, LIMIT, require_controls=which != "no original")
    assert evidence.verdict is Verdict.INVALID
    name = "the original" if which == "original" else "retrained 0"
    assert f" {name} is right on " in evidence.reasons[0]
    assert evidence.reasons[0].startswith("outputs misaligned? on ")


@pytest.mark.parametrize("baseline", ["original", "retrained"])
def test_accuracy_beside_a_baseline_out_of_order_proves_nothing(baseline):
    task = UnlearningTask(DATA, original=mixed(WORLD.original(3.0)), references=[*map(mixed, WORLD.references(2))])
    evidence = audit_utility(WORLD.model(), task.test, baseline=baseline)
    assert evidence.verdict is Verdict.INVALID
    assert any("outputs misaligned?" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("skill", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("hard", [False, True])
def test_weak_models_and_hard_requests_are_in_order(skill, hard):
    """Of 40 draws with eight references each: none is accused, whether or not the request's labels are all guesses."""
    for seed in range(40):
        world = World(split(40, 200, seed=seed), seed=seed, difficulty=0.7, skill=skill)
        if hard:
            world.labels["forget"] = np.random.default_rng(seed).permutation(world.labels["forget"])
            world.centres["forget"][np.arange(40), np.arange(40) % 4] += 6.0
        original, references = world.original(9.0), world.references(8)
        named = [answered(world, f"retrained {k}", one) for k, one in enumerate(references)]
        for beside in (answered(world, "the original", original), None):
            asked = answered(world, "the model", world.model(9.0 * (seed % 2)))
            assert misaligned_others(asked, beside, named, unseen=("controls",)) == []


def answered(world, name, model):
    sets = {"forget": "forget", "controls": "test"}
    return Answered(
        name, model, {one: Outputs(logits=model.parts[part], labels=world.labels[part]) for one, part in sets.items()}
    )


PERSONS, LEAVE, EACH = 60, 12, 6  # classes, how many of them go, examples of each on each side


def recogniser(known, seed, right=0.4):
    """Answers of a network that was trained on some of the persons: others it often takes for one who looks alike."""
    rng = np.random.default_rng(seed)

    def answered(labels):
        logits = rng.normal(size=(len(labels), PERSONS))
        logits[:, ~np.isin(np.arange(PERSONS), known)] = -9.0
        taken_for = np.where(np.isin(labels, known), labels, labels + LEAVE)
        sure = np.flatnonzero(rng.random(len(labels)) < right)
        logits[sure, taken_for[sure]] = 6.0
        return logits

    labels = np.repeat(np.arange(PERSONS), EACH)
    return SavedOutputs(forget=answered(labels[labels < LEAVE]), test=answered(labels))


@pytest.fixture(scope="module")
def persons_task():
    labels = np.repeat(np.arange(PERSONS), EACH)
    seen, unseen = (np.random.default_rng(k).normal(size=(len(labels), 3)) for k in (0, 1))
    return UnlearningTask(
        Split((seen, labels), forget=labels < LEAVE, test=(unseen, labels)),
        original=recogniser(np.arange(PERSONS), seed=1),
        references=[recogniser(np.arange(LEAVE, PERSONS), seed=k) for k in (2, 3, 4)],
    )


def test_retrained_models_name_nobody_who_left_and_that_is_no_disorder(persons_task):
    """Who left is taken for somebody else, as if the columns had another order."""
    honest, known = recogniser(np.arange(LEAVE, PERSONS), seed=9), persons_task.original
    for model in (honest, known):
        claims = (
            audit_forgotten(model, persons_task.forget, 0.65),
            audit_utility(model, persons_task.test, 0.3),
            audit_matches_retrained(model, persons_task.test, 0.3),
        )
        assert [reason for claim in claims for reason in claim.reasons if "misaligned" in reason] == []


def test_without_references_too_an_honest_model_names_nobody_who_left(persons_task):
    """The original names them; that is no order of columns which an honest model should have."""
    split, original = persons_task.split, persons_task.original
    task, honest = UnlearningTask(split, original=original, references=0), recogniser(np.arange(LEAVE, PERSONS), seed=9)
    evidence = audit_forgotten(honest, task.forget, 0.65, require_controls=False)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert [reason for reason in evidence.reasons if "misaligned" in reason] == []


def test_retrained_models_whose_columns_are_permuted_are_still_found_where_classes_were_removed(persons_task):
    order = np.random.default_rng(0).permutation(PERSONS)
    mixed = [saved(one, *[lambda part: part[:, order]] * 2) for one in persons_task.retrained]
    task = UnlearningTask(persons_task.split, original=persons_task.original, references=mixed)
    evidence = audit_utility(persons_task.original, task.test, 0.3, baseline="retrained")
    assert evidence.verdict is Verdict.INVALID
    assert any("misaligned" in reason for reason in evidence.reasons)
