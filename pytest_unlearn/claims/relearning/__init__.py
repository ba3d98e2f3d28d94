"""Whether the forget set is relearned faster than by a model that never saw it."""
