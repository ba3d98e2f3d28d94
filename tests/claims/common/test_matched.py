"""Under a shift, matched controls acquit honest models, catch leaks, and say where nothing can be compared."""

import numpy as np
import pytest

from pytest_unlearn import SavedOutputs, Verdict, audit_forgotten, audit_leakage_reduced
from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.claims.common.inputs import resolve_inputs
from pytest_unlearn.claims.common.matched import Matched
from tests.claims.recomputed import recomputed
from tests.worlds.shifted import CONTROLS, FORGET, Forest, leaky, people, task_of

LIMIT = 0.65
audit = recomputed(audit_forgotten)


def age(x, _):
    return np.asarray(x)[:, 0]


def asked_for(split):
    """A callable that says who asked: membership itself."""
    who = {float(row[0]) for row in np.asarray(split.train.source[0])[:FORGET]}
    return lambda x, _: np.array([float(row[0]) in who for row in np.asarray(x)])


def verdict(model, split, references=2, **more):
    task = task_of(split, references=references)
    return audit(model, task.forget, max_mia_auc=LIMIT, require_controls=references > 0, **more)


@pytest.mark.slow
def test_without_matching_and_references_a_shift_is_invalid():
    found = verdict(Forest(7), people(0, apart=1.5), references=0)
    assert (found.verdict, found.attacks["confidence"].value > 0.7) == ("INVALID", True)


@pytest.mark.parametrize("match", [pytest.param(age, marks=pytest.mark.slow), "propensity"])
def test_matching_acquits_an_honest_model_and_catches_a_leak(match):
    split = people(1, match=match)
    honest, leak = (verdict(model, split, references=0) for model in (Forest(7), leaky(split)))
    assert honest.verdict == "PASS", honest.reasons
    assert leak.verdict == "FAIL", leak.reasons
    assert any("matched by" in reason and "strata" in reason for reason in honest.reasons)
    table = next(figure for figure in leak.figures if figure.title == "Matched controls")
    name, value, _, _, weighted, low, high = table.rows[0]
    assert (name, low < weighted < high, min(value, weighted) > 0.6) == ("confidence", True, True)


def test_references_need_no_matching():
    split = people(2, match="class")
    assert verdict(Forest(7), split, references=4).verdict == "PASS"
    assert verdict(leaky(split), split, references=4).verdict == "FAIL"


def test_a_column_of_the_frame_matches_too():
    pytest.importorskip("pandas")
    split = people(3, match=("class", "age"), frame=True)
    found = verdict(leaky(split), split)
    assert (found.verdict, found.provenance["settings"]["match"]) == ("FAIL", "class, age")
    assert abs(verdict(Forest(7), split).estimate.value - 0.5) < 0.1


def test_whoever_has_no_comparable_control_is_counted_and_withholds_pass():
    split = people(4, apart=3.0, match=age)
    found = verdict(Forest(7), split, references=0)
    assert found.verdict in ("INCONCLUSIVE", "INVALID")
    assert "forget examples" in found.reasons[0]
    assert "have no comparable control" in found.reasons[0]
    assert found.verdict == "INVALID" or found.estimate.n_forget < FORGET


@pytest.mark.parametrize("references", [0, 2])
def test_no_overlap_at_all_is_invalid_and_named(references):
    found = verdict(Forest(7), people(5, apart=12.0, match=age), references=references)
    assert found.verdict == "INVALID"
    assert found.reasons[0].startswith(f"no overlap: matched by age, {FORGET} of {FORGET} forget examples")


