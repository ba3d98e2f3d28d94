"""Share what methods need: isolation, training, layers, curvature."""
