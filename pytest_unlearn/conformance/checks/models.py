"""Which models the method works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_unlearn.conformance.case import is_unsupported
from pytest_unlearn.conformance.harness import Bench
from pytest_unlearn.conformance.scenario import frozen_layers
from pytest_unlearn.conformance.state_diff import contents, differing, flags


def supports_some_problem(bench: Bench) -> None:
    """Something is checked: a method that refuses every problem would be reported as unsupported throughout."""
    try:
        bench.observe(bench.home)
    except Exception as error:
        if is_unsupported(error):
            bench.fail(f"was not checked at all: {error} Pass a recipe that trains a model it works on.")
        raise


def frozen_layers_untouched(bench: Bench) -> None:
    """Frozen parameters, and the running statistics of frozen BatchNorm layers, stay bit-identical."""
    seen = bench.observe(replace(bench.home, prepared="with frozen layers"))
    for name in frozen_layers(seen.given):
        before, after = (_below(name, contents(model)) for model in (seen.given, seen.result))
        bench.require(bool(after), f"returned a model without the frozen layer {name!r}: keep the names of the layers.")
        changed = differing(before, after)
        bench.require(
            not changed,
            f"changed {bench.listed(changed)}, which is frozen: train only parameters that require grad, and "
            "keep BatchNorm layers whose parameters are frozen in eval mode.",
        )
    changed = differing(flags(seen.given), flags(seen.result))
    bench.require(not changed, f"changed {bench.listed(changed)}: freeze what was frozen, in the result.")


def works_on(bench: Bench, network: str) -> None:
    """A usable model comes back, for the kind of request that the method is otherwise held to."""
    bench.require_usable(bench.problem(network, whole_class=bench.forgets_classes))


def _below(layer: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in paths.items() if path.startswith(f"{layer}.")}
