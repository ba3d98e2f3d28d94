"""Figures of the forgetting audit: ROC curve, scores, classes, thumbnails.

Pictures of forget examples are made only when they were asked for: a report must not republish what was to go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import Attack, Pairing
from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common.certify import POWER, request
from pytest_unlearn.claims.common.findings import can_run
from pytest_unlearn.claims.common.inputs import MOST_RETAINED
from pytest_unlearn.core.evidence import Answers, FloatArray, IntArray, Outputs, Scores
from pytest_unlearn.core.figures import Cell, Curves, Figure, Histograms, Intervals, Table
from pytest_unlearn.data.dataset import to_numpy
from pytest_unlearn.statistics import auc_measure, clopper_pearson, tpr_at_fprs

BINS = 24
POINTS = 40
SIZES = 24
MOST_CLASSES = 40
SHOWN_RATE = 0.01
RATES = (0.01, 0.001)
FEWEST_ACCUSED = 10  # controls: of fewer, the rate itself is not known
Line = tuple[tuple[float, ...], tuple[float, ...]]
UNLEARNED, ORIGINAL, RETRAINED = "unlearned", "original", "retrained"
SHOWN_AS = {UNLEARNED: "this model"}


def forgetting_figures(
    attack: Attack,
    scores: Mapping[str, Scores],
    target: Answers,
    references: Sequence[Answers],
    labels: tuple[IntArray, IntArray],
    pairing: Pairing,
    confidence: float,
) -> tuple[Figure, ...]:
    """Draw the figures of one audit from the attack's `scores` by model.

    The audited one is under "unlearned". `labels` are those of the forget set and of the controls.
    """
    return (
        _roc(attack, scores, pairing),
        _histograms(attack, scores),
        _classes(attack, scores[UNLEARNED], target, references, labels, confidence),
        *caught_table(attack, scores, pairing, confidence),
    )


def scores_by_model(
    attack: Attack, unlearned: Scores, original: Answers | None, references: Sequence[Answers], pairing: Pairing
) -> dict[str, Scores]:
    """Score original and a retrained model by the same attack, beside the model."""
    found = {UNLEARNED: unlearned}
    if original is not None and can_run(attack, original, references):
        found[ORIGINAL] = attack.score(original, references, pairing)
    if len(references) > 1:  # a reference can only be judged against others
        found[RETRAINED] = attack.score(references[0], references[1:], pairing)
    return found


def _roc(attack: Attack, scores: Mapping[str, Scores], pairing: Pairing) -> Curves:
    first = scores[UNLEARNED]
    rates = np.geomspace(min(SHOWN_RATE, 1 / len(first.controls)), 1.0, POINTS)
    series = {name: _curve(one, rates, pairing) for name, one in scores.items()}
    caught = ", ".join(f"{_curve(one, [SHOWN_RATE], pairing)[1][0]:.1%} in the {name}" for name, one in scores.items())
    return Curves(
        title="How many are caught while few are accused wrongly (ROC curve)",
        caption=f"Accusing {SHOWN_RATE:.0%} of the controls, the attack ({attack.name}) catches of the forget set: "
        f"{caught} model; guessing catches {SHOWN_RATE:.1%}.",
        x_label="share of controls accused",
        y_label="share of forget set caught",
        series=series,
        logarithmic=True,
        diagonal=True,
    )


def _curve(scores: Scores, rates: Sequence[float] | FloatArray, pairing: Pairing) -> Line:
    caught = tpr_at_fprs(
        scores.forget,
        scores.controls,
        rates,
        forget_strata=pairing.forget_strata,
        control_strata=pairing.control_strata,
    )
    return _rounded(rates, 6), _rounded(caught, 5)


def caught_table(
    attack: Attack, scores: Mapping[str, Scores], pairing: Pairing, confidence: float
) -> tuple[Table, ...]:
    """Tabulate what is caught at low rates, where controls are enough to tell."""
    rows: list[tuple[Cell, ...]] = []
    for rate in RATES:
        for name, one in scores.items():
            if len(one.controls) * rate >= FEWEST_ACCUSED:
                caught = _curve(one, [rate], pairing)[1][0]
                bounds = clopper_pearson(round(caught * len(one.forget)), len(one.forget), confidence, two_sided=False)
                rows.append((f"{name}, {rate:.1%} of the controls accused", rate, round(caught, 4),
                             *(round(bound, 4) for bound in bounds)))  # fmt: skip
    if not rows:
        return ()
    return (
        Table(
            title="Caught at low false-positive rates",
            caption=f"Share of the forget set that the attack ({attack.name}) catches while it accuses so few of the "
            f"controls, with exact one-sided {confidence:.0%} bounds (Clopper-Pearson) for the threshold that the "
            f"controls set. Rates that fewer than {FEWEST_ACCUSED} controls would make up are left out.",
            columns=("model", "controls accused", "forget set caught", "low", "high"),
            rows=tuple(rows),
        ),
    )


def sample_sizes(limit: float, confidence: float, pairing: Pairing, sizes: tuple[int, int]) -> Curves:
    """Draw how often a model with nothing left would pass at which size.

    Args:
        limit: of this claim.
        confidence: of its bounds.
        pairing: of this comparison, whose units and classes are counted.
        sizes: of forget set and controls.

    Returns:
        The curve by one attack, with the controls at hand: the numbers of `plan` and of the advice.
    """
    of = request(sizes[0], sizes[1], **pairing.labels)
    needed = of.needed(limit, confidence)
    most = max(needed or 10 * of.units, of.units)
    counts = np.unique(np.linspace(2, 1.3 * most, SIZES).astype(int))
    takes = f"it takes {needed:,} {of.unit}" if needed else "no number of them is enough with these controls"
    return Curves(
        title="How many examples would certify this limit",
        caption=f"For a model with nothing left to pass {limit:g} in {POWER:.0%} of cases by one attack, {takes}; "
        f"here there are {of.units:,}, with which it does in {of.power(limit, confidence):.0%}. That several attacks "
        "agree takes a little more.",
        x_label=of.unit,
        y_label="share of honest models that pass",
        series={
            "by one attack": (_rounded(counts, 0), _rounded([of.power(limit, confidence, int(n)) for n in counts], 3)),
            "as many as here": ((float(of.units), float(of.units)), (0.0, 1.0)),
        },
    )


def accuracies(
    target: Answers, references: Sequence[Answers], beside: Mapping[str, Mapping[str, Sequence[float]]]
) -> Intervals:
    """Draw how often each model is right: forget, retain, test and controls.

    `beside` is what models get right on sets that no attack needs, by set and by model.
    """
    original = [] if target.original is None else [target.original]
    models: dict[str, Sequence[Answers]] = {UNLEARNED: [target], ORIGINAL: original, RETRAINED: references}
    rows: list[tuple[str, str, float | None, float | None, float | None]] = []
    for part in ("forget", "retain", "test", "controls"):
        for name, answers in models.items():
            right = beside.get(part, {}).get(name) or [
                float(correctness(outputs).mean())
                for one in answers
                if (outputs := getattr(one, part, None)) is not None
            ]
            if right:
                low, high = (min(right), max(right)) if len(right) > 1 else (None, None)
                rows.append(
                    (f"{part}: {SHOWN_AS.get(name, name)}", name, _four(float(np.mean(right))), _four(low), _four(high))
                )
    return Intervals(
        title="Accuracy on each set",
        caption="Share of right answers on the forget set, on retained data and the test set (on at most "
        f"{MOST_RETAINED:,} evenly spaced examples), and on the controls, which no model was trained on. Of retrained "
        "models the mean, and from the lowest to the highest.",
        x_label="share of right answers",
        rows=tuple(rows),
    )


def _four(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _histograms(attack: Attack, scores: Mapping[str, Scores]) -> Histograms:
    pooled = np.concatenate([part for one in scores.values() for part in (one.forget, one.controls)])
    low, high = np.quantile(pooled, [0.005, 0.995])
    if not low < high:
        low, high = float(pooled.min()) - 0.5, float(pooled.max()) + 0.5
    edges = np.linspace(low, high, BINS + 1)
    means = ", ".join(f"{name} {one.forget.mean():.2f} and {one.controls.mean():.2f}" for name, one in scores.items())
    return Histograms(
        title="Scores of the forget set and of the controls",
        caption=f"Mean score ({attack.name}; higher is more like training data) of forget set and controls: {means}. "
        "Under perfect unlearning the two distributions coincide. Scores beyond the ends are counted in the last bins.",
        x_label=attack.name,
        edges=_rounded(edges, 4),
        sets=("forget set", "controls"),
        panels={name: (_shares(one.forget, edges), _shares(one.controls, edges)) for name, one in scores.items()},
    )


def _shares(values: FloatArray, edges: FloatArray) -> tuple[float, ...]:
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return _rounded(counts / len(values), 4)


def _classes(
    attack: Attack,
    scores: Scores,
    target: Answers,
    references: Sequence[Answers],
    labels: tuple[IntArray, IntArray],
    confidence: float,
) -> Table:
    rows = []
    for label in np.unique(labels[0]):
        mine, peers = labels[0] == label, labels[1] == label
        row: list[float | int | None] = [int(label), int(mine.sum()), int(peers.sum()), None, None, None]
        if peers.any():
            estimate = auc_measure(scores.forget[mine], scores.controls[peers]).at(confidence)
            row[3:] = [round(value, 4) for value in (estimate.value, estimate.low, estimate.high)]
        row.append(_accuracy(target.forget, mine))
        row.append(
            round(float(np.mean([_accuracy(one.forget, mine) for one in references])), 4) if references else None
        )
        rows.append(tuple(row))
    kept = sorted(rows, key=lambda row: -abs((row[3] or 0.5) - 0.5))[:MOST_CLASSES]
    left_out = f" The {len(rows) - len(kept)} classes nearest to 0.5 are left out." if len(kept) < len(rows) else ""
    return Table(
        title="Class by class",
        caption=f"AUC of the attack ({attack.name}) within each class, 0.5 under perfect unlearning, with one-sided "
        f"{confidence:.0%} bounds that are not corrected for looking at several classes.{left_out}",
        columns=("class", "forget", "controls", "AUC", "low", "high", "accuracy on forget", "retrained models'"),
        rows=tuple(sorted(kept)),
    )


def _accuracy(outputs: Outputs, chosen: FloatArray) -> float:
    return round(float(correctness(outputs)[chosen].mean()), 4)


def _rounded(values: Sequence[float] | FloatArray, digits: int) -> tuple[float, ...]:
    return tuple(np.round(np.asarray(values, dtype=np.float64), digits).tolist())


LONGEST_SIDE = 32
SMALLEST_SIDE = 4


def pixels(example: Any) -> tuple[Any, ...] | None:
    """Return an image as rows of grey or (red, green, blue) values; else None.

    Values are from 0 to 255. Images are arrays of shape (height, width), or with one or three channels, first or last.
    Others are not guessed at: a vector of 64 numbers may be a picture, or not.
    """
    image = np.squeeze(np.asarray(to_numpy(example)))
    if image.ndim == 3 and image.shape[0] == 3:
        image = np.moveaxis(image, 0, -1)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or min(image.shape[:2]) < SMALLEST_SIDE:
        return None
    step = -(-max(image.shape[:2]) // LONGEST_SIDE)
    small = image[::step, ::step].astype(np.float64)
    if image.dtype != np.uint8:
        low, high = small.min(), small.max()
        small = (small - low) * (255 / (high - low) if high > low else 0)
    rows = small.round().astype(int).tolist()
    return tuple(tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row) for row in rows)
