"""@stress: a test of one deletion request is put to many, and fails on the smallest that a fresh look confirms."""

import contextlib
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import assume

from pytest_unlearn import (
    AuditFailure,
    Budget,
    ForgetRequest,
    Verdict,
    assert_forgotten,
    assert_utility,
    audit_forgotten,
    stress,
)
from pytest_unlearn.core.recorder import Recorder, record, recording
from pytest_unlearn.search.property_search import audit_property
from pytest_unlearn.search.screening import CONFIRMATION
from tests.search.conftest import LIMIT, RECIPE
from tests.search.weaknesses import Forgets, large

HONEST = Forgets(RECIPE)


@pytest.fixture(autouse=True)
def _always_alike(monkeypatch):
    monkeypatch.setenv("CI", "true")


def forgotten(unlearned):
    assert_forgotten(unlearned.model, unlearned.task.forget, max_mia_auc=LIMIT)


def audit(world, holds, unlearner=HONEST, **rest):
    return audit_property(holds, unlearner, world.task, **{"budget": 20, "families": ["random", "cluster"], **rest})


@pytest.mark.slow
def test_a_method_for_small_requests_fails_at_exactly_the_first_large_one(world):
    def small(unlearned):
        assert len(unlearned.task.forget) < 37, "too large"

    found = audit(world, small, budget=40)
    assert found.evidence.verdict is Verdict.FAIL
    assert found.evidence.reasons[-1] == "replay: @stress(only=ForgetRequest('random', size=37))"
    assert "AssertionError: too large" in str(found.evidence.reasons)
    assert str(found.error).startswith("too large")


@pytest.mark.long
@pytest.mark.slow
def test_what_is_not_forgotten_is_found_confirmed_and_shown(world):
    found = audit(world, forgotten, Forgets(RECIPE, partial(large, least=40)), sizes=(10, 120), budget=10)
    assert found.evidence.verdict is Verdict.FAIL
    assert found.evidence.provenance["task"]["seed"] == world.task.seed + CONFIRMATION.first_seed
    families, worst = found.evidence.figures[:2]
    assert sum(row[3] for row in families.rows) == 1
    assert [row[0] for row in worst.rows][-1] == "confirmed"
    assert 40 <= worst.rows[-1][2] <= 80


@pytest.mark.slow
def test_retraining_survives(world):
    found = audit(world, forgotten, sizes=(80, 120), budget=4)
    assert found.evidence.verdict is Verdict.PASS
    assert found.error is None


@pytest.mark.slow
def test_what_only_the_first_look_sees_fails_nothing(world):
    looks = []

    def first_look(unlearned):
        looks.append(unlearned.task.seed)
        assert unlearned.task.seed >= CONFIRMATION.first_seed

    found = audit(world, first_look, budget=3)
    assert found.evidence.verdict is not Verdict.FAIL
    assert "not confirmed: it held" in str(found.evidence.reasons)
    assert set(looks) == {world.task.seed, world.task.seed + CONFIRMATION.first_seed}


@pytest.mark.slow
def test_a_failing_request_is_made_smaller(world):
    def small(unlearned):
        assert len(unlearned.task.forget) < 3, "too large"

    found = audit(world, small, families=["random"], sizes=(1, 9))
    assert found.evidence.reasons[-1] == "replay: @stress(only=ForgetRequest('random', size=3))"
    assert "AssertionError: too large" in str(found.evidence.reasons)
    assert str(found.error).startswith("too large")


@pytest.mark.slow
def test_a_method_that_crashes_on_a_request_fails_on_it(world):
    def crashing(model, retain, forget, *, seed):
        raise RuntimeError("out of range")

    found = audit(world, forgotten, crashing)
    assert found.evidence.verdict is Verdict.FAIL
    assert isinstance(found.error, RuntimeError)
    assert "RuntimeError: out of range" in str(found.evidence.reasons)


@pytest.mark.slow
def test_a_test_that_records_nothing_on_any_request_that_it_could_tell_is_inconclusive(world):
    found = audit(world, forgotten, families=["single"], budget=2)
    assert found.evidence.verdict is Verdict.INCONCLUSIVE


