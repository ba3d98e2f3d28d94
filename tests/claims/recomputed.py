"""An audit whose evidence is computed again from the scores that it stored, each time it is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps

from pytest_unlearn.claims.recompute import differences, recompute
from pytest_unlearn.core.evidence import Evidence


def recomputed(audit: Callable[..., Evidence]) -> Callable[..., Evidence]:
    """The audit; whatever it finds, `verify` has to find again without a model."""

    @wraps(audit)
    def checked(*args: object, **kwargs: object) -> Evidence:
        found = audit(*args, **kwargs)
        written = json.loads(json.dumps(found.to_json()))
        again = recompute(written["scores"], written["scores"]["arrays"])
        assert again["settings"]
        assert list(differences(written, again)) == []
        return found

    return checked
