"""A service is refused before anything runs where its client is missing, or there is none of that name."""

from __future__ import annotations

import importlib.util

import pytest

from tests.plugin.conftest import Suite


def test_a_service_that_there_is_none_of_is_a_usage_error(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    result = suite.run("--unlearn-log=comet")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*log must be mlflow, wandb, or both with a comma between them, not 'comet'*"])


@pytest.mark.parametrize("service", ["mlflow", "wandb"])
def test_a_client_that_is_missing_is_named_before_any_test(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == service else find(name, *a))
    suite.write(test_it="def test_a(): print('ran')")
    result = suite.run(f"--unlearn-log={service}", "-s")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--unlearn-log={service} needs its client: install {service}*"])
    result.stdout.no_fnmatch_line("ran")
