"""What the methods share: isolation, training, the layers of a network, curvature."""
