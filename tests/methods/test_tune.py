"""Tuning tries as many settings for every method, and says where the choice cannot be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from unlearners import UNLEARNERS, NoOp, RandomLabels
from unlearners.tune import Draw, Trial, _holds, digits, main, space_of, told, tune, with_effect


def threshold(cut):
    """A model of one feature: class 1 above the cut."""
    model = nn.Linear(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0], [1.0]]))
        model.bias.copy_(torch.tensor([0.0, -cut]))
    return model


def data(*rows):
    x, y = zip(*rows, strict=True)
    return TensorDataset(torch.tensor(x)[:, None], torch.tensor(y))


def draw(target):
    """The original cuts at 0, retrained models at `target`: then one forget example in five is wrong a step of .2."""
    forget = data(*((i / 5 + 0.1, 1) for i in range(5) for _ in range(20)))
    return Draw(threshold(0.0), [threshold(target)], data((-1.0, 0), (2.0, 1)), forget, data((-1.0, 0)), 1e9)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Answers above a cut, which is its setting."""

    lr: float = 0.01

    def __call__(self, model, retain, forget, *, seed):
        return threshold(self.lr)


GRID = {"lr": lambda rng: round(float(rng.uniform(0, 1)), 1) + 0.01}


def test_the_settings_nearest_to_the_retrained_models_are_chosen():
    tuned = tune(Cut, [draw(0.61), draw(0.61)], space=GRID, trials=60)
    assert len(tuned.trials) == 60
    assert tuned.trials[0].settings == {}
    assert tuned.best.settings["lr"] == pytest.approx(0.6, abs=0.11)
    assert tuned.best.objective == pytest.approx(0, abs=1e-6)
    assert tuned.stable
    assert tuned.effect
    worst = max(tuned.trials, key=lambda one: one.objective)
    assert worst.objective > 0.1


def test_time_counts_and_what_is_not_finite_never_wins():
    class Broken(Cut):
        def __call__(self, model, retain, forget, *, seed):
            return threshold(float("nan"))

    assert np.isinf(tune(Broken, [draw(0.5)] * 2, space=GRID).best.objective)
    slow = replace(draw(0.61), seconds=1e-12)
    assert tune(Cut, [slow, slow], space=GRID, trials=60).best.objective == pytest.approx(0.1, abs=1e-6)


def test_a_choice_that_the_third_draw_does_not_bear_out_is_unstable():
    trials = [Trial({}, (0.1, 0.1, 0.5), (0, 0, 0)), Trial({}, (0.2, 0.2, 0.1), (0, 0, 0))]
    assert [_holds(trials, i) for i in range(3)] == [False, False, False]
    assert all(_holds([Trial({}, (0.1, 0.1, 0.11), (0, 0, 0)), *trials[1:]], i) for i in range(3))


def test_without_an_effect_it_says_so():
    tuned = tune(NoOp, [draw(0.5)] * 2)
    assert not tuned.effect
    assert len(tuned.trials) == 1
    assert told(tuned) == ["no setting of 1 tried has an effect on the forget set"]


def test_more_are_tried_where_none_has_an_effect():
    small = {"lr": lambda rng: 0.001 * float(rng.uniform(0, 1))}
    tuned = tune(Cut, [draw(0.61)] * 2, space=small, more=12)
    assert len(tuned.trials) == 24
    assert told(tuned) == ["no setting of 24 tried has an effect on the forget set"]
    assert len(tune(Cut, [draw(0.61)] * 2, space=GRID, more=12).trials) == 12
    assert len(tune(Cut, [draw(0.01)] * 2, space=GRID, more=12).trials) == 24  # all that has an effect is worse


def test_a_setting_without_an_effect_is_not_chosen_and_one_that_does_harm_is_said_to():
    """The retrained models are the original: doing nothing is best, and the default does it."""
    tuned = tune(Cut, [draw(0.01)] * 2, space=GRID)
    assert tuned.trials[0].objective == pytest.approx(0, abs=1e-6)
    assert tuned.best is not tuned.trials[0]
    assert tuned.best.p < 0.05 / 12
    assert "worse than doing nothing (0.000, which costs no time)" in told(tuned)


