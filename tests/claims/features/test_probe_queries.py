"""Probes as queries: what a known law of features lets them find, with the same shots for every model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.learned import cross_fitted, normal_columns
from pytest_unlearn.claims.features import probe_queries as probes
from pytest_unlearn.claims.features.probe_queries import ClassProbe, LabelProbe, MembershipProbe, components, principal
from pytest_unlearn.data.view import View
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.query import Query
from pytest_unlearn.statistics import normal_scores

SIZE, CLASSES, LAYERS = 20, 4, ("into 1",)


class Reading(nn.Module):
    """Features are the inputs, scaled and moved; a head that nobody looks at."""

    def __init__(self, scale=1.0, move=0.0):
        super().__init__()
        first, self.head = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, CLASSES)
        with torch.no_grad():
            first.weight.copy_(scale * torch.eye(SIZE))
            first.bias.fill_(move)
        self.net = nn.Sequential(first, self.head)

    def forward(self, x):
        return self.net(x)


def task_of(separation, n=160, seed=0, gone=(), forget=None, classes=CLASSES):
    """Each class's features are its mean, `separation` along an axis of its own, plus standard normal noise."""
    rng = np.random.default_rng(seed)

    def part(count):
        y = np.arange(count) % classes
        means = np.zeros((classes, SIZE))
        means[np.arange(classes), np.arange(classes)] = separation
        return (means[y] + rng.normal(size=(count, SIZE))).astype(np.float32), y

    train, test = part(n), part(3 * n)
    wanted = np.flatnonzero(np.isin(train[1], gone)) if forget is None else forget
    return UnlearningTask(Split(train, forget=wanted, test=test), references=0)


def class_probe(task, gone):
    known = View("forget", task.forget.examples, task.forget.indices[np.isin(task.forget.labels, gone)], task)
    others = View("test", task.test.examples, task.test.indices[~np.isin(task.test.labels, gone)], task)
    return ClassProbe(LAYERS, known, others)


def asked(probe, model, view):
    return ModelHandle(model, classes=np.arange(CLASSES)).ask(Query(name="probe", ask=probe), view)


def seen(task, of):
    part = getattr(task, of) if isinstance(of, str) else of
    return part.arrays()[0].astype(np.float64), part.labels


def expected_class_score(task, gone, draws):
    """The probe written out: the standardised direction between two means of three, ranked among the others."""
    x, y = seen(task, "forget")
    others, labels = seen(task, "test")
    others, labels = others[labels != gone], labels[labels != gone]
    scores = np.zeros(len(task.controls))
    for draw in range(draws):
        rng = np.random.default_rng([draw, gone])
        own = x[rng.permutation(np.flatnonzero(y == gone))[:3]].mean(axis=0)
        away = np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:3] for k in np.unique(labels)])
        line = (own - others[away].mean(axis=0)) / others.std(axis=0) ** 2
        rest = np.delete(others, away, axis=0)
        scores += normal_scores(seen(task, "controls")[0] @ line, rest @ line) / draws
    return scores


def test_a_class_probe_is_the_standardised_line_between_few_shots_ranked_among_other_classes():
    task = task_of(2.0, gone=[2])
    found = asked(class_probe(task, 2), Reading(), task.controls)
    np.testing.assert_allclose(found[:, 0], expected_class_score(task, 2, probes.CLASS_DRAWS), atol=1e-3)


def test_its_score_is_that_of_the_known_law_of_the_features(monkeypatch):
    monkeypatch.setattr(probes, "CLASS_SHOTS", 1000)  # so many that the line is the one between the true means
    separation = 1.0
    task = task_of(separation, n=4 * 1000, gone=[2])
    found = asked(class_probe(task, 2), Reading(), task.controls).mean()
    others = np.eye(CLASSES)[[0, 1, 3]] * separation
    variance = 1 + others.var(axis=0)
    line = (np.eye(CLASSES)[2] * separation - others.mean(axis=0)) / variance
    centre, spread = (others @ line).mean(), np.sqrt(line @ line + (others @ line).var())
    expected = ((np.eye(CLASSES)[2] * separation) @ line - centre) / spread
    assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_what_features_do_not_tell_a_class_probe_does_not_find(seed):
    task = task_of(0.0, gone=[1], seed=seed)
    assert abs(asked(class_probe(task, 1), Reading(), task.controls).mean()) < 0.25
    strong = task_of(4.0, gone=[1], seed=seed)
    assert asked(class_probe(strong, 1), Reading(), strong.controls).mean() > 1.2


def test_a_label_probe_prefers_the_own_label_where_features_tell_it():
    for separation, low, high in ((0.0, 0.15, 0.35), (5.0, 0.6, 1.1)):
        task = task_of(separation, forget=np.arange(40))
        found = asked(LabelProbe(LAYERS, task.retain), Reading(), task.forget)
        assert found.shape == (40, 1)
        assert low < found.mean() < high  # a quarter by chance, 1 if it is certain


