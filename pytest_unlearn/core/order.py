"""The order of verdicts and of policies, for runs without audits as well."""

from __future__ import annotations

SEVERITY = {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2, "INVALID": 3}
"""The one order of verdicts: the higher, the sooner somebody has to look."""

POLICY_NAMES = ("quick", "standard", "thorough")
"""The built-in release policies; each asks all that the one before asks."""
