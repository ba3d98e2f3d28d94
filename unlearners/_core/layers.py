"""Find the layers of any network, and make them new."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from unlearners._core.isolation import Unsupported

NORMALISATION = (_NormBase, nn.GroupNorm, nn.LayerNorm)


def layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """List the modules that own parameters, by name, in order of registration."""
    return [(name, module) for name, module in model.named_modules() if list(module.parameters(recurse=False))]


def probe(model: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of one example in eval mode, without a trace."""
    # A throw-away copy: the probe must not leave a mark in the model's buffers or modes.
    with torch.no_grad():
        logits: Tensor = deepcopy(model).eval()(x[:1])
    return logits


def count_classes(model: nn.Module, x: Tensor) -> int:
    """Count the logits; 1 for a binary model."""
    logits = probe(model, x)
    return 1 if logits.ndim <= 1 else logits.shape[-1]


def require_classes(model: nn.Module, x: Tensor, method: str) -> int:
    """Count the logits, and refuse a model with a single one."""
    classes = count_classes(model, x)
    if classes < 2:
        raise Unsupported(f"{method} needs one logit a class; this model has a single logit.")
    return classes


def require_continuous(x: Tensor, method: str) -> None:
    """Refuse inputs that cannot be moved a little, such as token numbers."""
    if not x.is_floating_point():
        raise Unsupported(f"{method} moves inputs by small steps and needs floating-point x, not {x.dtype}.")


def last_linear(model: nn.Module, x: Tensor, method: str) -> tuple[str, nn.Linear]:
    """Find name and module of the `nn.Linear` that gives the logits."""
    copy = deepcopy(model).eval()
    outputs: dict[str, Tensor] = {}
    for name, module in copy.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda _m, _i, output, name=name: outputs.__setitem__(name, output))
    with torch.no_grad():
        logits = copy(x[:16])
    for name in reversed(outputs):
        if outputs[name].shape == logits.shape and torch.equal(outputs[name], logits):
            found = model.get_submodule(name)
            assert isinstance(found, nn.Linear)
            return name, found
    raise Unsupported(f"{method} needs a network that ends in an nn.Linear giving the logits.")


def require_untied(model: nn.Module, layer: nn.Module, method: str) -> None:
    """Refuse a layer that shares a parameter with another."""
    own = {id(p) for p in layer.parameters()}
    others = [m for m in model.modules() if m is not layer]
    if any(id(p) in own for m in others for p in m._parameters.values() if p is not None):
        raise Unsupported(f"{method} changes the last layer alone, and here another layer shares its weights.")


@contextmanager
def inputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what goes into a module at each forward pass, with gradients."""
    seen: list[Tensor] = []

    def note(_: nn.Module, args: tuple[Any, ...]) -> None:
        seen.append(args[0])

    hook = module.register_forward_pre_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


def reset(module: nn.Module, method: str) -> None:
    """Draw a layer's weights anew as its constructor does; frozen ones stay."""
    draw = getattr(module, "reset_parameters", None)
    if not callable(draw):
        raise Unsupported(f"{method} cannot re-initialise {type(module).__name__}: it has no reset_parameters().")
    frozen = [(p, p.detach().clone()) for p in module.parameters(recurse=False) if not p.requires_grad]
    if len(frozen) == len(list(module.parameters(recurse=False))):
        return
    draw()
    with torch.no_grad():
        for parameter, kept in frozen:
            parameter.copy_(kept)


def weight_layers(model: nn.Module) -> list[list[nn.Module]]:
    """Group layers with weights, input first, with the norms that follow them."""
    groups: list[list[nn.Module]] = []
    for _, module in layers(model):
        if isinstance(module, NORMALISATION) and groups:
            groups[-1].append(module)
        else:
            groups.append([module])
    return groups


def keep_still(groups: list[list[nn.Module]]) -> None:
    """Put normalisation in eval mode, so that its running statistics stay."""
    for group in groups:
        for module in group:
            if isinstance(module, NORMALISATION):
                module.eval()
