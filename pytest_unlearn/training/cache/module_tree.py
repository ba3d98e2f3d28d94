"""Describe an nn.Module as plain JSON, and rebuild it without running its code."""

from __future__ import annotations

import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

_SCALARS = (type(None), bool, int, float, str)
# Modules whose plain functions a description may name; in `torch` itself only the tensor operations written in C.
_FUNCTIONS = ("torch.nn.functional", "torch.special", "torch")


class NotDescribable(ValueError):  # noqa: N818 - as the field names it
    """Raised for a module that holds something that plain data cannot describe."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)

    def __str__(self) -> str:
        where, what = self.args
        advice = "use TorchRecipe(build=...), or define the class at module level with plain attributes"
        return f"{where} is {what}: {advice}"


def describe(module: nn.Module) -> dict[str, Any]:
    """Describe a module and all its children by class, attributes and flags, as JSON.

    Args:
        module: any module whose classes can be found by name.

    Returns:
        What `rebuild` needs besides the tensors. Modules and tensors that appear twice are described once.

    Raises:
        NotDescribable: hooks, local classes, lambdas, or attributes that are not plain.
    """
    tensors = {id(tensor): name for name, tensor in reversed(named_tensors(module))}
    return _describe(module, "", {}, tensors)


def rebuild(structure: dict[str, Any], tensors: dict[str, torch.Tensor]) -> nn.Module:
    """Rebuild the module that a description and its tensors stand for.

    Only classes that are nn.Modules and already imported (or in torch.nn) are made, and no constructor but
    `nn.Module.__init__` runs.

    Args:
        structure: what `describe` gave.
        tensors: each parameter and buffer by its full name.

    Returns:
        The module, with tied weights tied.

    Raises:
        NotDescribable: a class or function is not there, or not one that may be used.
        KeyError: the description lacks something, or names a tensor that is missing.
    """
    return _rebuild(structure, "", tensors, {}, {})


def named_tensors(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """List parameters and buffers by full name; tied ones under each of theirs."""
    return [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]


def _describe(module: nn.Module, path: str, seen: dict[int, str], tensors: dict[int, str]) -> dict[str, Any]:
    from torch import nn

    if id(module) in seen:
        return {"shared": seen[id(module)]}
    seen[id(module)] = path
    kind, fresh = type(module), vars(nn.Module())
    found = _class(kind.__module__, kind.__qualname__, where=_called(path, kind))
    if found is not kind or not issubclass(kind, nn.Module):
        raise NotDescribable(_called(path, kind), f"of class {kind.__qualname__}, which cannot be found by its name")
    attributes = {}
    for name, value in vars(module).items():
        if name in ("training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"):
            continue
        where = f"`{name}` of {_called(path, kind)}"
        if name in fresh:
            if value != fresh[name]:
                raise NotDescribable(where, "a hook")
        elif callable(getattr(kind, name, None)):
            raise NotDescribable(where, "an attribute in the place of a method")
        else:
            attributes[name] = _encode(value, where, kind, tensors)
    own = {**module._parameters, **module._buffers}
    for name, tensor in own.items():
        if tensor is not None:
            _check_tensor(tensor, name in module._parameters, f"`{name}` of {_called(path, kind)}")
    prefix = path + "." if path else ""
    return {
        "class": [kind.__module__, kind.__qualname__],
        "training": module.training,
        "attributes": attributes,
        "parameters": [_slot(name, tensor, tensors) for name, tensor in module._parameters.items()],
        "buffers": [_slot(name, tensor, tensors) for name, tensor in module._buffers.items()],
        "unsaved": sorted(module._non_persistent_buffers_set),
        "children": [
            [name, None if child is None else _describe(child, prefix + name, seen, tensors)]
            for name, child in module._modules.items()
        ],
    }


def _slot(name: str, tensor: torch.Tensor | None, tensors: dict[int, str]) -> list[Any]:
    return [name, None, False] if tensor is None else [name, tensors[id(tensor)], tensor.requires_grad]


def _check_tensor(tensor: torch.Tensor, is_parameter: bool, where: str) -> None:
    import torch

    expected = torch.nn.Parameter if is_parameter else torch.Tensor
    if type(tensor) is not expected or tensor.layout is not torch.strided or tensor.is_meta or tensor.is_quantized:
        raise NotDescribable(where, f"a tensor of a special kind ({type(tensor).__name__}, {tensor.layout})")


def _rebuild(
    node: dict[str, Any],
    path: str,
    tensors: dict[str, torch.Tensor],
    modules: dict[str, nn.Module],
    made: dict[str, torch.Tensor],
) -> nn.Module:
    from torch import nn

    if "shared" in node:
        return modules[node["shared"]]
    kind = _class(node["class"][0], node["class"][1], where=f"`{path}`")
    module: nn.Module = kind.__new__(kind)
    nn.Module.__init__(module)
    modules[path] = module
    prefix = path + "." if path else ""
    own: dict[str, dict[str, Any]] = {"parameters": module._parameters, "buffers": module._buffers}
    for kind_of, target in own.items():
        for name, source, requires_grad in node[kind_of]:
            if source is not None and source not in made:
                tensor = tensors[source]
                trainable = kind_of == "parameters"
                made[source] = (
                    nn.Parameter(tensor, requires_grad) if trainable else tensor.requires_grad_(requires_grad)
                )
            target[name] = None if source is None else made[source]
    module._non_persistent_buffers_set.update(node["unsaved"])
    for name, child in node["children"]:
        module._modules[name] = None if child is None else _rebuild(child, prefix + name, tensors, modules, made)
    for name, value in node["attributes"].items():
        if name in vars(module) or callable(getattr(kind, name, None)):
            where = f"`{name}` of {_called(path, kind)}"
            raise NotDescribable(where, "the name of a method or of a module's own state")
        vars(module)[name] = _decode(value, kind, made)
    module.training = bool(node["training"])
    return module


def _class(module: str, qualname: str, *, where: str) -> Any:
    """Find a module class among those imported: importing what a file names runs it."""
    import importlib

    from torch import nn

    if module == "torch.nn" or module.startswith("torch.nn."):
        importlib.import_module(module)
    found: Any = sys.modules.get(module)
    for step in qualname.split("."):
        found = getattr(found, step, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise NotDescribable(where, f"of class {module}.{qualname}, which is not defined at the top of a loaded module")
    return found


def _function(module: str, name: str, owner: type) -> Any:
    found = vars(sys.modules[module]).get(name) if module in (*_FUNCTIONS, owner.__module__) else None
    written_in_c = isinstance(found, types.BuiltinFunctionType)
    return found if written_in_c or (isinstance(found, types.FunctionType) and module != "torch") else None


def _encode(value: Any, where: str, owner: type, tensors: dict[int, str]) -> Any:
    import torch

    if type(value) in _SCALARS:
        return value
    if type(value) in (list, tuple, torch.Size):
        items = [_encode(item, f"{where}[{index}]", owner, tensors) for index, item in enumerate(value)]
        return {type(value).__name__: items}
    if type(value) is dict:
        return {"dict": [[_encode(part, f"{where}[]", owner, tensors) for part in item] for item in value.items()]}
    if isinstance(value, (torch.dtype, torch.device)):
        return {type(value).__name__: str(value).removeprefix("torch.")}
    if isinstance(value, torch.Tensor) and id(value) in tensors:
        return {"tensor": tensors[id(value)]}
    if isinstance(value, weakref.ref) and id(value()) in tensors:
        return {"weak": tensors[id(value())]}
    if isinstance(value, type) and issubclass(value, torch.nn.Module):
        near = value.__module__ == owner.__module__ or value.__module__.startswith("torch.nn.")
        if near and _class(value.__module__, value.__qualname__, where=where) is value:
            return {"class": [value.__module__, value.__qualname__]}
    for module in (*_FUNCTIONS, owner.__module__):
        name = getattr(value, "__name__", "")
        if callable(value) and module in sys.modules and name and _function(module, name, owner) is value:
            return {"function": [module, name]}
    raise NotDescribable(where, f"a {type(value).__name__}, which is not plain data")


def _decode(value: Any, owner: type, made: dict[str, torch.Tensor]) -> Any:
    import torch

    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in ("list", "tuple", "Size"):
        return {"list": list, "tuple": tuple, "Size": torch.Size}[kind](_decode(item, owner, made) for item in content)
    if kind == "dict":
        return {_decode(key, owner, made): _decode(item, owner, made) for key, item in content}
    if kind == "device":
        return torch.device(content)
    if kind == "dtype" and isinstance(getattr(torch, content, None), torch.dtype):
        return getattr(torch, content)
    if kind == "tensor":
        return made[content]
    if kind == "weak":
        return weakref.ref(made[content])
    if kind == "class":
        return _class(content[0], content[1], where="an attribute")
    found = _function(content[0], content[1], owner) if kind == "function" else None
    if found is None:
        raise NotDescribable("an attribute", f"{content}, which may not be used here")
    return found


def _called(path: str, kind: type) -> str:
    return f"`{path}` ({kind.__qualname__})" if path else kind.__qualname__
