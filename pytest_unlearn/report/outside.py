"""Write a report of evidence outside pytest: of a notebook, a script, of files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.identity import declared, identity
from pytest_unlearn.core.release_files import ReleaseFiles, hash_files
from pytest_unlearn.core.text import printable
from pytest_unlearn.report import environment, gate, write
from pytest_unlearn.report.ledger import Ledger

if TYPE_CHECKING:
    from pytest_unlearn.core.evidence import Evidence

Judged = tuple[str, "Evidence", float]
"""What a claim is listed as, its evidence, and how many seconds it took."""


@dataclass(frozen=True)
class Published:
    """What a report is made of, the gate's decision if one was asked, and its files."""

    ledger: Mapping[str, Any]
    about: Mapping[str, Any]
    decision: gate.GateDecision | None
    written: write.Written
    notes: tuple[str, ...] = ()


def write_report(
    evidences: Iterable[Evidence] | Mapping[str, Evidence],
    folder: str | Path = ".unlearn/report",
    *,
    require: Sequence[str] = (),
    files: Iterable[Any] = (),
) -> Path:
    """Write the report of some evidence outside pytest, as a test run would.

    Args:
        evidences: what `audit_...` functions returned: a list, or a mapping by name such as `audit_release` returns.
            A claim counts as a test that passed if it is proven, and else as one that failed.
        folder: where `index.html`, `report.json`, `report.md` and `scores.json` are written, relative to the working
            directory; an earlier report there is replaced.
        require: claims that must be proven, such as `["forgotten", "utility"]`: the report then has a gate's decision.
        files: paths of the files that are released, recorded with their SHA-256 and attested.

    Returns:
        The path of `index.html`.

    Raises:
        TypeError: something that is no evidence.
        ValueError: no evidence at all, a required claim that there is none of, or a release file that is missing,
            empty or of a name that another has.
        OSError: the report cannot be written.
    """
    unknown = [name for name in require if name not in TABLE]
    if isinstance(require, str) or unknown:
        raise ValueError(f"require= is a list of claims, such as {list(gate.DEFAULT_REQUIRED)}, not {require!r}.")
    place = _place()
    judged = [(f"{place}::{name}", one, 0.0) for name, one in _named(evidences)]
    if not judged:
        raise ValueError("write_report needs at least one evidence: pass what an audit_... function returned.")
    released = hash_files(files, Path.cwd())
    done = report(judged, Path(folder), [place], Path.cwd(), require=require or None, released=released)
    if done.written.problem:
        raise OSError(done.written.problem)
    return Path(folder) / "index.html"


def report(
    judged: Sequence[Judged],
    folder: Path,
    command: Sequence[str],
    root: Path,
    *,
    require: Sequence[str] | None = None,
    released: ReleaseFiles | None = None,
    notes: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> Published:
    """Decide the gate, if claims are required, and write the report's files.

    Args:
        judged: claims in any order, each under a name of its own.
        folder: of the report.
        command: what was called, with its arguments.
        root: what paths in the report are relative to.
        require: claims that must be proven; None asks for no gate.
        released: what is released, hashed; nothing by default.
        notes: what the gate says besides, and that blocks nothing.
        facts: whose run this is, by the names of `core/identity.py`, where variables and the CI do not say.
    """
    released, book = released or ReleaseFiles(), Ledger()
    book.plan([name for name, _, _ in judged])
    for name, one, seconds in judged:
        book.add(name, "passed" if one.proven else "failed", [one.to_json()], seconds)
    ledger = book.freeze()
    ledger["release_file_problems"] = list(released.problems)
    about = environment.facts([], root)
    about["command"] = [environment.relative(part, root) for part in command]
    about |= {"identity": identity({"ini": facts or {}}), "declared": declared({"ini": facts or {}})}
    about |= {"release_files": released.rows(), "release_file_problems": list(released.problems)}
    decision, told = None, list(notes)
    if require is not None:
        decision = gate.decide(ledger, require)
        told = [*decision.notes, *notes]
        about["gate"] = {
            "release": decision.release,
            "reasons": list(decision.reasons),
            "required": list(require),
            "notes": told,
        }
    return Published(ledger, about, decision, write.write(ledger, about, folder, root), tuple(told))


def _place() -> str:
    """Name what calls: a notebook, or the script's file."""
    if "ipykernel" in sys.modules:
        return "notebook"
    return printable(Path(sys.argv[0]).name) if sys.argv and sys.argv[0].endswith(".py") else "script"


def _named(evidences: Iterable[Evidence] | Mapping[str, Evidence]) -> Iterator[tuple[str, Evidence]]:
    """Yield each evidence under a name of its own."""
    if not isinstance(evidences, Iterable):
        raise TypeError(f"write_report takes a list of evidence, not {type(evidences).__name__}: write [evidence].")
    pairs: Iterable[tuple[str | None, Any]] = (
        evidences.items() if isinstance(evidences, Mapping) else ((None, one) for one in evidences)
    )
    seen: Counter[str] = Counter()
    for given, one in pairs:
        if not (hasattr(one, "claim") and hasattr(one, "verdict")):
            raise TypeError(f"write_report takes evidence, which audit_... functions return, not {type(one).__name__}.")
        name = str(given or one.claim.name)
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name}[{seen[name]}]"), one
