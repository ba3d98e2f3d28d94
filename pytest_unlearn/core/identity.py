"""Find out whose run this is: project, commit, CI run, request and approver.

Each is a setting of the ini file; a variable of the product's own goes before that, what the CI says of itself after
it. Nothing is guessed from folders or from git: what nobody names is missing, and the report says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.core.settings import TABLE, Layers, resolve
from pytest_unlearn.core.text import shown

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


def _of_ci(name: str, environment: Mapping[str, str]) -> str:
    given = {key: value for key, value in environment.items() if value.strip()}
    for template in OF_CI.get(name, ()):
        try:
            return template.format_map(given)
        except KeyError:  # another CI's
            continue
    return ""
