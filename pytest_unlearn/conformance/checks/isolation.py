"""Require that a method leaves its inputs and the process as they were."""

from __future__ import annotations

from dataclasses import replace

from pytest_unlearn.conformance.harness import Harness
from pytest_unlearn.conformance.state_diff import contents, differing, shared, traits
from pytest_unlearn.training.global_state import RANDOM_STATES, SETTINGS


def input_model_untouched(harness: Harness) -> None:
    """Require the input model's contents, flags, modes and hooks as they were."""
    seen = harness.observe(replace(harness.home, prepared="with gradients in it"))
    given, after = ({**contents(model), **traits(model)} for model in (seen.given, seen.model))
    harness.require_none(differing(given, after), "changed its input: {names}. Work on copy.deepcopy(model).")


def result_shares_nothing_with_the_input(harness: Harness) -> None:
    """Require that the result can be trained on without changing the original."""
    seen = harness.observe(harness.home)
    harness.require(seen.result is not seen.model, "returned its input: return a changed copy.deepcopy(model).")
    common = shared(seen.model, seen.result)
    harness.require_none(common, "returned a model that shares memory with its input: {names}. Copy them too.")


def datasets_untouched(harness: Harness) -> None:
    """Require that both sets hold what they held; their tensors are in no graph."""
    written = harness.observe(harness.home).written
    harness.require(not written, f"wrote into the {' and '.join(written)} set: work on copies of its tensors.")


def random_state_untouched(harness: Harness) -> None:
    """Require that the global generators are where they were."""
    moved = [name for name in harness.observe(harness.home).disturbed if name in RANDOM_STATES]
    harness.require(
        not moved,
        f"moved the global random state of {' and '.join(moved)}: draw from a generator of its own, made from the "
        "seed, or restore the state (torch.random.fork_rng).",
    )


def global_settings_untouched(harness: Harness) -> None:
    """Require gradient mode, dtype, cuDNN flags, threads and the like as before."""
    changed = [name for name in harness.observe(harness.home).disturbed if name in SETTINGS]
    harness.require(not changed, f"left global settings changed: {', '.join(changed)}. Restore them when it returns.")
