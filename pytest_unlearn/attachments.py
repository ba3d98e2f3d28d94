"""What other reports show of a test's evidence: the text of a failure, JUnit properties, a pytest-html extra."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pytest_unlearn import settings
from pytest_unlearn.report import terminal

Property = tuple[str, str | float]


def attach(item: pytest.Item, report: pytest.TestReport, entries: list[dict[str, Any]]) -> None:
    """Attach evidence to a test's report, in the forms that this run shows."""
    text = terminal.section({"nodeid": item.nodeid, "count": entry["count"], "evidence": entry} for entry in entries)
    if report.failed:
        report.sections.append(("unlearning audit", text))
    if settings.resolve("junit_properties").value:
        found = properties(entries)
        # JUnit reads them off the last report, that of the teardown; pytest copies an item's onto the reports to come.
        item.user_properties.extend(found)
        report.user_properties.extend(found)
    if item.config.pluginmanager.hasplugin("html") and item.config.getoption("htmlpath", None):
        from pytest_html import extras

        extra = extras.html(f"<pre>{html.escape(text)}</pre>")
        setattr(report, "extras", [*getattr(report, "extras", []), extra])  # noqa: B010 - not an attribute pytest knows


def properties(entries: Iterable[Mapping[str, Any]]) -> list[Property]:
    """The verdict, the estimate and the limit of each evidence, as plain numbers and text."""
    found: list[Property] = []
    for entry in entries:
        claim, estimate = entry["claim"], entry["estimate"]
        values = {
            "verdict": entry["verdict"],
            **{name: estimate[name] for name in ("value", "low", "high")},
            "limit": claim["lowest"] if claim["highest"] is None else claim["highest"],
        }
        found += [(f"unlearn.{claim['name']}.{name}", value) for name, value in values.items() if value is not None]
    return found
