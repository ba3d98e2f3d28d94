"""Judge a method over many runs and simulated requests instead of one model."""
