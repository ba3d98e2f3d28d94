"""Name the environment variables that processes of the product hand to each other."""

CACHE_KEY = "UNLEARN_CACHE_KEY"
"""Seals what the cache holds beyond a run; given by who runs the audit."""

RUN_KEY = "UNLEARN_RUN_KEY"
"""Seals what a run made; made afresh when pytest starts, for its workers."""

GATE_NONCE = "UNLEARN_GATE_NONCE"
"""Handed by `gate` to the run that it starts, which puts it into its report."""

GATE_RECEIPT = "UNLEARN_GATE_RECEIPT"
"""Where that run says, at its very end, where its report lies."""
