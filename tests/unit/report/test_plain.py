"""A claim in a sentence says what was proven, in whole things and without minus signs."""

from __future__ import annotations

import pytest

from pytest_unlearn.report.plain import measured


def utility(verdict, low, high):
    return {
        "verdict": verdict,
        "claim": {"name": "utility", "quantity": "drop in accuracy", "lowest": None, "highest": 0.02},
        "estimate": {"value": (low + high) / 2, "low": low, "high": high, "confidence": 0.95, "method": "Tango",
                     "n_forget": 897, "n_controls": 0},
        "attacks": {}, "reasons": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "low", "high", "said"),
    [
        ("PASS", -0.091, -0.055, "the model gives at least 5 more right answers in 100 than its baseline"),
        ("INCONCLUSIVE", -0.30, -0.10, "the model gives between 10 and 30 more right answers in 100 than its baseline"),
        ("PASS", -0.03, 0.013, "the model loses at most 1.3 right answers in 100 against its baseline"),
        ("FAIL", 0.06, 0.09, "the model loses at least 6 right answers in 100 against its baseline"),
    ],
)
def test_a_gain_is_not_called_a_negative_loss(verdict, low, high, said):
    assert measured(utility(verdict, low, high)).startswith(said)


@pytest.mark.parametrize(
    ("verdict", "low", "high", "said"),
    [
        ("INCONCLUSIVE", -0.11, 0.6, "of what the original showed of the data, between 0 and 60 parts in 100 are gone"),
        ("FAIL", -0.5, -0.1, "of what the original showed of the data, at most 0 parts in 100 are gone"),
        ("PASS", 0.62, 1.2, "of what the original showed of the data, at least 62 parts in 100 are gone"),
    ],
)
def test_neither_less_than_nothing_nor_more_than_all_is_gone(verdict, low, high, said):
    evidence = utility(verdict, low, high)
    evidence["claim"] = {"name": "leakage_reduced", "quantity": "reduction", "lowest": 0.5, "highest": None}
    assert measured(evidence).startswith(said)
