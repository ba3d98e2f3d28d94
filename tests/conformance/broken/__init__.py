"""Ways of getting one promise wrong, a module for each module of checks."""

from tests.conformance.broken import isolation, repeatability, requests, result
from tests.conformance.broken.careful import BROKEN, Careful, Then, labels

__all__ = ["BROKEN", "Careful", "Then", "isolation", "labels", "repeatability", "requests", "result"]
