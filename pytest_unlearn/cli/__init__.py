"""Run `python -m pytest_unlearn`: plan, check, compare and cache, one a file."""
