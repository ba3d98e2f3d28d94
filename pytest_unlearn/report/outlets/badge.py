"""Write a badge, as the JSON that shields.io's endpoint badge reads.

Source: https://shields.io/badges/endpoint-badge. A badge outlives the model that it was made for, so that it names it
and the day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.report.decision import decision_of
from pytest_unlearn.report.outlets.standing import models

FILE = "badge.json"
LABEL = "unlearning audit"
COLOURS = {"RELEASE": "brightgreen", "DO NOT RELEASE": "red", "NOT DECIDED": "lightgrey"}
SHOWN = 12  # of a digest's digits


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the file."""
    decision, digests = decision_of(about.get("gate")), models(ledger["entries"])
    named = f", model {digests[0][:SHOWN]}" if len(digests) == 1 else ""
    badge = {
        "schemaVersion": 1,
        "label": LABEL,
        "message": f"{decision.lower()}{named}, {about['created'][:10]}",
        "color": COLOURS[decision],
        "isError": decision == "DO NOT RELEASE",
    }
    return json.dumps(badge, indent=1) + "\n"
