"""Human3.6M with its pictures: as it is distributed, and in the public processed layouts that keep them.

As distributed, unpacked: `S9/Videos/Directions 1.54138969.mp4`, and beside it in `MyPoseFeatures/` (or `Poses_…/` where
each archive was unpacked by itself) `D3_Positions_mono/Directions 1.54138969.cdf`, poses before each camera, with
`D2_Positions/` of the same names, in the picture. Each CDF holds `Pose`, (1, T, 96 or 64), millimetres or pixels. Where
only `D3_Positions/Directions 1.cdf` is there, poses in the room, the cameras come from 3d-pose-baseline's `cameras.h5`.

Processed: `data_3d_h36m.npz` or 3d-pose-baseline's `.h5` (`formats.h36m`) with `cameras.h5` and `S9/Videos/`; and
h36m-fetch's `S9/Directions-1/annot.h5` (`pose/2d`, `pose/3d`, `camera`, `frame`) with
`S9/Directions-1/imageSequence/54138969/img_000001.jpg`.

Of videos every tenth frame is taken (5 a second). Written from the descriptions of these layouts; tried with made-up
files alone, for no real ones are free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from samepose.errors import FormatError
from samepose.formats.h36m import DAMAGED, JOINTS, MOVING, TEST_SUBJECTS, clips_of, is_h36m, names_of, one_name, z_up
from samepose.formats.h36m_cameras import CAMERAS, read_cameras, read_h5
from samepose.formats.posed_images import PosedImages
from samepose.media import irregular, one_line
from samepose.skeleton import H36M17

_THINNED = 10
_CAMERAS = "cameras.h5"
_FETCHED = "S*/*/annot.h5"
_LARGEST = 2**28  # bytes of a CDF: the longest holds 2 MB


class _View(NamedTuple):
    """What one camera saw of a clip."""

    subject: str
    action: str
    medium: Path
    frames: Int[np.ndarray, " frame"]
    truth: Float[np.ndarray, "frame 17 3"]
    points: Float[np.ndarray, "frame 17 2"]


def has_h36m_pictures(root: Path) -> bool:
    """Whether `read_h36m_pictures` is the reader for a folder."""
    distributed = [next(root.glob(f"S*/{folder}/*.cdf"), None) for kind in ("D3_Positions_mono", "D3_Positions")
                   for folder in _folders(kind)]
    return any(distributed) or next(root.glob(_FETCHED), None) is not None or is_h36m(root)


def read_h36m_pictures(root: Path, subjects: Sequence[str] = TEST_SUBJECTS) -> PosedImages:
    """Some subjects in all four cameras.

    Raises:
        FormatError: poses, cameras or videos are missing or damaged, or a subject is not there.
    """
    there = sorted({path.name for path in root.glob("S[0-9]*") if path.is_dir()})
    views = [view for subject in subjects for view in _views(root, subject)]
    absent = [subject for subject in subjects if subject not in {view.subject for view in views}]
    if absent or not views:
        raise FormatError(f"{root}: holds no poses of {', '.join(absent) or 'anyone'}, whom the protocol is measured on"
                          f"; it has {', '.join(there) or 'no folder of a subject'}: get those subjects' files too")
    views.sort(key=lambda view: str(view.medium))
    lengths = [len(view.frames) for view in views]
    points = np.concatenate([view.points for view in views])
    return PosedImages(
        "Human3.6M", np.concatenate([view.truth for view in views]), H36M17, points, np.isfinite(points).all(axis=-1),
        tuple(v.action for v, n in zip(views, lengths) for _ in range(n)),
        tuple(v.subject for v, n in zip(views, lengths) for _ in range(n)), "Human3.6M's action",
        tuple(v.medium for v in views),
        np.stack([np.repeat(np.arange(len(views)), lengths), np.concatenate([v.frames for v in views])], axis=1))


def _views(root: Path, subject: str) -> Iterator[_View]:
    mono = _found(root, subject, "D3_Positions_mono")
    if mono:
        yield from (_filmed(root, subject, file) for file in mono)
    elif fetched := sorted(root.glob(f"{subject}/*/annot.h5")):
        for file in fetched:
            yield from _fetched(subject, file)
    else:
        world = _found(root, subject, "D3_Positions")
        clips = ((file.stem, read_cdf(file, 3)) for file in world)
        known = ((action, z_up(points)) for _, action, points in clips_of(root, [subject])) if is_h36m(root) else ()
        for action, points in clips if world else known:
            yield from _in_room(root, subject, action, points)


def _filmed(root: Path, subject: str, file: Path) -> _View:
    """A camera's own poses, as distributed."""
    action, _, camera = file.stem.rpartition(".")
    if camera not in CAMERAS:
        raise FormatError(f"{file}: is named after no camera; expected ACTION.{CAMERAS[0]}.cdf, say")
    flat = next((f for f in _found(root, subject, "D2_Positions") if f.name == file.name), None)
    if flat is None:
        raise FormatError(f"{file}: there is no D2_Positions/{file.name} of {subject}, so it is not known where the "
                          "person is in the picture; get the archive of the 2D positions too")
    truth, points = read_cdf(file, 3), read_cdf(flat, 2)
    if len(truth) != len(points):
        raise FormatError(f"{flat}: has {len(points)} poses, and {file.name} in 3D {len(truth)}; get both again")
    return _thinned(root, subject, action, camera, truth, points)


