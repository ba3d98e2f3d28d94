"""What an audit shows besides its verdict, and that it does not show the data that were to be deleted."""

import json

import numpy as np
import pytest

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, Verdict, audit_forgotten, audit_utility
from pytest_unlearn.attacks.registry import LABEL_ONLY, UPDATE_LEAKAGE, Pairing
from pytest_unlearn.claims.common.certify import request
from pytest_unlearn.claims.forgotten.figures import caught_table, pixels, scores_by_model
from pytest_unlearn.core.evidence import Answers, Scores
from pytest_unlearn.core.recorder import Recorder, recording
from tests.worlds.simulated import World, split

WORLD = World(split(n_forget=300, n_controls=1200), skill=1.0)
TITLE = "Accuracy on each set"
TASK = WORLD.task(references=3)
LEAKY = audit_forgotten(WORLD.model(boost=1.5, seed=5), TASK.forget)


def shown(evidence):
    return {exhibit.kind: exhibit for exhibit in reversed(evidence.figures)}


def test_the_attack_that_decided_is_shown_on_all_three_models():
    assert LEAKY.verdict is Verdict.FAIL
    for kind in ("curves", "histograms"):
        exhibit = shown(LEAKY)[kind]
        models = exhibit.series if kind == "curves" else exhibit.panels
        assert list(models) == ["unlearned", "original", "retrained"]
        assert LEAKY.decided_by in exhibit.caption


def test_the_curve_tells_a_leaky_model_from_a_retrained_one():
    series = shown(LEAKY)["curves"].series
    rates, leaky = map(np.array, series["unlearned"])
    retrained = np.array(series["retrained"][1])
    assert (np.diff(rates) > 0).all()
    assert rates[-1] == leaky[-1] == 1
    at = rates > 0.05
    assert (leaky[at] >= rates[at]).all()
    assert np.abs(retrained - rates).max() < 0.12
    assert leaky[np.searchsorted(rates, 0.1)] > 2 * retrained[np.searchsorted(rates, 0.1)]


def test_histograms_hold_every_example_once():
    exhibit = shown(LEAKY)["histograms"]
    assert len(exhibit.edges) == len(exhibit.panels["original"][0]) + 1
    for forget, controls in exhibit.panels.values():
        assert sum(forget) == pytest.approx(1, abs=0.002)
        assert sum(controls) == pytest.approx(1, abs=0.002)


def test_the_class_table_has_a_row_a_class_with_its_own_interval():
    table = shown(LEAKY)["table"]
    assert [row[0] for row in table.rows] == [0, 1, 2, 3]
    assert all(row[4] < row[3] < row[5] for row in table.rows)
    weights = [row[1] for row in table.rows]
    mean = np.average([row[3] for row in table.rows], weights=weights)
    assert mean == pytest.approx(LEAKY.estimate.value, abs=1e-3)
    assert sum(weights) == 300


@pytest.mark.slow
def test_of_many_classes_the_most_remarkable_are_kept():
    rng = np.random.default_rng(0)
    train, test = ((rng.normal(size=(n, 2)), np.arange(n) % 60) for n in (180, 600))
    task = UnlearningTask(Split(train, forget=np.arange(120), test=test), references=0)
    model = SavedOutputs(forget=rng.normal(size=(120, 60)), test=rng.normal(size=(600, 60)))
    table = shown(audit_forgotten(model, task.forget))["table"]
    assert len(table.rows) == 40
    assert "20 classes nearest to 0.5 are left out" in table.caption


@pytest.mark.slow
def test_without_an_original_or_references_their_curves_are_left_out():
    task = UnlearningTask(WORLD.split, references=0)
    evidence = audit_forgotten(WORLD.model(seed=6), task.forget)
    assert list(shown(evidence)["curves"].series) == ["unlearned"]


@pytest.mark.slow
def test_scores_that_all_tie_can_still_be_shown():
    flat = SavedOutputs(**{name: np.zeros_like(part) for name, part in WORLD.model().parts.items()})
    evidence = audit_forgotten(flat, UnlearningTask(WORLD.split, references=0).forget)
    assert evidence.verdict is Verdict.INVALID
    json.dumps(evidence.to_json(), allow_nan=False)


def test_baselines_stand_on_the_scale_of_the_claim():
    evidence = audit_utility(WORLD.model(seed=7), TASK.test)
    original = evidence.controls.original.estimate
    assert (original.low, original.value, original.high, original.method) == (0, 0, 0, "by definition")
    against = audit_utility(WORLD.model(seed=7), TASK.test, baseline="retrained").controls.retrained
    assert len(against) == 3
    assert all(abs(control.estimate.value) < 0.05 for control in against)
    assert all(control.estimate.low < control.estimate.high for control in against)
    assert all(control.summary.startswith("accuracy ") for control in against)


def test_the_cost_of_models_that_were_handed_over_is_not_invented():
    assert LEAKY.provenance["seconds"] == {"unlearned": None, "original": None, "references": [None] * 3}


IMAGE = np.arange(64.0).reshape(8, 8)


def pictures(layers):
    rng = np.random.default_rng(0)
    train, test = ((rng.normal(size=(n, 1, 8, 8)), np.arange(n) % 2) for n in (60, 60))
    task = UnlearningTask(Split(train, forget=np.arange(40), test=test), references=0)
    model = SavedOutputs(forget=rng.normal(size=(40, 2)), test=rng.normal(size=(60, 2)))
    with recording(Recorder(layers=layers)):
        return audit_forgotten(model, task.forget).to_json()["most_exposed"]


