"""Documents of a language model: reading, splitting and encoding them."""
