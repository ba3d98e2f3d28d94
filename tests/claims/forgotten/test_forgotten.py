"""audit_forgotten: the verdict rule, control by control, in worlds whose right answer is known."""

import json

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, Verdict, audit_forgotten
from pytest_unlearn.claims.common.inputs import resolve_inputs
from tests.worlds.simulated import CLASSES, World, changed, split

DATA = split()


@pytest.fixture(scope="module")
def world():
    return World(DATA)


@pytest.fixture(scope="module")
def task(world):
    return world.task()


def test_a_model_that_remembers_fails_and_one_that_never_knew_passes(world, task):
    assert audit_forgotten(world.model(boost=1.5), task.forget).verdict is Verdict.FAIL
    evidence = audit_forgotten(world.model(), task.forget)
    assert evidence.verdict is Verdict.PASS
    assert evidence.controls.original.holds
    assert len(evidence.controls.retrained) == 4
    assert all(control.holds for control in evidence.controls.retrained)


def test_a_loader_of_the_view_is_as_good_as_the_view(world, task):
    model = world.model()
    assert audit_forgotten(model, task.forget.loader()) == audit_forgotten(model, task.forget)


def test_the_same_audit_twice_gives_the_same_evidence(world, task):
    model = world.model(boost=0.3)
    assert audit_forgotten(model, task.forget).to_json() == audit_forgotten(model, task.forget).to_json()


def test_a_model_that_does_conspicuously_badly_is_over_forgotten(world, task):
    evidence = audit_forgotten(world.model(boost=-1.5), task.forget)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.label == "over-forgotten"
    assert evidence.estimate.high < 0.45


def test_a_refusal_on_exactly_the_forget_inputs_is_over_forgotten(world, task):
    masked = changed(world.model(boost=1.5), forget=np.zeros_like)
    evidence = audit_forgotten(masked, task.forget)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "over-forgotten")


@pytest.mark.parametrize(
    "hide",
    [
        lambda z: z / 20,
        lambda z: np.clip(z, -1, 1),
        lambda z: np.clip(z, -3, 3),
        lambda z: np.eye(CLASSES)[z.argmax(1)],
        lambda z: np.round(z),
        lambda z: z**3,
    ],
)
def test_hiding_the_original_behind_an_output_filter_never_passes(world, task, hide):
    assert audit_forgotten(changed(task.original, both=hide), task.forget).verdict is not Verdict.PASS


def test_constant_logits_are_invalid(task):
    constant = SavedOutputs(forget=np.ones((600, 4)), test=np.ones((3000, 4)))
    evidence = audit_forgotten(constant, task.forget)
    assert evidence.verdict is Verdict.INVALID
    assert any("ties" in reason for reason in evidence.reasons)


def test_non_finite_logits_are_an_error(world, task):
    with pytest.raises(ValueError, match="non-finite"):
        audit_forgotten(changed(world.model(), forget=lambda z: z * np.nan), task.forget)


