"""Name the environment variables that processes of the product hand to each other."""

CACHE_KEY = "UNLEARN_CACHE_KEY"
"""A secret that seals trained models in the cache, so that whoever can write the cache can exchange none of them."""

RUN_KEY = "UNLEARN_RUN_KEY"
"""Seals what a run made; made afresh when pytest starts, for its workers."""

GATE_NONCE = "UNLEARN_GATE_NONCE"
"""Handed by `gate` to the run that it starts, which puts it into its report."""

GATE_RECEIPT = "UNLEARN_GATE_RECEIPT"
"""Where that run says, at its very end, where its report lies."""
