"""Train on, in the hope that the forget set fades: no guarantee."""
