"""What tests of several verbs need."""

from __future__ import annotations

from pathlib import Path

import jaxtyping
import pytest

import annotations  # noqa: F401  # first: it checks what is imported after it
from drawn_people import Shell, share_networks


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """The command line in an empty folder, its networks loaded once for all tests."""
    share_networks(monkeypatch)
    monkeypatch.delenv("SAMEPOSE_INDEX", raising=False)
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that break an annotation on purpose, to see what the library itself says."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
