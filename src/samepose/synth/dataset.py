"""Sets of rendered people: shards of JPEGs with their joints, made from a seed and read one after another.

A shard is one `.npz` without pickle:

=============  ==========================================================================================
`jpeg`         uint8, all images' JPEG files one behind the other; image i is `jpeg[start[i]:start[i + 1]]`
`start`        (N + 1,) int64
`joints`       22 names (H36M17, then nose, eyes, ears)
`joints_2d`    (N, 22, 2) float32 pixels; the middle of the first pixel is at (0.5, 0.5); may lie outside
`joints_3d`    (N, 22, 3) float32 metres in camera space: x right, y down, z away from the camera
`visible`      (N, 22) bool: within the image, and hidden neither by the own body nor by anything in front
`inside`       (N, 22) bool: within the image
`intrinsics`   (N, 3, 3) float32; `turn` (N, 3, 3) and `shift` (N, 3): world (y up, metres) to camera space
`shape`        (N, 6) float32: male, age, muscle, weight, height, proportions, each 0..1
`instant`      (N,) int64: pictures of one instant by several cameras share it; `camera` (N,) counts them
`clip`         (N,) names of the clips the poses come from; `subject` (N,) whose motion it is
=============  ==========================================================================================
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from samepose.errors import UsageError
from samepose.files import written
from samepose.formats.poseset import PoseSet
from samepose.progress import Progress, silent
from samepose.skeleton import SYNTH22
from samepose.synth.background import photos_in, random_pictures
from samepose.synth.body import BODY, Body, load_body, rows_of
from samepose.synth.camera import random_camera
from samepose.synth.look import random_look
from samepose.synth.pose import posed_joints, retarget, skin
from samepose.synth.scene import (
    Light,
    add_occluder,
    add_people,
    dressed,
    lay_ground,
    photographed,
    random_folds,
    random_light,
    render_person,
    visibility,
)
from samepose.synth.shape import Shape, random_shape, shaped
from samepose.synth.variety import Variety, varied


@dataclass(frozen=True)
class SynthConfig:
    """How to make a set (all ours).

    Attributes:
        count: images.
        size: pixels of a side.
        seed: equal seeds give equal files.
        cameras_per_instant: pictures of each instant.
        backgrounds: folder of photos; four in five backgrounds are windows of them.
        variety: how poses are changed.
        per_person: instants of one body; its clothes change with each.
        per_shard: images of one file.
        pictures: backgrounds of one shard, each used several times, turned and cut otherwise.
        floor: share of pictures with a floor in perspective.
        occluded: share with something in front of the person.
        company: share with another person beside.
    """

    count: int = 1000
    size: int = 256
    seed: int = 0
    cameras_per_instant: int = 1
    backgrounds: Path | None = None
    variety: Variety = field(default_factory=Variety)
    per_person: int = 24
    per_shard: int = 500
    pictures: int = 48
    floor: float = 0.5
    occluded: float = 0.3
    company: float = 0.2


def write_shards(
    folder: str | Path, poses: PoseSet, config: SynthConfig, workers: int = 1,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Make a set; the files, in order. The same poses and configuration give the same bytes, however many workers.

    Raises:
        UsageError: the folder holds a set already, nothing to do, or no photos where they should be.
        SameposeError: the body is not installed.
    """
    if config.count < 1 or not len(poses):
        raise UsageError("nothing to render: ask for at least one image, and give motion capture with poses")
    folder = Path(folder)
    if folder.is_dir() and any(folder.glob("people-*.npz")):
        raise UsageError(f"{folder}: holds rendered people already; name another folder")
    photos = photos_in(config.backgrounds) if config.backgrounds else ()
    load_body()
    folder.mkdir(parents=True, exist_ok=True)
    parts = [(n, min(config.per_shard, config.count - a)) for n, a in
             enumerate(range(0, config.count, config.per_shard))]
    paths = tuple(folder / f"people-{n:05d}.npz" for n, _ in parts)
    done = 0
    if workers == 1 or len(parts) == 1:
        for (n, count), path in zip(parts, paths, strict=True):
            def report(i: int, before: int = done, name: str = path.name) -> None:
                progress(before + i, config.count, name)

            _write(path, render_shard(poses, config, n, count, photos, report))
            done += count
        return paths
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs = [pool.submit(_job, path, poses, config, n, count, photos)
                for (n, count), path in zip(parts, paths, strict=True)]
        for job, (_, count), path in zip(jobs, parts, paths, strict=True):
            job.result()
            done += count
            progress(done, config.count, path.name)
    return paths


