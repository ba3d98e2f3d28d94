"""The claim that the forget set is not recognisable in a model's outputs."""
