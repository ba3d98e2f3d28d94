"""Erase, then repair: prize solutions of the NeurIPS-2023 challenge."""
