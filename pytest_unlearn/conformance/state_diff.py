"""Compare what models are made of: paths to tensors, arrays and plain values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pytest_unlearn.training.arrays import tensor_bytes

MACHINERY = frozenset(vars(nn.Module()))  # torch's own attributes of a module; tensors and children are walked by name
TIMES = re.compile(r"(^|_)time_?$")
HOOKS_OF_TENSORS = ("_backward_hooks", "_post_accumulate_grad_hooks")  # properties, unlike those of a module
PLAIN = (str, bytes, int, float, complex, type(None), np.generic, np.dtype, torch.dtype, torch.device, torch.Size)


def leaves(value: Any, path: str = "", above: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield each tensor, array and plain value inside, with its path."""
    plain_array = isinstance(value, np.ndarray) and value.dtype != object and not value.dtype.names
    if plain_array or isinstance(value, (Tensor, *PLAIN)):
        yield path, value
    elif id(value) not in above:
        for name, part in _parts(value):
            yield from leaves(part, f"{path}.{name}" if path else str(name), (*above, id(value)))


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, nn.Module):
        yield from (*value._parameters.items(), *value._buffers.items(), *value._modules.items())
        yield from ((name, part) for name, part in vars(value).items() if name not in MACHINERY)
    elif isinstance(value, Mapping):
        yield from ((name, part) for name, part in value.items() if not TIMES.search(str(name)))
    elif isinstance(value, np.ndarray) and value.dtype.names:  # a record has padding, which holds anything
        yield from ((name, value[name]) for name in value.dtype.names)
    elif isinstance(value, (list, tuple, np.ndarray)):
        yield from enumerate(value)
    elif isinstance(value, (set, frozenset)):
        yield "members", repr(sorted(map(repr, value)))
    elif hasattr(value, "__qualname__"):
        yield "name", value.__qualname__
    elif hasattr(value, "__dict__"):
        # A search remembers how long its fits took, and no two take as long.
        yield from ((name, part) for name, part in vars(value).items() if not TIMES.search(str(name)))
    else:
        yield from enumerate(_reduced(value))


def _reduced(value: Any) -> tuple[Any, ...]:
    """Take apart what an object without attributes would be copied from."""
    try:
        recipe = value.__reduce_ex__(4)
    except TypeError:
        return (type(value).__qualname__,)
    return recipe[1:] if isinstance(recipe, tuple) else (recipe,)


def fingerprint(leaf: Any) -> Any:
    """Return what is equal for equal leaves, bit by bit."""
    if isinstance(leaf, Tensor):
        plain = leaf.detach().to_dense() if leaf.layout != torch.strided else leaf.detach()
        # A parameter's flag is looked at on its own; data that has become part of a graph is data that was changed.
        tracked = leaf.requires_grad and not isinstance(leaf, nn.Parameter)
        return leaf.dtype, leaf.device, leaf.shape, tracked, tensor_bytes(plain)
    if isinstance(leaf, np.ndarray):
        return leaf.dtype, leaf.shape, leaf.tobytes()
    return type(leaf), repr(leaf)


def contents(model: Any) -> dict[str, Any]:
    """Map each path in the model to a fingerprint."""
    return {path: fingerprint(leaf) for path, leaf in leaves(model)}


def traits(model: Any) -> dict[str, Any]:
    """Collect modes, requires_grad flags, gradients and hooks of a network."""
    if not isinstance(model, nn.Module):
        return {}
    return {**modes(model), **flags(model), **gradients(model), **hooks(model)}


def modes(model: nn.Module) -> dict[str, bool]:
    """Collect the mode of each module, train or eval."""
    return {f"{name or 'the model'} (train/eval mode)": module.training for name, module in model.named_modules()}


def flags(model: nn.Module) -> dict[str, bool]:
    """Collect the requires_grad flag of each parameter."""
    return {f"{name} (requires_grad)": weight.requires_grad for name, weight in model.named_parameters()}


def gradients(model: nn.Module) -> dict[str, Any]:
    """Collect the gradient of each parameter that has one."""
    return {
        f"{name} (gradient)": fingerprint(weight.grad)
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


def hooks(model: nn.Module) -> dict[str, int]:
    """Count the hooks of each module and parameter that has any."""
    owners = (*model.named_modules(), *model.named_parameters())
    counts = {f"{name or 'the model'} (hooks)": _count_hooks(owner) for name, owner in owners}
    return {name: count for name, count in counts.items() if count}


def _count_hooks(owner: Any) -> int:
    names = {*HOOKS_OF_TENSORS, *(name for name in vars(owner) if name.endswith("_hooks"))}
    return sum(len(getattr(owner, name, None) or ()) for name in names)


def shared(a: Any, b: Any) -> list[str]:
    """List the paths in `b` of tensors and arrays that share memory with `a`."""
    # Both lists are alive at once: arrays made while walking would otherwise get each other's addresses.
    ours, theirs = list(leaves(a)), list(leaves(b))
    addresses = {_address(leaf) for _, leaf in ours} - {None}
    return [path for path, leaf in theirs if _address(leaf) in addresses]


def _address(leaf: Any) -> int | None:
    if isinstance(leaf, Tensor) and leaf.layout == torch.strided and leaf.numel():
        return leaf.untyped_storage().data_ptr()
    if not isinstance(leaf, np.ndarray) or not leaf.size:
        return None
    while isinstance(leaf.base, np.ndarray):
        leaf = leaf.base
    return int(leaf.ctypes.data)


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """List the keys under which two mappings do not hold the same."""
    missing = object()
    return [key for key in {**a, **b} if a.get(key, missing) != b.get(key, missing)]
