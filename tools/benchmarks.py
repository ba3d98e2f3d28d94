"""Write docs/benchmarks.md from a run of tests/benchmarks: `python -m tools.benchmarks results.json`.

Each row is what a benchmark noted of itself, and whether it passed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "joblib", "pytest")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
INTRODUCTION = """\
# Benchmarks

Made by `make benchmark` from `tests/benchmarks`. Each row is work and a baseline that take turns in one process, and
the ratio of their medians over five rounds, or as many as the test says. Where a column says "test", the test in
`tests/benchmarks` says it. What is missing was not measured on this machine:

{machine}.

| work | baseline | clock | measured | target | met |
|---|---|---|---|---|---|
"""


def page(results: Mapping[str, Any]) -> str:
    """Render what pytest-benchmark saved."""
    rows = [_row(one) for one in results["benchmarks"]]
    return INTRODUCTION.format(machine=machine(results["machine_info"])) + "".join(
        f"| {' | '.join(row)} |\n" for row in rows
    )


def machine(info: Mapping[str, Any]) -> str:
    """Describe where it ran: cores, what the processor can do, versions."""
    cpu = info.get("cpu", {})
    flags = [flag for flag in FLAGS if flag in cpu.get("flags", ())]
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{cpu.get('count', '?')} cores ({cpu.get('brand_raw', info.get('processor') or 'unknown')}; "
        f"{', '.join(flags) or 'no vector extensions noted'}), Python {info['python_version']}, {versions}; "
        f"{os.getloadavg()[1]:.1f} processes at work at the time"
    )


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    noted = dict(one["extra_info"])
    met = "yes" if noted.pop("met") else "**no**"
    if "work" in noted:
        return (*(str(noted[key]) for key in ("work", "baseline", "clock", "measured", "target")), met)
    name = one["name"].partition("[")[0].removeprefix("test_").replace("_", " ")
    parameter = f" ({one['param']})" if one.get("param") else ""
    measured = "; ".join(f"{value:.3g} {what}" for what, value in noted.items())
    return f"{name}{parameter}", "test", "test", measured, "test", met


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(Path(sys.argv[1]).read_text())))
