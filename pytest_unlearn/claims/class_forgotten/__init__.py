"""Whether a removed class is treated as by a model that never knew it."""
