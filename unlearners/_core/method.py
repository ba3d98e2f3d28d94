"""Keep the rules of every method on a network, in one place."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unlearners._core.isolation import Examples, require_retain, working_copy
from unlearners._core.training import seeded


@dataclass(frozen=True, kw_only=True)
class NetworkMethod:
    """Change a copy of an `nn.Module`; a subclass implements `change`.

    An empty forget set gives an unchanged copy, an empty retain set (everything is to be forgotten) is an error, the
    randomness is the seed's, and the copy is handed over with the train/eval flags of the input.
    """

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        name = type(self).__name__
        require_retain(retain, name)
        with working_copy(model, seed, name) as copy:
            if len(forget):
                self.change(copy, retain, forget, seeded(seed))
            return copy

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: torch.Generator) -> None:
        """Unlearn in place, from train mode and a forget set that is not empty."""
        raise NotImplementedError
