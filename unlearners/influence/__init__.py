"""Step once along the influence of the forget set, by gradients and curvature."""
