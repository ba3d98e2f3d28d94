"""What a release is about: labelled examples or documents; its default claims."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_unlearn.core.claim_table import TABLE, Kind


def kind_of(claims: Iterable[str]) -> Kind:
    """Say what a release is about, by the claims of a run.

    It is text where some are about documents, and none about labelled examples: who mixes them answers for both.
    Canaries are planted in either.
    """
    kinds = {TABLE[name].of for name in claims if name in TABLE and TABLE[name].needs != "canaries"}
    return "text" if kinds == {"text"} else "examples"


def required_of(kind: Kind) -> tuple[str, ...]:
    """List what a gate requires where nobody says what it requires."""
    return tuple(name for name, spec in TABLE.items() if spec.required and spec.of == kind)


def required_by_default(claims: Iterable[str]) -> tuple[str, ...]:
    """List what a gate requires by default of a run with these claims."""
    return required_of(kind_of(claims))
