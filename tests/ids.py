"""Names of parameters that every process gives alike: xdist compares them."""

import re


def spelled(value: object) -> str:
    """Write a value without addresses and tensors, which are this process's own."""
    return re.sub(r" at 0x[0-9a-f]+|tensor\(.*\)", "", str(value), flags=re.DOTALL)
