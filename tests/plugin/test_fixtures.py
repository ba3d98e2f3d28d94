"""The inputs a user defines, what is derived from them, and the sentence for what is missing."""

from __future__ import annotations

import pytest
import sklearn.linear_model  # noqa: F401 - imported here, it survives pytester's clean-up of sys.modules
import torch  # noqa: F401

import pytest_unlearn.assertions
import pytest_unlearn.references.training
import pytest_unlearn.task
from tests.plugin.conftest import Suite

INPUTS = """
import numpy as np, pytest
from sklearn.linear_model import LogisticRegression
from pytest_unlearn import Split, EstimatorRecipe

def make_split(forget=10, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(120, 3)).astype("float32"), np.arange(120) % 2
    return Split((X[:60], y[:60]), forget=range(forget), test=(X[60:], y[60:]))

TRAININGS = []
class Counted(EstimatorRecipe):
    def __call__(self, dataset, *, seed):
        TRAININGS.append(seed)
        return super().__call__(dataset, seed=seed)
RECIPE = Counted(LogisticRegression(solver="saga", max_iter=5), key="v1")

def retrain(model, retain, forget, *, seed):
    return EstimatorRecipe(LogisticRegression())(retain, seed=seed)
"""
SPLIT = """
@pytest.fixture(scope="session")
def unlearn_split(): return make_split()
"""
RECIPE = """
@pytest.fixture(scope="session")
def unlearn_recipe(): return RECIPE
"""
UNLEARNER = """
@pytest.fixture(scope="session")
def unlearner(): return retrain
"""
OWN_MODELS = """
class Model:
    classes_ = np.array([0, 1])
    def __init__(self, name): self.name = name
    def __call__(self, x): return np.zeros((len(x), 2))
@pytest.fixture(scope="session")
def original_model(): return Model("mine")
@pytest.fixture(scope="session")
def retrained_models(): return [Model("r0"), Model("r1")]
"""


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
        suite.pytester.makeini("[pytest]\nunlearn_references = 3\n")
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

    def test_own_models_are_used_and_nothing_is_trained(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + SPLIT + OWN_MODELS)
        suite.write(
            test_it="""
            def test_a(unlearning_task, retrained_model):
                assert unlearning_task.original.name == "mine"
                assert [m.name for m in unlearning_task.retrained] == ["r0", "r1"]
                assert retrained_model.name == "r0"
                assert not os.path.exists(".unlearn")
            """
        )
        suite.run().assert_outcomes(passed=1)

    def test_an_own_unlearned_model_needs_no_unlearner(self, suite: Suite) -> None:
        own = '@pytest.fixture(scope="session")\ndef unlearned_model(original_model): return ("mine", original_model)\n'
        suite.pytester.makeconftest(INPUTS + SPLIT + RECIPE + own)
        suite.write(
            test_it="def test_a(unlearned_model, original_model): assert unlearned_model == ('mine', original_model)"
        )
        suite.run("-Wignore").assert_outcomes(passed=1)

    def test_two_directories_with_inputs_of_their_own_do_not_share_models(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + UNLEARNER + RECIPE)
        suite.pytester.mkpydir("inputs")
        for name, size in (("a", 7), ("b", 9), ("c", 7)):
            folder = suite.pytester.mkdir(name)
            (folder / "conftest.py").write_text(INPUTS + SPLIT.replace("make_split()", f"make_split({size})"))
            (folder / f"test_{name}.py").write_text(
                f"def test_1(unlearning_task, forget_loader): assert len(forget_loader.dataset) == {size}\n"
                f"def test_2(unlearned_model, unlearning_task): assert len(unlearning_task.forget) == {size}\n"
                f"def test_plain(): pass\n"
            )
        suite.run("-Wignore", "--import-mode=importlib").assert_outcomes(passed=9)

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
        suite.pytester.makeini("[pytest]\nunlearn_references = 2\nunlearn_seed = 9\n")
        options = ("--unlearn-seed=3", "--unlearn-jobs=2", "--unlearn-device=cpu", "--unlearn-fresh")
        suite.run(*options).assert_outcomes(passed=1)

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

    def test_fixtures_are_documented(self, suite: Suite) -> None:
        output = suite.run("--fixtures", "-p", "no:unlearn").stdout.str()
        for name in pytest_unlearn.overrides.NAMES:
            assert f"{name} [session scope]" in output
        assert "no docstring available" not in output

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
