"""How a request is looked at: with whose seeds, how many references, which half of the controls, and whose model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Whose = Literal["fresh", "searched", "retrained"]


@dataclass(frozen=True)
class Stage:
    """A look at a request.

    `whose` model is looked at: a fresh one of the method's, the one that it left in the search, or a retrained one.
    """

    first_seed: int
    references: int
    half: int
    whose: Whose = "fresh"


SEARCH = Stage(first_seed=0, references=2, half=0)
CONFIRMATION = Stage(first_seed=70_000, references=4, half=1)  # seeds far from all others, and from what people audit
SAME_MODEL = replace(CONFIRMATION, whose="searched")
HONEST = replace(SEARCH, whose="retrained")
HONEST_AGAIN = replace(CONFIRMATION, whose="retrained")
REPLICATE = replace(SEARCH, first_seed=80_000)
