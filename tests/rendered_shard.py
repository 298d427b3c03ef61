"""A small shard of `samepose synth`'s form, drawn by hand: a grey picture, each person's left wrist red."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from samepose.skeleton import SYNTH22

SIDE = 96


def shard(folder: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Write people-00000.npz; returns their joints in the picture (pixels) and in space (metres, camera axes)."""
    rng = np.random.default_rng(7)
    flat = rng.uniform(30, 66, (n, 22, 2)).astype(np.float32)
    deep = rng.normal(0, 0.3, (n, 22, 3)).astype(np.float32) + np.array([0, 0, 4], np.float32)
    wrist = SYNTH22.index("left_wrist")
    flat[:, wrist] = [60, 34]
    files = []
    for k in range(n):
        image = Image.new("RGB", (SIDE, SIDE), (60 + 9 * k, 90, 90))
        x, y = flat[k, wrist].tolist()
        ImageDraw.Draw(image).ellipse((x - 6, y - 6, x + 6, y + 6), fill=(255, 0, 0))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=95)
        files.append(np.frombuffer(buffer.getvalue(), np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "people-00000.npz", jpeg=np.concatenate(files), start=np.cumsum([0, *map(len, files)]),
        joints=np.array(SYNTH22.joints), joints_2d=flat, joints_3d=deep, visible=np.ones((n, 22), bool),
        inside=np.ones((n, 22), bool), intrinsics=np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)),
        turn=np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)), shift=np.zeros((n, 3), np.float32),
        shape=np.full((n, 6), 0.5, np.float32), instant=np.arange(n), camera=np.zeros(n, np.int64),
        clip=np.array(["a"] * n), subject=np.array(["s"] * n),
    )
    return flat, deep
