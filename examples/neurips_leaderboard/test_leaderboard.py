"""The leaderboard covers every method, tunes and judges on different images, and says what it measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

from examples.neurips_leaderboard.judging import Bench, Row
from examples.neurips_leaderboard.methods import METHODS
from examples.neurips_leaderboard.table import render
from examples.neurips_leaderboard.tune import CHOSEN
from examples.neurips_leaderboard.world import audited, development, tuned_on
from unlearners import UNLEARNERS


def images(dataset):
    return {np.asarray(dataset[i][0]).tobytes() for i in range(len(dataset))}


def test_every_method_has_a_row():
    assert sorted(method.name for method in METHODS) == sorted(UNLEARNERS)


def test_no_image_of_an_audited_draw_was_used_for_tuning():
    tuned = development()
    used = images(tuned.split.train) | images(tuned.split.test) | images(tuned.unseen)
    for draw in (0, 1, 2):
        world = audited(draw)
        judged = [images(part) for part in (world.split.train, world.split.test, world.unseen)]
        # A few images of Fashion-MNIST occur twice in the data set itself.
        assert sum(len(used & part) for part in judged) <= 5
        assert not judged[0] & judged[2]
        assert not judged[1] & judged[2]


def test_settings_come_from_the_choices_that_were_tried():
    chosen = json.loads(CHOSEN.read_text())
    for method in METHODS:
        if method.tuned and "effect" in chosen.get(method.name, {}):
            entry = chosen[method.name]
            assert len(entry["tried"]) in ((12,) if entry["effect"] else (24,))
            assert any(entry["settings"].items() <= trial.items() for trial in entry["tried"])
        elif len(method.choices) > 1:
            tried = chosen[method.name]["tried"]
            best = min(tried, key=lambda row: row["cost"])
            assert chosen[method.name]["settings"].items() <= best.items()
            assert len(tried) == len(method.choices)


def test_the_draws_to_tune_on_share_no_image_with_the_audited_ones_or_each_other():
    worlds = [tuned_on(draw) for draw in (0, 1, 2)]
    parts = [images(world.split.train) | images(world.split.test) for world in worlds]
    assert [len(world.split.train) for world in worlds] == [1300] * 3
    for i in range(3):
        assert len(parts[i] & parts[i - 1]) <= 5  # a few images occur twice in the data set itself
        assert len(parts[i] & images(worlds[0].unseen)) <= 5
        assert len(parts[i] & images(audited(i).split.train)) <= 5


def test_the_table_shows_what_a_row_holds():
    row = Row(
        "no-op", {}, "", 1.0, 0.99, 0.8, 0.81, "FAIL", "over-forgotten", "margin residual", 0.3, 0.2, 0.4, 0.2, 0.5
    )
    refused = Row("unsir", {}, unsupported="UNSIR removes whole classes.")
    page = render([
        {"draw": 0, "family": "decoys", **row.plain()},
        {"draw": 0, "family": "class removal", **refused.plain()},
    ])  # fmt: skip
    assert "| no-op | 1.000 | 0.990 | 0.800 | 0.810 | FAIL (over) | 0.300 [0.200, 0.400] | 0.50 |" in page
    assert "| unsir | not applicable: UNSIR removes whole classes. |" in page


@pytest.mark.slow
def test_the_original_fails_and_a_retrained_model_does_not(tmp_path):
    bench = Bench(audited(0), tmp_path)
    rows = {
        m.name: bench.judge(m, m.choices[0]) for m in METHODS if m.name in ("retrain", "no-op", "linear-filtration")
    }
    assert rows["no-op"].verdict == "FAIL"
    assert rows["no-op"].forget > 0.95
    assert rows["retrain"].verdict in ("PASS", "INCONCLUSIVE")
    assert rows["retrain"].time_fraction == pytest.approx(1, rel=0.5)
    assert "whole classes" in rows["linear-filtration"].unsupported