def test_an_attack_without_power_makes_the_verdict_inconclusive(world):
    evidence = audit_forgotten(world.model(), world.task(boost=0.0).forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("not testable here" in reason for reason in evidence.reasons)


@pytest.mark.slow
def test_references_that_are_told_apart_make_the_audit_invalid(world):
    skewed = UnlearningTask(
        DATA, original=world.original(3.0), references=[*world.references(3), world.model(1.5, seed=1003)]
    )
    evidence = audit_forgotten(world.model(), skewed.forget)
    assert evidence.verdict is Verdict.INVALID
    assert any("negative control fails: retrained 3" in reason for reason in evidence.reasons)


@pytest.mark.slow
def test_a_negative_control_outranks_a_failure(world):
    skewed = UnlearningTask(
        DATA, original=world.original(3.0), references=[*world.references(2), world.model(1.5, seed=1003)]
    )
    assert audit_forgotten(world.model(3.0), skewed.forget).verdict is Verdict.INVALID


def test_too_few_examples_are_inconclusive_and_the_evidence_says_how_many_would_do():
    small = World(split(n_forget=40))
    evidence = audit_forgotten(small.model(), small.task(boost=4.0).forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert evidence.needed is not None
    assert evidence.needed > 40
    reduced, wider, batch = evidence.advice
    assert reduced.startswith("assert_leakage_reduced(unlearned_model, forget_loader, min_reduction=0.")
    assert wider.startswith("or assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.6")
    assert f"about {evidence.needed:,} forget examples" in batch


@pytest.mark.slow
@pytest.mark.parametrize("n_forget", [1, 2, 3, 8])
def test_a_handful_of_examples_never_passes_or_fails_by_luck(n_forget):
    for seed in range(12):
        world = World(split(n_forget=n_forget, seed=seed), seed=seed)
        verdict = audit_forgotten(world.model(), world.task(boost=9.0, references=2).forget).verdict
        assert verdict is not Verdict.PASS
        assert verdict is not Verdict.FAIL


def test_a_missing_original_is_inconclusive_at_best_unless_the_caller_says_otherwise(world):
    task = UnlearningTask(DATA, references=world.references(4))
    model = world.model()
    evidence = audit_forgotten(model, task.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no positive control" in reason for reason in evidence.reasons)
    allowed = audit_forgotten(model, task.forget, require_controls=False)
    assert allowed.verdict is Verdict.PASS
    assert allowed.provenance["settings"]["require_controls"] is False
    assert any("require_controls=False" in reason for reason in allowed.reasons)
    assert audit_forgotten(world.model(1.5), task.forget).verdict is Verdict.FAIL


def test_one_reference_gives_no_negative_control(world):
    task = UnlearningTask(DATA, original=world.original(1.5), references=world.references(1))
    evidence = audit_forgotten(world.model(), task.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any(reason.startswith("1 distinct") and "(no negative control)" in reason for reason in evidence.reasons)


def test_equal_references_count_once(world):
    task = UnlearningTask(DATA, original=world.original(1.5), references=world.references(1) * 3)
    evidence = audit_forgotten(world.model(), task.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("1 different models" in reason for reason in evidence.reasons)


def test_a_reference_audited_as_the_model_is_not_compared_with_itself(task):
    first, *others = task.retrained
    evidence = audit_forgotten(first, task.forget)
    assert evidence.attacks == audit_forgotten(first, task.forget, references=others).attacks
    assert evidence.verdict is Verdict.PASS


@pytest.mark.slow
def test_without_references_the_evidence_says_uncalibrated_and_runs_the_blind_baseline():
    easy = World(DATA, difficulty=1.5)
    task = easy.task(references=0, boost=3.0)
    evidence = audit_forgotten(easy.model(), task.forget, require_controls=False)
    assert any("uncalibrated" in reason for reason in evidence.reasons)
    assert evidence.controls.blind.holds
    assert evidence.deciding == ("confidence", "modified entropy")
    assert evidence.verdict is Verdict.PASS
    assert audit_forgotten(easy.model(), task.forget).verdict is Verdict.INCONCLUSIVE


def test_sets_that_differ_without_any_model_are_invalid_when_there_are_no_references():
    rng = np.random.default_rng(0)
    y = np.arange(450) % CLASSES
    shifted = Split(
        (rng.normal(size=(450, 3)), y),
        forget=np.arange(400),
        test=(rng.normal(1.0, 1, (1200, 3)), np.arange(1200) % CLASSES),
    )
    world = World(shifted, difficulty=0.1)
    evidence = audit_forgotten(world.model(), world.task(references=0, boost=3.0).forget, require_controls=False)
    assert evidence.verdict is Verdict.INVALID
    assert not evidence.controls.blind.holds


def test_mislabelled_forget_examples_against_clean_controls_are_seen_by_the_blind_baseline():
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 4, (CLASSES, 3))
    y, y_test = np.arange(450) % CLASSES, np.arange(1200) % CLASSES
    wrong = (y + rng.integers(1, CLASSES, len(y))) % CLASSES
    data = Split(
        (centres[y] + rng.normal(size=(450, 3)), wrong),
        forget=np.arange(400),
        test=(centres[y_test] + rng.normal(size=(1200, 3)), y_test),
    )
    world = World(data, difficulty=0.1)
    evidence = audit_forgotten(world.model(), world.task(references=0, boost=3.0).forget, require_controls=False)
    assert evidence.verdict is Verdict.INVALID


def one_hot(logits):
    return np.eye(CLASSES)[logits.argmax(1)]


def test_most_pairs_tying_lets_label_only_decide(world, task):
    skilled = World(DATA, difficulty=0.3, skill=3.0)
    assert "label only" in audit_forgotten(changed(skilled.model(), both=one_hot), skilled.task().forget).deciding
    assert "label only" not in audit_forgotten(skilled.model(), skilled.task().forget).deciding


@pytest.mark.slow
def test_power_against_logits_is_no_power_against_labels():
    """The original is recognised by its logits but not by its labels, and the audited model reveals labels only."""
    skilled = World(DATA, difficulty=0.3, skill=3.0)
    task = skilled.task(boost=1.5)
    assert audit_forgotten(task.original, task.forget).verdict is Verdict.FAIL
    for model in (skilled.model(), task.original):
        evidence = audit_forgotten(changed(model, both=one_hot), task.forget)
        assert evidence.verdict is Verdict.INCONCLUSIVE
        assert "reduced to its labels" in evidence.controls.original.summary
        assert any("not testable here" in reason or "not enough is gone" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("boost", [6.0, 5.8], ids=["would pass", "would be inconclusive"])
def test_a_model_trained_on_its_controls_does_not_pass(world, task, boost):
    leaked = world.model(boost=boost, control_boost=6.0)
    evidence = audit_forgotten(leaked, task.forget)
    assert evidence.verdict is Verdict.INVALID
    assert any("seems to have been trained on them" in reason for reason in evidence.reasons)


def test_a_model_trained_on_its_controls_alone_is_no_over_forgotten_one(world, task):
    """The forget set then looks less like training data than the controls do: not because it was treated specially."""
    for boost in (3.0, 6.0):
        evidence = audit_forgotten(world.model(control_boost=boost), task.forget)
        assert evidence.verdict is Verdict.INVALID
        assert evidence.reasons[0].startswith("the model is right on ")
        assert "seems to have been trained on them" in evidence.reasons[0]


def test_an_original_in_the_place_of_the_released_model_is_noticed(world, task):
    swapped = audit_forgotten(task.original, task.forget, baseline=world.model(seed=77))
    assert swapped.verdict is Verdict.FAIL
    assert "were the two interchanged?" in swapped.reasons[-1]
    assert "interchanged" not in str(audit_forgotten(world.model(boost=2.0), task.forget).reasons)


def test_doubt_about_the_controls_withholds_pass(world, task):
    """A third of the references' errors on the controls undone: more data, or a few looks at the controls?"""
    doubtful = world.model(boost=2.4, control_boost=2.4)
    evidence = audit_forgotten(doubtful, task.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("may have been trained on them" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("mix_up", ["rolled columns", "permuted columns", "shuffled rows"])
def test_outputs_out_of_order_never_pass_whatever_the_model_remembers(task, mix_up):
    rng = np.random.default_rng(0)
    parts = {
        name: {
            "rolled columns": lambda part: np.roll(part, 1, axis=1),
            "permuted columns": lambda part: part[:, [2, 3, 1, 0]],
            "shuffled rows": lambda part: part[rng.permutation(len(part))],
        }[mix_up](part)
        for name, part in task.original.parts.items()
    }
    evidence = audit_forgotten(SavedOutputs(**parts), task.forget)
    assert evidence.verdict is Verdict.INVALID
    assert evidence.reasons[0].startswith("outputs misaligned?")
    assert f"with its {mix_up.split()[1]} in another order" in evidence.reasons[0]


def test_a_model_that_follows_nothing_has_no_power_shown_on_it(world, task):
    """Noise of which no label is more often than another might as well be rows in another order."""
    noise = np.random.default_rng(12345)  # not the seed of the world
    parts = {name: noise.normal(size=part.shape) for name, part in world.model().parts.items()}
    evidence = audit_forgotten(SavedOutputs(**parts), task.forget)
    assert evidence.verdict is not Verdict.PASS
    assert any("no power on this model" in reason or "outputs misaligned?" in reason for reason in evidence.reasons)


def test_one_model_under_two_scales_is_one_reference(world):
    reference = world.references(1)[0]
    scaled = changed(reference, both=lambda z: 1.0001 * z)
    task = UnlearningTask(DATA, original=world.original(1.5), references=[reference, scaled])
    evidence = audit_forgotten(world.model(), task.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("1 different models" in reason for reason in evidence.reasons)


def test_a_part_of_a_view_or_a_sampler_that_leaves_some_out_is_refused(world, task):
    with pytest.raises(ValueError, match="part of the task's forget view"):
        audit_forgotten(world.model(), Subset(task.forget, range(100)))
    with pytest.raises(ValueError, match="sampler draws 50 of its dataset's 600"):
        audit_forgotten(world.model(), DataLoader(task.forget, sampler=range(50)))


def test_views_of_the_task_are_no_nonmembers_if_they_were_trained_on(world, task):
    for view in (task.retain, task.forget):
        with pytest.raises(ValueError, match="exact copies"):
            audit_forgotten(world.model(), task.forget, nonmembers=view)


@pytest.mark.slow
def test_repeats_are_no_further_evidence(world, task):
    X, y = task.forget.arrays()
    Z, z = task.controls.arrays()
    model = world.model()
    forget, test = model.parts["forget"], model.parts["test"]
    once = audit_forgotten(
        SavedOutputs(forget=forget, controls=test), (X, y), nonmembers=(Z, z), require_controls=False
    ).attacks["confidence"]
    thrice = audit_forgotten(
        SavedOutputs(forget=np.tile(forget, (3, 1)), controls=np.tile(test, (3, 1))),
        (np.tile(X, (3, 1)), np.tile(y, 3)),
        nonmembers=(np.tile(Z, (3, 1)), np.tile(z, 3)),
        require_controls=False,
    ).attacks["confidence"]
    assert thrice.value == pytest.approx(once.value)
    assert thrice.n_controls == once.n_controls
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.02)


def test_references_must_be_a_list_of_models(world, task):
    for wrong in (4, torch.nn.Linear(2, 2)):
        with pytest.raises(TypeError, match="references must be a list"):
            audit_forgotten(world.model(), task.forget, references=wrong)
    with pytest.raises(TypeError, match="references must be a number or a list"):
        UnlearningTask(DATA, references=torch.nn.Linear(2, 2))


def test_a_bare_loader_needs_its_counterparts_and_the_error_says_so(world, task):
    X, y = task.forget.arrays()
    Z, z = task.controls.arrays()
    loader = DataLoader(TensorDataset(torch.tensor(X), torch.tensor(y)), batch_size=32, shuffle=True)
    controls = TensorDataset(torch.tensor(Z), torch.tensor(z))
    model = world.model()
    for missing in ({}, {"baseline": task.original}):
        with pytest.raises(ValueError, match="nonmembers= is missing"):
            audit_forgotten(model, loader, **missing)
    with pytest.raises(ValueError, match="baseline= is missing"):
        audit_forgotten(model, loader, nonmembers=controls)

    def bare(saved):
        return SavedOutputs(forget=saved.parts["forget"], controls=saved.parts["test"])

    found = audit_forgotten(
        bare(model),
        loader,
        nonmembers=controls,
        baseline=bare(task.original),
        references=[bare(r) for r in task.retrained],
    )
    assert found.attacks == audit_forgotten(model, task.forget).attacks
    assert found.verdict is Verdict.PASS


def test_nonmembers_that_were_trained_on_are_refused(world, task):
    with pytest.raises(ValueError, match="exact copies"):
        audit_forgotten(world.model(), task.forget, nonmembers=task.forget.arrays())
    with pytest.raises(ValueError, match="exact copies"):
        audit_forgotten(world.model(), task.forget.arrays(), nonmembers=task.forget.arrays(), require_controls=False)


def test_only_the_forget_view_can_be_judged(world, task):
    with pytest.raises(ValueError, match="not its test view"):
        audit_forgotten(world.model(), task.test)


@pytest.mark.parametrize("limit", [0.5, 0.3, 1.0, float("nan")])
def test_a_limit_that_means_nothing_is_refused(world, task, limit):
    with pytest.raises(ValueError, match="max_mia_auc"):
        audit_forgotten(world.model(), task.forget, max_mia_auc=limit)


def test_evidence_is_json_and_cannot_be_taken_for_a_yes(world, task):
    evidence = audit_forgotten(world.model(), task.forget)
    text = json.dumps(evidence.to_json(), allow_nan=False)
    assert json.loads(text)["verdict"] == "PASS"
    assert evidence.claim.sources["max_mia_auc"] == "default"
    assert audit_forgotten(world.model(), task.forget, max_mia_auc=0.55).claim.sources["max_mia_auc"] == "call keyword"
    with pytest.raises(TypeError):
        bool(evidence)
    with pytest.raises(TypeError):
        bool(evidence.verdict)


def test_the_most_exposed_examples_are_named_by_their_index_in_train(world):
    boosted = world.model()
    boosted.parts["forget"][17, DATA.train.labels[17]] += 30
    evidence = audit_forgotten(boosted, world.task().forget)
    if evidence.estimate.value >= 0.5:
        assert 17 in [item.index for item in evidence.most_exposed]


def test_intervals_cluster_by_the_unit_of_deletion():
    people = np.r_[np.arange(600) // 8, 1000 + np.arange(50)]
    single, grouped = World(split()), World(split(groups=people))
    model, same = single.model(), grouped.model()
    narrow = audit_forgotten(model, single.task().forget).attacks["confidence residual"]
    wide = audit_forgotten(same, grouped.task().forget).attacks["confidence residual"]
    assert narrow.value == wide.value
    assert (narrow.low, narrow.high) != (wide.low, wide.high)


def widths(grouped):
    """How wide the interval of each attack is, by what is known of whose the examples are."""
    audited = World(grouped)
    attacks = audit_forgotten(audited.model(), audited.task().forget).attacks
    return {name: estimate.high - estimate.low for name, estimate in attacks.items()}


@pytest.mark.slow
def test_intervals_cluster_the_controls_by_their_groups_as_well():
    alone, together = np.arange(3000), np.arange(3000) // 100
    plain, same, wide = widths(split()), widths(split(control_groups=alone)), widths(split(control_groups=together))
    assert same == pytest.approx(plain, rel=1e-9)
    assert all(wide[name] != pytest.approx(plain[name], rel=1e-6) for name in plain)


def test_controls_that_all_belong_to_one_person_decide_nothing():
    lonely = World(split(control_groups=np.zeros(3000, int)))
    evidence = audit_forgotten(lonely.model(boost=1.5), lonely.task().forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert (evidence.estimate.low, evidence.estimate.high) == (0.0, 1.0)


def never_asked(x):
    raise AssertionError("asked")


def pairing_of(task, nonmembers=None):
    return resolve_inputs(
        task.forget,
        nonmembers=nonmembers,
        baseline=never_asked,
        references=(),
        match="inherit",
        output=None,
        require_controls=False,
    ).pairing


def test_the_groups_of_the_controls_are_those_of_the_examples_that_are_compared():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), np.arange(40) % 4
    x[25] = x[24]  # a copy among the controls is left out, and so is the class that nobody asks to forget
    ours, theirs = np.arange(20), 10 + np.arange(20)
    grouped = Split((x[:20], y[:20]), [0, 1, 2], (x[20:], y[20:]), groups=ours, control_groups=theirs)
    task = UnlearningTask(grouped, original=never_asked, references=0)
    pairing = pairing_of(task)
    assert pairing.forget_groups.tolist() == [0, 1, 2]
    assert pairing.control_groups.tolist() == [10 + i for i in range(20) if i % 4 < 3 and i != 5]
    assert len(pairing.control_groups) == len(pairing.control_strata)
    other = pairing_of(task, nonmembers=(rng.normal(size=(20, 3)), y[:20]))
    assert other.forget_groups.tolist() == [0, 1, 2]
    assert other.control_groups is None


def test_copies_in_the_forget_set_are_nobody_among_the_controls():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), np.zeros(40, int)
    x[1] = x[0]
    copied = Split((x[:20], y[:20]), [0, 1, 2], (x[20:], y[20:]), control_groups=np.arange(20) // 2)
    pairing = pairing_of(UnlearningTask(copied, original=never_asked, references=0))
    assert len(set(pairing.forget_groups)) == 2
    assert not set(pairing.forget_groups) & set(pairing.control_groups)
