"""Models of any kind, asked for their outputs, hidden layers and gradients."""
