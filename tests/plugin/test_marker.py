"""@pytest.mark.unlearn: registered, and any keyword it does not know is an error."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite


@pytest.mark.parametrize("mark", ["max_auc=0.6", "0.6", "seed=3"])
def test_a_typo_is_an_error_that_names_the_keywords(suite: Suite, mark: str) -> None:
    suite.write(test_it=f"@pytest.mark.unlearn({mark})\ndef test_a(): audit()")
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["@pytest.mark.unlearn takes no *; its keywords are max_mia_auc, max_drop, max_gap, *"])


def test_a_value_out_of_range_is_an_error(suite: Suite) -> None:
    suite.write(test_it="@pytest.mark.unlearn(max_mia_auc=0.4)\ndef test_a(): audit()")
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["max_mia_auc must be a number above 0.5 and below 1, not 0.4"])


def test_it_is_registered(suite: Suite) -> None:
    suite.write(test_it="@pytest.mark.unlearn(max_drop=0.1)\ndef test_a(): pass")
    assert suite.run("--strict-markers").ret == 0
    suite.run("--markers").stdout.fnmatch_lines(["@pytest.mark.unlearn(max_mia_auc=..., max_drop=*"])
