"""In GitHub Actions each refuted, undecided or invalid claim is an annotation at its test; nowhere else."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SUITE = """
def test_a(): audit()
def test_b():
    audit("FAIL", 0.7)

@pytest.mark.parametrize("k", ["100%\\n::error::forged"])
def test_c(k): audit("INCONCLUSIVE", 0.55)
"""


def commands(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("::")]


@pytest.mark.parametrize("arguments", [(), ("-n2",), ("-q", "-q")])
def test_each_claim_is_annotated_at_its_test(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.path.parent))
    suite.write(test_it=SUITE)
    found = commands(suite.run("--unlearn-gate", *arguments))
    folder = suite.path.name
    assert [line.partition("::The")[0][:90] for line in found[1:2]] == [
        f"::error file={folder}/test_it.py,line=5,title=forgotten%3A FAIL"[:90]
    ]
    assert found[0].startswith("::error title=Release gate%3A do not release::")
    assert found[2].startswith(f"::error file={folder}/test_it.py,line=8,title=forgotten%3A INCONCLUSIVE::")
    assert len(found) == 3


@pytest.mark.parametrize("value", [None, "false"])
def test_nothing_is_annotated_elsewhere(suite: Suite, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    if value:
        monkeypatch.setenv("GITHUB_ACTIONS", value)
    suite.write(test_it=SUITE)
    assert not commands(suite.run("--unlearn-gate"))


def test_an_inconclusive_that_the_user_lets_pass_is_a_warning(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    suite.write(test_it='def test_a(): audit("INCONCLUSIVE", 0.55)')
    (line,) = commands(suite.run("--unlearn-inconclusive=xfail"))
    assert line.startswith("::warning file=test_it.py,line=3,title=forgotten%3A INCONCLUSIVE::")
