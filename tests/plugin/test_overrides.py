"""What a user overrides is used, in the directory that it was written for."""

from __future__ import annotations

import pytest
import sklearn.linear_model  # noqa: F401 - imported here, it survives pytester's clean-up of sys.modules
import torch  # noqa: F401

import pytest_unlearn.plugin.overrides
import pytest_unlearn.task
import pytest_unlearn.training.runner
from tests.plugin.conftest import Suite
from tests.plugin.inputs import INPUTS, OWN_MODELS, RECIPE, SPLIT, UNLEARNER


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestOverrides:
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

    def test_every_fixture_may_be_overridden(self, suite: Suite) -> None:
        names = pytest_unlearn.plugin.overrides.NAMES
        own = "".join(f"@pytest.fixture(scope='session')\ndef {name}(): return 'my {name}'\n" for name in names)
        suite.pytester.makeconftest("import pytest\n" + own)
        suite.write(
            test_it=f"def test_a({', '.join(names)}):\n" + "".join(f"    assert {n} == 'my {n}'\n" for n in names)
        )
        suite.run().assert_outcomes(passed=1)
