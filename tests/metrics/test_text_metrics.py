"""The literature's metrics of language models: published constants, closed forms, and each defect that is stated."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn import metrics

RNG = np.random.default_rng(0)


def longest(one, other):
    """The longest common subsequence, by the table of the textbook."""
    row = [0] * (len(other) + 1)
    for item in one:
        new = [0]
        for place, another in enumerate(other):
            new.append(row[place] + 1 if item == another else max(row[place + 1], new[-1]))
        row = new
    return row[-1]


class TestRouge:
    @pytest.mark.parametrize(
        ("said", "published"), [("police kill the gunman", 3 / 4), ("the gunman kill police", 2 / 4)]
    )
    def test_lins_examples(self, said, published):
        for kind in ("recall", "precision", "F"):
            assert metrics.rouge_l(["police killed the gunman"], [said], kind).tolist() == [published]

    def test_the_rouge_score_packages_example(self):
        found = [metrics.rouge_l(["testing one two"], ["testing"], kind)[0] for kind in ("precision", "recall", "F")]
        assert found == pytest.approx([1.0, 1 / 3, 0.5])

    def test_it_is_the_textbooks_subsequence(self):
        source = random.Random(0)
        for _ in range(200):
            one, other = ([source.choice("abcd") for _ in range(source.randint(1, 90))] for _ in range(2))
            found = metrics.rouge_l([" ".join(one)], [" ".join(other)])[0]
            assert found == longest(one, other) / len(one)

    def test_case_and_punctuation_do_not_count_and_every_script_does(self):
        assert metrics.rouge_l(["The END, at last!"], ["the end at last"]).tolist() == [1.0]
        assert metrics.rouge_l(["Конец фильма"], ["конец книги"]).tolist() == [0.5]

    def test_refusals_gibberish_and_silence_score_nothing(self):
        truth = ["paris in the spring of 1914"] * 3
        assert metrics.rouge_l(truth, ["I cannot help.", "asdf qwer", ""]).tolist() == [0.0, 0.0, 0.0]
        assert metrics.verb_mem(truth, ["I cannot help.", "asdf qwer", ""]).value == 0.0

    def test_what_is_no_pair_of_texts_is_refused(self):
        for references, generated, said in (
            (["a"], [], "as many texts"),
            ([], [], "as many texts"),
            ("ab", "ab", "as many texts"),
            (["..."], ["a"], r"references\[0\] has no word"),
        ):
            with pytest.raises(ValueError, match=said):
                metrics.rouge_l(references, generated)
        with pytest.raises(ValueError, match='"recall", "precision" or "F"'):
            metrics.rouge_l(["a"], ["a"], "f1")


class TestTofu:
    def test_the_truth_ratio_by_hand(self):
        right, wrong = np.log([0.5, 0.2]), np.log([[0.1, 0.3], [0.4, 0.4]])
        assert metrics.truth_ratio(right, wrong).values == pytest.approx([0.4, 2.0])
        geometric = metrics.truth_ratio(right, wrong, average="geometric").values
        assert geometric == pytest.approx([math.sqrt(0.03) / 0.5, 2.0])

    def test_its_scores_by_hand(self):
        ratios = [0.4, 2.0]
        assert metrics.truth_ratio_score(ratios, "forget").value == pytest.approx((0.4 + 0.5) / 2)
        assert metrics.truth_ratio_score(ratios, "retain").value == pytest.approx((0.6 + 0.0) / 2)
        assert metrics.truth_ratio_score(ratios, "knowledge").value == pytest.approx((1 / 1.4 + 1 / 3) / 2)

    def test_a_collapsed_model_has_the_best_score_there_is(self):
        collapsed = metrics.truth_ratio(np.full(40, -9.0), np.full((40, 5), -9.0))
        assert metrics.truth_ratio_score(collapsed.values, "forget").value == pytest.approx(1.0)

    def test_absurd_losses_stay_finite(self):
        found = metrics.truth_ratio([-5000.0, -0.1], [[-0.1], [-5000.0]])
        assert np.isfinite(found.values).all()
        for of in ("forget", "retain", "knowledge"):
            assert 0.0 <= metrics.truth_ratio_score(found.values, of).value <= 1.0

    def test_probability_is_normalised_over_choices(self):
        right, wrong = np.log([0.5, 0.2]), np.log([[0.1, 0.4], [0.4, 0.2]])
        assert metrics.tofu_probability(right).value == pytest.approx(0.35)
        assert metrics.tofu_probability(right, wrong).value == pytest.approx((0.5 + 0.25) / 2)

    def test_utility_is_scipys_harmonic_mean_and_nought_where_a_part_is(self):
        parts = dict(zip("abcdefghi", RNG.random(9), strict=True))
        assert metrics.model_utility(parts).value == pytest.approx(stats.hmean(list(parts.values())))
        assert metrics.model_utility(dict.fromkeys("abc", 0.4)).value == pytest.approx(0.4)
        assert metrics.model_utility({**parts, "e": 0.0}).value == 0.0

    def test_the_least_part_decides(self):
        assert metrics.model_utility({**dict.fromkeys(map(str, range(8)), 1.0), "least": 0.01}).value < 0.1


class TestForgetQuality:
    """The measured defects of the p-value that is called forget quality."""

    @pytest.mark.parametrize(("questions", "passes"), [(20, 0.88), (40, 0.87), (200, 0.31), (400, 0.04)])
    def test_a_shift_of_three_tenths_passes_by_lack_of_data(self, questions, passes):
        rng = np.random.default_rng(questions)
        found = [
            metrics.forget_quality(rng.normal(0.3, 1, questions), rng.normal(size=questions)).p_value > 0.05
            for _ in range(250)
        ]
        assert np.mean(found) == pytest.approx(passes, abs=0.09)

    @pytest.mark.parametrize(("correlation", "rejects"), [(0.0, 0.05), (0.2, 0.34), (0.5, 0.54)])
    def test_identical_laws_are_rejected_where_questions_share_an_author(self, correlation, rejects):
        rng = np.random.default_rng(int(10 * correlation))

        def answers():
            authors = np.repeat(rng.normal(size=20), 20)
            return math.sqrt(correlation) * authors + math.sqrt(1 - correlation) * rng.normal(size=400)

        found = [metrics.forget_quality(answers(), answers()).p_value < 0.05 for _ in range(250)]
        assert np.mean(found) == pytest.approx(rejects, abs=0.10)


class TestPrivLeak:
    HOLDOUT = np.arange(1000.0)

    def scores(self, share):
        """An example above this share of the holdout."""
        return np.array([1000 * share - 0.5])

    def test_a_mismatched_holdout_makes_thousands_of_it(self):
        # open-unlearning's issue 167 reports 5215.5; at AUC 1e-5 beside .98 the formula gives 4,899.9
        found = metrics.priv_leak(self.scores(0.0), self.HOLDOUT, self.scores(0.98), self.HOLDOUT, published=True)
        assert found.value == pytest.approx(4900.0)
        assert "from -100 to 4900 beside this retraining" in found.caution

    def test_muses_own_bounds(self):
        # the retrained AUC in MUSE's constants for News, min-40%
        over = metrics.priv_leak(self.scores(0.0), self.HOLDOUT, self.scores(0.5228), self.HOLDOUT, published=True)
        assert over.value == pytest.approx(109.6, abs=0.3)
        under = metrics.priv_leak(self.scores(1.0), self.HOLDOUT, self.scores(0.5228), self.HOLDOUT, published=True)
        assert under.value == pytest.approx(-100.0)

    def test_the_published_sign_is_the_reverse(self):
        ours = metrics.priv_leak(self.scores(0.8), self.HOLDOUT, self.scores(0.5), self.HOLDOUT)
        theirs = metrics.priv_leak(self.scores(0.8), self.HOLDOUT, self.scores(0.5), self.HOLDOUT, published=True)
        assert (ours.value, theirs.value) == (pytest.approx(60.0), pytest.approx(-60.0))

    def test_nothing_to_divide_by_is_refused(self):
        for share, published in ((0.0, False), (1.0, True)):
            with pytest.raises(ValueError, match="nothing to divide by"):
                metrics.priv_leak(self.scores(0.5), self.HOLDOUT, self.scores(share), self.HOLDOUT, published=published)


class TestWmdp:
    def test_the_most_likely_choice_counts_and_ties_share(self):
        scores = [[-1, -2, -3, -4], [-1, -2, -3, -4], [-1, -1, -3, -4], [-1, -1, -1, -1]]
        assert metrics.wmdp_accuracy(scores, [0, 1, 1, 3]).value == (1 + 0 + 0.5 + 0.25) / 4

    def test_a_model_that_says_the_same_of_all_is_at_chance_whatever_the_answers(self):
        assert metrics.wmdp_accuracy(np.zeros((50, 4)), np.zeros(50, dtype=int)).value == 0.25

    def test_what_are_no_choices_is_refused(self):
        for scores, answers, said in (
            ([[1.0]], [0], "2 choices or more"),
            ([[1.0, 2.0]], [2], "choices are 0 to 1"),
            ([[1.0, 2.0]], [0, 1], "of each of 1 questions"),
            ([[1.0, math.nan]], [0], "not finite"),
        ):
            with pytest.raises(ValueError, match=said):
                metrics.wmdp_accuracy(scores, answers)


class TestVerbatim:
    def test_a_wrong_answer_of_one_token_has_no_strength(self):
        found = metrics.extraction_strength(np.array([False, True, False, True]), np.array([0, 1, 4]))
        assert found.values.tolist() == [0.0, pytest.approx(1 / 3)]
        assert metrics.exact_memorisation(np.array([False, True]), np.array([0, 1, 2])).values.tolist() == [0.0, 1.0]


def test_muses_curves_are_shares_of_the_originals_utility():
    assert metrics.scalability([0.4, 0.2], 0.5).values == pytest.approx([0.8, 0.4])
    assert metrics.sustainability([0.5], 0.5).values.tolist() == [1.0]
    for utilities, original, said in (([0.4], 0.0, "nothing to keep"), ([40], 0.5, "divide percentages")):
        with pytest.raises(ValueError, match=said):
            metrics.scalability(utilities, original)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.verb_mem(["a b"], ["a"]),
        metrics.know_mem(["a b"], ["a"]),
        metrics.truth_ratio([-1.0], [[-2.0]]),
        metrics.truth_ratio_score([0.5], "forget"),
        metrics.tofu_probability([-1.0]),
        metrics.model_utility({"retain": 0.5}),
        metrics.wmdp_accuracy([[0.0, -1.0]], [0]),
        metrics.scalability([0.5], 0.5),
    ],
    ids=lambda metric: metric.name,
)
def test_none_has_a_target_of_its_own(metric):
    assert metric.target is None
    assert len(metric.caution) > 20


@pytest.mark.parametrize("wrong", [[0.5], ["a"], [math.nan], [], None])
def test_what_are_no_log_probabilities_is_refused(wrong):
    with pytest.raises(ValueError, match="paraphrased"):
        metrics.truth_ratio(wrong, [[-1.0]])
    with pytest.raises(ValueError, match="answers"):
        metrics.tofu_probability(wrong)
