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

SHUFFLED = """
import pytest
@pytest.fixture(scope="session")
def server(): return "up"
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.name)  # audits and others by turns
"""
COUNTED = """
CALLS = []
@pytest.fixture(scope="session")
def unlearned_model(unlearning_task):
    CALLS.append(1)
    return len(CALLS)
"""
PROJECT = """
import pytest
@pytest.fixture(scope="session")
def dataset(): return None
@pytest.fixture(scope="session")
def test_loader(dataset): return f"loads {dataset}"
"""
AUDITED = """
@pytest.fixture(scope="session")
def unlearned_model(original_model): return Model("unlearned")
"""


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

    def test_tests_that_ask_for_nothing_of_ours_leave_every_value_alone(self, suite: Suite) -> None:
        suite.pytester.makeconftest(SHUFFLED)
        audits = suite.pytester.mkdir("audits")
        own = SPLIT + OWN_MODELS + COUNTED
        (audits / "conftest.py").write_text(INPUTS + own)
        (audits / "test_a.py").write_text(
            "def test_1(unlearned_model): assert unlearned_model == 1\n"
            "def test_2(unlearned_model, forget_loader): assert unlearned_model == 1\n"
            "def test_3(unlearned_model, server): assert (unlearned_model, server) == (1, 'up')\n"
        )
        plain = suite.pytester.mkdir("plain")
        (plain / "test_b.py").write_text(
            "def test_1(server, tmp_path): assert server == 'up'\ndef test_2(request): pass\n"
        )
        suite.run("-Wignore", "--import-mode=importlib").assert_outcomes(passed=5)

    def test_fixtures_of_a_project_without_requests_are_as_pytest_keeps_them(self, suite: Suite) -> None:
        suite.pytester.makeconftest(PROJECT)
        for name in ("a", "b"):
            folder = suite.pytester.mkdir(name)
            (folder / "conftest.py").write_text(
                f"import pytest\n@pytest.fixture(scope='session')\ndef dataset(): return '{name}'\n"
            )
            (folder / f"test_{name}.py").write_text("def test_it(test_loader): assert test_loader == 'loads a'\n")
        suite.run("--import-mode=importlib").assert_outcomes(passed=2)

    def test_a_parametrised_request_is_asked_for_by_each_test_that_has_it(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + SPLIT + OWN_MODELS)
        suite.write(
            test_a="""
            from conftest import make_split
            @pytest.mark.parametrize("unlearn_split", [make_split(3), make_split(4)], ids="34", scope="session")
            def test_it(unlearning_task, unlearn_split):
                assert unlearning_task.split is unlearn_split
            """,
            test_b="def test_it(request): assert len(request.getfixturevalue('unlearning_task').forget) == 10",
        )
        suite.run("-Wignore").assert_outcomes(passed=3)

    @pytest.mark.parametrize("scope", ["function", "class", "module"])
    @pytest.mark.parametrize("name", ["unlearn_split", "original_model"])
    def test_an_override_of_the_wrong_scope_is_named_with_the_scope_it_needs(
        self, suite: Suite, name: str, scope: str
    ) -> None:
        text = (INPUTS + SPLIT + OWN_MODELS).replace('scope="session")\ndef ' + name, f'scope="{scope}")\ndef {name}')
        folder = suite.pytester.mkdir("a")
        (folder / "conftest.py").write_text(text)
        (folder / "test_a.py").write_text(
            "def test_1(forget_loader): pass\ndef test_2(request): request.getfixturevalue('unlearning_task')\n"
        )
        result = suite.run("-Wignore", "--unlearn-gate")
        result.assert_outcomes(errors=1, failed=2)
        hint = (
            f"`{name}` in a/conftest.py has the scope '{scope}', but what is made from it is kept for the whole "
            'session: define it with @pytest.fixture(scope="session").'
        )
        assert result.outlines.count(hint) == 2

    def test_a_property_test_with_an_override_of_a_test_each_is_told_the_scope_it_needs(self, suite: Suite) -> None:
        text = (INPUTS + SPLIT + OWN_MODELS).replace('scope="session")\ndef original_model', ")\ndef original_model")
        suite.pytester.makeconftest(text)
        suite.write(
            test_a="""
            from hypothesis import given, strategies as st
            @given(st.integers())
            def test_it(original_model, number): pass
            """
        )
        result = suite.run("-Wignore", "-p_hypothesis_pytestplugin")
        result.assert_outcomes(failed=1)
        hint = "`original_model` in conftest.py has the scope 'function', but a property test needs it for the whole"
        result.stdout.fnmatch_lines([f"{hint} session: *"])

    @pytest.mark.slow
    def test_evidence_names_where_its_request_is_defined_and_two_are_not_released(self, suite: Suite) -> None:
        suite.pytester.makeconftest(INPUTS + OWN_MODELS + AUDITED)
        suite.ini("unlearn_gate = true", "unlearn_report = true", "unlearn_require = utility")
        for size, name in enumerate("ab", start=7):
            folder = suite.pytester.mkdir(name)
            (folder / "conftest.py").write_text(INPUTS + SPLIT.replace("make_split()", f"make_split({size})"))
            (folder / f"test_{name}.py").write_text(
                "from pytest_unlearn import assert_utility\n"
                "def test_it(request):\n"
                "    model, loader = map(request.getfixturevalue, ('unlearned_model', 'test_loader'))\n"
                "    assert_utility(model, loader, max_drop=0.5)\n"
            )
        for name in "ab":
            assert suite.run("-Wignore", "--import-mode=importlib", name).ret == 0
            (claim,) = suite.report()["claims"]
            assert claim["evidence"]["provenance"]["request"]["defined in"] == f"{name}/conftest.py"
        for names in ("ab", "ba"):
            result = suite.run("-Wignore", "--import-mode=importlib", *names)
            assert result.ret == pytest.ExitCode.TESTS_FAILED
            (reason,) = suite.report()["gate"]["reasons"]
            assert reason.startswith("one release answers one request, and these claims are about 2: 7 examples, ")
            assert "defined in a/conftest.py (utility in a/test_a.py::test_it); 8 examples, " in reason
            assert "defined in b/conftest.py (utility in b/test_b.py::test_it)" in reason
