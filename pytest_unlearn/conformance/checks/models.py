"""Check which models the method works on."""

from __future__ import annotations

from dataclasses import replace

from pytest_unlearn.conformance.case import is_unsupported
from pytest_unlearn.conformance.harness import Harness
from pytest_unlearn.conformance.scenario import frozen_layers
from pytest_unlearn.conformance.state_diff import contents, differing, flags


def supports_some_problem(harness: Harness) -> None:
    """Require that some problem is not refused, so that something is checked."""
    try:
        harness.observe(harness.home)
    except Exception as error:
        if is_unsupported(error):
            harness.fail(f"was not checked at all: {error} Pass a recipe that trains a model it works on.")
        raise


def frozen_layers_untouched(harness: Harness) -> None:
    """Require frozen parameters and BatchNorm statistics to stay bit-identical."""
    seen = harness.observe(replace(harness.home, prepared="with frozen layers"))
    for name in frozen_layers(seen.given):
        before, after = (
            {path: value for path, value in contents(model).items() if path.startswith(f"{name}.")}
            for model in (seen.given, seen.result)
        )
        harness.require(
            bool(after), f"returned a model without the frozen layer {name!r}: keep the names of the layers."
        )
        harness.require_none(
            differing(before, after),
            "changed {names}, which is frozen: train only parameters that require grad, and "
            "keep BatchNorm layers whose parameters are frozen in eval mode.",
        )
    changed = differing(flags(seen.given), flags(seen.result))
    harness.require_none(changed, "changed {names}: freeze what was frozen, in the result.")


def works_on(harness: Harness, network: str) -> None:
    """Require a usable model for the kind of request that the method answers."""
    harness.require_usable(harness.problem(network, whole_class=harness.forgets_classes))