@pytest.mark.parametrize(("changed", "p"), [((0, 0), 1), ((5, 5), 1), ((10, 0), 2**-9), ((9, 1), 11 * 2**-9)])
def test_the_sign_test_is_exact(changed, p):
    trial = Trial({}, (0.1,), (0.9,), (changed,))
    assert trial.p == pytest.approx(p)
    assert bool(with_effect((trial,))) == (p < 0.05)


def test_an_effect_on_most_draws_is_preferred_to_a_better_one_on_a_single_draw():
    """At the edge of a cliff one model falls and the others stand: the next one may do either."""

    @dataclass(frozen=True, kw_only=True)
    class Cliff(Cut):
        def __call__(self, model, retain, forget, *, seed):
            return threshold(self.lr if seed == 0 or self.lr > 0.5 else 0.0)

    tuned = tune(Cliff, [draw(0.01)] * 3, space=GRID, more=12)
    edge = [t for t in tuned.trials if t.p < 0.05 / 24 and t.p_of_most == 1]
    assert min(t.objective for t in edge) < tuned.best.objective
    assert tuned.best.settings["lr"] > 0.5
    assert tuned.on_most
    low = {"lr": lambda rng: round(float(rng.uniform(0.3, 0.5)), 2)}
    only = tune(Cliff, [draw(0.01)] * 3, space=low, more=12)
    assert only.effect
    assert not only.on_most
    assert len(only.trials) == 24
    assert "its effect is certain on all draws together, and not on most by themselves" in told(only)


def test_where_no_draw_alone_is_certain_all_together_may_be():
    few = Trial({}, (0.1,) * 3, (0.97,) * 3, ((6, 0), (5, 0), (5, 0)))
    two = Trial({}, (0.1,) * 3, (0.97,) * 3, ((6, 0), (6, 0), (0, 0)))
    assert with_effect((two,), on_most=True) == (two,)
    assert with_effect((few,)) == (few,)
    assert with_effect((few,), on_most=True) == ()


def test_answers_that_are_not_finite_are_no_effect():
    assert not with_effect((Trial({}, (float("inf"),), (0.0,), ((100, 0),)),))


@pytest.mark.parametrize(("trials", "draws"), [(11, 2), (12, 1)])
def test_a_chance_is_the_same_for_all(trials, draws):
    with pytest.raises(ValueError, match="at least 12 trials and 2 draws"):
        tune(Cut, [draw(0.5)] * draws, trials=trials)


def test_ranges_are_around_the_defaults_in_logarithms():
    ranges, rng = space_of(UNLEARNERS["gradient-ascent"]), np.random.default_rng(0)
    assert set(ranges) == {"epochs", "lr"}
    drawn = np.array([ranges["lr"](rng) for _ in range(2000)])
    assert 1e-6 <= drawn.min() < 1e-5 < 1e-3 < drawn.max() <= 1e-2
    assert abs(np.log(drawn).mean() - np.log(1e-4)) < 0.3
    assert {ranges["epochs"](rng) for _ in range(99)} == {2, 5, 10}
    assert {"alpha", "lr"} <= set(space_of(UNLEARNERS["neggrad-plus"]))
    assert {"uniform_lr", "forget_lr"} <= set(space_of(UNLEARNERS["fanchuan"]))


@pytest.mark.slow
def test_the_draws_share_no_image_and_random_labels_have_an_effect():
    draws = digits()
    images = [{x.numpy().tobytes() for part in (d.retain, d.forget, d.test) for x, _ in part} for d in draws]
    assert [len(part) for part in images] == [580] * 3
    assert not images[0] & images[1]
    assert not images[1] & images[2]
    assert not images[0] & images[2]
    tuned = tune(RandomLabels, draws)
    assert len(tuned.trials) == 12
    assert tuned.effect
    assert min(np.mean(trial.forget) for trial in tuned.trials) < 0.9


@pytest.mark.parametrize(("name", "said"), [("retrain", "needs recipe"), ("nonsense", "invalid choice")])
def test_what_cannot_be_tuned_by_name_is_told(name, said, capsys):
    with pytest.raises(SystemExit):
        main([name])
    assert said in capsys.readouterr().err
