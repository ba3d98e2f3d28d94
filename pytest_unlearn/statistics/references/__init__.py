"""Compare one model with reference models."""
