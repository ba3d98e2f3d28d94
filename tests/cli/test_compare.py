"""`compare`: claims about the same data and recipe are set side by side; not being able to tell is no pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.cli import compare as compare_command
from pytest_unlearn.core.evidence import Estimate
from tests.cli.conftest import Done, Run, claim, provenance, write


@pytest.fixture
def compare(run: Run, tmp_path: Path) -> Any:
    """Compare two lists of claims, with the option that fails."""

    def command(old: list[Any], new: list[Any], *options: str, **about: Any) -> Done:
        paths = write(tmp_path / "old.json", *old), write(tmp_path / "new.json", *new, **about)
        return run("compare", *paths, *(options or ("--fail-on-regression",)))

    return command


def test_equal_reports_show_no_regression(compare: Any) -> None:
    done = compare([claim()], [claim()])
    assert done.status == 0
    assert "compared        test_it.py::test_a forgotten" in done.out
    assert "PASS 0.500 [0.470, 0.530] at most 0.55 -> PASS 0.500 [0.470, 0.530] at most 0.55" in done.out
    assert "1 claim compared, 0 regressions, 0 not comparable, 0 new" in done.out


VERDICTS = ("PASS", "INCONCLUSIVE", "FAIL", "INVALID")


@pytest.mark.parametrize("old", VERDICTS)
@pytest.mark.parametrize("new", VERDICTS)
def test_a_graver_verdict_is_a_regression(compare: Any, old: str, new: str) -> None:
    done = compare([claim(old)], [claim(new)])
    graver = VERDICTS.index(new) > VERDICTS.index(old)
    assert done.status == graver
    assert (f"worse: the verdict went from {old} to {new}" in done.out) is graver


def confident(confidence: float) -> Estimate:
    return Estimate(value=0.5, low=0.47, high=0.53, confidence=confidence, method="m", n_forget=9)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (claim(highest=0.55), claim(highest=0.6), "the limit was loosened from at most 0.55 to at most 0.6"),
        (
            claim(lowest=0.45),
            claim(lowest=0.4),
            "the limit was loosened from within 0.45 and 0.55 to within 0.4 and 0.55",
        ),
        (claim(lowest=0.45), claim(), "the limit was loosened from within 0.45 and 0.55 to at most 0.55"),
        (claim(), claim(estimate=confident(0.9), attacks={}), "the confidence was lowered from 0.95 to 0.9"),
        (claim(value=0.44), claim(value=0.51), "the estimate went from 0.440 [0.410, 0.470] to 0.510 [0.480, 0.540]"),
        (claim(), claim(outcome="xfailed"), "the test passed and now ended as xfailed"),
        (
            claim(),
            claim(provenance={**provenance(), "settings": {"require_controls": False}}),
            "controls are no longer required",
        ),
    ],
)
def test_other_ways_to_get_worse(compare: Any, old: Any, new: Any, says: str) -> None:
    done = compare([old], [new])
    assert done.status == 1
    assert f"worse: {says}" in done.out
    assert "1 claim compared, 1 regression, 0 not comparable" in done.out
    assert compare([new], [old]).status == 0
    assert compare([old], [new], "--").status == 0


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        (0.42, 0.5, False),  # away from the low limit
        (0.5, 0.42, True),  # towards it
        (0.42, 0.57, False),  # far from both, but with more room
        (0.46, 0.58, True),
        (0.50, 0.55, False),  # the intervals overlap
    ],
)
def test_two_sided_claims_get_worse_towards_the_nearer_limit(compare: Any, old: float, new: float, worse: bool) -> None:
    pair = [[claim("INCONCLUSIVE", value, highest=0.6, lowest=0.4)] for value in (old, new)]
    assert compare(*pair).status == worse


def test_a_claim_that_is_missing_is_a_regression(compare: Any) -> None:
    old = [claim(), claim(nodeid="test_it.py::test_b")]
    done = compare(old, old[:1])
    assert done.status == 1
    assert "REGRESSION      test_it.py::test_b forgotten: the claim is missing in the new report" in done.out
    done = compare(old[:1], old)
    assert done.status == 0
    assert "new             test_it.py::test_b forgotten" in done.out


def test_claims_of_one_test_are_matched_in_order(compare: Any) -> None:
    twice = [claim(), claim("FAIL", 0.7)]
    assert compare(twice, twice).status == 0
    done = compare(twice, twice[::-1])
    assert done.status == 1
    assert done.out.count("REGRESSION") == 1
    assert compare(twice, [*twice, claim()]).status == 0


def data(**digests: Any) -> dict[str, Any]:
    return {**provenance(), "data": {name: {"n": 1, "digest": digest} for name, digest in digests.items()}}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (provenance(), data(forget=None, controls="c"), "the new report has no digests of the data"),
        ({"seed": 0}, provenance(), "the old report has no digests of the data"),
        (provenance(recipe="r"), provenance(recipe="q"), "the recipe differs"),
        (provenance(recipe="r"), provenance(recipe="q", split="other"), "the recipe differs"),
        (provenance(), provenance(references=[{"key": "l", "seed": 1}]), "the retrained references differ"),
    ],
)
def test_what_has_another_recipe_or_no_digests_is_not_compared(compare: Any, old: Any, new: Any, says: str) -> None:
    done = compare([claim(provenance=old)], [claim(provenance=new)])
    assert done.status == 3
    assert f"not comparable  test_it.py::test_a forgotten: {says}" in done.out
    assert "cannot tell: nothing could be compared" in done.out
    assert compare([claim(provenance=old)], [claim(provenance=new)], "--").status == 0


OTHER_REQUESTS = [
    (data(forget="g", controls="c"), "the forget data differ"),
    (data(forget="f", test="t"), "the controls and the test data differ"),
    (provenance(split="other"), "the split differs"),
    ({**provenance(), "task": None}, "the split differs"),
    (provenance(split="other", references=[{"key": "l", "seed": 1}]), "the split differs"),
]


@pytest.mark.parametrize(("new", "says"), OTHER_REQUESTS)
def test_another_request_is_compared_by_verdict_and_limit(compare: Any, new: Any, says: str) -> None:
    done = compare([claim()], [claim(provenance=new, value=0.49)])
    assert done.status == 0
    assert f"compared        test_it.py::test_a forgotten: {says}" in done.out
    assert "room to the limit 0.020 to 0.080 -> 0.030 to 0.090" in done.out
    for worse, word in (
        (claim("FAIL", 0.7, provenance=new), "the verdict went from PASS to FAIL"),
        (claim(value=0.51, highest=0.6, provenance=new), "the limit was loosened from at most 0.55 to at most 0.6"),
        (
            claim("INCONCLUSIVE", 0.6, provenance=new),
            "the room to the limit went from 0.020 to 0.080 to -0.080 to -0.020",
        ),
    ):
        done = compare([claim()], [worse])
        assert done.status == 1
        assert f"worse: {word}" in done.out


def test_a_narrower_limit_with_less_room_is_no_regression_while_the_intervals_meet(compare: Any) -> None:
    new = data(forget="g", controls="c")
    assert compare([claim(value=0.48)], [claim(value=0.5, provenance=new)]).status == 0


@pytest.mark.parametrize(
    ("value", "room"), [(0.5, (0.07, 0.1)), (0.58, (-0.01, 0.05)), (0.45, (0.02, 0.08)), (0.7, (-0.13, -0.07))]
)
def test_the_room_is_that_to_the_nearer_limit(value: float, room: tuple[float, float]) -> None:
    found = compare_command.room(claim("INCONCLUSIVE", value, lowest=0.4, highest=0.6)["evidence"])
    assert found == pytest.approx(room)


def test_claims_without_a_limit_or_an_estimate_have_no_room() -> None:
    unlimited = claim()["evidence"]
    unlimited["claim"]["highest"] = None
    assert compare_command.room(unlimited) is None
    assert compare_command.room(claim("INVALID", float("nan"))["evidence"]) is None


def test_a_test_that_is_named_after_its_request_is_matched_by_its_claim(compare: Any) -> None:
    new = data(forget="g", controls="c")
    old = [claim(nodeid="t.py::test_release[request 1]"), claim(name="utility", nodeid="t.py::test_release[request 1]")]
    later = [claim(nodeid="t.py::test_release[request 2]", provenance=new),
             claim("FAIL", 0.7, name="utility", nodeid="t.py::test_release[request 2]", provenance=new)]  # fmt: skip
    done = compare(old, later)
    assert done.status == 1
    assert "2 claims compared, 1 regression, 0 not comparable, 0 new" in done.out
    assert "missing" not in done.out
    two = [*later, claim(nodeid="t.py::test_release[request 3]", provenance=new)]
    assert "is missing in the new report" in compare(old, two).out  # which of the two it would be is not known


@pytest.mark.parametrize("worse", [True, False])
def test_worse_goes_before_not_comparable(compare: Any, worse: bool) -> None:
    other = claim(nodeid="test_it.py::test_b", provenance=provenance(recipe="q"))
    old = [claim(), claim(nodeid="test_it.py::test_b", provenance=provenance(recipe="r"))]
    done = compare(old, [claim("FAIL" if worse else "PASS"), other])
    assert done.status == (1 if worse else 3)
    assert "cannot tell: 1 claim could not be compared" in done.out


def test_references_that_were_handed_over_do_not_hinder(compare: Any) -> None:
    assert compare([claim()], [claim(provenance=provenance(references=[]))]).status == 0
    assert compare([claim(provenance=provenance(recipe="r"))], [claim()]).status == 0


def test_empty_reports_tell_nothing(compare: Any) -> None:
    assert compare([], []).status == 3
    assert compare([], [], "--").status == 0


def test_a_new_report_of_a_partial_run_cannot_tell(compare: Any) -> None:
    done = compare([claim()], [claim()], partial=("-k was given",))
    assert done.status == 3
    assert "cannot tell: the new report is of a partial run: -k was given" in done.out


def test_a_report_that_cannot_be_read_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("compare", write(tmp_path / "old.json", claim()), tmp_path / "none.json")
    assert done.status == 2
    assert "none.json cannot be read" in done.err
