"""What can be said with a request agrees with the rules that audits judge by, and with simulated requests."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import special
from scipy.stats import norm

from pytest_unlearn.attacks.registry import deciding_set
from pytest_unlearn.attacks.text.registry import text_attacks
from pytest_unlearn.claims.common.certify import ASSUMED, ATTACKS, POWER, RUNS_POWER, WEAK, Request, certify, request
from pytest_unlearn.statistics import auc_measure, can_certify, null_precision, over_models, share_left
from tools import small_requests


def both(one: float) -> float:
    """How often two attacks pass, if one does so often."""
    return float(one**ATTACKS)


def classes(forget: int, controls: int, count: int = 4) -> dict[str, np.ndarray]:
    return {"forget_strata": np.arange(forget) % count, "control_strata": np.arange(controls) % count}


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("forget", "controls", "matched"), [(100, 300, True), (400, 400, False), (90, 40, True)])
def test_the_smallest_limit_is_where_audits_begin_to_certify(forget, controls, matched, confidence) -> None:
    labels = classes(forget, controls) if matched else {}
    smallest = request(forget, controls, **labels).smallest_limit(confidence)
    for limit, possible in ((smallest + 1e-9, True), (smallest - 1e-6, False)):
        assert can_certify(limit, confidence, forget, controls, **labels) is possible


def test_a_handful_of_examples_is_held_to_the_interval_that_judges_it() -> None:
    scores = np.arange(196, 204) - 0.5  # all in the middle of the controls: an AUC of 1/2 with the least variance
    judged = auc_measure(scores, np.arange(400.0)).at(0.95)
    assert abs(judged.value - 0.5) < 0.002
    few = request(8, 400)
    assert few.smallest_limit(0.95) == pytest.approx(judged.high, abs=0.002)
    assert few.smallest_limit(0.95) > 0.5 + 1.645 * few.precision(8)[0]


def test_a_single_unit_and_a_single_control_certify_nothing() -> None:
    for single in (request(20, 100, forget_groups=np.zeros(20, int)), request(20, 1), request(1, 100)):
        assert single.smallest_limit(0.95) == single.likely_limit(0.95) == 1.0
        assert single.power(0.9, 0.95) == 0.0
        assert single.share_power(0.9, 0.5, 0.95) == 0.0
        assert single.certified_share(0.9, 0.95) is None
    assert request(20, 1).needed(0.9, 0.95) is None
    assert certify(request(20, 1), limit=0.55, confidence=0.95).hopeless


def test_few_people_among_the_controls_certify_less() -> None:
    labels = classes(300, 600)
    plain = request(300, 600, **labels)
    clones = request(300, 600, **labels, control_groups=np.arange(600) % 4 + np.arange(600) // 40 * 4)
    assert (plain.control_units, clones.control_units) == (600, 60)
    assert clones.smallest_limit(0.95) > plain.smallest_limit(0.95) + 0.02
    assert clones.needed(0.55, 0.95) is None  # more forget examples do not make up for sixty controls
    assert plain.needed(0.55, 0.95) is not None


def test_the_chance_of_a_perfect_method_is_what_simulation_gives() -> None:
    rng, passed = np.random.default_rng(0), 0
    for _ in range(400):
        bounds = auc_measure(rng.normal(size=300), rng.normal(size=300)).at(0.95)
        passed += bounds.high <= 0.58 and bounds.low >= 0.42
    assert both(passed / 400) == pytest.approx(request(300, 300).power(0.58, 0.95), abs=0.12)


def test_of_documents_as_many_attacks_must_miss_as_decide_and_the_limit_is_wider() -> None:
    examples = request(120, 240)
    documents = replace(examples, documents=True)
    assert examples.attacks == sum(attack.signed for attack in deciding_set(references=True, classes=10))
    assert documents.attacks == sum(attack.signed for attack in text_attacks(references=True)[0])
    assert documents.power(0.62, 0.95) == pytest.approx(examples.power(0.62, 0.95) ** 2)
    assert 0.005 < documents.likely_limit(0.95) - examples.likely_limit(0.95) < 0.015
    assert documents.power(documents.likely_limit(0.95), 0.95) == pytest.approx(POWER, abs=0.001)


@pytest.mark.parametrize("limit", [0.56, 0.6])
def test_as_many_examples_as_it_asks_for_are_enough_with_the_same_controls(limit: float) -> None:
    needed = request(50, 1000, **classes(50, 1000)).needed(limit, 0.95)
    assert needed is not None
    assert needed > 50
    grown = request(needed, 1000, **classes(needed, 1000))
    assert grown.power(limit, 0.95) == pytest.approx(POWER, abs=0.02)
    assert grown.needed(limit, 0.95) == pytest.approx(needed, rel=0.02)


def test_a_grown_request_is_as_precise_as_one_of_that_size() -> None:
    labels = {"forget_strata": np.arange(60) % 3, "control_strata": np.arange(900) % 3}
    more = {"forget_strata": np.tile(labels["forget_strata"], 4), "control_strata": labels["control_strata"]}
    grown, _ = request(60, 900, **labels).precision(240)
    error, _ = null_precision(240, 900, **more)
    assert grown == pytest.approx(error, rel=0.01)


def test_the_limit_that_it_suggests_is_likely_passed_and_the_next_smaller_one_is_not() -> None:
    for size in (request(40, 10_000), request(80, 500, **classes(80, 500))):
        said = certify(size, limit=0.55, confidence=0.95)
        assert size.power(said.likely_limit, 0.95) >= POWER
        assert size.power(said.likely_limit - 0.01, 0.95) < POWER


@pytest.mark.parametrize(("n_forget", "original"), [(40, 0.82), (100, 0.75), (400, 0.67)])
def test_four_honest_models_in_five_are_shown_to_leave_no_more(n_forget: int, original: float) -> None:
    rng, draws = np.random.default_rng(0), 300
    size = request(n_forget, 2000)
    share = size.certified_share(original, 0.95)
    assert share is not None
    assert size.share_power(original, share, 0.95) == pytest.approx(POWER, abs=0.001)
    shift, within = math.sqrt(2) * norm.ppf(original), 0
    for _ in range(draws):
        known, others = rng.normal(size=n_forget), rng.normal(size=2000)
        ours = share_left(rng.normal(size=n_forget), rng.normal(size=2000), known + shift, others)
        within += ours.at(0.95).high <= share
    assert 0.7 <= both(within / draws) <= 0.95


def test_a_few_examples_of_an_original_that_shows_little_certify_no_share() -> None:
    assert request(20, 200).certified_share(0.6, 0.95) is None
    assert certify(request(20, 200), limit=0.55, confidence=0.95, original=0.6).reduction is None


def test_more_examples_certify_less_to_be_left() -> None:
    shares = [request(n, 5000).certified_share(0.75, 0.95) or 1.0 for n in (50, 200, 800)]
    assert shares == sorted(shares, reverse=True)


def test_fewer_controls_are_as_precise_as_a_request_with_so_many() -> None:
    for n, controls, fewer in ((40, 3000, 120), (200, 1000, 600)):
        ours, theirs = request(n, controls).with_controls(fewer), request(n, fewer)
        assert (ours.n_controls, ours.control_units) == (theirs.n_controls, theirs.control_units)
        assert ours.precision(n) == pytest.approx(theirs.precision(n), rel=0.01)


def test_no_reduction_is_suggested_that_a_model_which_remembers_half_would_pass() -> None:
    for n in (10, 20, 40, 100, 1000):
        for original in (0.55, 0.6, 0.7, 0.8, 0.9, 0.99):
            said = certify(request(n, 5000), limit=0.55, confidence=0.95, original=original)
            assert said.reduction is None or 0.5 <= said.reduction <= 0.9
            assert said.reduction is None or said.reduction_power(said.reduction) >= 0.5


def test_forty_examples_say_that_half_is_gone_where_the_original_shows_them_plainly() -> None:
    said = certify(request(40, 5000), limit=0.55, confidence=0.95)
    assert (said.original, said.assumed) == (ASSUMED, True)
    assert said.hopeless
    assert said.reduction == 0.5
    assert 0.65 <= said.share_power <= 0.8


@pytest.mark.parametrize("runs", [4, 10, 20])
def test_the_chance_of_an_exact_method_over_runs_is_what_simulation_gives(runs: int) -> None:
    rng, units, limit, count = np.random.default_rng(0), 60, 0.55, 400
    inflation, passed = 2.0 if runs >= 5 else 1.0, 0
    for _ in range(count):
        values = rng.normal(size=runs) * inflation**0.5 * (121 / (12 * 60 * 60)) ** 0.5 + 0.5
        found = over_models([auc_measure(*rng.normal(size=(2, units)))] * 2, same_examples=False, inflation=inflation)
        error = max(values.var(ddof=1), inflation * found.example_errors[0] ** 2) ** 0.5 / runs**0.5
        half = -special.stdtrit(runs - 1, 0.05) * error
        passed += values.mean() + half <= limit and values.mean() - half >= 1 - limit
    plain = request(units, 3000).runs_power(runs, limit, 0.95, original=0.99)
    assert both(passed / count) == pytest.approx(plain, abs=0.2)


def test_more_runs_never_have_less_power_and_as_many_as_are_asked_for_are_enough() -> None:
    size = request(100, 3000)
    chances = [size.runs_power(runs, 0.55, 0.95) for runs in range(5, 60)]
    assert np.all(np.diff(chances) >= 0)
    assert chances[-1] > 0.99
    needed = size.runs_needed(0.55, 0.95)
    assert needed is not None
    assert size.runs_power(needed, 0.55, 0.95) >= RUNS_POWER > size.runs_power(needed - 1, 0.55, 0.95)
    assert (size.runs_needed(0.55, 0.95, original=0.56) or 999) > needed


def test_runs_are_counted_on_weak_originals_unless_they_are_surely_plainer() -> None:
    size = request(40, 3000)
    assert size.counted_on() == WEAK
    assert size.counted_on(0.65) == WEAK  # of one request: the next one may show less
    assert WEAK < size.counted_on(0.65, runs=16) < 0.65  # over sixteen it is surer
    assert size.counted_on(0.57) == WEAK  # nor is that one surely weaker than the others will be
    assert size.counted_on(0.57, runs=16) == 0.57
    assert 0.5 < size.counted_on(0.48) < WEAK
    assert 0.7 < size.counted_on(0.8) < 0.8
    assert (size.counted_on(0.45, runs=16), size.counted_on(1.0)) == (0.45, 1.0)
    named = certify(size, limit=0.6, confidence=0.95).runs
    assert named == certify(size, limit=0.6, confidence=0.95, original=0.65).runs == size.runs_needed(0.6, 0.95, WEAK)
    assert named is not None
    assert (certify(size, limit=0.6, confidence=0.95, original=0.8).runs or 999) < named / 2


def test_more_of_anything_never_says_less() -> None:
    def at(n: int, controls: int) -> Request:
        return request(n, controls)

    for few, many in ((at(30, 500), at(60, 500)), (at(30, 500), at(30, 5000))):
        assert many.smallest_limit(0.95) < few.smallest_limit(0.95)
        assert many.likely_limit(0.95) < few.likely_limit(0.95)
        assert many.power(0.66, 0.95) > few.power(0.66, 0.95)
        assert many.share_power(0.8, 0.5, 0.95) > few.share_power(0.8, 0.5, 0.95)


def test_the_documented_tables_are_computed_here() -> None:
    written = small_requests.FILE.read_text(encoding="utf-8")
    assert small_requests.renewed(written) == written, "python -m tools.small_requests"
    assert f"| 10,000 | {small_requests.at(40, 10_000).needed} |" in written


def test_the_first_page_says_the_same() -> None:
    readme = (small_requests.FILE.parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"about {request(40, 10_000).needed(0.55, 0.95)} forget examples" in " ".join(readme.split())
