"""Identity: a digest of everything in a model that decides its answers.

Two models of one state dict may still be two models: buffers outside of it, an estimator inside a module, weights
packed by quantisation, hooks, plain attributes and the code of the class decide as well. Where something can be neither
read nor traced to its source, the digest covers the rest, and the obstacle says that it does not tell all models apart.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.training.fingerprint.walker import UnknownRecipe, Walk, combine

_OF_TORCH = {
    "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training", "_is_full_backward_hook",
    "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks", "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs",
}  # fmt: skip
"""Attributes of every module that are digested by other means, or that no answer depends on."""
_OF_LIGHTNING = {"_trainer", "_fabric", "_fabric_optimizers"}
"""Attributes of a LightningModule that say who trained it last."""
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_CLASSES: weakref.WeakKeyDictionary[type, tuple[str, str]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Identity:
    """A digest of all of a model that can be read.

    `state` is the part that training changes, the weights, or all of it where there are none. `obstacle` names what
    could not be read, so that two different models may have this digest; empty if the digest tells them apart.
    """

    digest: str = ""
    state: str = ""
    obstacle: str = ""


def identify_module(module: Any) -> Identity:
    """Digest a module: its weights and buffers, classes, hooks and attributes."""
    weights, unread = _weights(module)
    parts, obstacles = [weights], [unread] if unread else []
    walk = Walk()
    for name, part in module.named_modules():
        place = f"the model's {name}" if name else "the model"
        described, obstacle = _class_of(part)
        parts += [name, described]
        obstacles += [f"{place} is of {obstacle}"] if obstacle else []
        for where, value in _attributes(part):
            try:
                parts += [where, _digest(walk, value, f"`{where}` of {place}")]
            except UnknownRecipe as unknown:
                obstacles.append(" is ".join(unknown.args))
    digest = combine(*parts)
    return Identity(digest, weights if module.state_dict() else digest, obstacles[0] if obstacles else "")


def module_state(module: Any) -> str:
    """Digest a module's weights; all of it where it has none."""
    return _weights(module)[0] if module.state_dict() else identify_module(module).digest


def identify_estimator(estimator: Any) -> Identity:
    """Digest a fitted estimator: parameters, what it learned, and its functions."""
    try:
        digest = Walk().digest(estimator, "the estimator")
    except UnknownRecipe as unknown:
        return Identity(obstacle=" is ".join(unknown.args))
    except RecursionError:
        return Identity(obstacle="the estimator is nested too deeply to read")
    return Identity(digest, digest)


def _weights(module: Any) -> tuple[str, str]:
    """Digest the state dict, packed weights included; and name what is unread."""
    walk, parts, obstacle = Walk(), [], ""
    for name, value in sorted(module.state_dict().items()):
        try:
            parts += [name, _digest(walk, value, f"`{name}` in the state dict")]
        except UnknownRecipe as unknown:
            obstacle = obstacle or " is ".join(unknown.args)
    return combine(*parts), obstacle


def _attributes(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield what decides a module's answers besides state dict and submodules."""
    for name in sorted(module._non_persistent_buffers_set):
        yield name, module._buffers.get(name)
    of_torch = type(module).__module__.partition(".")[0] == "torch"
    left_out = _OF_TORCH
    if any(kind.__name__ == "LightningModule" for kind in type(module).__mro__):
        left_out = _OF_TORCH | _OF_LIGHTNING
    for name, value in sorted(vars(module).items()):
        if name in _HOOKS:
            yield name, list(value.values())
        elif name not in left_out and not (of_torch and name.startswith("_")):  # torch's private ones are its caches
            yield name, value


def _class_of(module: Any) -> tuple[str, str]:
    """Digest a module's class, once a process: class attributes may count calls."""
    kind = type(module)
    if kind not in _CLASSES:
        name = f"{kind.__module__}.{kind.__qualname__}"
        try:
            import torch

            if isinstance(module, torch.jit.ScriptModule):
                raise UnknownRecipe("the model", "compiled by TorchScript")
            _CLASSES[kind] = combine(name, Walk().digest(kind, "the class")), ""
        except (UnknownRecipe, RecursionError) as unknown:
            _CLASSES[kind] = combine(name), f"a class whose code cannot be read, {name} ({unknown.args[-1]})"
    return _CLASSES[kind]


def _digest(walk: Walk, value: Any, where: str) -> str:
    """Digest a value that may be or hold a tensor of any kind."""
    import torch

    if isinstance(value, torch.Tensor):
        return _tensor(value, where)
    if type(value) in (list, tuple):
        return combine(type(value).__name__, *(_digest(walk, item, where) for item in value))
    if type(value) is dict and any(isinstance(item, torch.Tensor) for item in value.values()):
        return combine(
            "dict", *(part for key, item in value.items() for part in (repr(key), _digest(walk, item, where)))
        )
    if isinstance(value, weakref.ReferenceType):
        return combine("weak reference")  # what it leads to is digested where it is held
    try:
        return walk.digest(value, where)
    except RecursionError:
        raise UnknownRecipe(where, "nested too deeply to read") from None


def _tensor(value: Any, where: str) -> str:
    """Digest a tensor: quantised ones with their scales, sparse ones in full."""
    import torch

    try:
        held = value.detach()
        scheme = ""
        if held.is_quantized:
            per_channel = held.qscheme() in (torch.per_channel_affine, torch.per_channel_affine_float_qparams)
            scale = [held.q_per_channel_scales(), held.q_per_channel_zero_points()] if per_channel else []
            scheme = repr([part.tolist() for part in scale] or (held.q_scale(), held.q_zero_point()))
            held = held.int_repr()
        if held.layout is not torch.strided:
            held = held.to_dense()
        flat = held.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    except (RuntimeError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UnknownRecipe(where, f"a tensor whose values cannot be read ({reason})") from error
    return combine("tensor", str(value.dtype), str(tuple(value.shape)), scheme, raw)
