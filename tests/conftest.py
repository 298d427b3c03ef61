"""What tests of several verbs need."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest

import annotations  # noqa: F401  # first: it checks what is imported after it
from drawn_people import Shell, share_networks
from web.browser import chromium

__all__ = ["chromium"]  # one browser for all: Playwright does not start twice


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


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many photos were opened, and how many frames of videos were handed out."""
    from samepose.media import image as image_module
    from samepose.media import video as video_module

    counts: Counter[str] = Counter()
    read, upright = image_module.read_image, video_module._upright

    def read_image(path: Path) -> np.ndarray:
        counts["photos"] += 1
        return read(path)

    def shown(*arguments: Any) -> np.ndarray:
        counts["frames"] += 1
        return upright(*arguments)

    monkeypatch.setattr("samepose.media.image.read_image", read_image)
    monkeypatch.setattr("samepose.detection.read_image", read_image)
    monkeypatch.setattr("samepose.media.video._upright", shown)
    return counts
