"""Whether unlearned models are distributed like retrained ones (NeurIPS-2023 forgetting quality)."""
