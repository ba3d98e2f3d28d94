"""Ask and train convolutional networks in channels-last.

Processors pool and convolve two to three times as fast in it. The network itself is left as it is: its kernels are
copied, and stand in for it during a question. Where the copies cannot, or answer otherwise (a forward pass that relies
on how tensors lie in memory), it is asked as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pytest_unlearn.training.seeding import keep_freed_memory

MANY, FEW = 256, 128  # examples at a time: of fewer, what passes a small convolutional network stays in the cache
TRIED = 8  # examples that are asked both ways before any answer is taken
CLOSE = 1e-4  # relative to the largest answer; the two ways differ by 1e-7


def asked_channels_last(model: Any) -> Any:
    """Return a function of a batch that answers as the network does.

    Args:
        model: an `nn.Module` on the processor, in eval mode; called without gradients.

    Returns:
        The model itself where it has no two-dimensional convolution, is compiled or exported, or lies elsewhere.
    """
    import torch

    plain = not isinstance(model, (torch.jit.ScriptModule, torch.fx.GraphModule)) and not hasattr(model, "_orig_mod")
    if not plain or not convolves_here(model):
        return model
    keep_freed_memory()
    kernels = {name: weight for name, weight in model.named_parameters() if weight.ndim == 4}
    return _ChannelsLast(model, {name: _reordered(weight.detach()) for name, weight in kernels.items()})


@contextmanager
def trained_channels_last(model: Any, batch: Any) -> Iterator[Callable[[Any], Any]]:
    """Lay a network's kernels channels-last while it is trained.

    Args:
        model: an `nn.Module` of the caller's own, whose kernels are moved in memory, and back again at the end.
        batch: examples that it is asked about both ways, without gradients, before anything is moved.

    Yields:
        What is done to each batch before the network sees it: nothing where it has no two-dimensional convolution on
        the processor, or answers otherwise in channels-last.
    """
    import torch

    asked = asked_channels_last(model)
    with torch.no_grad():
        works = isinstance(asked, _ChannelsLast) and batch.ndim == 4 and asked.agrees(batch[:TRIED])
    kernels = [weight for weight in model.parameters() if weight.ndim == 4] if works else []
    for weight in kernels:
        weight.data = _reordered(weight.data)
    try:
        yield _reordered if works else (lambda one: one)
    finally:
        for weight in kernels:
            weight.data = weight.data.contiguous(memory_format=torch.contiguous_format)


def convolves_here(model: Any) -> bool:
    """Tell whether a module has two-dimensional convolutions, on the processor."""
    import torch

    kernels = [weight for weight in model.parameters() if weight.ndim == 4]
    here = all(weight.device.type == "cpu" for weight in kernels)
    return bool(kernels) and here and any(isinstance(module, torch.nn.Conv2d) for module in model.modules())


def examples_at_once(model: Any, device: str | None = None) -> int:
    """Return how many examples a model is best asked about at a time.

    Args:
        model: of any kind.
        device: where a module runs; its own device by default.
    """
    torch = sys.modules.get("torch")
    module = torch is not None and isinstance(model, torch.nn.Module)
    return FEW if module and device in (None, "cpu") and convolves_here(model) else MANY


class _ChannelsLast:
    def __init__(self, model: Any, kernels: dict[str, Any]) -> None:
        self._model, self._kernels = model, kernels
        self._works: bool | None = None  # known from the first batch on

    def __call__(self, batch: Any) -> Any:
        if self._works is None:
            self._works = self.agrees(batch[:TRIED])
        if self._works:
            try:
                return self._ask(batch)
            except RuntimeError:  # the model's own are raised below
                self._works = False
        return self._model(batch)

    def agrees(self, batch: Any) -> bool:
        """Tell whether both ways give one answer for a few examples."""
        try:
            return _close(self._ask(batch), self._model(batch))
        except Exception:
            return False

    def _ask(self, batch: Any) -> Any:
        import torch

        given = _reordered(batch) if batch.ndim == 4 and batch.is_floating_point() else batch
        return torch.func.functional_call(self._model, self._kernels, (given,))


def _reordered(tensor: Any) -> Any:
    """Copy a tensor, channels last; of a single channel too, whose order in memory is told by its strides alone."""
    import torch

    n, c, h, w = tensor.shape
    made = torch.empty_strided((n, c, h, w), (h * w * c, 1, w * c, c), dtype=tensor.dtype, device=tensor.device)
    return made.copy_(tensor)


def _close(one: Any, other: Any) -> bool:
    """Tell whether two answers of a kind that audits read are the same to single precision."""
    import torch

    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and one.shape == other.shape:
        if not one.is_floating_point():
            return bool(torch.equal(one, other))
        return bool(torch.allclose(one, other, rtol=0.0, atol=CLOSE * float(1 + other.abs().max())))
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        return all(_close(one[name], other[name]) for name in one)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)) and len(one) == len(other):
        return all(_close(*pair) for pair in zip(one, other, strict=True))
    return one is None and other is None
