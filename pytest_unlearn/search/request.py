"""Deletion requests that print in one line and can be replayed exactly."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Space = Literal["input", "features"]
SEQUENCE = "sequence"
COMPOSED = (SEQUENCE, "union")


@dataclass(frozen=True, repr=False)
class ForgetRequest:
    """The examples to be deleted, by a family, their number and a draw.

    Args:
        family: a name in `FAMILIES`, or "sequence" (parts one after the other) or "union" (parts together).
        size: how many examples, from 1. A whole class or a group has the size it has; what is not there is left out.
        seed: which of the family's requests of that size, from 0, the plainest.
        label: the class of a class request: the label at this position among the classes, counted around.
        space: where neighbours are looked for: in the inputs, or in the original model's features.
        parts: the requests that a composed one is made of.

    Raises:
        ValueError: a size below 1, parts where there are none to be, or too few, or what is no number or space.
    """

    family: str
    size: int = 1
    seed: int = 0
    label: int = 0
    space: Space = "input"
    parts: tuple[ForgetRequest, ...] = ()

    def __post_init__(self) -> None:
        for name in ("size", "seed", "label"):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise ValueError(f"a request's {name} is a whole number, not {value!r}.")
            object.__setattr__(self, name, int(value))
        if self.space not in get_args(Space):
            raise ValueError(f"a request's space is one of {', '.join(get_args(Space))}, not {self.space!r}.")
        object.__setattr__(self, "parts", tuple(self.parts))
        if not isinstance(self.family, str) or not all(isinstance(part, ForgetRequest) for part in self.parts):
            raise ValueError("a request has the name of a family, and parts that are ForgetRequests.")
        if self.size < 1 or self.seed < 0 or self.label < 0:
            raise ValueError(f"a request needs a size from 1, and a seed and a label from 0: {self!r}.")
        if (len(self.parts) > 1) != (self.family in COMPOSED):
            raise ValueError(f"{' and '.join(COMPOSED)} take two or more parts, other families none: {self!r}.")
        if any(part.parts for part in self.parts):
            raise ValueError(f"the parts of a request have no parts themselves: {self!r}.")

    def __repr__(self) -> str:
        given = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)[1:]
            if getattr(self, field.name) != field.default
        ]
        return f"ForgetRequest({', '.join([repr(self.family), *given])})"


def as_request(given: Any) -> ForgetRequest:
    """Check that something is a request.

    Raises:
        TypeError: something else.
    """
    if not isinstance(given, ForgetRequest):
        raise TypeError(f"a request is a ForgetRequest, such as ForgetRequest('random', size=20), not {given!r}.")
    return given
