"""The library speaks of arguments, the command line of flags."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import samepose
from samepose.cli.app import as_flags, explained, main
from samepose.errors import StoreError, UsageError


@pytest.mark.parametrize("said, shown", [
    ("is a video; say with `at` which moment you mean", "is a video; say with --at which moment you mean"),
    ("`time_from` is -1", "--from is -1"), ("`k` is 0; expected 1 or more", "-k is 0; expected 1 or more"),
    ("try `mode=\"accurate\"`", "try --mode accurate"), ("give `min_score=0`", "give --min-score 0"),
    ("`open_ends`", "--open-ends"),
    ("no index here; make one with `create=True`", "no index here; make one with `samepose index MEDIA`"),
    ("run `Index.re_embed()`", "run `samepose index --re-embed`"),
    ("see `samepose export`, a `Path` or `samepose.Poses`", "see `samepose export`, a `Path` or `samepose.Poses`"),
])
def test_arguments_become_flags_and_other_code_stays(said: str, shown: str) -> None:
    assert as_flags(said) == shown


def test_an_error_of_the_library_is_translated_and_keeps_its_exit_code() -> None:
    assert explained(UsageError("a.mp4: say with `at`\nwhich")) == ("a.mp4: say with --at which", 2)
    assert explained(StoreError("x: see `create=True`")) == ("x: see `samepose index MEDIA`", 3)


def test_no_error_of_the_library_names_a_flag() -> None:
    source = Path(samepose.__file__ or "").parent
    theirs = {source / "demo.py", source / "doctor.py", source / "synth" / "body.py"}  # programs; what pip is told
    for path in sorted(set(source.rglob("*.py")) - set((source / "cli").glob("*.py")) - theirs):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise):
                said = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                flags = [text for text in said if isinstance(text, str) and re.search(r"(?<![\w-])--[a-z]", text)]
                assert not [text for text in flags if "OpenPose" not in text], path


def test_debug_shows_what_an_error_came_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "poses.json").write_text("{")
    assert main(["search", str(tmp_path / "poses.json"), "--index", str(tmp_path / "no"), "--debug"]) == 3
    assert main(["index", "--keypoints", str(tmp_path / "poses.json"), "--index", str(tmp_path / "i"), "--debug"]) == 3
    told = capsys.readouterr().err
    assert "JSONDecodeError" in told and "direct cause" in told and told.splitlines()[-1].startswith("error: ")
