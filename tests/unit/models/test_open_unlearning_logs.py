"""Logs of open-unlearning: what its evaluation writes, and every file that is none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_unlearn.models.open_unlearning_logs import read_open_unlearning_log

LOG = {
    "forget_quality": {"agg_value": 0.27},
    "forget_Q_A_Prob": {
        "agg_value": 0.75,
        "value_by_index": {"10": {"prob": 0.5, "avg_loss": 0.7}, "2": {"prob": 1.0, "avg_loss": 0.0}},
    },
    "forget_Q_A_PERT_Prob": {
        "agg_value": 0.1,
        "value_by_index": {"0": {"prob": [0.1, 0.2]}, "1": {"prob": [0.3, 0.4]}, "2": None},
    },
    "exact_memorization": {"agg_value": 0.5, "value_by_index": {"0": {"score": 0.5}, "1": {"score": None}}},
    "forget_Q_A_ROUGE": {
        "agg_value": 0.4,
        "value_by_index": {"0": {"rougeL_recall": 0.4, "generation": "a", "ground_truth": "b"}},
    },
    "privleak": {"agg_value": None},
}


@pytest.fixture
def written(tmp_path):
    def write(log, name="TOFU_EVAL.json"):
        path = tmp_path / name
        path.write_text(log if isinstance(log, str) else json.dumps(log))
        return path

    return write


def test_what_is_logged_is_read_in_the_order_of_its_numbers(written):
    log = read_open_unlearning_log(written(LOG))
    assert (log["forget_quality"].value, log["privleak"].value) == (0.27, None)
    assert log["forget_Q_A_Prob"].items == (2, 10)
    assert log["forget_Q_A_Prob"].of("prob").tolist() == [1.0, 0.5]
    assert log["forget_Q_A_Prob"].of("avg_loss").tolist() == [0.0, 0.7]
    assert log["forget_Q_A_ROUGE"].texts["generation"] == ("a",)


def test_several_answers_are_columns_and_what_has_no_value_is_not_a_number(written):
    log = read_open_unlearning_log(written(LOG))
    several = log["forget_Q_A_PERT_Prob"].of("prob")
    assert several[:2].tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert np.isnan(several[2]).all()
    assert np.isnan(log["exact_memorization"].of("score")).tolist() == [False, True]


def test_a_summary_has_aggregates_alone(written):
    log = read_open_unlearning_log(written({"model_utility": 0.6, "privleak": None}, "TOFU_SUMMARY.json"))
    assert (log["model_utility"].value, log["privleak"].value) == (0.6, None)
    assert log["model_utility"].items == ()


def test_what_was_not_logged_is_named(written):
    log = read_open_unlearning_log(written(LOG))
    with pytest.raises(ValueError, match=r"TOFU_EVAL.json has no mia, only forget_quality, "):
        log["mia"]
    with pytest.raises(ValueError, match="forget_Q_A_Prob has no score, only prob, avg_loss"):
        log["forget_Q_A_Prob"].of("score")
    with pytest.raises(ValueError, match="forget_quality has no score, only an aggregate"):
        log["forget_quality"].of("score")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "has no metrics"),
        ("{}", "has no metrics"),
        ({"a": {"x": 1}}, "a of TOFU_EVAL.json has neither agg_value nor value_by_index"),
        ({"a": "high"}, "neither agg_value nor value_by_index"),
        ({"a": {"agg_value": "high"}}, "the aggregate 'high', which is no number"),
        ({"a": {"value_by_index": {"first": {}}}}, "items without numbers"),
        ({"a": {"value_by_index": [1]}}, "items without numbers"),
        ({"a": {"value_by_index": {"0": 3}}}, "no tables of statistics"),
        ({"a": {"value_by_index": {"0": {"s": {}}}}}, "s of a of TOFU_EVAL.json holds dicts"),
        ({"a": {"value_by_index": {"0": {"s": [1]}, "1": {"s": [1, 2]}}}}, "has 1 answers to some items and 2"),
    ],
)
def test_every_other_file_is_refused_by_name(written, log, said):
    with pytest.raises(ValueError, match=r"TOFU_EVAL\.json") as error:
        read_open_unlearning_log(written(log))
    assert said in str(error.value)
