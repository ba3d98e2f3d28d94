"""Policies are plain data: a table that names claims there are, in words that a person can choose by."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest

import pytest_unlearn
from pytest_unlearn.claims.policies import NEEDS, POLICIES, TEXT_POLICIES, Step, lines
from pytest_unlearn.claims.release import AUDITS

STEPS = [
    pytest.param(policy, step, id=f"{policy.name}-{step.claim}")
    for policy in POLICIES.values()
    for step in policy.steps
]


def test_there_are_three_each_asking_all_that_the_one_before_asks():
    assert list(POLICIES) == ["quick", "standard", "thorough"]
    claims = [{step.claim for step in policy.steps} for policy in POLICIES.values()]
    assert claims[0] < claims[1] < claims[2]
    assert claims[2] == set(AUDITS)
    for policy in POLICIES.values():
        assert len({step.claim for step in policy.steps}) == len(policy.steps)


@pytest.mark.parametrize(("policy", "step"), STEPS)
def test_a_step_names_an_audit_its_assertion_and_keywords_that_they_have(policy, step):
    assert getattr(pytest_unlearn, f"audit_{step.claim}") is AUDITS[step.claim]
    assert callable(getattr(pytest_unlearn, f"assert_{step.claim}"))
    assert set(step.keywords) <= set(inspect.signature(AUDITS[step.claim]).parameters)
    assert step.needs in NEEDS
    assert step.says


def test_the_table_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        POLICIES["quick"] = POLICIES["standard"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        POLICIES["quick"].name = "slow"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Step(claim="utility", says="").keywords["baseline"] = "original"  # type: ignore[index]


def test_each_line_says_what_is_asserted_with_what_and_when():
    text = list(lines())
    assert len(text) == sum(1 + len(one.steps) for one in (*POLICIES.values(), *TEXT_POLICIES.values()))
    assert text[0].startswith("quick: ")
    assert any(line.startswith("quick of documents (TextSplit): ") for line in text)
    assert sum(line.startswith("    assert_canaries_forgotten: ") for line in text) == 4  # of either kind
    assert "    assert_utility, baseline='retrained': accuracy is near the retrained models' [required]" in text
    assert any(
        line.startswith("    assert_algorithm:") and line.endswith("[required, needs unlearner=]") for line in text
    )


def test_the_table_costs_nothing_to_import():
    heavy = "{'torch', 'numpy', 'scipy', 'sklearn', 'pytest_unlearn.task'} & set(sys.modules)"
    code = f"import sys, pytest_unlearn.claims.policies; print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
