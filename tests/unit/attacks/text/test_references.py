"""Signals beside references: closed forms, a loop over documents, ties, and what a mean dilutes."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.attacks.text.references import reference_gain, signal_gain, signal_residual, window_share
from pytest_unlearn.attacks.text.signals import mean_log_probability, min_k
from pytest_unlearn.statistics import auc, residual
from tests.unit.attacks.text.documents import each, random_scores, scored


def votes(advantage: np.ndarray, width: int) -> float:
    """The share of windows, a loop over one document."""
    sums = [advantage[k : k + width].sum() for k in range(max(1, len(advantage) - width + 1))]
    return float(np.mean([1.0 if total > 0 else 0.5 if total == 0 else 0.0 for total in sums]))


def test_the_gain_is_the_mean_advantage_over_the_mean_reference():
    model, references = scored([-1, -2], [-5]), [scored([-2, -2], [-4]), scored([-4, -4], [-4])]
    assert reference_gain(model, references).tolist() == [1.5, -1.0]
    assert signal_gain(mean_log_probability, model, references).tolist() == [1.5, -1.0]
    assert signal_gain(min_k, model, references).tolist() == [1.0, -1.0]


def test_windows_by_hand():
    model, reference = scored([-1, -5, -1, -1]), scored([-2, -2, -2, -2])  # advantage 1, -3, 1, 1
    assert window_share(model, [reference], (1,)).tolist() == [0.75]
    assert window_share(model, [reference], (2,)).tolist() == [1 / 3]
    assert window_share(model, [reference], (3,)).tolist() == [0.0]
    assert window_share(model, [reference], (4,)).tolist() == [0.5]  # a tie of the whole
    assert window_share(model, [reference], (1, 2)).tolist() == [(0.75 + 1 / 3) / 2]


def test_windows_are_what_a_loop_over_documents_gives():
    model, references = random_scores(0), [random_scores(1), random_scores(2)]
    advantage = each(model, model.logprob - (references[0].logprob + references[1].logprob) / 2)
    by_hand = [np.mean([votes(one, width) for width in (2, 4, 8, 16)]) for one in advantage]
    assert window_share(model, references) == pytest.approx(by_hand, rel=1e-13)


def test_a_model_that_answers_as_the_references_is_at_one_half():
    scores = random_scores(3)
    assert np.unique(window_share(scores, [scores])).tolist() == [0.5]
    assert np.unique(reference_gain(scores, [scores])).tolist() == [0.0]


def test_a_short_document_is_one_window():
    assert window_share(scored([-1.0], [-1.0, -3.0]), [scored([-2.0], [-2.0, -1.0])]).tolist() == [1.0, 0.0]


def test_one_absurd_token_outweighs_no_windows():
    # everything is remembered but one token, which the mean cannot see past
    model, reference = scored([-1.0] * 40 + [-50.0]), scored([-2.0] * 41)
    assert reference_gain(model, [reference])[0] < 0
    assert window_share(model, [reference])[0] > 0.8


@pytest.mark.parametrize("signal", [reference_gain, window_share], ids=lambda signal: signal.__name__)
def test_a_document_scores_the_same_whatever_stands_beside_it(signal):
    model, references = random_scores(4), [random_scores(5), random_scores(6)]
    order = np.random.default_rng(0).permutation(len(model))
    taken = signal(model.take(order), [reference.take(order) for reference in references])
    assert np.array_equal(taken, signal(model, references)[order])


def test_the_residual_is_that_of_classifiers_on_the_mean_of_the_references():
    forget, controls, *references = (random_scores(seed) for seed in range(6))
    ours, theirs = references[:2], references[2:]
    expected = [np.mean([min_k(one) for one in side], axis=0) for side in (ours, theirs)]
    for exchangeable in (False, True):
        found = signal_residual(min_k, forget, controls, ours, theirs, exchangeable=exchangeable)
        wanted = residual(min_k(forget), min_k(controls), *expected, pooled=exchangeable)
        assert np.array_equal(found[0], wanted[0])
        assert np.array_equal(found[1], wanted[1])


def test_references_take_away_that_the_request_is_harder():
    # log-probabilities of documents whose difficulty varies; those of the request are harder in every model
    rng = np.random.default_rng(0)
    hard = np.concatenate([rng.normal(-3.0, 1.0, 200), rng.normal(-2.5, 1.0, 200)])

    def model(known: float = 0.0):
        means = np.minimum(hard + rng.normal(0, 0.3, 400) + known * (np.arange(400) < 200), -0.01)
        tokens = scored(*[[mean] for mean in means])
        return tokens.take(np.arange(200)), tokens.take(np.arange(200, 400))

    references = [model() for _ in range(3)]
    ours, theirs = [one[0] for one in references], [one[1] for one in references]
    for known, raw, calibrated in ((0.0, (0.0, 0.45), (0.43, 0.57)), (0.4, (0.3, 0.6), (0.7, 1.0))):
        forget, controls = model(known)
        assert raw[0] < auc(mean_log_probability(forget), mean_log_probability(controls)) < raw[1]
        for pair in (
            (reference_gain(forget, ours), reference_gain(controls, theirs)),
            signal_residual(mean_log_probability, forget, controls, ours, theirs),
        ):
            assert calibrated[0] < auc(*pair) < calibrated[1]


def test_what_cannot_be_compared_is_refused():
    scores = scored([-1.0, -2.0])
    with pytest.raises(ValueError, match="one at least"):
        reference_gain(scores, [])
    with pytest.raises(ValueError, match=r"reference 1 has 2 documents .* with one tokenizer"):
        window_share(scores, [scores, scored([-1.0], [-2.0])])
    with pytest.raises(ValueError, match="1 references judge the request and 0 the controls"):
        signal_residual(min_k, scores, scores, [scores], [])
    for widths in ((), (0,), (2.5,)):
        with pytest.raises(ValueError, match="whole numbers of tokens"):
            window_share(scores, [scores], widths)
