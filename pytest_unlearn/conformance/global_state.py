"""The state of the process that a method may disturb: random generators and torch's settings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch


class Setting(NamedTuple):
    """A piece of global state: how to read it, as something comparable, and how to put it back."""

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


def _of_cudnn(name: str) -> Setting:
    return Setting(lambda: getattr(torch.backends.cudnn, name), lambda on: setattr(torch.backends.cudnn, name, on))


RANDOM_STATES = {
    "torch": Setting(_torch_states, _set_torch_states),
    "numpy": Setting(_numpy_state, _set_numpy_state),
    "random": Setting(random.getstate, random.setstate),
}
"""Module -> the state of its global generator."""

SETTINGS = {
    "gradient mode": Setting(torch.is_grad_enabled, torch.set_grad_enabled),
    "default dtype": Setting(torch.get_default_dtype, torch.set_default_dtype),
    "default device": Setting(lambda: str(torch.get_default_device()), _set_default_device),
    "number of threads": Setting(torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": Setting(
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda both: torch.use_deterministic_algorithms(both[0], warn_only=both[1]),
    ),
    "matmul precision": Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "anomaly detection": Setting(torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    **{f"cudnn.{name}": _of_cudnn(name) for name in ("enabled", "benchmark", "deterministic")},
    "numpy's error handling": Setting(np.geterr, lambda modes: np.seterr(**modes)),
}
"""What it is -> torch's setting."""

EVERYTHING = RANDOM_STATES | SETTINGS


def read() -> dict[str, Any]:
    """All of it, now."""
    return {name: setting.read() for name, setting in EVERYTHING.items()}


def seed(number: int) -> None:
    """Put the global generators into a known state."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002
    torch.default_generator.manual_seed(number)  # `torch.manual_seed` would queue a seed for a CUDA that starts later
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(number)


@contextmanager
def restored() -> Iterator[None]:
    """Whatever the block does, the process is given back as it was found."""
    before = read()
    try:
        yield
    finally:
        for name, setting in EVERYTHING.items():
            if setting.read() != before[name]:
                setting.write(before[name])
