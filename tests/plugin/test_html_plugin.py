"""pytest-html, where it is installed and used: each test's evidence is an extra of its row, as text."""

from __future__ import annotations

import html
import json
import re

import pytest

from tests.plugin.conftest import Suite

SUITE = """
def test_a(): audit("PASS", label="<script>alert(1)</script>")
def test_plain(): pass
"""


@pytest.fixture
def with_html(suite: Suite) -> Suite:
    """A suite with pytest-html loaded."""
    pytest.importorskip("pytest_html")
    suite.plugins = (*suite.plugins, "-pmetadata", "-phtml")
    suite.write(test_it=SUITE)
    return suite


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_evidence_is_an_extra_and_escaped(with_html: Suite, arguments: tuple[str, ...]) -> None:
    result = with_html.run("--html=x.html", "--self-contained-html", "--unlearn-gate", *arguments)
    assert result.ret == 0
    page = (with_html.path / "x.html").read_text()
    assert "<script>alert(1)" not in page
    blob = re.search(r'data-jsonblob="([^"]*)"', page)
    assert blob is not None
    tests = json.loads(html.unescape(blob.group(1)))["tests"]
    (extra,) = tests["test_it.py::test_a"][0]["extras"]
    assert extra["content"].startswith("<pre>forgotten: PASS  0.500 [0.470, 0.530]")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in extra["content"]
    assert tests["test_it.py::test_plain"][0]["extras"] == []


def test_without_its_option_nothing_is_attached(with_html: Suite) -> None:
    with_html.pytester.makeconftest(
        """
        def pytest_runtest_logreport(report):
            assert not getattr(report, "extras", [])
        """
    )
    assert with_html.run().ret == 0
