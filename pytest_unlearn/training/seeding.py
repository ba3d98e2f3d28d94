"""Run a training seeded and on one thread, and leave the process as it was found."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ALONE = threading.RLock()  # the generators are the process's: two threads cannot train at once


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed every global generator for a block, on one thread, and restore them.

    Restored: the generators of `random`, numpy and torch, grad and inference mode, the default dtype, and the number
    of threads. One thread, because small models train faster on one than on several that share cores, and because
    the result then does not depend on how many there are. Threads that train wait for each other.

    Args:
        seed: any integer.
    """
    import numpy as np
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    from pytest_unlearn.training.global_state import RANDOM_STATES, restored

    keep_freed_memory()
    with _ALONE:
        threads, state = torch.get_num_threads(), restored([*RANDOM_STATES, "default dtype"])
        with threadpool_limits(limits=1), torch.inference_mode(False), torch.enable_grad(), state:
            try:
                torch.set_num_threads(1)
                random.seed(seed)
                np.random.seed(seed % 2**32)  # noqa: NPY002
                torch.default_generator.manual_seed(seed % 2**63)
                if torch.cuda.is_available():
                    torch.cuda.manual_seed_all(seed % 2**63)
                yield
            finally:
                torch.set_num_threads(threads)


@functools.cache
def keep_freed_memory() -> None:
    """Have the allocator keep what a step or a batch frees for the next one.

    glibc gives blocks of megabytes back to the system, which clears them anew in each step: a third of a small
    convolutional network's time. Having freed one block of 31 MB, it keeps any that are smaller.
    """
    import numpy as np

    np.empty(31 << 20, np.uint8)
