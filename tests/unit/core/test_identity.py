"""Whose run it is: by the product's own variables, then the ini file, then what the CI says."""

from __future__ import annotations

import pytest

from pytest_unlearn.core.identity import DECLARED, declared, identity

GITHUB = {"GITHUB_REPOSITORY": "shop/model", "GITHUB_SHA": "a" * 40, "GITHUB_SERVER_URL": "https://github.com",
          "GITHUB_RUN_ID": "7"}  # fmt: skip
GITLAB = {"CI_PROJECT_PATH": "shop/model", "CI_COMMIT_SHA": "b" * 40, "CI_JOB_URL": "https://gitlab.com/shop/-/jobs/7"}
JENKINS = {"JOB_NAME": "shop", "GIT_COMMIT": "c" * 40, "BUILD_URL": "https://ci.example.org/job/shop/7/"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (GITHUB, ("shop/model", "a" * 40, "https://github.com/shop/model/actions/runs/7")),
        (GITLAB, ("shop/model", "b" * 40, "https://gitlab.com/shop/-/jobs/7")),
        (JENKINS, ("shop", "c" * 40, "https://ci.example.org/job/shop/7/")),
    ],
    ids=["GitHub", "GitLab", "Jenkins"],
)
def test_the_ci_names_project_commit_and_run(environment: dict[str, str], expected: tuple[str, ...]) -> None:
    found = identity({}, environment)
    assert tuple(found[name] for name in ("project", "commit", "ci_url")) == expected
    assert "request" not in found
    assert "approver" not in found


def test_the_own_variable_goes_before_the_ini_file_and_that_before_the_ci() -> None:
    layers = {"ini": {"project": "of the ini", "approver": "A. Person", "request": "17"}}
    found = identity(layers, {**GITHUB, "UNLEARN_REQUEST": "18"})
    assert (found["project"], found["request"], found["approver"]) == ("of the ini", "18", "A. Person")


def test_what_nobody_names_is_missing() -> None:
    assert identity({}, {"GITHUB_SHA": " ", "UNLEARN_PROJECT": ""}) == {}


def test_a_text_that_forges_lines_is_shown_escaped_and_short() -> None:
    found = identity({}, {"UNLEARN_REQUEST": "17\nRELEASE" + "x" * 1000})
    assert "\n" not in found["request"]
    assert len(found["request"]) <= 260


def test_what_is_declared_of_a_release_comes_from_its_variable_or_the_ini_file() -> None:
    layers = {"ini": {"access": "labels, scores", "backups": "until 2027-01-31"}}
    found = declared(layers, {"UNLEARN_BACKUPS": "none", "UNLEARN_DEADLINE": "2026-12-31"})
    assert found == {"access": "labels, scores", "backups": "none", "deadline": "2026-12-31"}
    assert declared({}, {}) == {}
    assert set(found) < set(DECLARED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCESS", "everything"),
        ("BACKUPS", "all erased"),
        ("FILTERS", "answers are anonymous"),
        ("LEGAL_BASIS", "Compliant."),
    ],
)
def test_what_no_declaration_can_say_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name.lower()):
        declared({}, {f"UNLEARN_{name}": value})
