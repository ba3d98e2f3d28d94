"""What was run, kept in the repository: a row for each draw and method, with its settings and the method's code."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import math
import os
from pathlib import Path
from typing import Any

from unlearners import UNLEARNERS

ROWS = Path(__file__).parent / "rows.json"


def kept(path: Path = ROWS) -> dict[str, dict[str, Any]]:
    """Rows by "draw method"; several runs may write them."""
    found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    return found


def keep(row: dict[str, Any], path: Path = ROWS) -> None:
    """Add a row, or put it in the place of an older one; a line each, all of them or none."""
    rows = kept(path) | {f"{row['draw']} {row['method']}": row}
    lines = (f"{json.dumps(name)}: {json.dumps(_finite(rows[name]), allow_nan=False)}" for name in sorted(rows))
    new = path.with_suffix(".new")
    new.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    os.replace(new, path)


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Write null for what is not a number: strict readers of JSON refuse NaN."""
    return {name: None if isinstance(one, float) and not math.isfinite(one) else one for name, one in row.items()}


def stands(row: dict[str, Any] | None, settings: dict[str, Any]) -> bool:
    """Tell whether a row is of these settings, and of the method as it is now."""
    return row is not None and row["settings"] == settings and row["code"] == code_of(row["method"])


def code_of(method: str) -> str:
    """Digest the modules of a method's class and of its bases, without comments and docstrings."""
    digest = hashlib.sha256()
    for kind in UNLEARNERS[method].__mro__:  # type: ignore[attr-defined]
        if kind.__module__.startswith("unlearners."):
            digest.update(ast.dump(_undocumented(inspect.getsource(inspect.getmodule(kind)))).encode())  # type: ignore[arg-type]
    return digest.hexdigest()[:16]


def _undocumented(source: str) -> ast.Module:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            del body[0]
    return tree
