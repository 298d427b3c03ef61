"""Made-up pictures with 3D poses, without any network: each is as bright as its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from made_up_motion import some_people
from samepose.formats.posed_images import FRAME, PosedImages
from samepose.skeleton import H36M17

FOCAL, CENTRE = 60.0, 32.0


def posed_pictures(folder: Path, n: int = 7) -> PosedImages:
    """People 4 m before a camera of 64 pixels, up to 20 degrees aside; two actions and two subjects."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    poses = some_people(n)
    body = (poses - poses[:, :1]) * (1, -1, -1)  # y up to camera space
    truth = (body + np.stack([rng.uniform(-1.4, 1.4, n), rng.uniform(-1, 1, n), np.full(n, 4.0)], 1)[:, None]
             ).astype(np.float32)
    points = truth[..., :2] / truth[..., 2:] * FOCAL + CENTRE
    for row in range(n):
        Image.fromarray(np.full((64, 64, 3), 10 + 13 * row, np.uint8)).save(folder / FRAME.format(row + 1))
    return PosedImages(
        "made up", truth, H36M17, points, np.ones(points.shape[:2], bool), ("sit", "walk", *["walk"] * (n - 2)),
        tuple(f"s{row % 2}" for row in range(n)), "a word", (folder,),
        np.stack([np.zeros(n, np.int64), np.arange(1, n + 1)], axis=1))


def row_of(image: np.ndarray) -> int:
    return round((float(image.mean()) - 10) / 13)
