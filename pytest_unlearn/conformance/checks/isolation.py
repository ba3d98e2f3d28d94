"""What a method is given, and the process it runs in, are as before."""

from __future__ import annotations

from dataclasses import replace

from pytest_unlearn.conformance.global_state import RANDOM_STATES, SETTINGS
from pytest_unlearn.conformance.harness import Bench
from pytest_unlearn.conformance.state_diff import contents, differing, shared, traits


def input_model_untouched(bench: Bench) -> None:
    """Weights, buffers, gradients, requires_grad flags, modes, hooks and attributes of the input."""
    seen = bench.observe(replace(bench.home, prepared="with gradients in it"))
    given, after = ({**contents(model), **traits(model)} for model in (seen.given, seen.model))
    changed = bench.listed(differing(given, after))
    bench.require(not changed, f"changed its input: {changed}. Work on copy.deepcopy(model).")


def result_shares_nothing_with_the_input(bench: Bench) -> None:
    """The result can be trained on without changing the original."""
    seen = bench.observe(bench.home)
    bench.require(seen.result is not seen.model, "returned its input: return a changed copy.deepcopy(model).")
    common = bench.listed(shared(seen.model, seen.result))
    bench.require(not common, f"returned a model that shares memory with its input: {common}. Copy them too.")


def datasets_untouched(bench: Bench) -> None:
    """Retain and forget set hold what they held; their tensors are in no graph."""
    written = bench.observe(bench.home).written
    bench.require(not written, f"wrote into the {' and '.join(written)} set: work on copies of its tensors.")


def random_state_untouched(bench: Bench) -> None:
    """The global generators are where they were."""
    moved = [name for name in bench.observe(bench.home).disturbed if name in RANDOM_STATES]
    bench.require(
        not moved,
        f"moved the global random state of {' and '.join(moved)}: draw from a generator of its own, made from the "
        "seed, or restore the state (torch.random.fork_rng).",
    )


def global_settings_untouched(bench: Bench) -> None:
    """Gradient mode, default dtype, cuDNN flags, deterministic algorithms, threads and the like."""
    changed = [name for name in bench.observe(bench.home).disturbed if name in SETTINGS]
    bench.require(not changed, f"left global settings changed: {', '.join(changed)}. Restore them when it returns.")
