"""Adversarial deletion requests: described, drawn, tried, made small and confirmed. The package is the decorator, too.

`from pytest_unlearn import stress` gives this package once any of its modules is loaded, so that it can be called.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See `pytest_unlearn.stress.as_tests.stress`."""
        from pytest_unlearn.stress.as_tests import stress

        return stress(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
