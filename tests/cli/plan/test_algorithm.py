"""How many runs are enough, before and after somebody has seen what their originals show."""

from __future__ import annotations

import pytest

from pytest_unlearn.claims.common.certify import request
from pytest_unlearn.cli.plan.algorithm import Runs, SeenOriginals, outlook
from pytest_unlearn.cli.plan.asked import Asked
from pytest_unlearn.core.settings import Setting

ASKED = Asked(
    "runs",
    {
        name: Setting(value, "call keyword")
        for name, value in (("max_mia_auc", 0.6), ("confidence", 0.95), ("max_share_left", 0.5))
    },
)
REQUEST = request(40, 3000)
NAMED = REQUEST.runs_needed(0.6, 0.95)


@pytest.mark.parametrize(
    ("runs", "seen", "likely"),
    [
        (NAMED, None, True),
        (45, None, False),
        (NAMED, SeenOriginals(0.59, 50), True),  # weaker than what was counted on: still four times in five
        (NAMED, SeenOriginals(0.57, 50), False),
        (45, SeenOriginals(0.62), False),  # one request says too little to ask for fewer
    ],
)
def test_a_number_that_was_named_stays_good_enough_while_what_is_seen_allows(
    runs: int, seen: SeenOriginals | None, likely: bool
) -> None:
    found = outlook(Runs(runs, "drawn"), ASKED, REQUEST, 0, seen)
    assert found.likely is likely
    assert any("make it 90%" in line or "batch requests" in line for line in found.lines) is not likely
