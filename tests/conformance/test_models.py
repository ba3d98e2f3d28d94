"""What a method is tried on: the suite's networks, a recipe's models, its own training, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn import Case, Unsupported, check_unlearner, unlearner_checks
from pytest_unlearn.conformance.networks import NETWORKS
from tests.conformance.broken import BROKEN, Careful
from tests.conformance.methods import (
    MeanMethod,
    NeedsMore,
    Picky,
    Refit,
    RefitInPlace,
    RefitShallow,
    bayes,
    continuous_only,
    convolutions_only,
    logistic,
    never,
    two_classes_only,
    whole_classes_only,
)

NETWORK_CHECKS = {f"works-on-{name}" for name in NETWORKS}


def names(outcomes):
    return {outcome.check for outcome in outcomes}


def test_a_refused_network_is_unsupported_with_the_sentence() -> None:
    report = check_unlearner(Picky(continuous_only))
    assert {(outcome.check, outcome.reason) for outcome in report.unsupported} == {
        ("works-on-lstm-on-tokens", "it needs another problem.")
    }


@pytest.mark.slow
def test_a_method_is_held_to_the_rules_on_the_first_network_that_it_takes() -> None:
    report = check_unlearner(Picky(convolutions_only))
    assert names(report.unsupported) == {name for name in NETWORK_CHECKS if "cnn" not in name}
    broken, checks = BROKEN["writes_into_the_input"]
    assert names(check_unlearner(Picky(convolutions_only, broken), on_fail=None).failed) == checks


def test_a_method_for_whole_classes_is_held_to_the_rules_on_a_whole_class() -> None:
    report = check_unlearner(Picky(whole_classes_only))
    assert names(report.unsupported) == {"one-forget-example", "retain-a-single-class", "duplicate-examples"}
    broken, checks = BROKEN["has_a_last_batch_of_one"]
    assert names(check_unlearner(Picky(whole_classes_only, broken), on_fail=None).failed) == checks


def test_a_method_for_two_classes_is_held_to_the_rules_on_two() -> None:
    def binary(dataset, *, seed):
        return logistic(dataset, seed=seed)

    report = check_unlearner(Picky(two_classes_only, Refit(logistic)), recipe=binary)
    assert "last-batch-of-one" in names(report.passed)


def test_a_method_that_refuses_everything_was_not_checked_which_is_a_failure() -> None:
    report = check_unlearner(Picky(never), on_fail=None)
    assert names(report.failed) == {"supports-some-problem"}
    assert "was not checked at all" in report.failed[0].reason
    assert "it needs another problem." in report.failed[0].reason
    assert len(report.unsupported) == len(report.outcomes) - 1


@pytest.mark.parametrize("error", [Unsupported, NeedsMore])
def test_unsupported_is_recognised_by_name(error: type[Exception]) -> None:
    assert issubclass(error, TypeError)

    def refuses(model, retain, forget, *, seed):
        raise error("not here")

    assert names(check_unlearner(refuses, on_fail=None).failed) == {"supports-some-problem"}


def test_not_implemented_is_a_crash() -> None:
    def crashes(model, retain, forget, *, seed):
        raise NotImplementedError("Could not run 'aten::op'")

    report = check_unlearner(crashes, on_fail=None)
    assert not report.unsupported
    assert "crashed with NotImplementedError" in report.failed[0].reason


@pytest.mark.parametrize("recipe", [logistic, bayes])
def test_estimators_are_compared_by_what_was_fitted(recipe) -> None:
    report = check_unlearner(Refit(recipe), recipe=recipe)
    assert not NETWORK_CHECKS & names(report.outcomes)
    assert {"same-seed-same-weights", "input-model-untouched", "nothing-to-forget"} <= names(report.passed)
    about_modules = {outcome.check for outcome in report.unsupported if "torch modules" in outcome.reason}
    assert about_modules == {
        *("frozen-layers-untouched", "dtypes-and-devices-kept", "double-precision-kept", "requires-grad-kept"),
        *("modes-kept", "no-gradients-left", "no-hooks-left", "finite-weights"),
    }


def test_a_refitted_input_and_a_shallow_copy_are_caught() -> None:
    broken = check_unlearner(RefitInPlace(logistic), recipe=logistic, on_fail=None)
    assert names(broken.failed) == {"input-model-untouched", "result-shares-nothing-with-the-input"}
    broken = check_unlearner(RefitShallow(logistic), recipe=logistic, on_fail=None)
    assert names(broken.failed) == {
        *("result-shares-nothing-with-the-input", "nothing-to-forget"),
        "forget-a-whole-class",  # it has the classes of before
    }


def test_a_recipe_that_cannot_train_on_one_class_is_no_fault_of_the_method() -> None:
    report = check_unlearner(Refit(logistic), recipe=logistic)
    reasons = {outcome.check: outcome.reason for outcome in report.unsupported}
    assert reasons["retain-a-single-class"] == "the recipe itself gives no usable model on the classes that are left."


def test_a_method_with_its_own_training_is_tried_on_what_it_has_trained() -> None:
    method = MeanMethod()
    report = check_unlearner(method)
    assert {60, 63, 194} <= set(method.trained)
    assert not NETWORK_CHECKS & names(report.outcomes)
    assert names(check_unlearner(MeanMethod(mistake=True), on_fail=None).failed) == {"input-model-untouched"}


def test_a_recipe_is_tried_on_the_data_that_it_was_written_for() -> None:
    rng = np.random.default_rng(0)
    dataset = [(rng.normal(size=9) + label, 10 + label) for label in [0, 1, 2, 3] * 10]

    def nine_features(data, *, seed):
        assert len(data[0][0]) == 9
        return bayes(data, seed=seed)

    def refit(model, retain, forget, *, seed):
        return Refit(bayes)(model, retain, forget, seed=seed)

    assert "cannot be pickled" in check_unlearner(Case(refit, nine_features, dataset), on_fail=None).failed[0].reason
    with pytest.raises(
        AssertionError, match=r"its recipe crashed .* pass Case\(refit, nine_features, dataset=examples\)"
    ):
        check_unlearner(refit, recipe=nine_features)


def test_each_check_can_be_run_alone_and_twice() -> None:
    for check in reversed([*unlearner_checks(Careful())]):
        check()
        check()


def test_checks_have_readable_names() -> None:
    checks = [*unlearner_checks(Careful())]
    assert checks[0].__name__ == checks[0].name == "supports-some-problem"
    assert str(checks[0]) == "Careful-supports-some-problem"
    assert len({check.name for check in checks}) == len(checks) == 35


def test_what_is_not_an_unlearner_is_refused() -> None:
    for wrong in (Careful, "fine-tune"):
        with pytest.raises(TypeError, match="pass an instance|cannot be"):
            unlearner_checks(wrong)