def _in_room(root: Path, subject: str, action: str, points: Float[np.ndarray, "frame 17 3"]) -> Iterator[_View]:
    """Poses in the room, metres, z up, before the calibrated cameras."""
    if not (root / _CAMERAS).is_file():
        raise FormatError(f"{root}: {subject} {action} is known in the room alone; put the D3_Positions_mono and "
                          f"D2_Positions of the cameras there, or 3d-pose-baseline's {_CAMERAS}")
    cameras = read_cameras(root / _CAMERAS)
    for name in CAMERAS:
        if (subject, name) not in cameras:
            raise FormatError(f"{root / _CAMERAS}: has no camera {name} of {subject}; get the whole file")
        if (subject, one_name(action), name) == (*DAMAGED, CAMERAS[0]) and _video(root, subject, action, name) is None:
            continue
        camera = cameras[subject, name]
        yield _thinned(root, subject, action, name, camera.before(points).astype(np.float32),
                       camera.project(points).astype(np.float32))


def _fetched(subject: str, file: Path) -> Iterator[_View]:
    """The cameras of one of h36m-fetch's files."""
    with read_h5(file) as opened:
        if "pose/3d" not in opened:
            raise FormatError(f"{file}: has no pose/3d (pose/3d-univ is of a body of another size); process the data "
                              "set with a newer h36m-fetch")
        truth, points, camera, frame = (np.asarray(opened[k]) for k in ("pose/3d", "pose/2d", "camera", "frame"))
    if truth.shape[1:] != (JOINTS, 3) or points.shape != (len(truth), JOINTS, 2) or not (
            camera.shape == frame.shape == truth.shape[:1]):
        raise FormatError(f"{file}: pose/3d is {truth.shape} and pose/2d {points.shape}; expected (T, 32, 3) and "
                          "(T, 32, 2), with a camera and a frame of each")
    for name in CAMERAS:
        rows = np.flatnonzero(camera.astype(str) == name)
        folder = file.parent / "imageSequence" / name
        if len(rows) and not folder.is_dir():
            raise FormatError(f"{folder}: there are no pictures; process the data set again with them")
        yield _View(subject, _word(file.parent.name), folder, frame[rows].astype(np.int64),
                    (truth[rows][:, MOVING] / 1000).astype(np.float32), points[rows][:, MOVING].astype(np.float32))


def _thinned(
    root: Path, subject: str, action: str, camera: str, truth: Float[np.ndarray, "frame 17 3"],
    points: Float[np.ndarray, "frame 17 2"],
) -> _View:
    video = _video(root, subject, action, camera)
    if video is None:
        raise FormatError(f"{root / subject / 'Videos' / f'{action}.{camera}.mp4'}: there is no such video; get the "
                          f"videos of {subject}, or leave that clip's poses out")
    frames = np.arange(0, len(truth), _THINNED)
    return _View(subject, _word(action), video, frames, truth[frames], points[frames])


def _video(root: Path, subject: str, action: str, camera: str) -> Path | None:
    files = (root / subject / "Videos" / f"{name}.{camera}.mp4" for name in names_of(action))
    return next((file for file in files if file.is_file()), None)


def _word(action: str) -> str:
    """`Photo` for `TakingPhoto 1` and `TakingPhoto-1`."""
    return one_name(action.replace("-", " ")).partition(" ")[0]


def _folders(kind: str) -> tuple[str, str]:
    return f"MyPoseFeatures/{kind}", f"Poses_{kind}"


def _found(root: Path, subject: str, kind: str) -> list[Path]:
    return sorted(file for folder in _folders(kind) for file in (root / subject / folder).glob("*.cdf"))


def read_cdf(file: Path, dims: int) -> Float[np.ndarray, "frame 17 dims"]:
    """H36M17 of one of Human3.6M's CDF files: metres of 3D positions, pixels of 2D.

    Raises:
        FormatError: not such a file, or cdflib is not installed.
    """
    try:
        cdflib: Any = import_module("cdflib")
    except ImportError as error:
        raise FormatError(f"{file}: reading .cdf needs cdflib; run pip install 'samepose[h36m]'") from error
    if what := irregular(file):
        raise FormatError(f"{file}: {what}")
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError("it is too large")
        flat = np.asarray(cdflib.CDF(str(file)).varget("Pose"), np.float64)
    except Exception as error:  # cdflib raises of every kind on damaged files
        raise FormatError(f"{file}: is not a readable .cdf file with Pose ({one_line(error)}); get it again") from error
    flat = flat.reshape(flat.shape[1:]) if flat.ndim == 3 and len(flat) == 1 else flat
    if flat.ndim != 2 or flat.shape[1] != JOINTS * dims or not len(flat) or not np.isfinite(flat).all():
        raise FormatError(f"{file}: Pose has shape {flat.shape}; expected (1, T, {JOINTS * dims}) finite numbers")
    points = flat.reshape(len(flat), JOINTS, dims)[:, MOVING]
    return (points / 1000 if dims == 3 else points).astype(np.float32)
