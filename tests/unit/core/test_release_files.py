"""Files of a release are named once, by the SHA-256 of something."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.core.release_files import ReleaseFiles, find_files, hash_files, is_digest, merge, sha256


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two models of one name, and what is no file of a release."""
    for name in ("a/model.bin", "b/model.bin"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "empty").touch()
    return tmp_path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_globs_are_relative_to_the_root_and_names_are_too(root: Path) -> None:
    found = find_files(["*/model.bin", "a/*"], root)
    assert found == ReleaseFiles({name: digest(name) for name in ("a/model.bin", "b/model.bin")})
    assert found.rows()[0] == {"name": "a/model.bin", "sha256": digest("a/model.bin")}


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("*.pt", "'*.pt' names no file"),
        ("a", "'a' names no file"),
        ("empty", "empty is empty, and a digest of nothing names no release"),
        ("", "''"),
        ("/etc/*", "'/etc/*'"),
    ],
)
def test_a_pattern_without_a_file_is_a_problem_in_words(root: Path, pattern: str, says: str) -> None:
    found = find_files([pattern], root)
    assert found.digests == {}
    assert len(found.problems) == 1
    assert says in found.problems[0]


def test_an_absolute_pattern_is_told_what_it_is_relative_to(root: Path) -> None:
    found = find_files([str(root / "a/model.bin")], root)
    assert not found.digests
    assert found.problems[0].endswith(f"is absolute: write it relative to {root}")


def test_pipes_and_dangling_links_are_no_files(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to(root / "gone")
    assert len(find_files(["pipe", "link"], root).problems) == 2
    with pytest.raises(ValueError, match="there is no file pipe"):
        sha256(root / "pipe")


def test_nothing_named_is_nothing_found(root: Path) -> None:
    assert find_files([], root) == hash_files([], root) == ReleaseFiles()


def test_a_large_file_is_hashed_whole(root: Path) -> None:
    (root / "large").write_bytes(b"x" * 3_000_001)
    assert sha256(root / "large") == hashlib.sha256(b"x" * 3_000_001).hexdigest()


def test_files_that_a_caller_names_are_called_by_their_place(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "model.pt"
    elsewhere.write_text("x")
    assert list(hash_files(["a/model.bin", root / "b/model.bin", elsewhere], root).digests) == [
        "a/model.bin",
        "b/model.bin",
        "model.pt",
    ]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ("a/model.bin", "takes a list of paths"),
        (["a/model.bin", "b/../a/model.bin"], "two release files are called a/model.bin"),
        (["nowhere.bin"], "there is no file nowhere.bin"),
        (["empty"], "empty is empty"),
    ],
)
def test_files_that_name_no_release_are_refused(root: Path, files: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        hash_files(files, root)


def test_a_file_of_two_digests_is_a_problem_and_left_out() -> None:
    found = merge(ReleaseFiles({"m": "a" * 64, "n": "b" * 64}, ("p",)), ReleaseFiles({"m": "c" * 64}, ("p",)))
    assert found.digests == {"n": "b" * 64}
    assert found.problems == ("p", "the release file m was changed while the tests ran: it has two digests")


@pytest.mark.parametrize("value", [None, 3, "", "0" * 64, "a" * 63, "A" * 64, "a" * 32, digest(""), "a" * 64 + "\n"])
def test_what_is_no_digest_of_anything(value: Any) -> None:
    assert not is_digest(value)
    assert is_digest(digest("x"))
