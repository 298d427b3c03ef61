"""Drawn figures that the shipped detector takes for people, and the command line run inside the test's process."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from samepose.cli.app import main
from samepose.cli.options import Options
from samepose.detection.movenet import MoveNet
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.poses import Poses
from samepose.skeleton import COCO17

_SKIN, _SHIRT, _JEANS, _DARK = (224, 172, 140), (180, 40, 50), (40, 60, 120), (40, 30, 20)
_SIDE = 800  # drawn large, then shrunk


def picture(people: int = 1, arms: float = 20.0, size: int = 320) -> Image.Image:
    """Figures side by side, the left one largest, their arms `arms` degrees out from hanging down."""
    scene = Image.new("RGB", (_SIDE * max(people, 1), _SIDE), (150, 190, 140))
    ImageDraw.Draw(scene).rectangle((0, _SIDE * 3 // 4, scene.width, _SIDE), fill=(110, 100, 80))
    for n in range(people):
        _draw(ImageDraw.Draw(scene), _SIDE * n, 1 - 0.12 * n, arms)
    return scene.resize((size * max(people, 1), size), Image.Resampling.LANCZOS)


def _draw(pen: ImageDraw.ImageDraw, left: float, scale: float, arms: float) -> None:
    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * scale, _SIDE - (_SIDE - y) * scale

    def limb(a: tuple[float, float], b: tuple[float, float], width: float, colour: tuple[int, int, int]) -> None:
        pen.line((*at(*a), *at(*b)), fill=colour, width=round(width * scale))
        for x, y in (a, b):
            disc(x, y, width / 2, width / 2, colour)

    def disc(x: float, y: float, rx: float, ry: float, colour: tuple[int, int, int]) -> None:
        pen.ellipse((*at(x - rx, y - ry), *at(x + rx, y + ry)), fill=colour)

    for side in (-1, 1):
        hip, knee, ankle = (400 + side * 35, 430), (400 + side * 50, 560), (400 + side * 55, 690)
        limb(hip, knee, 62, _JEANS)
        limb(knee, ankle, 48, _JEANS)
        disc(ankle[0], ankle[1] + 15, 30, 20, _DARK)
        dx, dy = side * math.sin(math.radians(arms)), math.cos(math.radians(arms))
        shoulder = (400 + side * 55, 240)
        elbow = (shoulder[0] + 105 * dx, shoulder[1] + 105 * dy)
        limb(shoulder, elbow, 44, _SHIRT)
        limb(elbow, (elbow[0] + 100 * dx, elbow[1] + 100 * dy), 34, _SKIN)
    pen.polygon([at(455, 240), at(345, 240), at(365, 430), at(435, 430)], fill=_SHIRT)
    limb((345, 240), (455, 240), 50, _SHIRT)
    limb((365, 430), (435, 430), 60, _JEANS)
    limb((400, 170), (400, 240), 40, _SKIN)
    disc(400, 132, 48, 62, _SKIN)
    pen.chord((*at(350, 60), *at(450, 170)), 180, 360, fill=_DARK)
    for x in (380, 420):
        disc(x, 127, 6, 5, _DARK)
    disc(398, 148, 5, 8, (190, 130, 110))


def photo(path: Path, people: int = 1, arms: float = 20.0, **options: Any) -> Path:
    """A photo of drawn people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(people, arms).save(path, **options)
    return path


def video(path: Path, frames: int = 10, rate: int = 10, people: int = 1) -> Path:
    """A clip of people who raise their arms."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.bit_rate, stream.pix_fmt = 2_000_000, "yuv420p"
        stream.width, stream.height = 256 * people, 256
        for n in range(frames):
            image = np.asarray(picture(people, 15 + 60 * n / max(frames, 2), 256))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    return path


@cache
def detector(mode: str = "fast") -> MoveNet:
    """One for all tests: loading the networks takes longer than using them."""
    return MoveNet(mode, threads=1)  # type: ignore[arg-type]


@cache
def embedder() -> PrVipeEmbedder:
    """The shipped one."""
    return PrVipeEmbedder.load(threads=1)


def share_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command use the same networks, and the fast mode."""
    monkeypatch.setattr(Options, "detector", lambda self, mode, kind="movenet": detector())
    monkeypatch.setattr(Options, "embedder", lambda self: embedder())


class Shell:
    """Runs commands and keeps what they said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.code, self.out, self.err = 0, "", ""

    def __call__(self, *words: object, code: int | None = 0) -> Shell:
        """Run one command; None accepts any exit code."""
        self._capsys.readouterr()
        self.code = main([str(w) for w in words])
        self.out, self.err = self._capsys.readouterr()
        assert code is None or self.code == code, (words, self.code, self.out, self.err)
        return self

    def json(self, *words: object, code: int = 0) -> Any:
        """Run one command with --json; what it printed, which must be one JSON value."""
        return json.loads(self(*words, "--json", code=code).out)

    def fails(self, *words: object, code: int, says: Sequence[str] = ()) -> str:
        """Run a command that must fail in one line on stderr that holds all of `says`."""
        self(*words, code=code)
        lines = self.err.splitlines()
        assert len([line for line in lines if line.startswith("error: ")]) == 1, self.err
        assert "Traceback" not in self.err
        assert self.out == ""
        for text in says:
            assert text in self.err, (text, self.err)
        return self.err


def standing(x: float, y: float, height: float = 80.0) -> Poses:
    """A person with spread arms around the middle (x, y), seen from the front: the left is on the image's right."""
    at = {"nose": (0, -0.5), "eye": (0.03, -0.52), "ear": (0.06, -0.5), "shoulder": (0.12, -0.35),
          "elbow": (0.25, -0.3), "wrist": (0.38, -0.35), "hip": (0.08, 0.0), "knee": (0.1, 0.25), "ankle": (0.1, 0.5)}
    points = []
    for joint in COCO17.joints:
        side, _, stem = joint.rpartition("_")
        dx, dy = at[stem]
        points.append((x + (-dx if side == "right" else dx) * height, y + dy * height))
    return Poses.of(np.array(points), COCO17)