@pytest.mark.slow
def test_examples_are_named_by_index_only_unless_thumbnails_were_asked_for():
    assert all(row["pixels"] is None for row in pictures({}))
    asked = pictures({"command line": {"report_thumbnails": True}})
    assert all(np.array(row["pixels"]).shape == (8, 8) for row in asked)


@pytest.mark.parametrize(
    ("example", "shape"),
    [
        (IMAGE, (8, 8)),
        (IMAGE[None], (8, 8)),
        (np.zeros((3, 8, 8)), (8, 8, 3)),
        (np.zeros((100, 60, 3), dtype=np.uint8), (25, 15, 3)),
    ],
)
def test_images_become_small_pictures(example, shape):
    found = np.array(pixels(example))
    assert found.shape == shape
    assert found.min() >= 0
    assert found.max() <= 255


def test_what_is_not_an_image_gives_none():
    assert pixels(np.zeros(64)) is None
    assert pixels(np.zeros((2, 64))) is None
    assert pixels(np.zeros((5, 8, 8))) is None
    assert pixels(3.0) is None
    assert np.array(pixels(IMAGE)).max() == 255


def figure_named(evidence, title):
    """The figure of that title."""
    return next(figure for figure in evidence.figures if figure.title == title)


def test_accuracy_is_drawn_on_each_set_for_each_model():
    figure = figure_named(LEAKY, TITLE)
    whose = {(label.partition(":")[0], model) for label, model, *_ in figure.rows}
    assert whose == {
        (part, model)
        for part in ("forget", "test", "controls")  # of retained data these models' outputs were not saved
        for model in ("unlearned", "original", "retrained")
    }
    assert all(0 <= value <= 1 for _, _, value, _, _ in figure.rows)
    spreads = [(low, value, high) for _, model, value, low, high in figure.rows if model == "retrained"]
    assert all(low <= value <= high for low, value, high in spreads)


@pytest.mark.parametrize("size", [600, 2500])
def test_accuracy_is_that_of_all_controls_and_of_at_most_2000_evenly_spaced_retained_examples(size):
    rng = np.random.default_rng(1)
    (x, y), test = ((rng.normal(size=(n, 5)).astype(np.float32), rng.integers(0, 2, n)) for n in (size + 100, size))
    asked = []

    def model(batch):
        asked.append(len(batch))
        return np.stack([-batch[:, 0], batch[:, 0]], axis=1)

    task = UnlearningTask(Split((x, y), forget=np.arange(100), test=test), references=0)
    rows = {label: value for label, _, value, _, _ in figure_named(audit_forgotten(model, task.forget), TITLE).rows}
    thinned = 1 if size <= 2000 else 2
    for part, (inputs, labels), step in (("retain", (x[100:], y[100:]), thinned), ("test", test, 1)):
        right = ((inputs[::step, 0] > 0) == labels[::step]).mean()
        assert rows[f"{part}: this model"] == pytest.approx(right, abs=1e-4)
    assert sum(asked) < 100 + size + 2000 + 2000  # forget, controls, the sample, and examples asked again


def test_a_model_that_cannot_be_asked_about_retained_data_is_audited_all_the_same():
    rng = np.random.default_rng(2)
    train, test = ((rng.normal(size=(n, 2)), np.arange(n) % 2) for n in (200, 300))
    task = UnlearningTask(Split(train, forget=np.arange(100), test=test), references=0)

    def model(batch):
        kept = np.isin(batch[:, 0], train[0][100:, 0])
        return np.where(kept[:, None], np.nan, batch)

    figure = figure_named(audit_forgotten(model, task.forget), TITLE)
    assert {label.partition(":")[0] for label, *_ in figure.rows} == {"forget", "test", "controls"}


def test_the_sample_size_curve_has_the_numbers_of_plan_and_advice():
    figure = figure_named(LEAKY, "How many examples would certify this limit")
    counts, shares = figure.series["by one attack"]
    classes = TASK.forget.labels, TASK.controls.labels
    of = request(300, LEAKY.estimate.n_controls, forget_strata=classes[0], control_strata=classes[1])
    needed = of.needed(LEAKY.claim.highest, 0.95)
    assert f"it takes {needed:,} forget examples; here there are 300" in figure.caption
    passing = [n for n, share in zip(counts, shares, strict=True) if share >= 0.8]
    assert passing[0] >= needed
    assert passing[0] - needed <= counts[2] - counts[1]


def test_low_false_positive_rates_are_left_out_where_controls_are_too_few():
    def rates(n_controls):
        rng = np.random.default_rng(0)
        scores = Scores(forget=rng.normal(1, 1, 200), controls=rng.normal(0, 1, n_controls))
        tables = caught_table(LABEL_ONLY, {"unlearned": scores}, Pairing(), 0.95)
        rows = [row for table in tables for row in table.rows]
        assert all(low <= value <= high for _, _, value, low, high in rows)
        return [row[1] for row in rows]

    assert rates(900) == []
    assert rates(1_000) == [0.01]
    assert rates(10_000) == [0.01, 0.001]


@pytest.mark.slow
def test_a_fail_by_an_attack_that_compares_two_releases_has_its_figures_without_the_original():
    """The original cannot be compared with itself."""
    scores = Scores(forget=np.arange(9.0), controls=np.arange(9.0) - 1)
    answers = TASK.models.of(TASK.original).answers([TASK.forget, TASK.controls])
    original = Answers(forget=answers[0], controls=answers[1])
    found = scores_by_model(UPDATE_LEAKAGE, scores, original, [original], Pairing())
    assert list(found) == ["unlearned"]
