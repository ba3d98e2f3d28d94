"""Figures of the quality audit: score, law of epsilons, single examples."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.claims.indistinguishable.model_samples import ModelSample, ModelSamples
from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.core.figures import Cell, Figure, Histograms, Table
from pytest_unlearn.statistics import (
    bins_of,
    distinguishable_examples,
    epsilon_examples,
    example_epsilons,
    forgetting_quality,
    published_score,
)
from pytest_unlearn.statistics.epsilon.forgetting_quality import BIN, DELTA, TIME_LIMIT

MOST_EXAMPLES = 20


def quality_figures(samples: ModelSamples, indices: IntArray, confidence: float) -> tuple[Figure, ...]:
    """Draw the figures of one audit; `indices` locate the forget set in train."""
    count = len(samples.unlearned.margins)
    one, other = samples.retrained.margins[:count], samples.retrained.margins[count:]
    kinds = {"unlearned": samples.unlearned, "original": samples.originals, "retrained": samples.retrained}
    there = {name: sample for name, sample in kinds.items() if sample is not None}
    epsilons = {
        name: example_epsilons(other if name == "retrained" else sample.margins, one) for name, sample in there.items()
    }
    return (
        _scores(there, epsilons, samples.retrained, count),
        _histogram(epsilons, count),
        _examples(samples, epsilons["unlearned"], indices, confidence),
    )


def _scores(
    samples: dict[str, ModelSample], epsilons: dict[str, FloatArray], retrained: ModelSample, count: int
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, sample in samples.items():
        quality = forgetting_quality(epsilons[name], count)
        fraction = sample.seconds / retrained.seconds if sample.seconds is not None and retrained.seconds else None
        retain, test = (
            (sample.retain_accuracy, retrained.retain_accuracy),
            (sample.test_accuracy, retrained.test_accuracy),
        )
        score = round(published_score(quality, retain, test), 4) if min(retain[1], test[1]) > 0 else None
        accepted = "" if name != "unlearned" else "unknown" if fraction is None else str(fraction <= TIME_LIMIT).lower()
        ratios = [round(ours / theirs, 4) if theirs > 0 else None for ours, theirs in (retain, test)]
        shown = None if fraction is None else round(fraction, 4)
        rows.append((name, round(quality, 4), *ratios, score, shown, accepted))
    return Table(
        title="Forgetting quality as published",
        caption=f"F of {count} models of each kind against {count} retrained ones, and F times both accuracy ratios, "
        "the score. The retrained row is the ceiling: what as many other retrained models score. The challenge rejects "
        f"methods that take more than {TIME_LIMIT:.0%} of the time of retraining; time is not part of this verdict.",
        columns=("models", "F", "retain ratio", "test ratio", "score", "time / retraining", "fast enough"),
        rows=tuple(rows),
    )


def _histogram(epsilons: dict[str, FloatArray], count: int) -> Histograms:
    edges = np.arange(bins_of(count) + 2) * BIN
    shares = {}
    for name, values in epsilons.items():
        counted = np.histogram(np.minimum(values, edges[-1] - BIN / 2), edges)[0]
        shares[name] = tuple(np.round(counted / len(values), 4).tolist())
    medians = ", ".join(f"{name} {np.median(values):.2f}" for name, values in epsilons.items())
    return Histograms(
        title="Per-example epsilon",
        caption=f"Largest epsilon that any published region suggests, median over examples: {medians}. Equal laws give "
        f"about 1.5, not 0; the last bin holds all beyond. delta {DELTA:g}.",
        x_label="epsilon",
        edges=tuple(edges.tolist()),
        sets=("these models against retrained ones", "retrained models against each other"),
        panels={name: (share, shares["retrained"]) for name, share in shares.items() if name != "retrained"},
    )


def _examples(samples: ModelSamples, epsilons: FloatArray, indices: IntArray, confidence: float) -> Table:
    ours, theirs = samples.unlearned.margins, samples.retrained.margins
    bounds = epsilon_examples(ours, theirs, confidence)
    auc, apart = distinguishable_examples(ours, theirs, confidence)
    order = np.lexsort((-np.abs(auc - 0.5), -bounds.alone, -bounds.together))[:MOST_EXAMPLES]
    shown = zip(indices, epsilons, auc, bounds.alone, bounds.together, strict=True)
    cells = [(int(index), *(round(float(value), 4) for value in values)) for index, *values in shown]
    return Table(
        title="Examples that differ most",
        caption=f"What is proven of single examples, judged on models that did not choose the threshold: "
        f"{int((bounds.together > 0).sum())} have an epsilon above 0 with {confidence:.0%} confidence for all "
        f"{len(auc)} at once (at most {bounds.ceiling:.2f} can be proven with so many models), "
        f"{(bounds.alone > 0).mean():.1%} by themselves (up to {1 - confidence:.0%} if the laws are equal); "
        f"{len(apart)} are told apart in nearly every model. Below 0.5 the AUC over models says less confident than "
        f"retrained. The {len(order)} foremost, by index in train.",
        columns=("index", "epsilon, published", "AUC over models", "epsilon proven alone", "epsilon proven together"),
        rows=tuple(cells[k] for k in order),
    )
