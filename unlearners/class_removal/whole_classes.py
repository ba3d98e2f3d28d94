"""What methods that remove classes ask of a request."""

from unlearners._core.isolation import Examples, Unsupported


def labels(dataset: Examples) -> list[int]:
    """The label of each example; inputs are not looked at."""
    return [int(dataset[i][1]) for i in range(len(dataset))]


def whole_classes(retain: list[int], forget: list[int], method: str) -> list[int]:
    """The classes to forget, ascending; a request that leaves examples of them in the retain set is refused."""
    shared = sorted({*retain} & {*forget})
    if shared:
        raise Unsupported(
            f"{method} removes whole classes, and the retain set has examples of the same classes as the forget set "
            f"({', '.join(map(str, shared))}); a method of the approximate or influence family forgets single examples."
        )
    return sorted({*forget})