@pytest.mark.slow
def test_a_leak_that_the_test_swallows_counts(world):
    def swallowing(unlearned):
        with contextlib.suppress(AssertionError):
            forgotten(unlearned)

    keeps = Forgets(RECIPE, partial(large, least=0))
    found = audit(world, swallowing, keeps, families=["random"], sizes=(80, 120), budget=1)
    assert found.evidence.verdict is Verdict.FAIL


@pytest.mark.slow
def test_what_no_look_could_tell_passes_nothing_even_if_it_only_warns(world, monkeypatch):
    def lenient(unlearned):
        record(audit_forgotten(unlearned.model, unlearned.task.forget, LIMIT))

    keeps = Forgets(RECIPE, partial(large, least=0))
    found = audit(world, lenient, keeps, families=["random"], sizes=(4, 6), budget=3)
    assert found.evidence.verdict is Verdict.INCONCLUSIVE


@pytest.mark.slow
def test_a_request_assumed_away_counts_as_tried(world):
    tried = []

    def never(unlearned):
        tried.append(len(unlearned.task.forget))
        assume(False)

    found = audit(world, never, budget=3)
    assert len(tried) == 3
    assert found.evidence.verdict is Verdict.INCONCLUSIVE


@pytest.mark.slow
def test_an_assumption_that_only_the_confirmation_breaks_is_no_acquittal(world):
    def dodging(unlearned):
        assume(unlearned.task.seed < CONFIRMATION.first_seed)
        forgotten(unlearned)

    keeps = Forgets(RECIPE, partial(large, least=0))
    found = audit(world, dodging, keeps, families=["random"], sizes=(80, 120), budget=1)
    assert found.evidence.verdict is Verdict.INCONCLUSIVE


@pytest.mark.slow
def test_an_audit_that_nobody_asserted_is_judged_by_the_test(world):
    found = audit(world, lambda left: record(audit_forgotten(left.model, left.task.forget, 0.6)), budget=1)
    assert found.evidence.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)


@pytest.mark.slow
def test_a_request_that_the_test_assumes_away_is_drawn_again(world):
    seen = []

    def even(unlearned):
        assume(len(unlearned.task.forget) % 2 == 0)
        seen.append(len(unlearned.task.forget))

    audit(world, even, budget=Budget(requests=4))
    assert seen
    assert all(count % 2 == 0 for count in seen)


def test_only_one_request_is_looked_at_where_it_is_named(world):
    looks = []
    request = ForgetRequest("random", size=7, seed=3)
    audit(world, lambda left: looks.append((left.task.seed, len(left.task.forget))), only=request)
    assert looks == [(world.task.seed + CONFIRMATION.first_seed, 7)]


@pytest.mark.slow
def test_the_same_search_twice_tries_the_same_requests_in_ci(world):
    def sizes():
        seen = []
        audit(world, lambda left: seen.append(tuple(left.task.forget.indices)), budget=6)
        return seen

    first = sizes()
    assert first == sizes()
    assert len(set(first)) == 6


@pytest.mark.slow
def test_outside_ci_what_failed_is_tried_first_the_next_time(world, monkeypatch, tmp_path):
    from hypothesis.database import DirectoryBasedExampleDatabase

    monkeypatch.delenv("CI")
    database = DirectoryBasedExampleDatabase(tmp_path)
    from hypothesis import settings

    settings.register_profile("here", database=database)
    settings.load_profile("here")
    try:
        tried = []

        def small(unlearned):
            tried.append(len(unlearned.task.forget))
            assert tried[-1] < 5

        audit(world, small, families=["random"], sizes=(1, 9), key="one")
        del tried[:]
        audit(world, small, families=["random"], sizes=(1, 9), key="one")
        assert tried[0] == 5
    finally:
        settings.load_profile("default")


