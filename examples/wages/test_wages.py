"""Persons are deleted with all their years, and counted as persons."""

from __future__ import annotations

import numpy as np
import pytest

from examples.wages.__main__ import audited, spent, task_of
from examples.wages.models import MORE_TREES, RECIPES, boost_on
from examples.wages.panel import FORGET, PERSON, numbers_to_delete, persons_to_delete, wage_panel
from unlearners import CertifiedNewton


@pytest.fixture(scope="module", autouse=True)
def panel() -> None:
    try:
        wage_panel()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_the_panel_is_the_published_one():
    table = wage_panel()
    assert len(table) == 4360
    assert table[PERSON].nunique() == 545
    assert set(table.groupby(PERSON).size()) == {8}
    assert (table.paid == "above").mean() == pytest.approx(0.5, abs=0.01)


def test_every_year_of_a_man_goes_and_he_is_one_unit():
    split = persons_to_delete(0)
    assert len(split.forget_indices) == 8 * FORGET
    assert len(np.unique(split.groups[split.forget_indices])) == FORGET
    assert split.control_groups is not None


def test_men_that_nobody_names_are_told_of():
    with pytest.warns(UserWarning, match=PERSON):
        split = persons_to_delete(0, as_rows=True)
    assert split.groups is None


def test_rows_for_certified_removal_have_a_norm_of_at_most_one_and_no_copies_on_both_sides():
    split = numbers_to_delete(0)
    rows = np.stack([split.train[i][0] for i in range(len(split.train))])
    assert np.linalg.norm(rows, axis=1).max() <= 1 + 1e-6
    assert len(split.test) > 2000


def test_removal_of_the_men_is_certified_within_its_budget():
    method = CertifiedNewton(regularisation=0.03, noise=3.0)
    task = task_of(numbers_to_delete, 0, method.train)
    removed = method(task.original, task.retain, task.forget, seed=0)
    assert removed.certificate.holds
    assert removed.certificate.retrainings == 0
    assert 0 < removed.certificate.spent < removed.certificate.budget
    assert spent(removed).startswith("epsilon 1, ")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_originals_and_more_trees_fail_and_retrained_models_pass(name, tmp_path, monkeypatch):
    monkeypatch.setattr("examples.wages.__main__.CACHE", str(tmp_path))
    task = task_of(persons_to_delete, 0, RECIPES[name])
    leaky = [task.original, *([boost_on(name, task.original, task.retain)] if name in MORE_TREES else [])]
    assert [audited(model, task).verdict.value for model in leaky] == ["FAIL"] * len(leaky)
    assert audited(RECIPES[name](task.retain, seed=1000), task).verdict.value == "PASS"
