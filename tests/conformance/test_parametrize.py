"""In pytest, each check is a test of its own, and the end of the run says how many there were."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_unlearn import parametrize_unlearners, unlearner_checks
from pytest_unlearn.plugin.conformance_summary import Counting
from tests.conformance.broken import Careful

SUITE = """
from pytest_unlearn import Case, parametrize_unlearners
from pytest_unlearn.plugin.conformance_summary import Counting
from tests.conformance.broken import BROKEN, Careful
from tests.conformance.methods import Picky, Refit, bayes, continuous_only, never

SHARES, _ = BROKEN["shares_a_weight"]
NAME = "result-shares-nothing-with-the-input"

@parametrize_unlearners({unlearners})
def test_conformance(unlearner, check):
    assert callable(unlearner)
    check()
"""
DOING_NOTHING = """
from copy import deepcopy
from pytest_unlearn import Case, Unsupported, parametrize_unlearners

def nothing(model, retain, forget, *, seed):
    if len(retain) == 0:
        raise ValueError("nothing to retain")
    return deepcopy(model)

def writes(model, retain, forget, *, seed):
    if any("embedding" in name for name, _ in model.named_parameters()):
        raise Unsupported("no tokens.")
    result = nothing(model, retain, forget, seed=seed)
    model.zero_grad()
    return result

@parametrize_unlearners([nothing, Case(writes, expected_failures={"input-model-untouched": "writes by design"})])
def test_conformance(unlearner, check):
    check()
"""
GOOD = """[
    Careful(), Picky(continuous_only), (Refit(bayes), bayes),
    Case(SHARES, expected_failures={NAME: "shares by design"}, name="sharing"),
]"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """`run(unlearners, *arguments)`: a suite of those unlearners, with only our plugin and xdist loaded."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    def start(
        unlearners: str,
        *arguments: str,
        plugins: tuple[str, ...] = ("pytest_unlearn.plugin.hooks", "xdist"),
        suite: str = SUITE,
    ) -> pytest.RunResult:
        pytester.makepyfile(test_it=suite.replace("{unlearners}", unlearners))
        options = (*(f"-p{name}" for name in plugins), "-pno:cacheprovider", *arguments)
        if any(argument.startswith("-n") for argument in arguments):
            return pytester.runpytest_subprocess(*options)
        return pytester.runpytest_inprocess(*options)

    return start


@pytest.fixture(scope="module", autouse=True)
def _imports() -> None:
    """What torch imports late: modules that are there before pytester starts survive its clean-up of sys.modules."""
    next(unlearner_checks(Careful()))()


@pytest.mark.slow
def test_every_check_is_a_test_and_the_count_is_printed(run) -> None:
    result = run(GOOD, "-rsx", "-v")
    # Estimators leave out eight checks about modules, and the six networks are not tried.
    result.assert_outcomes(passed=35 + 34 + 21 + 34, skipped=1 + 8, xfailed=1)
    result.stdout.fnmatch_lines(["*= unlearner conformance =*"])
    result.stdout.fnmatch_lines(
        ["134 checks of 4 unlearners ran: 124 passed, 0 failed, 1 failed as expected, 9 unsupported"]
    )
    text = result.stdout.str()
    assert "test_conformance[Careful-same-seed-same-weights]" in text
    assert "test_conformance[sharing-result-shares-nothing-with-the-input]" in text
    assert "unsupported: it needs another problem." in text
    assert "shares by design" in text


@pytest.mark.slow
def test_workers_share_the_count(run) -> None:
    result = run("[]", "-n2", "-rsx", "-v", suite=DOING_NOTHING)
    result.assert_outcomes(passed=35 + 33, failed=0, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(
        ["70 checks of 2 unlearners ran: 68 passed, 0 failed, 1 failed as expected, 1 unsupported"]
    )
    text = result.stdout.str()
    assert text.count("unlearner conformance") == 1
    assert "unsupported: no tokens." in text
    assert "writes by design" in text


def test_the_count_is_of_what_ran(run) -> None:
    result = run(GOOD, "-k", "Careful and seed or Picky and tokens")
    result.assert_outcomes(passed=1, skipped=1, deselected=132)
    result.stdout.fnmatch_lines(
        ["2 checks of 2 unlearners ran: 1 passed, 0 failed, 0 failed as expected, 1 unsupported"]
    )


def test_a_single_check_is_counted_in_the_singular(run) -> None:
    run(GOOD, "-k", "Careful and seed").stdout.fnmatch_lines(["1 check of 1 unlearner ran: 1 passed, *"])


def test_a_broken_promise_fails_with_its_sentence(run) -> None:
    result = run("[SHARES]", "-k", "shares or modes")
    result.assert_outcomes(passed=1, failed=1, deselected=33)
    result.stdout.fnmatch_lines(
        [
            "E *ConformanceError: Then returned a model that shares memory with its input: 0.weight. Copy them too.",
            "2 checks of 1 unlearner ran: 1 passed, 1 failed, 0 failed as expected, 0 unsupported",
        ]
    )
    assert "checks/isolation.py" not in result.stdout.str()


def test_an_expected_failure_that_passes_is_a_failure(run) -> None:
    result = run('[SHARES], expected_failures={"modes-kept": "once", NAME: "always"}', "-k", "shares or modes")
    result.assert_outcomes(failed=1, xfailed=1, deselected=33)
    result.stdout.fnmatch_lines(
        ["*XPASS(strict)*once*", "2 checks of 1 unlearner ran: 0 passed, 1 failed, 1 failed as expected, 0 unsupported"]
    )


def test_a_method_that_refuses_everything_fails_the_run(run) -> None:
    result = run("[Picky(never)]")
    result.assert_outcomes(failed=1, skipped=34)
    result.stdout.fnmatch_lines(["E *was not checked at all*"])


def test_no_plugin_is_needed(run) -> None:
    result = run("[Careful()]", "-k", "modes", plugins=("no:unlearn",))
    result.assert_outcomes(passed=1, deselected=34)
    result.stdout.no_fnmatch_line("*unlearner conformance*")


def test_other_suites_see_no_count(run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_other="import pytest\n@pytest.mark.parametrize('check', [1])\ndef test_a(check): pass")
    result = pytester.runpytest_inprocess("-ppytest_unlearn.plugin", "-pno:cacheprovider", "test_other.py")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*unlearner conformance*")


def test_a_check_that_is_run_again_counts_once() -> None:
    counting = Counting()
    for outcome in ("rerun", "passed"):
        report = SimpleNamespace(when="call", outcome=outcome, failed=False, skipped=False, _unlearn_check="mine")
        counting.pytest_runtest_logreport(report)
    assert counting.counts == {"passed": 1}


def test_methods_of_one_name_are_told_apart() -> None:
    ids = [param.id for param in parametrize_unlearners([Careful(), Careful(lr=0.1)]).args[1]]
    assert len(set(ids)) == len(ids) == 70
    assert "Careful-2-modes-kept" in ids


def test_an_empty_list_and_a_typo_are_refused() -> None:
    with pytest.raises(ValueError, match="the list is empty"):
        parametrize_unlearners([])
    with pytest.raises(ValueError, match="no check is named typo"):
        parametrize_unlearners([Careful()], expected_failures={"typo": "reason"})
