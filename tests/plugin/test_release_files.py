"""Files that are released: named by ini or by assert_release, hashed, recorded, attested; a missing one blocks."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.plugin.conftest import Suite

DIGEST = hashlib.sha256(b"weights").hexdigest()


def attested(suite: Suite) -> list[dict[str, object]]:
    """The subjects of the written statement."""
    path = suite.path / ".unlearn/report/attestation.json"
    found: list[dict[str, object]] = json.loads(path.read_text())["subject"]
    return found


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_file_that_a_test_writes_is_hashed_when_the_run_ends(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it="def test_a():\n    audit()\n    open('model.bin', 'wb').write(b'weights')")
    suite.ini("unlearn_release_files = *.bin")
    assert suite.run("--unlearn-gate", "--unlearn-report", *arguments).ret == 0
    assert suite.report()["release_files"] == [{"name": "model.bin", "sha256": DIGEST}]
    assert attested(suite) == [{"name": "model.bin", "digest": {"sha256": DIGEST}}]


def test_a_file_that_an_assertion_named_is_recorded(suite: Suite) -> None:
    rows = [{"name": "model.bin", "sha256": DIGEST}]
    model = {"digest": "5eed" * 16}
    suite.write(test_it=f"def test_a(): audit(provenance={{'files': {rows}, 'model': {model}}})")
    assert suite.run("--unlearn-gate", "--unlearn-report").ret == 0
    assert suite.report()["release_files"] == rows
    (suite.path / "model.bin").write_bytes(b"other weights")
    suite.ini("unlearn_release_files = model.bin")
    result = suite.run("--unlearn-gate", "--unlearn-report")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - the release file model.bin was changed while the tests ran: it has two digests"])


def test_a_pattern_that_names_no_file_blocks_and_is_said_without_a_gate(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.ini("unlearn_release_files = *.bin")
    sentence = "unlearn_release_files: '[*].bin' names no file"
    result = suite.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"  - {sentence}"])
    result = suite.run("--unlearn-report")
    assert result.ret == 0
    result.stdout.fnmatch_lines([sentence, "no attestation.json: *"])
    assert suite.report()["release_file_problems"] == ["unlearn_release_files: '*.bin' names no file"]


def test_two_models_in_one_gate_block(suite: Suite) -> None:
    suite.write(
        test_it="""
        def test_a(): audit(provenance={"model": {"digest": "1a" * 32}})
        def test_b(): audit("PASS", 0.0, name="utility", highest=0.05, provenance={"model": {"digest": "2b" * 32}})
        """
    )
    result = suite.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*claims are about 2 models*1a1a1a1a1a1a (forgotten in *); 2b2b2b2b2b2b (utility in *"]
    )
