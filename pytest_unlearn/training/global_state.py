"""Read and restore what a method may disturb: generators and torch's settings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch


class StateAccessor(NamedTuple):
    """Read a piece of global state, as something comparable, and put it back."""

    read: Callable[[], Any]
    write: Callable[[Any], object]


def _numpy_state() -> tuple[Any, ...]:
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - the legacy global state is what is guarded
    return (kind, np.asarray(keys).tobytes(), *rest)


def _set_numpy_state(state: tuple[Any, ...]) -> None:
    kind, keys, *rest = state
    np.random.set_state((kind, np.frombuffer(keys, np.uint32), *rest))  # noqa: NPY002


def _torch_states() -> tuple[bytes, ...]:
    # Asking an idle CUDA for its state would start it.
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    states = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if started else [])]
    return tuple(state.numpy().tobytes() for state in states)


def _set_torch_states(states: tuple[bytes, ...]) -> None:
    tensors = [torch.frombuffer(bytearray(state), dtype=torch.uint8) for state in states]
    torch.set_rng_state(tensors[0])
    if len(tensors) > 1:
        torch.cuda.set_rng_state_all(tensors[1:])


def _set_default_device(name: str) -> None:
    torch.set_default_device(None if name == "cpu" else name)  # type: ignore[no-untyped-call, unused-ignore]


def _of_cudnn(name: str) -> StateAccessor:
    cudnn = torch.backends.cudnn
    return StateAccessor(lambda: getattr(cudnn, name), lambda on: setattr(cudnn, name, on))


RANDOM_STATES = {
    "torch": StateAccessor(_torch_states, _set_torch_states),
    "numpy": StateAccessor(_numpy_state, _set_numpy_state),
    "random": StateAccessor(random.getstate, random.setstate),
}
"""Module -> the state of its global generator."""

SETTINGS = {
    "gradient mode": StateAccessor(torch.is_grad_enabled, torch.set_grad_enabled),
    "default dtype": StateAccessor(torch.get_default_dtype, torch.set_default_dtype),
    "default device": StateAccessor(lambda: str(torch.get_default_device()), _set_default_device),
    "number of threads": StateAccessor(torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": StateAccessor(
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda both: torch.use_deterministic_algorithms(both[0], warn_only=both[1]),
    ),
    "matmul precision": StateAccessor(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "anomaly detection": StateAccessor(torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    **{f"cudnn.{name}": _of_cudnn(name) for name in ("enabled", "benchmark", "deterministic")},
    "numpy's error handling": StateAccessor(np.geterr, lambda modes: np.seterr(**modes)),
}
"""What it is -> torch's accessor."""

EVERYTHING = RANDOM_STATES | SETTINGS


def read() -> dict[str, Any]:
    """Read all of it, now."""
    return {name: accessor.read() for name, accessor in EVERYTHING.items()}


def seed(number: int) -> None:
    """Seed the global generators."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002
    torch.default_generator.manual_seed(number)  # `torch.manual_seed` would queue a seed for a CUDA that starts later
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(number)


@contextmanager
def restored(names: Iterable[str] = tuple(EVERYTHING)) -> Iterator[None]:
    """Give the named state back as it was found, whatever the block does."""
    before = {name: EVERYTHING[name].read() for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if EVERYTHING[name].read() != value:
                EVERYTHING[name].write(value)
