"""Lower bounds on epsilon, and the NeurIPS-2023 forgetting quality."""
