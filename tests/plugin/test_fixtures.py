"""The inputs a user defines, what is derived from them, and the sentence for what is missing."""

from __future__ import annotations

import pytest
import sklearn.linear_model  # noqa: F401 - imported here, it survives pytester's clean-up of sys.modules
import torch  # noqa: F401

import pytest_unlearn.task
import pytest_unlearn.testing.assertions
import pytest_unlearn.training.runner
from tests.plugin.conftest import Suite
from tests.plugin.inputs import INPUTS, OWN_MODELS, RECIPE, SPLIT, UNLEARNER


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestFixtures:
    """Each mini-suite runs in this process, where torch is loaded already."""

    def test_everything_is_derived_from_split_recipe_and_unlearner(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + SPLIT + RECIPE + UNLEARNER)
        suite.write(
            test_it="""
            from conftest import TRAININGS
            def test_order(unlearning_task, original_model, unlearned_model, forget_loader, retain_loader, test_loader):
                assert TRAININGS == [0]
                assert [len(x.dataset) for x in (forget_loader, retain_loader, test_loader)] == [10, 50, 60]
                assert forget_loader.dataset.task is unlearning_task
                assert original_model is unlearning_task.original and unlearned_model is not original_model
            def test_references(unlearning_task, retrained_model, retrained_models):
                assert len(retrained_models) == 3 and retrained_model is retrained_models[0]
                assert unlearning_task.retrained[1] is retrained_models[1]
            def test_cache(request):
                assert (request.config.rootpath / ".unlearn/cache").is_dir()
            """
        )
        suite.ini("unlearn_references = 3")
        suite.run("-Wignore").assert_outcomes(passed=3)

    @pytest.mark.parametrize(
        ("conftest", "fixture", "missing"),
        [
            ("", "forget_loader", "unlearn_split"),
            (SPLIT, "original_model", "unlearn_recipe"),
            (SPLIT + RECIPE, "unlearned_model", "unlearner"),
            (SPLIT + RECIPE, "unlearn", "unlearner"),
            (SPLIT + UNLEARNER + OWN_MODELS, "unlearn", "unlearn_recipe"),
        ],
    )
    def test_what_is_missing_is_said(self, suite: Suite, conftest: str, fixture: str, missing: str) -> None:
        suite.pytester.makeconftest(INPUTS + conftest)
        suite.write(test_it=f"def test_a({fixture}): pass")
        result = suite.run("-Wignore")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            [
                f"Define the session-scoped fixture `{missing}` in conftest.py*, for example:",
                '    @pytest.fixture(scope="session")',
                f"    def {missing}():",
                "        return *",
            ]
        )
        result.stdout.no_fnmatch_line("*fixtures.py*")

    def test_a_model_that_is_handed_over_is_not_said_to_stand_in_for_the_method(self, suite: Suite) -> None:
        handed_over = '@pytest.fixture(scope="session")\ndef unlearned_model(): return None\n'
        suite.pytester.makeconftest(INPUTS + SPLIT + RECIPE + handed_over)
        suite.write(test_it="def test_a(unlearner): pass")
        result = suite.run("-Wignore")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            ["Define * `unlearner` in conftest.py: a test judges the method, for which a model*"]
        )
        result.stdout.no_fnmatch_line("*has already run*")

    def test_settings_reach_the_task_and_a_marker_does_not(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + SPLIT + RECIPE)
        suite.write(
            test_it="""
            @pytest.mark.unlearn(confidence=0.9)
            def test_a(unlearning_task):
                t = unlearning_task
                assert (t.seed, t.n_jobs, t.device, t.fresh, t.references) == (3, 2, "cpu", True, 2)
            """
        )
        suite.ini("unlearn_references = 2", "unlearn_seed = 9")
        options = ("--unlearn-seed=3", "--unlearn-jobs=2", "--unlearn-device=cpu", "--unlearn-fresh")
        suite.run(*options).assert_outcomes(passed=1)

    @pytest.mark.slow
    def test_unlearn_runs_any_request_once(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + SPLIT + RECIPE + UNLEARNER)
        suite.write(
            test_it="""
            from hypothesis import given, settings, strategies as st
            def test_a(unlearn, unlearning_task):
                request = unlearn([3, 1, 2])
                assert request is unlearn((1, 2, 3))
                assert list(request.task.forget.indices) == [1, 2, 3]
                assert repr(request) == "<UnlearnedRequest: 3 forgotten: 1, 2, 3>"
                assert request.task.original is unlearning_task.original
                assert repr(unlearn(range(8))).endswith("8 forgotten: 0, 1, 2, 3, 4, 5, ...>")
            @settings(max_examples=5, deadline=None)
            @given(st.sets(st.integers(0, 59), min_size=1, max_size=5))
            def test_b(unlearn, indices):
                assert set(unlearn(indices).task.forget.indices) == indices
            """
        )
        suite.run("-Wignore").assert_outcomes(passed=2)

    def test_everything_handed_out_prints_in_one_line(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + SPLIT + RECIPE + UNLEARNER)
        suite.write(
            test_it="""
            def test_a(unlearn_split, unlearning_task, unlearn, unlearn_recipe):
                task = unlearning_task
                views = (task.forget, task.retain, task.test, task.controls)
                for thing in (unlearn_split, task, *views, unlearn, unlearn([1]), unlearn_recipe):
                    assert type(thing).__repr__ is not object.__repr__, type(thing)
                    assert "\\n" not in repr(thing) and len(repr(thing)) < 200, repr(thing)
                assert repr(unlearn_split) == "<Split: forget 10 of 60, 60 controls, 60 test>"
            """
        )
        suite.run("-Wignore").assert_outcomes(passed=1)

    def test_fixtures_are_documented(self, suite: Suite) -> None:
        output = suite.run("--fixtures", "-p", "no:unlearn").stdout.str()
        for name in pytest_unlearn.plugin.overrides.NAMES:
            assert f"{name} [session scope]" in output
        assert "no docstring available" not in output

    @pytest.mark.slow
    def test_an_assertion_finds_everything_through_the_loader(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + SPLIT + RECIPE + UNLEARNER)
        suite.write(
            test_it="""
            from pytest_unlearn import assert_forgotten
            @pytest.mark.unlearn(max_mia_auc=0.99, inconclusive="xfail")
            def test_a(unlearned_model, forget_loader): assert_forgotten(unlearned_model, forget_loader)
            """
        )
        result = suite.run("-Wignore", "--unlearn-report")
        (claim,) = suite.report()["claims"]
        assert claim["evidence"]["claim"]["name"] == "forgotten"
        assert claim["evidence"]["claim"]["sources"]["max_mia_auc"] == "marker"
        assert result.parseoutcomes().get("failed", 0) == 0
