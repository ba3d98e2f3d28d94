"""Require that the seed, and nothing else, decides what is random."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pickle import dumps, loads  # for bytes of the line before: nothing from outside is unpickled

from pytest_unlearn.conformance.blame import unpicklable
from pytest_unlearn.conformance.harness import Harness
from pytest_unlearn.conformance.state_diff import contents, differing, shared
from pytest_unlearn.training.global_state import SETTINGS

ALLOWED = 0.01  # probability that a method without randomness may move when sums are taken in another order
MARGIN = 3.0  # times the largest distance between seeds: up to it, the order may pass for a random draw


def same_seed_same_weights(harness: Harness) -> None:
    """Require two runs with one seed to agree to the bit."""
    first, second = (harness.observe(replace(harness.home, ambient=ambient)).result for ambient in (1, 2))
    separate = first is not second and not shared(first, second)
    harness.require(separate, "handed over the same object or memory twice: each call returns a model of its own.")
    harness.require_none(
        differing(contents(first), contents(second)),
        "gave different models for one seed: {names}. Take every random draw, dropout's and the loaders' too, from "
        "the seed (seed the global generators inside torch.random.fork_rng).",
    )


def works_under_no_grad(harness: Harness) -> None:
    """Require the same result under torch.no_grad(), and gradients still off."""
    usual = harness.observe(harness.home)
    with harness.advising("Train inside torch.enable_grad()."):
        seen = harness.observe(replace(harness.home, gradients=False))
        harness.require(contents(usual.result) == contents(seen.result), "gave another model under torch.no_grad().")
    changed = [name for name in seen.disturbed if name in SETTINGS and name not in usual.disturbed]
    harness.require(not changed, f"left global settings changed: {', '.join(changed)}. Restore them when it returns.")


def order_of_retain_set_is_noise(harness: Harness) -> None:
    """Require sorting by class to change no more than another seed does."""
    home = harness.home
    usual = harness.observe(home).result
    moved = max(
        harness.distance(usual, harness.observe(replace(home, order=order)).result, home)
        for order in ("by class", "by class, backwards")
    )
    # A method that takes its randomness from the process breaks another promise than this one.
    seeds = [usual, *(harness.observe(replace(home, seed=seed, ambient=seed + 1)).result for seed in (1, 2))]
    noise, allowed = _largest(harness, seeds), ALLOWED
    if noise > 0:  # a method without randomness has no excuse
        models = [harness.trained(replace(home, training_seed=seed)) for seed in (0, 1, 2)]
        allowed = max(allowed, MARGIN * noise, _largest(harness, models))
    harness.require(
        moved <= allowed,
        f"depends on the order of the retain set: sorted by class, {moved:.1%} of the outputs' probability moves; at "
        f"most {allowed:.1%} may ({MARGIN:g} times the distance between its seeds, the distance between seeds of the "
        f"training, or {ALLOWED:.0%}). Shuffle by the seed, and use all of the set.",
    )


def _largest(harness: Harness, models: list[object]) -> float:
    return max(harness.distance(a, b, harness.home) for a, b in combinations(models, 2))


def survives_pickling(harness: Harness) -> None:
    """Require that the method can be pickled, and does the same afterwards."""
    usual = contents(harness.observe(harness.home).result)
    method = harness.case.unlearner
    try:
        twin = loads(dumps(method))
    except Exception as error:
        harness.fail(f"cannot be pickled ({error}): {unpicklable(method)}")
    if contents(harness.run(harness.home, unlearner=twin).result) == usual:
        return
    # A method that gives another model each time breaks another promise than this one.
    harness.require(
        contents(harness.run(harness.home).result) == usual,
        "gives another model in every run, pickled or not: see same-seed-same-weights, nothing is known of pickling.",
    )
    harness.fail("gives another model after a round trip through pickle: keep all its settings as attributes.")
