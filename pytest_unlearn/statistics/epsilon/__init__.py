"""Bound epsilon from below, and compute the NeurIPS-2023 forgetting quality."""