def _job(path: Path, poses: PoseSet, config: SynthConfig, n: int, count: int, photos: Sequence[Path]) -> None:
    _write(path, render_shard(poses, config, n, count, photos))


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with written(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def render_shard(
    poses: PoseSet, config: SynthConfig, shard: int, count: int, photos: Sequence[Path] = (),
    report: Callable[[int], None] = lambda done: None,
) -> dict[str, np.ndarray]:
    """The arrays of one shard; random by seed and shard alone."""
    rng = np.random.default_rng([config.seed, shard])
    studio = _Studio(load_body(), config, random_pictures(rng, config.pictures, photos), rng)
    rows: list[dict[str, Any]] = []
    instant = shard * config.per_shard
    while len(rows) < count:
        shape = random_shape(rng)
        picks = _pick(poses, config.per_person, rng)
        for pose, pick in zip(studio.poses(shape, varied(poses.points[picks], rng, config.variety)), picks,
                              strict=True):
            views = studio.pictures(shape, pose, min(config.cameras_per_instant, count - len(rows)))
            rows += [{**view, "instant": instant, "camera": k, "clip": poses.clip_names[poses.clip[pick]],
                      "subject": poses.subject_names[poses.subject[pick]]} for k, view in enumerate(views)]
            instant += 1
            report(len(rows))
            if len(rows) >= count:
                break
    files = [row.pop("jpeg") for row in rows]
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {"jpeg": np.frombuffer(b"".join(files), np.uint8),
            "start": np.cumsum([0, *map(len, files)]), "joints": np.array(SYNTH22.joints), **arrays}


def _pick(poses: PoseSet, n: int, rng: np.random.Generator) -> np.ndarray:
    """Frames: a clip first, so that long clips of walking do not fill the set, then any of its frames."""
    clips = np.unique(poses.clip)
    chosen = clips[rng.integers(0, len(clips), n)]
    return np.array([rng.choice(np.flatnonzero(poses.clip == clip)) for clip in chosen])


class _Studio:
    """What the pictures of one shard share: the body, backgrounds, the people pictured last."""

    def __init__(self, body: Body, config: SynthConfig, stock: list[Any], rng: np.random.Generator) -> None:
        self._body, self._config, self._stock, self._rng = body, config, stock, rng
        self._others: list[Image.Image] = []
        self._vertices = body.vertices

    def poses(self, shape: Shape, points: Float[np.ndarray, "pose 17 3"]) -> list[tuple[Any, Any]]:
        """A new person in some poses."""
        self._vertices = shaped(self._body, shape)
        return list(zip(*retarget(self._body, self._vertices, points, self._rng), strict=True))

    def pictures(self, shape: Shape, pose: tuple[Any, Any], cameras: int) -> list[dict[str, Any]]:
        """One instant: the same clothes and light for every camera."""
        rng, body = self._rng, self._body
        look, folds = random_look(rng, bool(shape.male)), random_folds(rng)
        rest, keep = dressed(body, self._vertices, look, folds)
        joints = posed_joints(body, self._vertices, *pose)
        world = skin(body, self._vertices, *pose)[rows_of(body, BODY)]
        light = random_light(rng, self._background())
        ground = float(world[:, 1].min()) - (rng.uniform(0, 0.8) if rng.random() < 0.25 else 0)
        out = []
        for _ in range(cameras):
            camera = random_camera(rng, world, self._config.size)
            layer, _ = render_person(body, rest, keep, pose, look, folds, light, camera, self._config.size)
            deep = camera.to_camera(joints)
            flat = camera.to_pixels(deep)
            picture, hidden = self._composed(layer, light, camera, ground, flat)
            visible, inside = visibility(flat, deep[:, 2], layer, hidden)
            out.append({
                "jpeg": self._jpeg(photographed(picture, rng)), "joints_2d": flat.astype(np.float32),
                "joints_3d": deep.astype(np.float32), "visible": visible, "inside": inside,
                "intrinsics": camera.matrix.astype(np.float32), "turn": camera.turn.astype(np.float32),
                "shift": camera.shift.astype(np.float32), "shape": shape.to_array(),
            })
        return out

    def _composed(
        self, layer: Any, light: Light, camera: Any, ground: float, flat: Float[np.ndarray, "22 2"]
    ) -> tuple[Image.Image, Any]:
        """The person among everything else, and what of the image is hidden by things in front."""
        rng, config = self._rng, self._config
        floor = self._background() if rng.random() < config.floor else None
        scene = lay_ground(self._window(), floor, layer, light, camera, ground, float(rng.uniform(4, 20)),
                           float(rng.uniform(0, 0.8)))
        picture = Image.fromarray(scene)
        hidden = np.zeros((config.size, config.size), bool)
        company = rng.random() < config.company and bool(self._others)
        behind = rng.random() < 0.75
        if company and behind:
            add_people(picture, self._others, rng, (0.2, 0.7))
        person = Image.fromarray(layer.rgba)
        picture.paste(person, (0, 0), person)
        if company and not behind:
            hidden |= add_people(picture, self._others, rng, (0.45, 0.8))
        if rng.random() < config.occluded:
            extent = float(np.nanmax(np.ptp(flat, axis=0)))
            for _ in range(int(rng.integers(1, 3))):
                aim = flat[int(rng.integers(len(flat)))] + rng.normal(0, 0.08 * extent, 2)
                if np.isfinite(aim).all():
                    hidden |= add_occluder(picture, self._background(), rng, aim, extent)
        self._others = [*self._others[-7:], person]
        return picture, hidden

    def _background(self) -> Any:
        return self._stock[int(self._rng.integers(len(self._stock)))]

    def _window(self) -> Any:
        """A window of a background, flipped or not, in its own light."""
        rng, size = self._rng, self._config.size
        picture = Image.fromarray(self._background())
        side = rng.uniform(0.35, 1) * picture.width
        x, y = rng.uniform(0, picture.width - side, 2)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side))
        if rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return (np.array(picture) * (rng.uniform(0.6, 1.15) * (1 + rng.normal(0, 0.06, 3)))).clip(0, 255).astype(
            np.uint8)

    def _jpeg(self, image: UInt8[np.ndarray, "s s 3"]) -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(self._rng.integers(45, 96)))
        return file.getvalue()
