"""Check that a request is for whole classes."""

from unlearners._core.isolation import Examples, Unsupported


def labels(dataset: Examples) -> list[int]:
    """List the label of each example; inputs are not looked at."""
    return [int(dataset[i][1]) for i in range(len(dataset))]


def whole_classes(retain: list[int], forget: list[int], method: str) -> list[int]:
    """List the classes to forget; refuse if the retain set has examples of them."""
    shared = sorted({*retain} & {*forget})
    if shared:
        raise Unsupported(
            f"{method} removes whole classes, and the retain set has examples of the same classes as the forget set "
            f"({', '.join(map(str, shared))}); a method of the approximate or influence family forgets single examples."
        )
    return sorted({*forget})
