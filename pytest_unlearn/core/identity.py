"""Find out whose run this is, and what is declared of the release.

Project, commit, CI run, request and approver say whose it is; access, filters and copies that are kept are what the
releasing party says of what no audit of a model can see.


Each is a setting of the ini file; a variable of the product's own goes before that, what the CI says of itself after
it. Nothing is guessed from folders or from git: what nobody names is missing, and the report says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.core.settings import TABLE, Layers, resolve
from pytest_unlearn.core.text import shown

DECLARED: Mapping[str, str] = {
    "access": "what callers of the released model get",
    "filters": "what stands in front of the model",
    "caches": "caches that are kept",
    "backups": "backups that are kept",
    "checkpoints": "checkpoints and earlier models that are kept",
    "deadline": "deadline of the request",
    "legal_basis": "what the request rests on",
}
"""What the releasing party may declare, and what it is called."""
FACTS = ("project", "commit", "ci_url", "request", "approver")
OF_CI: Mapping[str, tuple[str, ...]] = {
    "project": ("{GITHUB_REPOSITORY}", "{CI_PROJECT_PATH}", "{JOB_NAME}"),
    "commit": ("{GITHUB_SHA}", "{CI_COMMIT_SHA}", "{GIT_COMMIT}"),
    "ci_url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}", "{CI_JOB_URL}", "{BUILD_URL}"),
}
"""What GitHub, GitLab and Jenkins tell of a run, in templates over their variables."""
LONGEST = 200


def identity(layers: Layers, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what is known of a run, by name.

    Args:
        layers: of the session's settings.
        environment: variables, such as those of a CI job.
    """
    found: dict[str, Any] = {}
    for name in FACTS:
        own = environment.get(f"UNLEARN_{name.upper()}", "").strip()
        found[name] = own or resolve(name, None, layers).value or _of_ci(name, environment)
    return {name: str(shown(TABLE[name].parse(value), LONGEST)) for name, value in found.items() if value}


def declared(layers: Layers, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what is declared of a release, by name; what nobody declared is absent.

    Args:
        layers: of the session's settings.
        environment: variables, such as those of a CI job.

    Raises:
        ValueError: a variable that says what no declaration can.
    """
    found = {
        name: environment.get(f"UNLEARN_{name.upper()}", "").strip() or resolve(name, None, layers).value
        for name in DECLARED
    }
    return {name: str(shown(TABLE[name].parse(value), LONGEST)) for name, value in found.items() if value}


def _of_ci(name: str, environment: Mapping[str, str]) -> str:
    given = {key: value for key, value in environment.items() if value.strip()}
    for template in OF_CI.get(name, ()):
        try:
            return template.format_map(given)
        except KeyError:  # another CI's
            continue
    return ""
