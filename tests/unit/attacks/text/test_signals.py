"""Signals of one model: closed forms, the same by a loop over documents, and the defects of public code."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.attacks.text.signals import (
    drawn_runs,
    mean_log_probability,
    min_k,
    min_k_plus_plus,
    recall_ratio,
    zlib_ratio,
)
from tests.unit.attacks.text.documents import each, random_scores, scored

ALONE = [mean_log_probability, zlib_ratio, min_k, min_k_plus_plus]


def test_by_hand():
    scores = scored([-1, -2, -3, -4, -5], [-6], compressed=[10, 20])
    assert mean_log_probability(scores).tolist() == [-3, -6]
    assert zlib_ratio(scores).tolist() == [-1.5, -0.3]
    assert min_k(scores).tolist() == [-5, -6]
    assert min_k(scores, 0.4).tolist() == [-4.5, -6]
    assert min_k(scores, 1.0).tolist() == mean_log_probability(scores).tolist()


def test_min_k_plus_plus_by_hand():
    scores = scored([-1, -2, -3, -4, -8], mean=[-1, -1, -5, -2, -4], sd=[1, 2, 1, 4, 2])
    assert min_k_plus_plus(scores).tolist() == [-2.0]  # of 0, -.5, 2, -.5, -2
    assert min_k_plus_plus(scores, 0.4).tolist() == [-1.25]


def test_they_are_what_a_loop_over_documents_gives():
    scores = random_scores(0)
    normalised = (scores.logprob - scores.mean) / scores.sd
    for found, values in ((min_k(scores), scores.logprob), (min_k_plus_plus(scores), normalised)):
        by_hand = [np.sort(one)[: max(1, int(0.2 * len(one)))].mean() for one in each(scores, values)]
        assert found == pytest.approx(by_hand, rel=1e-13)
    by_hand = [one.mean() for one in each(scores, scores.logprob)]
    assert mean_log_probability(scores) == pytest.approx(by_hand, rel=1e-13)


def test_a_document_of_few_tokens_has_a_lowest_one():
    # int(0.2 * 4) is 0, and public code takes the mean of nothing
    assert min_k(scored([-1, -2, -3, -4])).tolist() == [-4]
    assert min_k_plus_plus(scored([-3.0])).tolist() == [-1]


def test_a_share_counts_as_many_tokens_as_it_says():
    scores = scored(-np.arange(100.0))  # 0.29 * 100 is 28.999999999999996
    assert min_k(scores, 0.29)[0] == -np.arange(71, 100).mean()


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan"), "most"])
def test_other_shares_are_refused(share):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        min_k(scored([-1.0]), share)


def test_length_enters_zlib_once():
    # twice the text has twice the log-probability and (about) twice the compressed bytes
    short, long = scored([-2.0] * 10, compressed=[30]), scored([-2.0] * 20, compressed=[60])
    assert zlib_ratio(short) == zlib_ratio(long)


def test_who_is_sure_is_not_shrunk():
    # a variance floored at 1e-6 makes a hundredth of this score
    sure = scored([-1e-4], mean=[-2e-5], sd=[1e-5])
    assert min_k_plus_plus(sure)[0] == pytest.approx(-8.0)


def test_certain_and_uniform_laws_say_nothing():
    certain, uniform = scored([0.0], mean=[0.0], sd=[0.0]), scored([-7.0], mean=[-7.0], sd=[0.0])
    assert min_k_plus_plus(certain).tolist() == min_k_plus_plus(uniform).tolist() == [0.0]
    assert np.isfinite(min_k_plus_plus(scored([-30.0], mean=[0.0], sd=[0.0]))).all()


@pytest.mark.parametrize("signal", ALONE, ids=lambda signal: signal.__name__)
def test_higher_is_more_like_training_data(signal):
    assert (signal(scored([-1.0, -1.0, -1.0])) > signal(scored([-1.5, -1.0, -1.25]))).all()


@pytest.mark.parametrize("signal", ALONE, ids=lambda signal: signal.__name__)
def test_equal_documents_tie(signal):
    assert len(set(signal(scored(*[[-1.1, -0.3, -2.7]] * 9)).tolist())) == 1


@pytest.mark.parametrize("signal", ALONE, ids=lambda signal: signal.__name__)
def test_a_document_scores_the_same_whatever_stands_beside_it(signal):
    scores = random_scores(1)
    order = np.random.default_rng(0).permutation(len(scores))
    assert np.array_equal(signal(scores.take(order)), signal(scores)[order])
    assert len(signal(scores.take(order[:0]))) == 0


class TestReCaLL:
    def test_by_hand(self):
        assert recall_ratio(scored([-1, -3], [-4]), scored([-2, -2], [-6])).tolist() == [1.0, 1.5]

    def test_a_prefix_that_hurts_is_the_mark_of_a_member(self):
        scores = scored([-1.0, -1.0])
        assert recall_ratio(scores, scored([-2.0, -2.0])) > recall_ratio(scores, scored([-0.5, -0.5]))

    def test_what_is_known_by_heart_is_no_division_by_nought(self):
        by_heart = scored([0.0, 0.0])
        assert recall_ratio(by_heart, by_heart).tolist() == [1.0]
        assert np.isfinite(recall_ratio(by_heart, scored([-5.0, -5.0]))).all()

    def test_other_documents_are_refused(self):
        with pytest.raises(ValueError, match="1 documents with 3 tokens and the model 1 with 2"):
            recall_ratio(scored([-1, -2]), scored([-1, -2, -3]))


def test_runs_that_samples_give_back_by_hand():
    half = np.log(0.5)
    scores = scored([half, half, half], [half], [0.0, 0.0], [half, 0.0])
    assert drawn_runs(scores, 1, 2) == pytest.approx([0.25, 0.5, 1, 0.5])
    assert drawn_runs(scores, 3, 2) == pytest.approx([1 - 0.75**3, 1 - 0.5**3, 1, 1 - 0.5**3])
    assert drawn_runs(scores, 3, 1)[3] == pytest.approx((1 - 0.5**3 + 1) / 2)


def test_they_are_what_drawing_samples_gives():
    rng, scores = np.random.default_rng(0), scored(np.log([0.9, 0.3, 0.6, 0.8]))
    drawn = rng.random((200_000, 5, 3, 2)) < np.array([[0.9, 0.3], [0.3, 0.6], [0.6, 0.8]])
    share = drawn.all(axis=3).any(axis=1).mean()
    assert drawn_runs(scores, 5, 2)[0] == pytest.approx(share, abs=3e-3)


def test_a_run_that_nobody_draws_keeps_its_size_in_logarithms():
    scores = scored([-100.0, -100.0], [-100.0, -99.0])
    found = drawn_runs(scores, 1000, 2)
    assert found == pytest.approx([1000 * np.exp(-200), 1000 * np.exp(-199)], rel=1e-12)


@pytest.mark.parametrize(("samples", "run"), [(0, 8), (100, 0), (1.5, 8)])
def test_numbers_of_samples_and_tokens_are_whole(samples, run):
    with pytest.raises(ValueError, match="whole numbers"):
        drawn_runs(random_scores(0), samples, run)
