"""Whether the forget set is still recognisable in a model's outputs."""
