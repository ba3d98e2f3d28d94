"""Estimate how long trainings take, from the cache or from small samples."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.cli.console import plural
from pytest_unlearn.data.view import View
from pytest_unlearn.training import Job, StoredModel, isolated

LARGE = 256  # examples of the larger sample; more where there are many classes
PER_CLASS = 16
PATIENCE = 10.0  # seconds: a small sample that takes longer is not followed by a larger one


@dataclass(frozen=True)
class Pace:
    """Tell how long a training on so many examples takes, and the source of that."""

    seconds: Callable[[int], float]
    source: str


def noted(cached: Sequence[tuple[Job, StoredModel]]) -> Pace | None:
    """Read the pace of trainings off the cache; None if it notes no times."""
    seconds = [(job, entry.info.get("seconds")) for job, entry in cached]
    rates = [taken / len(job.dataset) for job, taken in seconds if isinstance(taken, (int, float))]
    if not rates:
        return None
    rate = statistics.median(rates)
    times = "1 training" if len(rates) == 1 else f"{len(rates)} trainings"
    return Pace(lambda examples: rate * examples, f"as long as {times} in the cache took")


def probe(recipe: Any, retain: View, seed: int) -> Pace:
    """Time the recipe on small samples, and extrapolate in a straight line.

    Raises:
        ValueError: there are too few examples for two samples.
        Exception: what the recipe raises.
    """
    small, large = samples(retain, seed)
    first = _timed(recipe, small, seed)  # also pays for what is imported or compiled only once
    if first > PATIENCE:
        return Pace(lambda examples: first * examples / len(small), f"measured on a sample of {len(small)} examples")
    less, more = _timed(recipe, small, seed), _timed(recipe, large, seed)
    slope = (more - less) / (len(large) - len(small))
    start = less - slope * len(small)
    if slope <= 0 or start < 0:  # too quick to tell a start from the rest
        slope, start = more / len(large), 0.0
    source = f"measured on samples of {len(small)} and {len(large)} examples and extrapolated in a straight line"
    return Pace(lambda examples: start + slope * examples, source)


def samples(retain: View, seed: int) -> tuple[View, View]:
    """Draw a small and a larger sample of the retain set, every class in both."""
    classes = len(np.unique(retain.labels))
    large = min(len(retain) // 2, max(LARGE, PER_CLASS * classes))
    pair = _sample(retain, large // 4, seed), _sample(retain, large, seed)
    if not 0 < len(pair[0]) < len(pair[1]):
        raise ValueError(f"{len(retain)} retained examples are too few for two samples")
    return pair


def _sample(retain: View, size: int, seed: int) -> View:
    order = np.random.default_rng(seed).permutation(len(retain))
    labels = retain.labels[order]
    chosen = [
        order[labels == label][: max(1, round(size * float(np.mean(labels == label))))] for label in np.unique(labels)
    ]
    positions = np.sort(np.concatenate(chosen))
    return View(f"sample of {retain.name}", retain.examples, retain.indices[positions], retain.task)


def _timed(recipe: Any, dataset: View, seed: int) -> float:
    started = time.perf_counter()
    with isolated(seed):
        recipe(dataset, seed=seed)
    return time.perf_counter() - started


def rounds(count: int, at_once: int) -> int:
    """Count the rounds of trainings that `count` models take."""
    return math.ceil(count / at_once)


def duration(seconds: float) -> str:
    """Put a rough length of time in words."""
    if seconds < 1:
        return "less than a second"
    for unit, length in (("second", 1), ("minute", 60)):
        if seconds < 90 * length:
            return "about " + plural(round(seconds / length), unit)
    return f"about {seconds / 3600:.1f} hours"
