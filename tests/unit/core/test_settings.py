"""A setting's value and its source."""

from __future__ import annotations

import inspect

import pytest

from pytest_unlearn.core import settings
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.core.settings import Setting, resolve

LAYERS = {
    "marker": {"max_drop": 0.1},
    "command line": {"max_drop": 0.2, "seed": 2},
    "ini": {"max_drop": 0.3, "jobs": 3},
}


def test_outside_pytest_there_are_call_keywords_and_defaults() -> None:
    assert resolve("max_mia_auc") == Setting(0.55, "default")
    assert resolve("max_mia_auc", 0.6) == Setting(0.6, "call keyword")


def test_an_untouched_default_differs_from_the_same_value_given() -> None:
    assert resolve("max_mia_auc", settings.MAX_MIA_AUC) == Setting(0.55, "default")
    assert resolve("max_mia_auc", 0.55) == Setting(0.55, "call keyword")
    assert resolve("require_controls", settings.REQUIRE_CONTROLS) == Setting(True, "default")
    assert resolve("require_controls", True) == Setting(True, "call keyword")
    assert resolve("inconclusive", settings.INCONCLUSIVE) == Setting("fail", "default")


def test_a_signature_shows_defaults_as_plain_values() -> None:
    def f(a: float = settings.MAX_MIA_AUC, b: bool = settings.REQUIRE_CONTROLS) -> None: ...

    assert str(inspect.signature(f)).replace("'", "") == "(a: float = 0.55, b: bool = True) -> None"


def test_the_first_layer_that_has_a_value_wins() -> None:
    with recording(Recorder("t", LAYERS)):
        assert resolve("max_drop", 0.0) == Setting(0.0, "call keyword")
        assert resolve("max_drop") == Setting(0.1, "marker")
        assert resolve("seed") == Setting(2, "command line")
        assert resolve("jobs") == Setting(3, "ini")
        assert resolve("confidence") == Setting(0.95, "default")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("max_mia_auc", v) for v in (0.5, 1, 0.4, float("nan"), "0.x", [0.6])],
        *[("max_drop", v) for v in (-0.1, 1.0)],
        *[("max_gap", v) for v in (0.0, 1.0)],
        *[("max_fraction", v) for v in (0.0, 1.1)],
        *[("confidence", v) for v in (0.5, 1.0, 95)],
        *[("require_controls", v) for v in ("yes", 2, "")],
        *[("inconclusive", v) for v in ("pass", 1)],
        *[("seed", v) for v in (-1, 1.5, "x", float("inf"))],
        *[("jobs", v) for v in (0, -2)],
        *[("references", v) for v in (-1, 0.5)],
    ],
)
def test_a_value_out_of_range_is_refused_in_a_sentence(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .*, not "):
        resolve(name, value)


def test_text_is_converted() -> None:
    assert settings.TABLE["max_drop"].parse("0.25") == 0.25
    assert settings.TABLE["require_controls"].parse("False") is False
    assert settings.TABLE["seed"].parse("12") == 12


def test_every_default_satisfies_its_own_rule() -> None:
    for spec in settings.TABLE.values():
        assert spec.default is None or spec.parse(spec.default) == spec.default


def test_a_marker_takes_known_keywords_only() -> None:
    assert settings.marker_settings((), {"max_drop": 0.1}) == {"max_drop": 0.1}
    for args, kwargs in (((0.6,), {}), ((), {"max_auc": 0.6}), ((), {"seed": 1})):
        with pytest.raises(ValueError, match="its keywords are max_mia_auc, max_drop, max_gap, "):
            settings.marker_settings(args, kwargs)
