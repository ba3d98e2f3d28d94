"""A release that rests on a claim about the method, in place of the model.

For the request may be too small for a claim about the model. What the method does in general says something of one
model only where this method made it, for this request. A model that was handed over, the original among them, would
pass by what another one deserves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_unlearn.core.claim_table import TABLE, ClaimSpec
from pytest_unlearn.report import candidate

Entry = Mapping[str, Any]
INI = "unlearn_require = "
DEFINE = "; the method is the fixture `unlearner`, with no fixture `unlearned_model` beside it"
CALL = r"assert_{}\([^)]*\)"  # a line to paste, in the advice on a claim


def methods(required: Sequence[str]) -> tuple[str, ...]:
    """List the claims about a method that a release rests on.

    None where it also rests on one about the request in this model.
    """
    specs = [TABLE[name] for name in required if name in TABLE]
    if any(spec.of_this_model for spec in specs):
        return ()
    stand_ins = {name for spec in TABLE.values() for name in spec.stand_ins}
    return tuple(spec.name for spec in specs if spec.name in stand_ins and not spec.judges_model)


def objections(entries: Sequence[Entry], required: Sequence[str]) -> Iterator[str]:
    """Yield why what holds of the method does not hold of the model that is released."""
    names = methods(required)
    judged = [entry for entry in entries if entry["evidence"]["claim"]["name"] in names]
    if not judged:
        return
    spoken = " and ".join(names)
    made_by = {str(_of(entry).get("method") or "") for entry in judged}
    asked = {str((_of(entry).get("request") or {}).get("digest") or "") for entry in judged}
    about = [entry for entry in entries if candidate.judges_model(entry) and not entry.get("drawn")]
    for entry in about:
        evidence, where = entry["evidence"], f"{entry['evidence']['claim']['name']} in {entry['nodeid']}"
        maker, request = _of(entry).get("made by"), (_of(entry).get("request") or {}).get("digest")
        expected = entry["outcome"] in ("passed", "xfailed")
        if evidence["verdict"] in ("FAIL", "INVALID"):
            if not expected:
                yield f"{where} is {evidence['verdict']}, and {spoken} cannot stand in for that"
        elif not maker or made_by != {maker}:
            yield (
                f"{spoken} judged a method, and nothing shows that it made the model of {where}: define the fixture "
                "`unlearner`, a method that its code and values identify and that returns a model of its own, and not "
                "the one that it was given, and leave `unlearned_model` to the plugin, "
                "or load the very model that unlearning_task.unlearn(unlearner) makes, and call that too"
            )
        elif asked != {request}:
            yield f"{spoken} judged requests like another one than that of {where}: judge both on one split"


def remarks(entries: Sequence[Entry], required: Sequence[str]) -> Iterator[str]:
    """Yield that nothing was asked of this very model about its request, and what was."""
    names = methods(required)
    if not names:
        return
    spoken = dict.fromkeys(
        entry["evidence"]["claim"]["name"]
        for entry in entries
        if candidate.judges_model(entry) and not entry.get("drawn") and entry["evidence"]["verdict"] == "PASS"
    )
    of_it = f"of this model speak {', '.join(spoken)} alone" if spoken else "no claim is about a model at all"
    yield (
        f"no claim says of this very model that the request is forgotten: {' and '.join(names)} judged the method over "
        f"simulated requests of this size; {of_it}"
    )


def next_step(evidence: Mapping[str, Any], required: Sequence[str]) -> str:
    """Say what to do next about a claim that is not settled.

    Where its advice has a line for a claim that may stand in for it, that is what to paste, else the first advice.
    """
    spec = TABLE.get(evidence["claim"]["name"])
    if spec is None or evidence["verdict"] != "INCONCLUSIVE" or spec.name not in required:
        return ""
    for stand_in in spec.stand_ins:
        lines = [re.search(CALL.format(stand_in), step) for step in evidence.get("advice", ())]
        line = next((found[0] for found in lines if found), "")
        if line:
            method = "" if TABLE[stand_in].judges_model else DEFINE
            return (
                f": it asks more than this request is likely to show. Paste {line} in its place, and into the ini file "
                f"{INI}{_named(spec, stand_in, required)}{method}"
            )
    return "".join(f": {step}" for step in evidence.get("advice", ())[:1])


def _named(spec: ClaimSpec, stand_in: str, required: Sequence[str]) -> str:
    claims = [stand_in if name == spec.name else name for name in required]
    if not any(name in TABLE and TABLE[name].view == "test" for name in claims):
        claims += [
            name for name, one in TABLE.items() if one.view == "test" and one.fundamental and one.of == "examples"
        ]
    quoted = ", ".join(f'"{name}"' for name in dict.fromkeys(claims))
    return f"[{quoted}]"


def _of(entry: Entry) -> Mapping[str, Any]:
    found: Mapping[str, Any] = entry["evidence"].get("provenance") or {}
    return found