def test_a_label_probe_is_ridge_regression_in_its_usual_form():
    task = task_of(1.0, forget=np.arange(40))
    found = asked(LabelProbe(LAYERS, task.retain), Reading(), task.forget)[:, 0]
    x, y = seen(task, "retain")
    expected = np.zeros(40)
    for draw in range(probes.LABEL_DRAWS):
        rng = np.random.default_rng(draw)
        rows = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:10] for k in range(CLASSES)])
        centre, spread = x[rows].mean(axis=0), x[rows].std(axis=0)
        taught, shown = (x[rows] - centre) / spread, (seen(task, "forget")[0] - centre) / spread
        targets = np.eye(CLASSES)[y[rows]]
        penalty = (taught**2).sum() / len(rows)
        weights = np.linalg.solve(
            taught.T @ taught + penalty * np.eye(SIZE), taught.T @ (targets - targets.mean(axis=0))
        )
        expected += (shown @ weights + targets.mean(axis=0))[np.arange(40), task.forget.labels] / probes.LABEL_DRAWS
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("probe", ["class", "label"])
def test_no_scale_and_no_offset_of_features_matters(probe):
    task = task_of(1.0, gone=[0])
    ask = class_probe(task, 0) if probe == "class" else LabelProbe(LAYERS, task.retain)
    view = task.forget if probe == "class" else task.test
    plain, moved = (asked(ask, model, view) for model in (Reading(), Reading(scale=40.0, move=3.0)))
    np.testing.assert_allclose(plain, moved, atol=0.02)


@pytest.mark.parametrize("probe", ["class", "label"])
def test_features_that_do_not_vary_tell_nothing_and_stay_finite(probe):
    task = task_of(1.0, gone=[0])
    constant = Reading(scale=0.0, move=2.0)
    if probe == "class":
        assert not asked(class_probe(task, 0), constant, task.controls).any()
    else:
        found = asked(LabelProbe(LAYERS, task.retain), constant, task.test)[:, 0]
        np.testing.assert_allclose(found[task.test.labels != 0], 1 / 3)
        assert not found[task.test.labels == 0].any()  # nothing was retained to teach with


def test_labels_that_did_not_go_get_no_class_score_and_do_not_disturb_the_others():
    task = task_of(2.0, gone=[2])
    mixed = task_of(2.0, forget=np.union1d(np.flatnonzero(np.arange(160) % 4 == 2), np.arange(20)))
    found = asked(class_probe(mixed, 2), Reading(), mixed.forget)
    assert np.isfinite(found).all()
    assert not found[mixed.forget.labels != 2].any()
    np.testing.assert_allclose(
        found[mixed.forget.labels == 2], asked(class_probe(task, 2), Reading(), task.forget), atol=1e-12
    )


def test_shots_are_the_same_for_every_model_and_every_time():
    task, shown = task_of(1.0, gone=[3]), []

    class Watching(Reading):
        def forward(self, x):
            shown.append(x.clone())
            return super().forward(x)

    for probe in (LabelProbe(LAYERS, task.retain), class_probe(task, 3)):
        shown.clear()
        first = asked(probe, Watching(), task.controls)
        count = len(shown)
        again = asked(probe, Watching(scale=2.0), task.controls)
        assert all(torch.equal(*pair) for pair in zip(shown[:count], shown[count:], strict=True))
        np.testing.assert_array_equal(first, asked(probe, Watching(), task.controls))
        assert again.shape == first.shape


def test_equal_probes_of_one_task_are_asked_once():
    task = task_of(1.0, gone=[3])
    assert class_probe(task, 3) == class_probe(task, 3)
    assert hash(class_probe(task, 3)) == hash(class_probe(task, 3))
    assert class_probe(task, 3) != ClassProbe(("into 0",), task.forget, task.test)
    assert LabelProbe(LAYERS, task.retain) == LabelProbe(LAYERS, task.retain)


def test_components_are_the_leading_directions_of_both_sets_as_normal_scores():
    task = task_of(1.0, gone=[3])
    sides = [side.arrays()[0].astype(np.float64) for side in (task.forget, task.controls)]
    rows = np.concatenate(sides)
    centred = rows - rows.mean(axis=0)
    expected = normal_columns(centred @ np.linalg.svd(centred, full_matrices=False)[2].T)
    found = components(*sides)
    assert found.shape == expected.shape
    for one, other in zip(found.T, expected.T, strict=True):  # a direction has no sign
        assert abs(np.corrcoef(one, other)[0, 1]) > 1 - 1e-6


def test_of_many_directions_the_leading_sixty_four_are_kept():
    rows = np.random.default_rng(0).normal(size=(300, 90)) * np.linspace(1, 5, 90)
    found = principal(rows - rows.mean(axis=0))
    expected = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:64]
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), expected)


def test_the_membership_probe_scores_both_sets_out_of_fold():
    task = task_of(1.0, gone=[3])
    pairing = Pairing()
    probe = MembershipProbe("into 1", task.forget, task.controls, pairing)
    found = [asked(probe, Reading(), side) for side in (task.forget, task.controls)]
    rows = [side.arrays()[0].astype(np.float64) for side in (task.forget, task.controls)]
    expected = cross_fitted(components(*rows), len(task.forget), pairing)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_membership_probes_are_the_same_where_layer_sets_and_folds_are():
    task = task_of(1.0, gone=[3])
    n, m = len(task.forget), len(task.controls)

    def probe(controls=task.controls, **pairing):
        return MembershipProbe("into 1", task.forget, controls, Pairing(**pairing))

    assert probe() == probe()
    assert hash(probe()) == hash(probe())
    assert probe() != probe(task.test)
    persons = {"forget_groups": np.arange(n) // 5, "control_groups": n + np.arange(m) // 5}
    assert probe() != probe(**persons)
