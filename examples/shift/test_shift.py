"""Each request follows another law than the test set, and choices of controls do what the table says."""

from __future__ import annotations

import numpy as np
import pytest

from examples.shift.__main__ import CHOICES, LIMIT, WEIGHTS, rows
from examples.shift.models import RECIPE, Asked, confidence, leaky, more_trees, probabilities, saved
from examples.shift.shifts import SHIFTS, one_year
from examples.wages.panel import wage_panel
from pytest_unlearn import UnlearningTask, audit_forgotten, audit_survives
from pytest_unlearn.data.view import View
from pytest_unlearn.statistics import auc
from unlearners import Retrain

SMALL = "large tumours"


@pytest.fixture(scope="module")
def tumours():
    task = UnlearningTask(SHIFTS[SMALL].split(0), references=0)
    everything = View("train", task.split.train, np.arange(len(task.split.train)), task)
    return task, RECIPE(everything, seed=0), *(RECIPE(task.retain, seed=seed) for seed in (1, 2))


def test_what_was_deleted_is_larger_than_what_it_is_compared_with(tumours):
    task = tumours[0]
    sizes = [SHIFTS[SMALL].known(view.arrays()[0], view.labels) for view in (task.forget, task.controls)]
    assert auc(*sizes) > 0.55


def test_a_survey_of_one_year_has_men_of_its_own():
    try:
        wage_panel()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    split = one_year(0)
    years = np.asarray(split.train.frame["year"])
    assert set(years[split.forget_indices]) == {1987}
    assert 1987 not in set(years[split.retain_indices])
    assert set(np.asarray(split.test.frame["year"])) == set(range(1980, 1988))


def test_a_leak_is_as_large_as_it_is_said_to_be(tumours):
    task, original, honest, other = tumours
    labels = task.forget.labels
    found, theirs = leaky(task, original, honest, other), confidence(probabilities(other, task.forget), labels)
    assert auc(confidence(probabilities(found, task.forget), labels), theirs) == pytest.approx(0.7, abs=0.01)
    assert np.array_equal(probabilities(found, task.controls), probabilities(honest, task.controls))


def test_a_model_that_was_asked_once_answers_the_same(tumours):
    task, original, _, _ = tumours
    asked = saved(original, task)
    assert isinstance(asked, Asked)
    for view in (task.forget, task.controls):
        assert np.array_equal(probabilities(asked, view), probabilities(original, view))


def test_more_trees_keep_those_that_are_there(tumours):
    task, original, _, _ = tumours
    longer = more_trees(original, task.retain)
    assert longer.estimators_[: len(original.estimators_)] == original.estimators_
    assert len(longer.estimators_) == 1.5 * len(original.estimators_)


def test_with_references_an_honest_model_is_acquitted_and_a_leak_is_found():
    found = {(row.choice, row.model): row.verdict for row in rows(SMALL, 0, ["references"])}
    assert found["references", "honest"] in ("PASS", "INCONCLUSIVE")
    assert found["references", "leaky"] == "FAIL"
    assert found["release", "original"] == "FAIL"
    assert found["release", "20 more trees"] == "FAIL"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one style", SMALL])
def test_matched_controls_acquit_honest_models_and_find_leaks(name):
    judged = rows(name, 1, list(CHOICES)[1:], release=False)
    found = [(row.model, row.verdict) for row in judged if row.choice != WEIGHTS]  # which decide nothing
    assert ("honest", "FAIL") not in found
    assert ("leaky", "PASS") not in found


@pytest.mark.slow
@pytest.mark.long
def test_requests_that_a_search_shifts_on_purpose_are_survived_by_retraining_alone():
    task = UnlearningTask(SHIFTS["one style"].split(0), RECIPE, cache_dir=None)
    families = ["cluster", "hardest", "outliers", "class-fraction"]

    def longer(model, retain, _forget, *, seed):
        return more_trees(model, retain)

    search = {"families": families, "budget": 8, "max_mia_auc": 0.65}
    assert audit_survives(Retrain(RECIPE), task, **search).verdict != "FAIL"
    assert audit_survives(longer, task, **search).verdict == "FAIL"


@pytest.mark.slow
def test_without_references_and_matching_nothing_is_said():
    task = UnlearningTask(SHIFTS["one style"].split(0), RECIPE, references=0)
    found = audit_forgotten(RECIPE(task.retain, seed=9), task.forget, max_mia_auc=LIMIT, require_controls=False)
    assert found.verdict == "INVALID"