@pytest.mark.parametrize("references", [pytest.param(0, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("sharp", [0.0, 1e-3])
def test_a_callable_that_returns_membership_is_invalid(references, sharp):
    split = people(6, apart=0.0)
    member, rng = asked_for(split), np.random.default_rng(0)
    found = verdict(
        leaky(split), split, references, match=lambda x, y: member(x, y) + sharp * rng.normal(size=len(np.asarray(x)))
    )
    assert found.verdict == "INVALID"
    assert "no overlap" in found.reasons[0]


@pytest.mark.parametrize("references", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cut", [pytest.param(None, marks=pytest.mark.slow), 10])
def test_covariates_read_off_the_audited_model_never_pass(references, cut):
    split = people(7, apart=0.0)
    model = leaky(split, by=1.0)

    def own_answer(x, y):
        logits = model(x)[:, 1]
        sure = np.where(np.asarray(y) > 0, logits, -logits)
        return sure if cut is None else np.digitize(sure, np.linspace(-1, 6, cut))

    found = verdict(model, split, references, match=own_answer)
    assert found.verdict != "PASS"
    told = any("orders the examples as the audited model's own answers do" in reason for reason in found.reasons)
    assert told or found.verdict == "FAIL"


@pytest.mark.slow
@pytest.mark.parametrize("far", [1e-4, 6.0], ids=["harder", "easier"])
def test_models_that_never_saw_the_forget_set_and_are_told_apart_show_that_matching_explains_too_little(far):
    """On the border between the labels every model is unsure, and far from it everyone is sure: nobody is accused."""
    split = people(8, apart=0.0, match=lambda x, _: np.asarray(x)[:, 0])
    x = np.asarray(split.train.source[0])
    x[:FORGET, 1] = np.sign(x[:FORGET, 1]) * far
    found = verdict(Forest(7), split, references=0)
    assert (found.verdict, found.not_testable) == ("INCONCLUSIVE", "")
    assert any(reason.startswith("no balance") for reason in found.reasons)
    assert any("match by what the request was chosen by" in step for step in found.advice)


@pytest.mark.parametrize(("shift", "easier"), [(-2.0, False), (2.0, True), (0.0, False)])
def test_stand_ins_say_whether_a_request_is_harder_or_easier_than_its_controls(shift, easier):
    at = np.arange(200)
    rng, strata = np.random.default_rng(0), np.zeros(200, dtype=int)
    scores = rng.normal(size=(2, 400)) + shift * (np.arange(400) < 200)
    matched = Matched(
        name="age", size=200, kept=at, controls=at, forget_strata=strata, control_strata=strata, stand_ins=scores
    )
    pairing = matched.pairing(Pairing())
    assert matched.easier(pairing, LIMIT, 0.95) == easier
    said = matched.unbalanced(pairing, LIMIT, 0.95)
    assert [one.verdict for one in said] == [Verdict.INCONCLUSIVE] * (shift != 0)


def test_rows_of_saved_outputs_stay_with_their_examples():
    split = people(9, apart=2.0, match=age)
    task = task_of(split, references=2)
    model = Forest(7)
    saved = SavedOutputs(forget=model(task.forget.arrays()[0]), controls=model(task.controls.arrays()[0]))
    asked, told = (audit_forgotten(one, task.forget, max_mia_auc=LIMIT) for one in (model, saved))
    assert asked.estimate == told.estimate
    assert asked.estimate.n_forget < FORGET
    assert asked.provenance["data"]["forget"]["n"] == FORGET
    assert asked.provenance["data"]["controls"]["n"] == CONTROLS


def test_slices_keep_what_is_compared_and_one_without_anything_is_refused():
    split = people(10, apart=2.0, match=age)
    task = task_of(split, references=2)
    ages = np.asarray(split.train.source[0])[:FORGET, 0]
    found = audit_forgotten(Forest(7), task.forget, max_mia_auc=0.8, slices={"older": ages > 1.5})
    assert found.attacks["slice older"].n_forget <= (ages > 1.5).sum()
    with pytest.raises(ValueError, match="slice 'oldest' holds no example with a comparable control"):
        audit_forgotten(Forest(7), task.forget, slices={"oldest": [int(ages.argmax())]})


def test_a_propensity_of_a_handful_is_refused():
    task = task_of(people(14).with_forget(range(9)), references=2)
    with pytest.raises(ValueError, match="at least 10 forget examples .* and there are 9: match by a column"):
        audit_forgotten(Forest(7), task.forget, match="propensity")


def test_leakage_reduced_matches_too():
    split = people(12, match=age)
    task = task_of(split, references=2)
    assert audit_leakage_reduced(Forest(7), task.forget, min_reduction=0.5).verdict == "PASS"
    assert audit_leakage_reduced(leaky(split, by=3.5), task.forget, min_reduction=0.5).verdict == "FAIL"


def test_a_design_is_matched_without_a_model():
    split = people(13, apart=2.0, match=age)
    task = task_of(split)
    inputs = resolve_inputs(
        task.forget, nonmembers=None, baseline=Forest(1), references=(), match="inherit", output=None,
        require_controls=False,
    )  # fmt: skip
    assert inputs.sizes == (len(inputs.matched.kept), len(inputs.matched.controls))
    assert inputs.everything.sizes == (FORGET, CONTROLS)
    assert not inputs.by_class