class TestDecorator:
    @pytest.mark.slow
    def test_it_hands_over_the_fixtures_of_the_test_and_what_was_unlearned(self, world):
        @stress(budget=1, families=["random"], sizes=(120, 120))
        def test_it(unlearned, limit):
            assert limit == 3
            assert_forgotten(unlearned.model, unlearned.task.forget, max_mia_auc=0.7)

        with recording(Recorder()) as notes:
            test_it(unlearner=HONEST, unlearning_task=world.task, limit=3)
        assert [entry["claim"]["name"] for entry in notes.entries] == ["survives"]

    def test_a_test_without_audits_is_a_test_and_no_evidence(self, world):
        @stress(budget=2, families=["random"])
        def test_it(unlearned):
            assert len(unlearned.task.forget) < 1000

        with recording(Recorder()) as notes:
            test_it(unlearner=HONEST, unlearning_task=world.task)
        assert notes.entries == []

    @pytest.mark.slow
    def test_an_audit_of_utility_is_no_evidence_of_forgetting(self, world):
        @stress(budget=2, families=["random"], sizes=(100, 120))
        def test_it(unlearned):
            assert_utility(unlearned.model, unlearned.task.test, max_drop=0.5)

        with recording(Recorder()) as notes:
            test_it(unlearner=Forgets(RECIPE, partial(large, least=0)), unlearning_task=world.task)
        assert notes.entries == []

    def test_its_failure_carries_the_evidence_and_what_the_test_raised(self, world):
        @stress(budget=5, families=["random"])
        def test_it(unlearned):
            raise ValueError("never")

        with pytest.raises(AuditFailure, match="@stress\\(only=ForgetRequest\\('random'\\)\\)") as failure:
            test_it(unlearner=HONEST, unlearning_task=world.task)
        assert isinstance(failure.value.__cause__, ValueError)
        assert failure.value.evidence.verdict is Verdict.FAIL

    def test_a_test_that_takes_nothing_is_refused(self):
        with pytest.raises(TypeError, match="@stress hands over `unlearned`, .* which test_it does not take"):

            @stress
            def test_it(model):
                """Nothing."""

    def test_what_would_never_run_is_refused(self):
        async def waits(unlearned):
            assert unlearned

        def yields(unlearned):
            yield unlearned

        for test in (waits, yields):
            with pytest.raises(TypeError, match=f"{test.__name__} is asynchronous or yields"):
                stress(test)
        with pytest.raises(TypeError, match=r"such as @stress\(budget=60\), not 60"):
            stress(60)

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"families": "random"}, "families is a list of names"),
            ({"families": ["nonsense"]}, "not nonsense"),
            ({"sizes": (5, 1)}, r"not \(5, 1\)"),
            ({"sizes": 5}, "not 5"),
            ({"only": "random"}, r"a request is a ForgetRequest, such as .* not 'random'"),
        ],
    )
    def test_wrong_settings_are_refused_where_the_test_is_defined(self, wrong, says):
        with pytest.raises((TypeError, ValueError), match=says):
            stress(**wrong)(lambda unlearned: None)

    def test_a_value_that_nobody_looks_at_fails(self, world):
        @stress(budget=1, families=["random"])
        def test_it(unlearned):
            return len(unlearned.task.forget) < 1000

        with pytest.raises(AuditFailure) as failure:
            test_it(unlearner=HONEST, unlearning_task=world.task)
        assert "assert what must hold" in str(failure.value.__cause__)

    def test_a_budget_of_nothing_is_refused_where_the_test_is_defined(self):
        with pytest.raises(ValueError, match="at least 1"):
            stress(budget=0)

    @pytest.mark.slow
    @pytest.mark.parametrize("first", ["", "import pytest_unlearn.search.laws; ", "import pytest_unlearn.search; "])
    def test_it_can_be_called_whatever_was_imported_before(self, first):
        code = f"{first}from pytest_unlearn import stress; stress(budget=3)(lambda unlearned: 0); print('fine')"
        assert subprocess.check_output([sys.executable, "-c", code], text=True) == "fine\n"


@pytest.mark.slow
def test_a_silent_model_never_passes(world):
    def silent(model, retain, forget, *, seed):
        return lambda inputs: np.zeros((len(inputs), 10))

    found = audit(world, forgotten, silent, sizes=(60, 120), budget=3)
    assert found.evidence.verdict is not Verdict.PASS
