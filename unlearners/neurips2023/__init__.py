"""Prize solutions of the NeurIPS-2023 unlearning challenge: erase, then repair on the retain set."""
