"""Show claims and gate in Allure's report, where a run has one (--alluredir)."""

from __future__ import annotations

import time
import uuid

import pytest

LISTENER = "allure_listener"  # what allure-pytest registers then; nothing of it is imported before


def attach(config: pytest.Config, text: str) -> None:
    """Attach the claims of the running test to its result."""
    if config.pluginmanager.hasplugin(LISTENER):
        import allure

        allure.attach(text, "unlearning audit", allure.attachment_type.TEXT)


def add_result(config: pytest.Config, name: str, failure: str) -> None:
    """Add a result without a test, such as the gate's: Allure looks at tests alone."""
    if not config.pluginmanager.hasplugin(LISTENER):
        return
    from allure_commons import plugin_manager
    from allure_commons.model2 import Label, Status, StatusDetails, TestResult
    from allure_commons.types import LabelType

    now = int(time.time() * 1000)
    result = TestResult(
        uuid=str(uuid.uuid4()),
        historyId=name,  # the same in every run, so that Allure shows how it ended in earlier ones
        testCaseId=name,
        name=name,
        fullName=name,
        status=Status.FAILED if failure else Status.PASSED,
        statusDetails=StatusDetails(message=failure) if failure else None,
        labels=[Label(LabelType.SUITE, "unlearn"), Label(LabelType.FRAMEWORK, "pytest")],
        start=now,
        stop=now,
    )
    plugin_manager.hook.report_result(result=result)
