"""The claim that unlearned models are like retrained ones (NeurIPS 2023)."""
