"""Depends on something else than its seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.conformance.broken.careful import BROKEN, Careful

BROKEN["takes_its_seed_from_the_process"] = (Careful(seeded=False), {"same-seed-same-weights"})
BROKEN["needs_gradients_on"] = (Careful(enable_grad=False), {"works-under-no-grad"})
BROKEN["uses_the_first_half"] = (Careful(shuffle=False, share=0.5, lr=0.5), {"order-of-retain-set-is-noise"})
BROKEN["does_not_shuffle"] = (Careful(shuffle=False, lr=0.2, batch_size=8), {"order-of-retain-set-is-noise"})


@dataclass(frozen=True)
class WithSchedule:
    """Keeps a lambda."""

    schedule: Any

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        return Careful(lr=self.schedule(0))(model, retain, forget, seed=seed)


class Forgetful:
    """Loses its learning rate when it is pickled."""

    lr = 0.05

    def __init__(self) -> None:
        self.lr = 0.5

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        return Careful(lr=self.lr)(model, retain, forget, seed=seed)


BROKEN["cannot_be_pickled"] = (WithSchedule(lambda step: 0.05), {"survives-pickling"})
BROKEN["loses_settings_in_a_pickle"] = (Forgetful(), {"survives-pickling"})
