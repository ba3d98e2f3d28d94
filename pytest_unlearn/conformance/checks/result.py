"""The result is a model like the one that went in."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pytest_unlearn.conformance.case import Unsupported
from pytest_unlearn.conformance.harness import Bench, Observation
from pytest_unlearn.conformance.scenario import Trial
from pytest_unlearn.conformance.state_diff import differing, flags, gradients, hooks, modes


def names_and_shapes_kept(bench: Bench) -> None:
    """The result's state fits into the input's architecture; an estimator lacks none of the input's attributes."""
    seen = bench.observe(bench.home)
    if isinstance(seen.given, nn.Module) and isinstance(seen.result, nn.Module):
        before, after = ({name: t.shape for name, t in _tensors(model).items()} for model in (seen.given, seen.result))
        changed = bench.listed(differing(before, after))
        bench.require(
            not changed,
            f"changed names or shapes: {changed}. The result's state_dict must load into the input's architecture.",
        )
        return
    kinds = [type(model).__name__ for model in (seen.given, seen.result)]
    bench.require(kinds[0] == kinds[1], f"was given a {kinds[0]} and returned a {kinds[1]}: return the same kind.")
    # More of them is fine: what a later request needs to know is kept there.
    missing = bench.listed([name for name in getattr(seen.given, "__dict__", {}) if not hasattr(seen.result, name)])
    bench.require(not missing, f"returned a {kinds[1]} without the input's {missing}: is it fitted?")


def dtypes_and_devices_kept(bench: Bench) -> None:
    """Of parameters and buffers, also on a CUDA device where there is one."""
    _keeps_dtypes_and_devices(bench, bench.home)
    if torch.cuda.is_available():
        _keeps_dtypes_and_devices(bench, replace(bench.home, prepared="on a CUDA device"))


def double_precision_kept(bench: Bench) -> None:
    """A float64 model with float64 data stays float64."""
    trial = replace(bench.home, prepared="in double precision")
    model = bench.trained(trial)
    if isinstance(model, nn.Module) and not any(weight.dtype == torch.float64 for weight in model.parameters()):
        raise Unsupported("the unlearner's own training gives no float64 model on float64 data.")
    _keeps_dtypes_and_devices(bench, trial)


def _keeps_dtypes_and_devices(bench: Bench, trial: Trial) -> None:
    seen = _of_modules(bench, trial)
    before, after = ({name: (t.dtype, t.device) for name, t in _tensors(m).items()} for m in (seen.given, seen.result))
    changed = [name for name in before if name in after and before[name] != after[name]]
    bench.require(
        not changed, f"changed dtypes or devices ({trial}): {bench.listed(changed)}. Compute as the model's tensors do."
    )


def requires_grad_kept(bench: Bench) -> None:
    """What was trainable still is."""
    seen = _of_modules(bench, bench.home)
    _same_where_both_have_it(bench, flags(seen.given), flags(seen.result), "put the flags back at the end.")


def modes_kept(bench: Bench) -> None:
    """Each submodule is in train or eval mode as it was; a user may keep a single layer in eval mode."""
    for prepared in ("as trained", "in train mode, its last layer in eval mode"):
        seen = _of_modules(bench, replace(bench.home, prepared=prepared))
        _same_where_both_have_it(bench, modes(seen.given), modes(seen.result), "copy each module's `training` flag.")


def no_gradients_left(bench: Bench) -> None:
    """Gradients of the last batch would betray the data it was made of."""
    left = bench.listed(list(gradients(_of_modules(bench, bench.home).result)))
    bench.require(not left, f"left gradients of its last batch: {left}. Call model.zero_grad(set_to_none=True).")


def no_hooks_left(bench: Bench) -> None:
    """The result computes what its modules say."""
    seen = _of_modules(bench, bench.home)
    left = bench.listed(differing(hooks(seen.given), hooks(seen.result)))
    bench.require(not left, f"left hooks: {left}. Remove what register_*_hook returned.")


def finite_weights(bench: Bench) -> None:
    """No NaN or infinity in parameters and buffers."""
    tensors = _tensors(_of_modules(bench, bench.home).result)
    broken = [name for name, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    bench.require(
        not broken, f"returned weights that are not finite: {bench.listed(broken)}. Stop before training diverges."
    )


def result_can_be_copied_and_used(bench: Bench) -> None:
    """A deep copy of the result computes the same outputs."""
    result = bench.observe(bench.home).result
    try:
        copy = deepcopy(result)
    except Exception as error:
        bench.fail(f"returned a model that cannot be deep-copied ({error}): detach its tensors.")
    outputs = bench.outputs(result, bench.home)
    same = outputs.shape == bench.outputs(copy, bench.home).shape and bench.distance(result, copy, bench.home) == 0
    bench.require(same, "returned a model of which a deep copy computes other outputs: keep its state in itself.")


def _of_modules(bench: Bench, trial: Trial) -> Observation:
    seen = bench.observe(trial)
    for model in (seen.given, seen.result):
        if not isinstance(model, nn.Module):
            raise Unsupported(f"this check is about torch modules; the model is a {type(model).__name__}.")
    return seen


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return dict([*model.named_parameters(), *model.named_buffers()])


def _same_where_both_have_it(bench: Bench, before: dict[str, Any], after: dict[str, Any], advice: str) -> None:
    changed = [name for name in before if name in after and before[name] != after[name]]
    bench.require(not changed, f"changed {bench.listed(changed)}: {advice}")
