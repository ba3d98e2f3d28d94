"""Shorten what pytest says of a failed audit to verdict, claim and number."""

from __future__ import annotations

from typing import Any

from pytest_unlearn.core.text import shown


def shorten(shown_failure: Any, error: BaseException) -> None:
    """Put `FAIL forgotten 0.723 > 0.6` where pytest's short summary looks.

    Modules are taken out of the exceptions' names.

    Args:
        shown_failure: a report's `longrepr`, changed in place; of other kinds, nothing is.
        error: what the test raised.
    """
    evidence: Any = getattr(error, "evidence", None)
    crash = getattr(shown_failure, "reprcrash", None)
    if crash is None or not hasattr(evidence, "to_json"):
        return
    from pytest_unlearn.report.wording import brief

    missing = [one for one in getattr(error, "evidences", {}).values() if not one.proven]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    crash.message = brief(shown(evidence.to_json())) + more
    own, full = type(error).__name__, f"{type(error).__module__}.{type(error).__qualname__}: "
    for entry in getattr(shown_failure.reprtraceback, "reprentries", ()):
        if hasattr(entry, "lines"):
            entry.lines = [line.replace(full, f"{own}: ", 1) for line in entry.lines]
