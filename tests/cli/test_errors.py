"""The library speaks of arguments, the command line of flags."""

from __future__ import annotations

import pytest

from samepose.cli.app import as_flags, explained
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
