"""`plan`: what a suite can certify and will cost, found out without training, keeping or evaluating any model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
import sklearn.linear_model  # noqa: F401 - imported before the mini-suites are, once

import pytest_unlearn.task  # noqa: F401
from tests.cli.conftest import Done, Run

ROOT = Path(__file__).parents[3]
HEAD = """
from pathlib import Path
import numpy as np, pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from pytest_unlearn import Split, UnlearningTask

CALLS = Path(__file__).with_name("calls.txt")

def digits(forget=range(200), **rest):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    return Split((X[:700], y[:700]), forget=forget, test=(X[700:], y[700:]), **rest)

def train(dataset, *, seed):
    with CALLS.open("a") as calls:
        print(len(dataset), file=calls)
    X, y = dataset.arrays()
    return LogisticRegression(solver="saga", max_iter=3, random_state=seed).fit(X, y)
"""


def fixture(name: str, value: str, *arguments: str) -> str:
    return f'@pytest.fixture(scope="session")\ndef {name}({", ".join(arguments)}): {value}\n'


SPLIT, RECIPE = fixture("unlearn_split", "return digits()"), fixture("unlearn_recipe", "return train")
UNLEARNER = fixture("unlearner", "raise AssertionError('unlearner was evaluated')")
TESTS = "def test_a(unlearned_model, forget_loader): raise AssertionError('a test ran')\n"


class Suite:
    """A mini-suite on digits: a conftest, a test module, and what is known of its trainings."""

    def __init__(self, path: Path, run: Run) -> None:
        self.path, self._run = path, run

    def write(self, *fixtures: str, tests: str = TESTS, ini: str = "", folder: str = ".") -> None:
        """Write a conftest and a test module."""
        place = self.path / folder
        place.mkdir(exist_ok=True)
        (place / "conftest.py").write_text(HEAD + "".join(dedent(text) for text in fixtures))
        (place / "test_it.py").write_text("import pytest\n" + dedent(tests))
        (self.path / "pytest.ini").write_text(f"[pytest]\naddopts = --import-mode=importlib\n{ini}")

    def plan(self, *arguments: str) -> Done:
        """Plan it in this process."""
        self._forget()
        return self._run("plan", "-p", "pytest_unlearn.plugin.hooks", "-W", "ignore::UserWarning:sklearn", *arguments)

    def audit(self) -> None:
        """Have pytest train what the tests need."""
        self._forget()
        assert pytest.main(["-q", "-p", "pytest_unlearn.plugin.hooks", "-Wignore", "--rootdir", str(self.path)]) == 0

    def _forget(self) -> None:
        """Drop the modules of earlier mini-suites, which have the same names."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and Path(file).name in ("test_it.py", "conftest.py") and self.path.parent in Path(file).parents:
                del sys.modules[name]

    @property
    def calls(self) -> list[int]:
        """The sizes of everything that the recipe was run on."""
        file = self.path / "calls.txt"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    @property
    def files(self) -> set[str]:
        """What lies in the folder, byte code aside."""
        found = {
            path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if "__pycache__" not in str(path)
        }
        return found - {"calls.txt"}


