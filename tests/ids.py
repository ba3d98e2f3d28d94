"""Names of parameters that every process gives alike: xdist compares them."""

import re


def spelled(value: object) -> str:
    """Write a value without the address that it has in this process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
