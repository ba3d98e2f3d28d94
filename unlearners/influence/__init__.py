"""One step along the influence of the forget set, estimated from gradients and curvature at the original weights."""
