"""Write models as bytes and read them, by safetensors, skops and native formats."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_unlearn.training.arrays import tensor_bytes
from pytest_unlearn.training.cache import native
from pytest_unlearn.training.cache.module_tree import NotDescribable, describe, named_tensors, rebuild
from pytest_unlearn.training.fingerprint.walker import UnknownRecipe, Walk
from pytest_unlearn.training.seeding import isolated

if TYPE_CHECKING:
    import torch
    from torch import nn

Build = Callable[[], Any]
_refused: dict[Hashable, str] = {}  # to learn it takes longer than to train a forest, and a search trains hundreds


class NotStorable(ValueError):  # noqa: N818 - as the field names it
    """Raised for a model that cannot be written without pickling."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Hold a model as its kind (the file's suffix), its bytes, and notes for JSON."""

    kind: str
    data: bytes
    structure: dict[str, Any]


def encode(model: Any, build: Build | None = None) -> Payload:
    """Write a model as bytes, having checked that it can be read back.

    Args:
        model: an nn.Module, a fitted scikit-learn estimator, or arrays in plain containers.
        build: makes the module untrained; saves describing its classes.

    Returns:
        The payload.

    Raises:
        NotStorable: only pickle could write this model.
    """
    from torch import nn

    if isinstance(model, nn.Module):
        return _encode_module(model, build)
    kind = _kind(model)
    if kind in _refused:
        raise NotStorable(_refused[kind])
    try:
        data, parts = native.write(model)
        payload = Payload("native" if len(parts) > 1 else "skops", data, {"parts": parts})
        if not _same_content(model, decode(payload)):
            raise native.Unwritable(f"a {type(model).__name__} is not the same when it is read back")
    except native.Unwritable as error:
        if kind is not None:
            _refused[kind] = str(error)
        raise NotStorable(str(error)) from None
    except Exception as error:
        raise NotStorable(f"skops cannot write a {type(model).__name__} ({error})") from error
    return payload


def _same_content(model: Any, again: Any) -> bool:
    """Tell whether two estimators are the same, as far as it can be read."""
    try:
        return Walk().digest(model, "the model") == Walk().digest(again, "the model")
    except UnknownRecipe:
        return True


def _kind(model: Any) -> Hashable:
    """Return an estimator's class and those of its settings and fitted parts; None for other models.

    Of neighbours the data decide whether they are kept in a tree, which skops does not vouch for, or as they are.
    """
    if not hasattr(model, "get_params"):
        return None
    parts = {**model.get_params(), **vars(model)}
    return type(model), tuple(sorted((name, str(type(value))) for name, value in parts.items()))


def decode(payload: Payload, build: Build | None = None) -> Any:
    """Read a model back, trusting nothing in the payload.

    Args:
        payload: what `encode` gave, or what somebody put in its place.
        build: what `encode` was given.

    Returns:
        The model, on the device it was trained on where that exists.

    Raises:
        Exception: any kind, where the payload is not what `encode` writes.
    """
    if payload.kind in ("skops", "native"):
        parts = payload.structure.get("parts") or [{"kind": "skops", "size": len(payload.data)}]
        return native.read(payload.data, parts)
    from safetensors.torch import load

    with isolated(0):
        devices = payload.structure["devices"]
        tensors = {name: _placed(tensor, devices[name]) for name, tensor in load(payload.data).items()}
        if "tree" in payload.structure:
            return rebuild(payload.structure["tree"], tensors)
        if build is None:
            raise ValueError("this model was stored by a recipe with a `build`, which is needed to read it")
        return _fill(build(), payload.structure, tensors)


def _encode_module(model: nn.Module, build: Build | None) -> Payload:
    from safetensors.torch import save

    pairs = named_tensors(model)
    try:
        if any(not hasattr(value, "untyped_storage") for value in model.state_dict().values()):
            raise NotStorable(f"{type(model).__name__} keeps more than tensors in its state dict")
        data = save({name: tensor.detach().cpu().clone().contiguous() for name, tensor in pairs})
    except NotStorable:
        raise
    except Exception as error:
        raise NotStorable(f"safetensors cannot write the tensors of {type(model).__name__} ({error})") from error
    structure: dict[str, Any] = {"devices": {name: str(tensor.device) for name, tensor in pairs}}
    filled = {
        **structure,
        "training": {name: part.training for name, part in model.named_modules()},
        "trainable": sorted(name for name, tensor in pairs if tensor.requires_grad),
    }
    if build is not None and _comes_back(model, Payload("safetensors", data, filled), build):
        return Payload("safetensors", data, filled)
    try:
        payload = Payload("safetensors", data, {**structure, "tree": describe(model)})
    except NotDescribable as error:
        raise NotStorable(str(error)) from error
    if not _comes_back(model, payload, None):
        raise NotStorable(f"{type(model).__name__} is not the same when it is read back: use TorchRecipe(build=...)")
    return payload


def _fill(model: nn.Module, structure: dict[str, Any], tensors: dict[str, torch.Tensor]) -> nn.Module:
    """Put stored tensors and flags into a module that is built but not trained."""
    own = dict(named_tensors(model))
    if {name: tensor.shape for name, tensor in own.items()} != {name: tensor.shape for name, tensor in tensors.items()}:
        raise ValueError("the stored tensors do not fit the module that `build` makes")
    for name, tensor in tensors.items():
        own[name].data = tensor
        own[name].requires_grad_(name in structure["trainable"])
    for name, part in model.named_modules():
        part.training = bool(structure["training"][name])
    return model


def _comes_back(model: nn.Module, payload: Payload, build: Build | None) -> bool:
    """Tell whether a payload reads back as the same classes, flags and tensors."""
    try:
        again = decode(payload, build)
        return _looks(again) == _looks(model)
    except Exception:
        return False


def _looks(model: nn.Module) -> list[Any]:
    tensors, first = named_tensors(model), dict[int, str]()
    for name, tensor in tensors:
        first.setdefault(id(tensor), name)
    return [
        # By name, since a class that `build` defines within itself is another one each time.
        [(name, str(type(part)), part.training, _plain(part)) for name, part in model.named_modules()],
        [(name, first[id(tensor)], type(tensor), tensor.requires_grad, str(tensor.dtype)) for name, tensor in tensors],
        [(tuple(tensor.shape), tensor_bytes(tensor)) for _, tensor in tensors],
    ]


def _plain(module: nn.Module) -> dict[str, Any]:
    kinds = (bool, int, float, str, type(None), tuple, list, dict)
    return {name: repr(value) for name, value in vars(module).items() if type(value) in kinds and name[0] != "_"}


def _placed(tensor: torch.Tensor, device: str) -> torch.Tensor:
    import torch

    wanted = torch.device(device)
    missing = wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count()
    return tensor if missing or wanted.type == "cpu" else tensor.to(wanted)
