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
        changed = harness.listed(differing(before, after))
        harness.require(
            not changed,
            f"changed names or shapes: {changed}. The result's state_dict must load into the input's architecture.",
        )
        return
    kinds = [type(model).__name__ for model in (seen.given, seen.result)]
    harness.require(kinds[0] == kinds[1], f"was given a {kinds[0]} and returned a {kinds[1]}: return the same kind.")
    # More of them is fine: what a later request needs to know is kept there.
    missing = harness.listed([name for name in getattr(seen.given, "__dict__", {}) if not hasattr(seen.result, name)])
    harness.require(not missing, f"returned a {kinds[1]} without the input's {missing}: is it fitted?")


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
    changed = harness.listed(_changed_in_both(before, after))
    harness.require(
        not changed, f"changed dtypes or devices ({scenario}): {changed}. Compute as the model's tensors do."
    )


def requires_grad_kept(harness: Harness) -> None:
    """Require that what was trainable still is."""
    seen = _of_modules(harness, harness.home)
    _same_where_both_have_it(harness, flags(seen.given), flags(seen.result), "put the flags back at the end.")


def modes_kept(harness: Harness) -> None:
    """Require each submodule's train or eval mode as it was."""
    for prepared in ("as trained", "in train mode, its last layer in eval mode"):
        seen = _of_modules(harness, replace(harness.home, prepared=prepared))
        _same_where_both_have_it(harness, modes(seen.given), modes(seen.result), "copy each module's `training` flag.")


def no_gradients_left(harness: Harness) -> None:
    """Require no gradients, which would betray the data of the last batch."""
    left = harness.listed(list(gradients(_of_modules(harness, harness.home).result)))
    harness.require(not left, f"left gradients of its last batch: {left}. Call model.zero_grad(set_to_none=True).")


def no_hooks_left(harness: Harness) -> None:
    """Require no hooks, so that the result computes what its modules define."""
    seen = _of_modules(harness, harness.home)
    left = harness.listed(differing(hooks(seen.given), hooks(seen.result)))
    harness.require(not left, f"left hooks: {left}. Remove what register_*_hook returned.")


def finite_weights(harness: Harness) -> None:
    """Require no NaN or infinity in parameters and buffers."""
    tensors = _tensors(_of_modules(harness, harness.home).result)
    broken = [name for name, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    harness.require(
        not broken, f"returned weights that are not finite: {harness.listed(broken)}. Stop before training diverges."
    )


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
    for model in (seen.given, seen.result):
        require_module(model)
    return seen


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return dict([*model.named_parameters(), *model.named_buffers()])


def _same_where_both_have_it(harness: Harness, before: dict[str, Any], after: dict[str, Any], advice: str) -> None:
    changed = harness.listed(_changed_in_both(before, after))
    harness.require(not changed, f"changed {changed}: {advice}")


def _changed_in_both(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before if name in after and before[name] != after[name]]
