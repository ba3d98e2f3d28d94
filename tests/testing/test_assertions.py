"""assert_x raises unless the claim is proven, carries its evidence, and explains itself."""

import inspect
import subprocess
import sys
import textwrap

import pytest

import pytest_unlearn
from pytest_unlearn import AuditFailure, Verdict, assert_forgotten, assert_matches_retrained, assert_utility
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.report.wording import seen
from tests.worlds.simulated import World, split


@pytest.fixture(scope="module")
def world():
    return World(split())


@pytest.fixture(scope="module")
def task(world):
    return world.task()


def test_a_proven_claim_returns_its_evidence(world, task):
    assert assert_forgotten(world.model(), task.forget).verdict is Verdict.PASS


def test_a_refuted_claim_raises_an_assertion_error_that_carries_the_evidence(world, task):
    with pytest.raises(AssertionError) as caught:
        assert_forgotten(world.model(1.5), task.forget)
    assert isinstance(caught.value, AuditFailure)
    assert caught.value.evidence.verdict is Verdict.FAIL


def test_the_failure_text_states_claim_observation_controls_counts_exposed_and_what_to_do(world, task):
    with pytest.raises(AuditFailure) as caught:
        assert_forgotten(world.model(1.5), task.forget, max_mia_auc=0.55)
    text, evidence = str(caught.value), caught.value.evidence
    assert text.startswith("FAIL (recognisable)")
    for part in (
        "claim       membership AUC between 0.45 and 0.55",
        "max_mia_auc from call keyword",
        f"observed    {seen(evidence.to_json())}",
        "original  ",
        "retrained 3",
        "600 forget examples, 3,000 controls",
        f"#{evidence.most_exposed[0].index} ",
        "next  ",
    ):
        assert part in text


def test_an_inconclusive_text_says_how_many_examples_would_settle_it():
    small = World(split(n_forget=60))
    with pytest.raises(AuditFailure) as caught:
        assert_forgotten(small.model(), small.task(boost=4.0).forget)
    evidence = caught.value.evidence
    assert evidence.verdict is Verdict.INCONCLUSIVE
    if evidence.needed:
        assert f"about {evidence.needed:,} forget examples" in str(caught.value)
    assert "no limit below" in str(caught.value) or evidence.needed


def test_every_assertion_records_its_evidence_whatever_the_verdict(world, task):
    recorder = Recorder("here")
    with recording(recorder):
        assert_forgotten(world.model(), task.forget)
        with pytest.raises(AuditFailure):
            assert_forgotten(world.model(1.5), task.forget)
        assert_utility(task.original, task.test, max_drop=0.05)
        assert_matches_retrained(task.retrained[0], task.test, max_gap=0.2)
    names = [(entry["claim"]["name"], entry["verdict"]) for entry in recorder.entries]
    assert names == [("forgotten", "PASS"), ("forgotten", "FAIL"), ("utility", "PASS"), ("matches_retrained", "PASS")]


def test_an_inconclusive_claim_can_be_a_warning():
    small = World(split(n_forget=60))
    recorder = Recorder("here", layers={"command line": {"inconclusive": "warn"}})
    with recording(recorder), pytest.warns(UserWarning, match="INCONCLUSIVE"):
        assert assert_forgotten(small.model(), small.task(boost=4.0).forget).verdict is Verdict.INCONCLUSIVE


def test_thresholds_come_from_the_closest_source_and_the_evidence_says_which(world, task):
    layers = {"ini": {"max_mia_auc": 0.7}, "marker": {"max_mia_auc": 0.6}}
    with recording(Recorder("here", layers=layers)):
        claim = assert_forgotten(world.model(), task.forget).claim
        assert (claim.highest, claim.sources["max_mia_auc"]) == (0.6, "marker")
        claim = assert_forgotten(world.model(), task.forget, max_mia_auc=0.55).claim
        assert (claim.highest, claim.sources["max_mia_auc"]) == (0.55, "call keyword")


@pytest.mark.parametrize("name", ["forgotten", "utility", "matches_retrained"])
def test_assert_and_audit_take_the_same_arguments(name):
    ours, theirs = (getattr(pytest_unlearn, f"{kind}_{name}") for kind in ("assert", "audit"))
    assert inspect.signature(ours) == inspect.signature(theirs)


def test_the_defaults_are_shown_as_plain_numbers():
    assert "max_mia_auc: 'float' = 0.55" in str(inspect.signature(assert_forgotten))
    assert "max_drop: 'float' = 0.02" in str(inspect.signature(assert_utility))
    assert "max_gap: 'float' = 0.05" in str(inspect.signature(assert_matches_retrained))


def test_assertions_work_in_a_plain_script_without_pytest(tmp_path):
    script = """
        import sys
        import numpy as np
        from pytest_unlearn import AuditFailure, SavedOutputs, Split, UnlearningTask, assert_utility
        x, y = np.random.default_rng(0).normal(size=(300, 2)), np.arange(300) % 2
        answers, wrong = SavedOutputs(test=np.eye(2)[y[100:]]), SavedOutputs(test=np.eye(2)[1 - y[100:]])
        task = UnlearningTask(Split((x[:100], y[:100]), forget=[0, 1], test=(x[100:], y[100:])), original=answers)
        assert_utility(answers, task.test, max_drop=0.05)
        try:
            assert_utility(wrong, task.test)
        except AuditFailure as failure:
            print(failure.evidence.verdict)
        assert "pytest" not in sys.modules
    """
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script))
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.strip() == "FAIL", done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["script.py"]
