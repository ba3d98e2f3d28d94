"""What is logged has names that services take, and no service is waited for for ever."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings

from pytest_unlearn.report import wording
from pytest_unlearn.report.tracking import services, to_mlflow
from pytest_unlearn.report.tracking.record import Logged, record
from tests.unit.report.outlets.ledgers import Run, runs

NOTHING = Logged({}, {}, {})


@settings(max_examples=40, deadline=None)
@given(runs())
def test_names_fit_every_service_and_tell_of_every_claim(run: Run) -> None:
    ledger, about = run
    logged = record(ledger, about, {})
    names = [*logged.tags, *logged.metrics]
    assert all(re.fullmatch(r"unlearn\.[A-Za-z0-9_\-./ ]{1,240}", name) for name in names)
    verdicts = sorted(value for name, value in logged.tags.items() if name.startswith("unlearn.verdict."))
    assert verdicts == sorted(wording.word(entry["evidence"]) for entry in ledger["entries"])
    assert sum(name.endswith(".severity") for name in logged.metrics) == len(ledger["entries"])
    assert logged.metrics.get("unlearn.released") == (about["gate"] and float(about["gate"]["release"]))


def test_a_service_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any) -> str:
        time.sleep(5)
        return "late"

    monkeypatch.setattr(to_mlflow, "log", hang)
    monkeypatch.setattr(to_mlflow, "active_run", lambda: "")
    started = time.monotonic()
    where, problem = services.log("mlflow", NOTHING, seconds=0.1)
    assert time.monotonic() - started < 3
    assert not where
    assert problem == "the run could not be logged to mlflow: it did not answer within 0 seconds"


@pytest.mark.parametrize("error", [SystemExit(1), ValueError("no\nsuch\x1b[2J thing"), KeyError()])
def test_whatever_a_client_raises_is_one_line(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def refuse(*_: Any) -> str:
        raise error

    monkeypatch.setattr(to_mlflow, "log", refuse)
    where, problem = services.log("mlflow", NOTHING)
    assert not where
    assert problem.startswith("the run could not be logged to mlflow: ")
    assert problem.isprintable()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("digits/3", ("digits", "3", None)),
        ("models:/a b/12", ("a b", "12", None)),
        ("digits@champion", ("digits", None, "champion")),
    ],
)
def test_a_model_version_is_named_in_two_ways(name: str, parts: tuple[Any, ...]) -> None:
    found = to_mlflow.MODEL.fullmatch(name)
    assert found is not None
    assert (found["name"], found["version"], found["alias"]) == parts


@pytest.mark.parametrize("name", ["digits", "digits/", "digits/latest", "a/b/3", "@x", ""])
def test_what_names_no_version_is_refused(name: str) -> None:
    assert to_mlflow.MODEL.fullmatch(name) is None
    with pytest.raises(ValueError, match="write NAME/VERSION or NAME@ALIAS"):
        to_mlflow._version(None, name)
