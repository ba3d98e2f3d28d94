"""audit_utility and audit_matches_retrained: paired claims about accuracy."""

import numpy as np
import pytest

from pytest_unlearn import SavedOutputs, UnlearningTask, Verdict, audit_matches_retrained, audit_utility
from tests.worlds.simulated import CLASSES, split

DATA = split(n_controls=2000)
LABELS = DATA.test.labels


def right_on(share, seed=0):
    """A model that is right on the first examples of the test set, the same for every seed, and wrong in the rest."""
    rng = np.random.default_rng(seed)
    right = np.arange(len(LABELS)) < round(share * len(LABELS))
    predicted = np.where(right, LABELS, (LABELS + rng.integers(1, CLASSES, len(LABELS))) % CLASSES)
    return SavedOutputs(test=np.eye(CLASSES)[predicted] * 3)


TASK = UnlearningTask(DATA, original=right_on(0.9), references=[right_on(0.9, seed) for seed in range(3)])


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.90, "PASS"), (0.95, "PASS"), (0.888, "PASS"), (0.879, "INCONCLUSIVE"), (0.85, "FAIL")]
)
def test_utility_is_judged_on_the_bound_of_the_drop(share, verdict):
    evidence = audit_utility(right_on(share), TASK.test, max_drop=0.02)
    assert evidence.verdict.value == verdict
    assert evidence.estimate.value == pytest.approx(0.9 - share, abs=1e-9)
    assert evidence.estimate.low < evidence.estimate.value < evidence.estimate.high
    assert evidence.estimate.n_forget == 2000


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.90, "PASS"), (0.80, "FAIL"), (0.99, "FAIL"), (0.948, "INCONCLUSIVE")]
)
def test_matching_the_retrained_models_is_two_sided(share, verdict):
    evidence = audit_matches_retrained(right_on(share), TASK.test, max_gap=0.05)
    assert evidence.verdict.value == verdict
    assert evidence.estimate.value == pytest.approx(share - 0.9, abs=1e-9)


def test_utility_can_be_compared_with_the_retrained_models_or_any_other():
    worse = UnlearningTask(DATA, original=right_on(0.95), references=[right_on(0.9, seed) for seed in range(3)])
    assert audit_utility(right_on(0.9), worse.test).verdict is Verdict.FAIL
    assert audit_utility(right_on(0.9), worse.test, baseline="retrained").verdict is Verdict.PASS
    assert audit_utility(right_on(0.9), worse.test, baseline=right_on(0.9)).verdict is Verdict.PASS


def test_equal_models_on_few_examples_do_not_pass():
    few = split(n_controls=20)
    answers = SavedOutputs(test=np.eye(CLASSES)[few.test.labels])
    task = UnlearningTask(few, original=answers, references=[answers] * 2)
    assert audit_utility(answers, task.test).verdict is Verdict.INCONCLUSIVE
    assert audit_matches_retrained(answers, task.test).verdict is Verdict.INCONCLUSIVE


def test_an_inconclusive_claim_says_how_many_examples_would_settle_it():
    evidence = audit_utility(right_on(0.879), TASK.test, max_drop=0.03)
    assert evidence.verdict is not Verdict.INCONCLUSIVE or evidence.needed > 2000
    tight = audit_utility(right_on(0.885), TASK.test, max_drop=0.02)
    assert tight.verdict is Verdict.INCONCLUSIVE
    assert tight.needed > 2000
    assert any(f"{tight.needed:,}" in step for step in tight.advice)


def test_a_bare_dataset_needs_a_baseline_and_a_task_needs_what_is_asked_of_it():
    X, y = TASK.test.arrays()
    plain = SavedOutputs(test=right_on(0.9).parts["test"])
    with pytest.raises(ValueError, match="baseline= is missing"):
        audit_utility(plain, (X, y))
    with pytest.raises(ValueError, match='must be "original", "retrained"'):
        audit_utility(plain, TASK.test, baseline="retrian")
    lonely = UnlearningTask(DATA, original=right_on(0.9))
    with pytest.raises(ValueError, match="no retrained references"):
        audit_matches_retrained(plain, lonely.test)
    with pytest.raises(ValueError, match="no original model"):
        audit_utility(plain, UnlearningTask(DATA, references=[plain, plain]).test)


def test_a_bare_dataset_is_compared_with_the_model_it_is_given():
    X, y = TASK.test.arrays()

    def always(x):
        return np.tile(np.eye(CLASSES)[0], (len(x), 1))

    def never(x):
        return np.tile(-np.eye(CLASSES)[0], (len(x), 1))

    assert audit_utility(always, (X, y), baseline=always).verdict is Verdict.PASS
    rare = y == 0
    assert audit_utility(never, (X[rare], y[rare]), baseline=always).verdict is Verdict.FAIL
