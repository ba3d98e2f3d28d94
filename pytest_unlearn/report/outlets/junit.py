"""Write JUnit XML with one case a claim, valid under Jenkins' schema.

It knows properties of a suite alone, so that the numbers of all claims stand there. INVALID is an error, what is not
testable here is skipped. Schema: junit-10.xsd of https://github.com/jenkinsci/xunit-plugin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from pytest_unlearn.report import plain, wording
from pytest_unlearn.report.decision import decision_of
from pytest_unlearn.report.outlets import metrics
from pytest_unlearn.report.outlets.standing import MOST, models, named, objections, standing, why

FILE = "junit.xml"
NAME = "unlearning audit"
ELEMENTS = {"not testable": "skipped", "undecided": "failure", "refuted": "failure", "unreadable": "error"}
EXCUSED = ("passed", "xfailed", "skipped")


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the file."""
    suite = ElementTree.Element("testsuite", {"name": NAME, "timestamp": about["created"]})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(ledger, about):
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for case in _cases(ledger, about):
        suite.append(case)
    counts = {"tests": len(suite.findall("testcase"))}
    counts |= {f"{kind}s": len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error")}
    skipped = len(suite.findall("testcase/skipped"))
    for name, number in {**counts, "skipped": skipped}.items():
        suite.set(name, str(number))
    seconds = {entry["nodeid"]: entry.get("seconds") or 0.0 for entry in ledger["entries"]}
    suite.set("time", f"{sum(seconds.values()):.3f}")
    root = ElementTree.Element("testsuites", {"name": NAME, **{name: str(number) for name, number in counts.items()}})
    root.append(suite)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _properties(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "unlearn.decision", decision_of(about.get("gate"))
    yield from (("unlearn.model", digest) for digest in models(ledger["entries"]))
    yield from ((f"unlearn.file.{row['name']}", row["sha256"]) for row in about.get("release_files", ()))
    for key, entry in named(ledger["entries"]):
        yield f"unlearn.{key}.verdict", wording.word(entry["evidence"])
        yield from ((f"unlearn.{key}.{name}", f"{value:g}") for name, value in metrics.numbers(entry).items())


def _cases(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[ElementTree.Element]:
    seen: set[str] = set()
    names: set[tuple[str, str]] = set()
    for entry in ledger["entries"]:
        # A test that makes several claims took its time once.
        seconds = 0.0 if entry["nodeid"] in seen else entry.get("seconds") or 0.0
        seen.add(entry["nodeid"])
        case = _case(entry["nodeid"], entry["evidence"]["claim"]["name"], seconds, names)
        _outcome(case, entry, len(ledger["entries"]) <= MOST)
        yield case
    for row in ledger["without_evidence"]:
        case = _case(row["nodeid"], "no evidence", 0.0, names)
        _problem(case, "error", "no evidence", f"it is an audit and left no evidence ({row['outcome']})")
        yield case
    if about.get("gate") is not None and about["gate"]["release"]:
        yield _case("unlearn::", "release gate", 0.0, names)
    for objection in objections(ledger, about):
        case = _case("unlearn::", objection.name, 0.0, names)
        _problem(case, "failure", objection.name, objection.sentences[0], "\n".join(objection.sentences))
        yield case


def _case(nodeid: str, claim: str, seconds: float, names: set[tuple[str, str]]) -> ElementTree.Element:
    """Make a case; class and name together are unique, by which GitLab and Jenkins know it again."""
    file, _, test = nodeid.partition("::")
    group = file.removesuffix(".py").replace("/", ".")
    name, number = f"{claim} ({test})" if test else claim, 1
    while (group, f"{name} #{number}" if number > 1 else name) in names:
        number += 1
    name = f"{name} #{number}" if number > 1 else name
    names.add((group, name))
    return ElementTree.Element("testcase", {"classname": group, "name": name, "time": f"{seconds:.3f}"})


def _outcome(case: ElementTree.Element, entry: Mapping[str, Any], in_full: bool) -> None:
    """Add what tells a case from one that passed."""
    stands, evidence = standing(entry), entry["evidence"]
    if stands == "proven":
        return
    # What a test expects, or the user lets pass, is no failure, and does not pass either.
    excused = entry["outcome"] in EXCUSED and (evidence["verdict"], entry["outcome"]) != ("PASS", "passed")
    kind = "skipped" if excused else ELEMENTS[stands]
    reasons = dict.fromkeys([why(entry), *evidence.get("reasons", ())])
    sentence = plain.told(entry)
    details = [sentence, *reasons, *evidence.get("advice", ())] if in_full else [next(iter(reasons)) or sentence]
    name = wording.NOT_TESTABLE if stands == "not testable" else evidence["verdict"]
    _problem(case, kind, name, sentence, "\n".join(filter(None, details)))


def _problem(case: ElementTree.Element, kind: str, name: str, message: str, text: str = "") -> None:
    # GitLab shows the text and ignores the message; Jenkins heads with the message.
    ElementTree.SubElement(case, kind, {"type": name, "message": message}).text = text or message
