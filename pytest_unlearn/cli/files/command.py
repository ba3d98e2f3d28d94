"""Judge a release by files of outputs: audit, gate and report, as in a test run."""

from __future__ import annotations

import argparse
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_unlearn.cli.console import BLOCKED, FINE, Unusable, plural, say
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.recorder import Recorder, defining, recording
from pytest_unlearn.core.release_files import ReleaseFiles, find_files, sha256
from pytest_unlearn.core.wording import explain
from pytest_unlearn.report import outside, terminal, write
from pytest_unlearn.report.attestation import NOTHING_TO_ATTEST

if TYPE_CHECKING:
    from pytest_unlearn.cli.files import config
    from pytest_unlearn.cli.files.inputs import FilesInputs
    from pytest_unlearn.core.evidence import Evidence

ONE_REFERENCE = (
    "one retrained model leaves nothing to judge it by, so that no claim of forgetting is proven: retrain once more "
    "without the rows to be forgotten, under another seed, and name its outputs under retrained as well; or say "
    "require_controls = false, which the report will state"
)

CALL = re.compile(r"assert_(\w+)\([^()]*?\b(\w+)=([\d.]*\d)\)")
NAMED = re.compile(r"assert_(\w+) with (\w+=[\d.]*\d)")
FOR_THE_GATE = "; for the gate:"
NOT_ATTESTED = "no attestation.json: release_files names no released file"


def add(commands: Any) -> None:
    """Add `files` to the command line."""
    command = commands.add_parser(
        "files",
        help="judge a release by nothing but files of outputs, named in a TOML file",
        description="Read the outputs (.npz, .npy, .csv, .parquet) of a released, an original and retrained models on "
        "the rows to be forgotten and on held-out rows; judge them, decide the gate, and write the report.",
        epilog="Exit status: 0 released; 1 blocked; 2 the files cannot be judged.",
        allow_abbrev=False,
    )
    command.add_argument(
        "audit", type=Path, metavar="audit.toml", help="which files hold whose outputs, and the limits"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Audit, decide, write, and say what came of it."""
    from pytest_unlearn.cli.files import config  # it brings numpy

    audit = config.read(options.audit)
    write.set_aside(audit.report)
    from pytest_unlearn.cli.files.inputs import load  # after what takes no time, and can be wrong

    try:
        inputs = load(audit)
        judged = list(_judge(audit, inputs))
    except ValueError as error:
        raise Unusable(f"{audit.file.name}: {error}") from None
    forgetting = any(TABLE[name].view == "forget" for name in audit.claims)
    alone = forgetting and len(audit.retrained) == 1 and audit.require_controls
    done = outside.report(
        judged,
        audit.report,
        ["python", "-m", "pytest_unlearn", "files", audit.file.name],
        audit.root,
        require=audit.require,
        released=_released(audit),
        facts=audit.facts,
        notes=[ONE_REFERENCE] if alone else [],
    )
    _say(done, judged, audit.file.name)
    assert done.decision is not None
    return FINE if done.decision.release and not done.written.problem else BLOCKED


def in_toml(advice: Sequence[str]) -> list[str]:
    """Return advice with lines of an audit.toml in place of calls in a test.

    What no TOML can ask is left out.
    """
    from pytest_unlearn.cli.files import config

    steps: list[tuple[str, bool]] = []  # what to do, and whether it is one of several choices
    for step in advice:
        call, plain = CALL.search(step), step.removeprefix("or ")
        if call is None:
            steps.append((NAMED.sub(lambda found: _asking(found[1], found[2]), plain), plain != step))
        elif config.LIMITS.get(call[2]) == call[1]:
            why = step[call.end() :].partition(FOR_THE_GATE)[0]
            steps.append((f"{_asking(call[1], f'{call[2]}={call[3]}')}{why}", True))
    choices = [step for step, choice in steps if choice]
    if len(choices) < 2:
        return [step for step, _ in steps]
    return [f"{'either' if step is choices[0] else 'or'} {step}" if choice else step for step, choice in steps]


def _asking(claim: str, limit: str) -> str:
    """Write the lines that ask for a claim in place of the default one."""
    from pytest_unlearn.cli.files import config

    asked = {claim, *(name for name in config.DEFAULT if TABLE[name].view != TABLE[claim].view)}
    names = ", ".join(f'"{name}"' for name in config.CLAIMS if name in asked)
    return f"require = [{names}] and, in [limits], {limit.replace('=', ' = ')}"


def _released(audit: config.FilesAudit) -> ReleaseFiles:
    found = find_files(audit.release_files, audit.root)
    return replace(found, problems=tuple(one.removeprefix("unlearn_") for one in found.problems))


def _judge(audit: config.FilesAudit, inputs: FilesInputs) -> Iterator[outside.Judged]:
    """Yield each claim's evidence, as a test of its name would record it."""
    read = {"audit file": {"name": audit.file.name, "sha256": sha256(audit.file)}, "output files": list(inputs.files)}
    for claim in audit.claims:
        name = f"{audit.file.name}::{claim}"
        with recording(Recorder(name, {"ini": dict(audit.rules)})), defining(audit.file.name):
            started = time.perf_counter()
            found = _audited(claim, audit, inputs)
            found = replace(found, advice=tuple(in_toml(found.advice)))  # wherever it is shown
            yield name, replace(found, provenance={**found.provenance, **read}), time.perf_counter() - started


def _audited(claim: str, audit: config.FilesAudit, inputs: FilesInputs) -> Evidence:
    spec, views, references = TABLE[claim], inputs.views, list(inputs.retrained)
    judge: Callable[..., Evidence] = spec.audit()
    if spec.view == "test":
        alone = spec.by_outputs == "retrained" or inputs.original is None
        baseline = references if alone else inputs.original
        return judge(
            inputs.released, views.get("test", views["controls"]), baseline=baseline, output_kind=audit.output_kind
        )
    return judge(
        inputs.released,
        views["forget"],
        nonmembers=views["controls"],
        baseline=inputs.original,
        references=references,
        match=audit.match,
        output_kind=audit.output_kind,
    )


def _say(done: outside.Published, judged: list[outside.Judged], file: str) -> None:
    for name, one, _ in judged:
        if not one.proven:
            told = one.to_json()
            sources = {key: file if source == "ini" else source for key, source in told["claim"]["sources"].items()}
            print(f"{name}\n{explain({**told, 'claim': {**told['claim'], 'sources': sources}})}\n")
    width = shutil.get_terminal_size((120, 24)).columns
    for line, _ in terminal.lines(done.ledger, width, done.about):
        say(line.replace("(unlearn_release_files)", f"(release_files in {file})"))
    assert done.decision is not None
    say(f"release gate: {'release' if done.decision.release else 'blocked'}")
    for line in (*done.decision.reasons, *done.notes):
        say(f"  - {line}")
    for path in done.written.paths[:1]:
        say(f"report: {path.as_uri()} (and {plural(len(done.written.paths) - 1, 'file')} beside it)")
    for line in (done.written.problem, *done.written.remarks):
        if line:
            say(NOT_ATTESTED if line == NOTHING_TO_ATTEST else line)