@pytest.fixture
def suite(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """An empty suite in a folder of its own."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a conftest is rewritten within the second
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.chdir(tmp_path)
    return Suite(tmp_path, run)


def in_a_process(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest_unlearn", "plan", "-p", "pytest_unlearn.plugin.hooks", *arguments]
    return subprocess.run(command, cwd=suite.path, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_it_says_what_can_be_certified_and_what_it_costs(suite: Suite) -> None:
    suite.write(SPLIT, RECIPE, UNLEARNER)
    before = suite.files
    done = in_a_process(suite)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "plan for ."
    assert lines[1:3] == ["  forget set: 200 of 700 training examples, 10 classes", "  units of deletion: 200 examples"]
    assert re.match(
        r"  controls: 1,097 never-trained examples, compared class by class \(fewest: \d+ of class \d\)", lines[3]
    )
    assert re.match(
        r"  limit 0.55 \(default\) at confidence 0.95 \(default\): can be certified, if .* certify 0\.5\d+ at best",
        lines[4],
    )
    assert re.match(
        r"  chance that a perfect method passes: about \d\d%, if the original is recognised as plainly as with an "
        r"AUC of 0\.\d\d or more \(PASS also asks that at most 50% of it is left\)$",
        lines[5],
    )
    assert re.match(r"  it takes about \d{3} forget examples: with these controls a perfect method", lines[6])
    assert re.match(
        r"  a perfect method is shown, with a chance of 80%, to leave at most \d\d% if the original's AUC is 0.65, "
        r"\d\d% if the original's AUC is 0.75, \d\d% if the original's AUC is 0.9 \(PASS needs 50%\)$",
        lines[7],
    )
    assert re.match(
        r"  a random part that is still remembered FAILs, with a chance of 80%, from \d\d% of it on if the original's "
        r"AUC is 0.75, from \d\d% of it on if the original's AUC is 0.9$",
        lines[8],
    )
    assert lines[9] == "  what this request can be asked instead:"
    assert lines[10].startswith("    assert_leakage_reduced(unlearned_model, forget_loader, min_reduction=0.")
    lines = [line for line in lines if not line.startswith("    ")][1:]
    assert lines[9:11] == [
        "  original: to train",
        "  references: 4, 0 in the cache, up to 4 to train, or 6 if every seed gives the same model",
    ]
    assert re.match(
        r"  time: (about|less).* of training, roughly \(measured on samples of \d+ and \d+ examples", lines[11]
    )
    assert len(lines) == 12
    assert suite.files == before
    assert len(suite.calls) == 3
    assert max(suite.calls) <= 260 < 500


@pytest.mark.slow
def test_without_a_probe_the_recipe_never_runs(suite: Suite) -> None:
    suite.write(SPLIT, RECIPE)
    done = suite.plan("--no-probe")
    assert done.status == 0
    assert "time: unknown (--no-probe)" in done.out
    assert not suite.calls


USES = "def test_a(original_model, retrained_models): assert len(retrained_models) == 4\n"


@pytest.mark.slow
def test_models_in_the_cache_are_counted_and_their_times_used(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    suite.write(SPLIT, RECIPE, tests=USES)
    suite.audit()
    trained = suite.calls
    assert sorted(trained) == [500, 500, 500, 500, 700]
    capsys.readouterr()
    done = suite.plan()
    assert "original: in the cache" in done.out
    assert "references: 4, 4 in the cache, up to 0 to train\n" in done.out
    assert "time: nothing is to be trained" in done.out
    fresh = suite.plan("--unlearn-fresh", "--unlearn-jobs=2")
    assert "original: to train" in fresh.out
    assert "up to 4 to train" in fresh.out
    assert "2 references at once (as long as 5 trainings in the cache took)" in fresh.out
    other = suite.plan("--unlearn-seed=2", "--no-probe")  # shares the seeds 1002 and 1003
    assert "references: 4, 2 in the cache, up to 2 to train" in other.out
    assert "(as long as 2 trainings in the cache took)" in other.out
    damaged = sorted((suite.path / ".unlearn" / "cache").glob("*.skops"))[0]
    damaged.write_bytes(b"")
    assert "time: nothing is to be trained" not in suite.plan("--no-probe").out
    assert damaged.exists()
    assert suite.calls == trained


@pytest.mark.slow
def test_bootstraps_of_a_deterministic_recipe_are_found_in_the_cache(suite: Suite) -> None:
    plain = "def plain(dataset, *, seed): return train(dataset, seed=0)\n"
    suite.write(SPLIT, plain, fixture("unlearn_recipe", "return plain"), tests=USES)
    suite.audit()
    assert len(suite.calls) == 7
    assert "time: nothing is to be trained" in suite.plan().out


@pytest.mark.slow
def test_the_trainings_of_assert_algorithm_are_counted(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    tests = """
    from pytest_unlearn import assert_algorithm
    def unlearner(model, retain, forget, *, seed): return model
    def test_a(unlearning_task):
        with pytest.raises(AssertionError):
            assert_algorithm(unlearner, unlearning_task, runs=3, requests="drawn")
    """
    suite.write(SPLIT, RECIPE, tests=tests)
    done = suite.plan("--no-probe")
    assert "assert_algorithm: 3 runs over drawn requests: an original each (0 in the cache, 3 to train)" in done.out
    weak = "if originals are recognised with a mean AUC of 0.60 (weakly, which is what to count on until the cache"
    assert f"chance that a perfect method passes them within 0.55 (default): about 0%, {weak}" in done.out
    assert not suite.calls
    suite.audit()
    assert sorted(suite.calls) == [500] * 4 + [700] * 3  # the task's own original is not asked for
    capsys.readouterr()
    assert "an original each (3 in the cache, 0 to train)" in suite.plan("--no-probe").out
    done = suite.plan("--no-probe", "--ask-original")
    found = re.search(r"mean AUC of (0\.\d\d) \(in the 3 that the cache holds it is (0\.\d\d)\)", done.out)
    assert found is not None, done.out
    assert float(found[1]) <= float(found[2])  # what three show is not taken at its word


@pytest.mark.slow
@pytest.mark.parametrize(("runs", "status", "strict", "said"), [
    (3, 1, 1, "hopeless, whatever the method; runs="),
    (8, 0, 1, "too few; runs="),
    (80, 0, 0, None),
])  # fmt: skip
def test_too_few_runs_are_said_with_the_number_that_will_do(
    suite: Suite, runs: int, status: int, strict: int, said: str | None
) -> None:
    suite.write(SPLIT.replace("digits()", "digits(range(40))"), RECIPE, UNLEARNER, tests=METHOD.replace("8", str(runs)))
    done = suite.plan("--no-probe")
    assert (done.status, suite.plan("--no-probe", "--strict").status) == (status, strict)
    if said is None:
        assert "too few" not in done.out
        return
    enough = re.search(rf"{re.escape(said)}(\d+) make it 90%", done.out)
    assert enough is not None, done.out
    suite.write(SPLIT.replace("digits()", "digits(range(40))"), RECIPE, UNLEARNER, tests=METHOD.replace("8", enough[1]))
    assert suite.plan("--no-probe", "--strict").status == 0


METHOD = """
from pytest_unlearn import assert_algorithm
def test_a(unlearner, unlearning_task):
    assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.6, runs=8)
