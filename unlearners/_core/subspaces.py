"""Span what goes into each layer that multiplies its input by a weight matrix."""

from collections.abc import Iterator
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, unfold

from unlearners._core.isolation import Unsupported
from unlearners._core.layers import inputs_of
from unlearners._core.training import chunks

Layer = nn.Linear | nn.Conv2d


def multiplying(model: nn.Module) -> Iterator[Layer]:
    """Yield the layers that are linear in patches of their input, with a weight that is not frozen."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            continue
        if isinstance(module, nn.Linear | nn.Conv2d) and module.weight.requires_grad:
            yield module


def second_moments(model: nn.Module, x: Tensor, method: str) -> dict[Layer, Tensor]:
    """Sum r r' over what each layer is given, float64, of shape (inputs, inputs).

    The model runs as it is: put it in eval mode before. Layers that are not called, as some of attention, are left out.

    Errors: Unsupported for a network without such a layer.
    """
    found: dict[Layer, Tensor] = {}
    with torch.no_grad(), ExitStack() as hooks:
        seen = {layer: hooks.enter_context(inputs_of(layer)) for layer in multiplying(model)}
        for part, _ in chunks((x, x), 256):
            model(part)
            for layer, given in seen.items():
                for r in given:
                    rows = patches(layer, r).double()
                    found[layer] = found.get(layer, 0.0) + rows.T @ rows
                given.clear()
    if not found:
        raise Unsupported(f"{method} needs linear or convolutional layers whose weights are not frozen.")
    return found


def patches(layer: Layer, x: Tensor) -> Tensor:
    """Cut a layer's input into the rows that its weight, as a matrix, is multiplied with."""
    if isinstance(layer, nn.Linear):
        return x.reshape(-1, x.shape[-1])
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = pad(x, layer._reversed_padding_repeated_twice, mode=mode)
    columns = unfold(padded, layer.kernel_size, layer.dilation, stride=layer.stride)
    return columns.transpose(1, 2).reshape(-1, columns.shape[1])


def principal(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Decompose: squared singular values, the largest first, and their directions in columns."""
    values, directions = torch.linalg.eigh(moments)
    return values.clamp_min(0).flip(0), directions.flip(1)
