"""Run a training seeded and on one thread, and leave the process as it was found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed every global generator for a block, on one thread, and restore them.

    Restored: the generators of `random`, numpy and torch, grad and inference mode, the default dtype, and the number
    of threads. One thread, because small models train faster on one than on several that share cores, and because
    the result then does not depend on how many there are.

    Args:
        seed: any integer.
    """
    import numpy as np
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one is what we guard
    torch_state = torch.random.get_rng_state()
    # Asking an uninitialised CUDA for its state would initialise it, in every process that only wants the CPU.
    started: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda_states = torch.cuda.get_rng_state_all() if started else None
    default_dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(limits=1))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        try:
            torch.set_num_threads(1)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            torch.default_generator.manual_seed(seed % 2**63)
            if torch.cuda.is_available():
                torch.cuda.manual_seed_all(seed % 2**63)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
            torch.random.set_rng_state(torch_state)
            if cuda_states is not None:
                torch.cuda.set_rng_state_all(cuda_states)
            torch.set_default_dtype(default_dtype)
            torch.set_num_threads(threads)
