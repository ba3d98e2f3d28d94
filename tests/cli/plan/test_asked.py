"""What tests claim, and at which constant limits, is read off their code."""

from __future__ import annotations

from typing import Any

import pytest

import pytest_unlearn
from pytest_unlearn import (
    assert_algorithm,
    assert_forgotten,
    assert_leakage_reduced,
    assert_release,
    assert_survives,
    assert_utility,
    audit_algorithm,
)
from pytest_unlearn.cli.plan.algorithm import Runs, runs_of
from pytest_unlearn.cli.plan.asked import Asked, asked_by, calls_of

HOW_MANY = 7
LIMIT = 0.61


def several(unlearner: Any, task: Any) -> None:
    assert_algorithm(unlearner, task)
    audit_algorithm(unlearner, task, 0.6, runs=6, requests="same")


def computed(unlearner: Any, task: Any, options: dict[str, Any]) -> None:
    assert_algorithm(unlearner, task, runs=HOW_MANY * 2)
    assert_algorithm(unlearner, task, **options)


def by_name(model: Any, forget: Any) -> None:
    pytest_unlearn.assert_forgotten(model, forget, max_mia_auc=LIMIT)


def by_position(model: Any, forget: Any) -> None:
    assert_forgotten(model, forget, 0.57, confidence=0.9)
    assert_leakage_reduced(model, forget, 0.75)


def whole(model: Any, task: Any, unlearner: Any) -> None:
    assert_release(model, task, policy="thorough", unlearner=unlearner, max_mia_auc=0.6, runs=12)
    assert_survives(unlearner, task, budget=5)


def otherwise(model: Any, test: Any, forget: Any) -> None:
    assert_utility(model, test)
    assert_forgotten(model, forget, max_mia_auc=LIMIT + 0.01)
    assert_leakage_reduced(model, forget, min_reduction=3)


def helped(model: Any) -> None:
    by_name(model, None)


def asked(test: Any, **layers: Any) -> list[Asked]:
    return list(asked_by(test, layers))


def shown(one: Asked, name: str) -> tuple[Any, str]:
    return one.settings[name].value, one.settings[name].source


def test_runs_are_read_off_the_code_of_tests() -> None:
    assert [runs_of(one) for one in asked(several)] == [Runs(10, "drawn"), Runs(6, "same")]
    assert [runs_of(one) for one in asked(computed)] == [Runs(10, "drawn", sure=False)] * 2
    assert calls_of(len) == ()


def test_limits_are_read_where_they_are_constants() -> None:
    (named,) = asked(by_name, ini={"max_mia_auc": 0.7})
    assert shown(named, "max_mia_auc") == (LIMIT, "call keyword")
    forgotten, reduced = asked(by_position, ini={"confidence": 0.99})
    assert shown(forgotten, "max_mia_auc") == (0.57, "call keyword")
    assert shown(forgotten, "confidence") == (0.9, "call keyword")
    assert (reduced.planned, *shown(reduced, "min_reduction")) == ("share", 0.75, "call keyword")
    assert shown(reduced, "confidence") == (0.99, "ini")


def test_a_computed_limit_is_named_as_not_seen_and_one_out_of_range_is_its_own_tests_failure() -> None:
    forgotten, reduced = asked(otherwise, marker={"max_mia_auc": 0.7})
    assert shown(forgotten, "max_mia_auc") == (0.7, "marker")
    assert forgotten.computed == {"max_mia_auc"}
    assert shown(reduced, "min_reduction") == (0.5, "default")


def test_a_release_its_method_and_a_search_are_understood() -> None:
    release, method, search = asked(whole)
    assert (release.release, *shown(release, "max_mia_auc")) == (True, 0.6, "call keyword")
    assert (method.planned, runs_of(method), shown(method, "max_mia_auc")[0]) == ("runs", Runs(12, "drawn"), 0.6)
    assert (search.planned, search.given) == ("search", {"budget": 5})


@pytest.mark.parametrize("test", [helped, len])
def test_a_test_that_leaves_its_claims_to_a_helper_is_taken_at_what_is_configured(test: Any) -> None:
    (one,) = asked(test, ini={"max_mia_auc": 0.66})
    assert (one.planned, *shown(one, "max_mia_auc")) == ("limit", 0.66, "ini")


def test_an_option_of_plan_stands_for_all() -> None:
    (one,) = asked(by_name)
    other = one.with_settings({"max_mia_auc": pytest_unlearn.core.settings.Setting(0.8, "command line")})
    assert shown(other, "max_mia_auc") == (0.8, "command line")
    assert one.values != other.values