"""


@pytest.mark.slow
def test_a_method_that_is_judged_and_not_defined_is_said_before_anything_is_trained(suite: Suite) -> None:
    suite.write(SPLIT, RECIPE, fixture("unlearned_model", "return None"), tests=METHOD)
    done = suite.plan("--no-probe")
    assert done.status == 1
    assert "  missing: test_a judges the method, and none is defined: define the session-scoped fixture" in done.out
    assert "`unlearner` in conftest.py, which returns it, in place of `unlearned_model`\n" in done.out
    suite.write(SPLIT, RECIPE, UNLEARNER, tests=METHOD)
    done = suite.plan("--no-probe")
    assert (done.status, "missing" in done.out) == (0, False)


@pytest.mark.slow
def test_an_original_that_is_there_says_which_line_can_pass(suite: Suite) -> None:
    tests = "def test_a(original_model, retrained_models, forget_loader): pass\n"
    suite.write(SPLIT, RECIPE, UNLEARNER, tests=tests)
    assert "original asked: no, it is neither handed over nor in the cache" in suite.plan("--ask-original").out
    suite.audit()
    done = suite.plan("--ask-original")
    found = re.search(r"original asked beside 4 retrained models: recognised with an AUC of (0\.\d\d) by", done.out)
    assert found is not None, done.out
    assert f"with this original, recognised with an AUC of {found[1]}: about" in done.out
    assert not re.search("if the original is recognised as plainly as with an AUC of 0.8:", done.out)


@pytest.mark.slow
def test_an_original_that_is_handed_over_is_asked_only_where_it_is_wanted(suite: Suite) -> None:
    own = fixture("original_model", "return CALLS.write_text('asked') and (lambda x: np.zeros((len(x), 10)))")
    suite.write(SPLIT, own, RECIPE)
    assert "original asked" not in suite.plan("--no-probe").out
    assert (
        "original asked: not yet, as no retrained model is in the cache"
        in suite.plan("--no-probe", "--ask-original").out
    )
    deep = "@pytest.fixture(scope='session')\ndef original_model(retrained_models): return None\n"
    suite.write(SPLIT, deep, RECIPE)
    assert "an input or an autouse fixture asks for `retrained_models`" in suite.plan("--ask-original").err


@pytest.mark.slow
@pytest.mark.parametrize("attacks", ['"online"', '["online", "starting kit"]'])
def test_the_trainings_of_online_attacks_are_counted(
    attacks: str, suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = f"""
    from pytest_unlearn import audit_forgotten
    def test_a(unlearning_task, forget_loader):
        audit_forgotten(unlearning_task.retrained[0], forget_loader, attacks={attacks})
    """
    suite.write(SPLIT, RECIPE, tests=tests, ini="unlearn_shadow_models = 4\nunlearn_references = 2\n")
    done = suite.plan("--no-probe")
    assert "shadow models: 4, trained with halves of the request for online attacks, 0 in the cache, 4" in done.out
    assert not suite.calls
    suite.audit()
    assert sorted(suite.calls) == [500, 500, 700, *[770] * 4]  # halves of 200 forget examples and 340 controls
    capsys.readouterr()
    assert "4 in the cache, 0 to train\n  time: nothing is to be trained" in suite.plan("--no-probe").out


@pytest.mark.slow
def test_models_that_are_handed_over_are_not_evaluated(suite: Suite) -> None:
    own = [fixture(name, "raise AssertionError('evaluated')") for name in ("original_model", "retrained_models")]
    suite.write(SPLIT, *own)
    done = suite.plan()
    assert done.status == 0
    assert "original: handed over\n  references: handed over\n  time: nothing is to be trained" in done.out
    suite.write(SPLIT, own[0], RECIPE)
    assert "original: handed over\n  references: 4, 0 in the cache" in suite.plan("--no-probe").out
    suite.write(SPLIT, own[1], RECIPE)
    assert "original: to train\n  references: handed over\n" in suite.plan("--no-probe").out


@pytest.mark.slow
def test_a_task_of_the_users_own_is_planned(suite: Suite) -> None:
    own = fixture("unlearning_task", "return UnlearningTask(digits(), train, references=1)")
    suite.write(own)
    done = suite.plan("--no-probe")
    assert "references: 1, 0 in the cache, up to 1 to train\n" in done.out
    assert "a negative control takes at least 2 references" in done.out
    suite.write(
        fixture("unlearning_task", "return UnlearningTask(digits(), train, original=lambda x: x, references=[])")
    )
    assert "original: handed over\n  references: handed over\n" in suite.plan().out
    suite.write(fixture("unlearning_task", "return 3"))
    assert "`unlearning_task` gives a int" in suite.plan().err


@pytest.mark.slow
def test_what_trains_is_refused_whoever_asks(suite: Suite) -> None:
    own = fixture("original_model", "CALLS.write_text('9')")
    deep = "@pytest.fixture(autouse=True)\ndef deep(original_model): pass\n"
    autouse = "@pytest.fixture(autouse=True)\ndef warm(unlearned_model): pass\n"
    for fixtures in (
        (SPLIT, RECIPE, UNLEARNER, autouse),
        (fixture("unlearn_split", "return 1", "original_model"), RECIPE),
        (fixture("unlearn_split", "return request.getfixturevalue('original_model')", "request"), RECIPE, own),
        (SPLIT, RECIPE, fixture("net", "CALLS.write_text('9')"), fixture("original_model", "pass", "net"), deep),
    ):
        suite.write(*fixtures)
        done = suite.plan()
        assert done.status == 2
        assert "an input or an autouse fixture asks for `" in done.err
        assert not suite.calls


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixtures", "tests", "arguments", "says"),
    [
        ((RECIPE,), TESTS, (), "define the session-scoped fixture `unlearn_split` in conftest.py"),
        ((SPLIT,), TESTS, (), "define the session-scoped fixture `unlearn_recipe` in conftest.py (or both"),
        ((SPLIT, RECIPE), "", (), "no tests were collected"),
        ((SPLIT, RECIPE), "import nowhere_to_be_found", (), "test_it.py could not be collected: ModuleNotFoundError"),
        (("import nowhere_to_be_found",), TESTS, (), "No module named 'nowhere_to_be_found'"),
        ((fixture("unlearn_split", "return digits([])"), RECIPE), TESTS, (), "ValueError: forget is empty"),
        ((fixture("unlearn_split", "return 3"), RECIPE), TESTS, (), "UnlearningTask needs a Split"),
        ((fixture("unlearn_split", "pytest.skip('no data')"),), TESTS, (), "no data"),
        (
            (SPLIT, fixture("unlearn_recipe", "return len")),
            TESTS,
            (),
            "TypeError: the recipe len(obj, /) cannot be called",
        ),
        ((SPLIT, RECIPE), TESTS, ("--no-such-option",), "unrecognized arguments: --no-such-option"),
        ((SPLIT, RECIPE), TESTS, ("nowhere",), "file or directory not found: nowhere"),
        ((SPLIT, RECIPE), TESTS, ("-k", "nothing"), "no tests were collected"),
    ],
)
def test_what_cannot_be_planned_is_said_in_one_sentence(
    suite: Suite, fixtures: tuple[str, ...], tests: str, arguments: tuple[str, ...], says: str
) -> None:
    suite.write(*fixtures, tests=tests)
    done = suite.plan("--no-probe", *arguments)
    assert done.status == 2
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not done.out


@pytest.mark.slow
def test_the_plugin_has_to_be_loaded(suite: Suite, run: Run) -> None:
    suite.write(SPLIT, RECIPE)
    done = run("plan")
    assert done.status == 2
    assert "the plugin of pytest-unlearn is not loaded" in done.err


@pytest.mark.slow
def test_a_limit_out_of_reach_is_said_with_what_to_do(suite: Suite) -> None:
    suite.write(fixture("unlearn_split", "return digits(range(40))"), RECIPE)
    done = suite.plan("--no-probe")
    assert done.status == 1
    assert (
        "limit 0.55 (default) at confidence 0.95 (default): hopeless, it cannot be certified by 40 forget" in done.out
    )
    needed = re.search(r"it takes about (\d+) forget examples: with these controls", done.out)
    assert needed
    assert 40 < int(needed[1]) < 1000
    steps = re.findall(r"^    (?:or )?(assert_\w+|batch requests)(?:.*max_mia_auc=(0\.\d+))?", done.out, re.MULTILINE)
    assert [name for name, _ in steps] == [
        "assert_leakage_reduced",
        "assert_forgotten",
        "assert_leakage_reduced",  # by online attacks
        "assert_algorithm",
        "batch requests",
    ]
    limit = float(steps[1][1])
    done = suite.plan("--no-probe", "--max-mia-auc", str(limit))
    assert done.status == 0
    assert f"limit {limit:g} (command line)" in done.out
    assert suite.plan("--no-probe", "--strict", "--max-mia-auc", str(limit)).status == 0
    assert suite.plan("--no-probe", "--strict", "--max-mia-auc", str(round(limit - 0.01, 2))).status == 1
    assert suite.plan("--no-probe", "--max-mia-auc", str(round(limit - 0.01, 2))).status == 0
    assert suite.plan("--no-probe", "--strict", "--max-mia-auc", str(limit), "--confidence", "0.99").status == 1
    assert suite.plan("--max-mia-auc", "0.4").status == 2


@pytest.mark.slow
def test_limits_that_tests_pass_are_planned_for_and_a_share_by_itself(suite: Suite) -> None:
    tests = """
    from pytest_unlearn import assert_forgotten, assert_leakage_reduced, assert_survives
    def test_a(unlearned_model, forget_loader):
        assert_leakage_reduced(unlearned_model, forget_loader, min_reduction=0.5)
    def test_b(unlearner, unlearning_task):
        assert_survives(unlearner, unlearning_task, budget=7)
    """
    suite.write(fixture("unlearn_split", "return digits(range(40))"), RECIPE, tests=tests)
    done = suite.plan("--no-probe")
    assert done.status == 0
    assert "reduction 0.5 (call keyword) at confidence 0.95 (default): a perfect method passes" in done.out
    assert "of the time if the original's AUC is 0.9" in done.out
    assert "limit 0.55" not in done.out.replace("at limit 0.55", "")
    assert "assert_survives: up to 7 requests of its own" in done.out
    suite.write(fixture("unlearn_split", "return digits(range(8))"), RECIPE, tests=tests)
    done = suite.plan("--no-probe")
    assert done.status == 1
    assert "hopeless with 8 forget examples" in done.out
    limit = (
        "from pytest_unlearn import *\ndef test_a(m, unlearned_model): assert_forgotten(m, None, max_mia_auc=0.75)\n"
    )
    suite.write(fixture("unlearn_split", "return digits(range(40))"), RECIPE, tests=limit)
    assert "limit 0.75 (call keyword)" in suite.plan("--no-probe", "--strict").out


@pytest.mark.slow
def test_limits_come_from_ini_and_markers(suite: Suite) -> None:
    tests = """
    @pytest.mark.unlearn(max_mia_auc=0.7)
    def test_a(forget_loader): pass
    def test_b(forget_loader): pass
    @pytest.mark.unlearn(max_mia_auc=0.51)
    def test_without_inputs(): pass
    """
    ini = "unlearn_max_mia_auc = 0.6\nunlearn_confidence = 0.9\nunlearn_references = 0\n"
    suite.write(SPLIT, RECIPE, tests=tests, ini=ini)
    done = suite.plan("--no-probe")
    assert done.status == 0
    assert re.findall(r"limit (\S+) \((\w+)\) at confidence (\S+) \((\w+)\)", done.out) == [
        ("0.7", "marker", "0.9", "ini"),
        ("0.6", "ini", "0.9", "ini"),
    ]
    assert "references: 0" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "says"),
    [
        ("digits(groups=np.arange(700) // 10)", "units of deletion: 20 groups"),
        (
            "digits(control_groups=np.arange(1097) // 10)",
            "controls: 1,097 never-trained examples of 110 groups, compared",
        ),
        ("digits(match=None)", "controls: 1,097 never-trained examples, compared across classes"),
        ("digits([0, 1, 2, 3, 4, 5])", "forget set: 6 of 700 training examples, 6 classes"),
    ],
)
def test_groups_and_matching_count(suite: Suite, split: str, says: str) -> None:
    suite.write(fixture("unlearn_split", f"return {split}"), RECIPE)
    assert says in suite.plan("--no-probe").out


@pytest.mark.slow
def test_exact_copies_count_once_and_warnings_are_passed_on(suite: Suite) -> None:
    copies = """
    def copied():
        X, y = load_digits(return_X_y=True)
        X[1], y[1] = X[0], y[0]
        X[650], y[650] = X[0], y[0]
        return Split((X[:700], y[:700]), forget=range(200), test=(X[700:], y[700:]))
    """
    suite.write(copies, fixture("unlearn_split", "return copied()"), RECIPE)
    done = suite.plan("--no-probe")
    assert "units of deletion: 199 distinct examples; exact copies count once" in done.out
    assert "warning: 1 retained examples are exact copies of forget examples" in done.out


@pytest.mark.slow
def test_every_distinct_split_is_planned(suite: Suite) -> None:
    suite.write(SPLIT, RECIPE)
    suite.write(fixture("unlearn_split", "return digits(range(30))"), folder="small")
    suite.write(tests=TESTS, folder="same")
    done = suite.plan("--no-probe")
    assert done.status == 1
    assert re.findall(r"plan for (\S+)\n  forget set: (\d+)", done.out) == [(".", "200"), ("small", "30")]
    assert suite.plan("--no-probe", "same").status == 0


@pytest.mark.slow
def test_a_recipe_that_cannot_take_small_samples_is_no_error(suite: Suite) -> None:
    picky = "def picky(dataset, *, seed):\n    raise ValueError('give me\\nmore')\n"
    suite.write(SPLIT, picky, fixture("unlearn_recipe", "return picky"))
    done = suite.plan()
    assert done.status == 0
    assert "time: unknown: the recipe cannot be timed on small samples (ValueError: give me more)" in done.out


@pytest.mark.slow
def test_nothing_of_a_real_run_is_overwritten(suite: Suite) -> None:
    ini = "unlearn_report = true\nunlearn_gate = true\njunit_family = xunit2\n"
    suite.write(SPLIT, RECIPE, ini=ini)
    (suite.path / "junit.xml").write_text("of a real run")
    before = suite.files
    assert suite.plan("--no-probe", "--junitxml=junit.xml").status == 0
    assert suite.files == before
    assert (suite.path / "junit.xml").read_text() == "of a real run"


@pytest.mark.slow
def test_what_pytest_remembers_of_real_runs_stays(suite: Suite) -> None:
    suite.write(SPLIT, RECIPE, "@pytest.fixture(autouse=True)\ndef broken(): raise ValueError('no network')\n")
    before = suite.files
    done = suite.plan("--no-probe")
    assert done.status == 2
    assert "the inputs could not be evaluated: ValueError: no network" in done.err
    assert not [name for name in suite.files - before if "lastfailed" in name]


@pytest.mark.slow
def test_a_suite_that_is_run_by_workers_is_planned_without_them(suite: Suite) -> None:
    suite.write(SPLIT, RECIPE)
    done = in_a_process(suite, "-p", "xdist", "-n2", "--no-probe")
    assert done.returncode == 0
    assert done.stdout.count("plan for .") == 1


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    heavy = ("torch", "sklearn", "scipy", "hypothesis", "jinja2", "matplotlib", "numpy", "jsonschema")
    code = f"import sys, pytest_unlearn.__main__ as m; m.parser(); print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_commands_are_explained(run: Callable[..., Done]) -> None:
    done = run("--help")
    assert done.status == 0
    assert all(f"    {name} " in done.out for name in ("plan", "check", "compare", "cache"))
    assert run().status == 2
    assert run("cache").status == 2
    assert run("cache", "list", "extra").status == 2
    assert "[pytest arguments ...]" in run("plan", "--help").out
