"""Types of an audit: evidence, claims, settings, recorder; numpy at most."""
