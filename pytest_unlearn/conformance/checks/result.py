"""Require that the result is a model like the one that went in."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pytest_unlearn.conformance.case import Unsupported
from pytest_unlearn.conformance.harness import Harness, Observation
from pytest_unlearn.conformance.scenario import Scenario, require_module
from pytest_unlearn.conformance.state_diff import differing, flags, gradients, hooks, modes


def names_and_shapes_kept(harness: Harness) -> None:
    """Require the input's names and shapes; of an estimator, its attributes."""
    seen = harness.observe(harness.home)
    if isinstance(seen.given, nn.Module) and isinstance(seen.result, nn.Module):
        before, after = ({name: t.shape for name, t in _tensors(model).items()} for model in (seen.given, seen.result))
        harness.require_none(
            differing(before, after),
            "changed names or shapes: {names}. The result's state_dict must load into the input's architecture.",
        )
        return
    kinds = [type(model).__name__ for model in (seen.given, seen.result)]
    harness.require(kinds[0] == kinds[1], f"was given a {kinds[0]} and returned a {kinds[1]}: return the same kind.")
    # More of them is fine: what a later request needs to know is kept there.
    missing = [name for name in getattr(seen.given, "__dict__", {}) if not hasattr(seen.result, name)]
    harness.require_none(missing, f"returned a {kinds[1]} without the input's {{names}}: is it fitted?")


def dtypes_and_devices_kept(harness: Harness) -> None:
    """Require the input's dtypes and devices, also on CUDA where there is one."""
    _keeps_dtypes_and_devices(harness, harness.home)
    if torch.cuda.is_available():
        _keeps_dtypes_and_devices(harness, replace(harness.home, prepared="on a CUDA device"))


def double_precision_kept(harness: Harness) -> None:
    """Require that a float64 model with float64 data stays float64."""
    scenario = replace(harness.home, prepared="in double precision")
    model = harness.trained(scenario)
    if isinstance(model, nn.Module) and not any(weight.dtype == torch.float64 for weight in model.parameters()):
        raise Unsupported("the unlearner's own training gives no float64 model on float64 data.")
    _keeps_dtypes_and_devices(harness, scenario)


def _keeps_dtypes_and_devices(harness: Harness, scenario: Scenario) -> None:
    seen = _of_modules(harness, scenario)
    before, after = ({name: (t.dtype, t.device) for name, t in _tensors(m).items()} for m in (seen.given, seen.result))
    _require_same_in_both(
        harness, before, after, f"dtypes or devices ({scenario}): {{names}}. Compute as the model's tensors do."
    )


def requires_grad_kept(harness: Harness) -> None:
    """Require that what was trainable still is."""
    seen = _of_modules(harness, harness.home)
    _require_same_in_both(harness, flags(seen.given), flags(seen.result), "{names}: put the flags back at the end.")


def modes_kept(harness: Harness) -> None:
    """Require each submodule's train or eval mode as it was."""
    for prepared in ("as trained", "in train mode, its last layer in eval mode"):
        seen = _of_modules(harness, replace(harness.home, prepared=prepared))
        advice = "{names}: copy each module's `training` flag."
        _require_same_in_both(harness, modes(seen.given), modes(seen.result), advice)


def no_gradients_left(harness: Harness) -> None:
    """Require no gradients, which would betray the data of the last batch."""
    left = list(gradients(_of_modules(harness, harness.home).result))
    harness.require_none(left, "left gradients of its last batch: {names}. Call model.zero_grad(set_to_none=True).")


def no_hooks_left(harness: Harness) -> None:
    """Require no hooks, so that the result computes what its modules define."""
    seen = _of_modules(harness, harness.home)
    left = differing(hooks(seen.given), hooks(seen.result))
    harness.require_none(left, "left hooks: {names}. Remove what register_*_hook returned.")


def finite_weights(harness: Harness) -> None:
    """Require no NaN or infinity in parameters and buffers."""
    tensors = _tensors(_of_modules(harness, harness.home).result)
    broken = [name for name, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    harness.require_none(broken, "returned weights that are not finite: {names}. Stop before training diverges.")


def result_can_be_copied_and_used(harness: Harness) -> None:
    """Require that a deep copy of the result computes the same outputs."""
    result = harness.observe(harness.home).result
    try:
        copy = deepcopy(result)
    except Exception as error:
        harness.fail(f"returned a model that cannot be deep-copied ({error}): detach its tensors.")
    outputs = harness.outputs(result, harness.home)
    same = (
        outputs.shape == harness.outputs(copy, harness.home).shape and harness.distance(result, copy, harness.home) == 0
    )
    harness.require(same, "returned a model of which a deep copy computes other outputs: keep its state in itself.")


def _of_modules(harness: Harness, scenario: Scenario) -> Observation:
    seen = harness.observe(scenario)
    require_module(seen.given)
    require_module(seen.result)
    return seen


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return dict([*model.named_parameters(), *model.named_buffers()])


def _require_same_in_both(harness: Harness, before: dict[str, Any], after: dict[str, Any], what: str) -> None:
    changed = [name for name in before if name in after and before[name] != after[name]]
    harness.require_none(changed, f"changed {what}")
