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
    ("runs", "to_train", "seen", "likely", "said"),
    [
        (NAMED, NAMED, None, True, "(weakly"),
        (45, 45, None, False, "too few; runs=50 make it 90%"),
        (NAMED, 0, SeenOriginals(0.59, NAMED), True, "they are made and will do; for a next request runs=61 make"),
        (NAMED, 1, SeenOriginals(0.59, NAMED - 1), False, "too few; runs=6"),
        (NAMED, 0, SeenOriginals(0.57, NAMED), False, "too few; runs="),
        (45, 45, SeenOriginals(0.62), False, "too few; runs=50"),  # one request says too little to ask for fewer
    ],
)
def test_nobody_who_made_the_runs_that_were_named_is_told_to_make_more(
    runs: int, to_train: int, seen: SeenOriginals | None, likely: bool, said: str
) -> None:
    found = outlook(Runs(runs, "drawn"), ASKED, REQUEST, to_train, seen)
    assert found.likely is likely
    assert said in found.lines[-1]
