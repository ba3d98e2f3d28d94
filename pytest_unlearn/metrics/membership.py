"""Run membership attacks as published: starting kit, MIA-efficacy, PrivLeak."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.metrics.metric import Metric, rates
from pytest_unlearn.statistics import auc
from pytest_unlearn.statistics.validation import vector


def starting_kit_mia(forget_losses: ArrayLike, test_losses: ArrayLike, *, seed: int = 0) -> Metric:
    """Cross-validate a logistic regression of forget against test losses.

    Its accuracy over ten shuffled splits. Losses [m] and [n] are cross-entropies; the larger side is subsampled. 0.5
    under perfect unlearning. Raises ValueError for fewer than ten a side, or what is not finite. Source: NeurIPS 2023
    machine unlearning challenge.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score

    forget, test = vector("forget_losses", forget_losses), vector("test_losses", test_losses)
    count = min(forget.size, test.size)
    if count < 10:
        raise ValueError(f"a tenth of each side is held out: {forget.size} and {test.size} losses are too few")
    rng = np.random.default_rng(whole_number(seed, "seed", 0))
    sides = [rng.permutation(side)[:count] for side in (test, forget)]
    splits = StratifiedShuffleSplit(n_splits=10, test_size=0.1, random_state=seed)
    accuracy = cross_val_score(
        LogisticRegression(), np.concatenate(sides)[:, None], np.repeat([0, 1], count), cv=splits, scoring="accuracy"
    )
    error = 0.5 / np.sqrt(0.2 * count)
    return Metric(
        "starting-kit MIA", float(accuracy.mean()), 0.5, "nearer", f"one split's standard error is {error:.3f}"
    )


def svc_mia_efficacy(
    retain: ArrayLike, test: ArrayLike, forget: ArrayLike, *, retrained: float | None = None
) -> Metric:
    """Return the share of forget that an SVC, taught on retain and test, clears.

    Each is a statistic an example of the unlearned model (confidence, say), shape (examples,). With `retrained`, the
    same share of a retrained model, the value is the gap to it, 0 under perfect unlearning; without, no value is right.
    Raises ValueError for what is empty or not finite, or a `retrained` that is no share. Source: Jia 2023, "Model
    sparsity can simplify machine unlearning"; Fan 2024 (SalUn).
    """
    from sklearn.svm import SVC

    members, others, asked = (vector(n, v) for n, v in (("retain", retain), ("test", test), ("forget", forget)))
    attack = SVC(C=3, gamma="auto", kernel="rbf")
    attack.fit(np.concatenate([members, others])[:, None], np.repeat([1, 0], [members.size, others.size]))
    share = float((attack.predict(asked[:, None]) == 0).mean())
    if retrained is None:
        return Metric(
            "MIA-efficacy",
            share,
            None,
            "nearer",
            "a retrained model's share is neither 0.5 nor 1: give it as retrained=",
        )
    rates(retrained=retrained)
    return Metric(
        "MIA-efficacy gap",
        share - retrained,
        0.0,
        "nearer",
        "the forget set is compared with retain, not with controls",
    )


def priv_leak(
    forget: ArrayLike,
    holdout: ArrayLike,
    forget_retrained: ArrayLike,
    holdout_retrained: ArrayLike,
    *,
    published: bool = False,
) -> Metric:
    """Compute (AUC - AUC_retrained) / AUC_retrained, in percent.

    Args:
        forget: score of each example of the request, higher meaning more member-like, (m,), of the unlearned model.
        holdout: of examples held out, (n,).
        forget_retrained: as `forget`, of a retrained model.
        holdout_retrained: as `holdout`, of a retrained model.
        published: whether to count as MUSE's code does, the other way round: AUCs are those of losses, 1 - AUC.

    Returns:
        0 under perfect unlearning, but for the error of two AUCs, which is not told. Above 0 the request is still
        recognised, below 0 it is conspicuously unlike; if `published`, the reverse. What is wrong with it: it lies
        between -100 and 100 (1 - a) / a, where a is the AUC that is divided by, so that its scale is the holdout's: one
        unlike the request (a = .02) makes 4,900 of what is 110 for MUSE's own (a = .477). The caution has the bounds.

    Raises:
        ValueError: what is empty or not finite, and where there is nothing to divide by.

    Source: Shi et al. 2024 (MUSE, arXiv 2407.06460), section 3.
    """
    ours, reference = auc(forget, holdout), auc(forget_retrained, holdout_retrained)
    if published:
        ours, reference = 1.0 - ours, 1.0 - reference
    if reference <= 0.0:
        side = "1" if published else "0"
        raise ValueError(f"the retrained model's AUC is {side}: there is nothing to divide by")
    most = 100.0 * (1.0 - reference) / reference
    caution = f"a ratio of two AUCs, each with an error; in percent, from -100 to {most:.0f} beside this retraining"
    return Metric("PrivLeak", 100.0 * (ours - reference) / reference, 0.0, "nearer", caution)
