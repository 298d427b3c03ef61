"""Motion capture files of any kind as one thing: H36M17 poses over time, in metres, y up."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from samepose.errors import FormatError
from samepose.formats.asf_amc import read_amc
from samepose.formats.body import to_body
from samepose.formats.bvh import JointTracks, parse_bvh
from samepose.formats.c3d import read_c3d
from samepose.formats.joint_names import JointMap, plain, read_joint_map
from samepose.formats.plug_in_gait import NOTE, joint_centres
from samepose.media.files import MOTION_SUFFIXES
from samepose.media.remote import located
from samepose.poses import Poses
from samepose.skeleton import H36M17

__all__ = ["MOTION_SUFFIXES", "Motion", "read_joint_map", "read_motion"]

LARGEST_FILE = 128_000_000  # bytes: as numbers it takes ten times as much memory, with the turns of every joint


@dataclass(frozen=True, eq=False)
class Motion:
    """One clip of one person.

    Attributes:
        points: (T, 17, 3) float32 metres, y up, skeleton H36M17, no NaN.
        fps: frames per second of `points`.
        clip: the clip's name.
        subject: who moves, e.g. `"cmu-05"`, `"hdm05-bd"`, else the folder's name.
        frames: numbers of the frames in the file, from 0.
        times: seconds from its first frame.
        notes: one line for each repair that was made.
    """

    points: Float[np.ndarray, "frame 17 3"]
    fps: float
    clip: str
    subject: str
    frames: Int[np.ndarray, " frame"]
    times: Float[np.ndarray, " frame"]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    @property
    def poses(self) -> Poses:
        """The clip as poses of one person."""
        return Poses.of(self.points, H36M17, frames=self.frames, times=self.times, tracks=np.zeros(len(self), np.int64),
                        unit="metre", fps=self.fps)


def read_motion(
    path: str | Path,
    fps: float | None = 30.0,
    joint_map: JointMap | None = None,
    asf: str | Path | None = None,
) -> Motion:
    """Read a .bvh, .amc or .c3d file as H36M17 poses.

    Units, up axis and exchanged sides are found out and mended; `Motion.notes` says so.

    Args:
        path: the file, here or at a URI.
        fps: thin to this rate by taking the nearest frames; None, or a file that is slower, keeps the file's own.
        joint_map: our joint -> the file's, for names we do not know (`read_joint_map` reads one from TOML).
        asf: the skeleton of an .amc; searched for beside it when not given.

    Raises:
        FormatError: unreadable, too large, unknown suffix, unknown joints, or no usable frame.
    """
    path = located(path)
    if path.is_file() and path.stat().st_size > LARGEST_FILE:
        raise FormatError(f"{path}: has more than {LARGEST_FILE // 10**6} MB, half an hour and more; cut it in parts")
    tracks, notes = _read(path, asf)
    start = 0
    if tracks.starts_in_rest_pose and _fakes_first_frame(tracks.names):
        start = 1
        notes += ("frame 0 dropped: a T-pose that was put in front of the motion",)
    frames, rate = np.arange(start, len(tracks.points)), 1 / tracks.frame_time
    if fps is not None:
        frames, rate = frames[thinned(len(frames), rate, fps)], min(rate, fps)
    body, kept, repairs = to_body(path, tracks.names, tracks.points[frames], joint_map,
                                  z_up=path.suffix.lower() == ".c3d")
    clip, subject = identify(path)
    return Motion(body, round(rate, 3), clip, subject, frames[kept], frames[kept] * tracks.frame_time, notes + repairs)


def thinned(frames: int, rate: float, fps: float) -> Int[np.ndarray, " kept"]:
    """Frames nearest to a clock of `fps`, each at most once; all of them when the file is no faster."""
    if rate <= fps * 1.01:
        return np.arange(frames)
    times = np.arange(int(np.ceil(frames * fps / rate))) / fps
    return np.minimum(np.rint(times * rate).astype(np.int64), frames - 1)


def _read(path: Path, asf: str | Path | None) -> tuple[JointTracks, tuple[str, ...]]:
    suffix = path.suffix.lower()
    if suffix == ".bvh":
        return _read_bvh(path)
    if suffix == ".amc":
        return read_amc(path, asf), ()
    if suffix == ".c3d":
        return _read_c3d(path)
    raise FormatError(f"{path}: motion capture is read from {', '.join(MOTION_SUFFIXES)}; convert the file")


def _read_bvh(path: Path) -> tuple[JointTracks, tuple[str, ...]]:
    """A BVH's tracks; the CMU conversion by cgspeed gets back the two bones per side of the body that it left out.

    That conversion dropped the Acclaim bones `thorax` and `lwrist`/`rwrist`, so its trunk is 12 cm and its forearm a
    third too short. The thorax bone is as long as the one below it; the wrist bone continues the forearm by half.
    Restored like this, clip 02_01 agrees with its own ASF/AMC to within a millimetre.
    """
    bvh = parse_bvh(path, keep_nan=True)
    place = {plain(n): k for k, n in enumerate(bvh.names)}
    if not {"lhipjoint", "rhipjoint", "lowerback"} <= set(place):
        return bvh.tracks(), ()
    collars = [place[n] for n in ("leftcollar", "rightcollar", "lowerneck") if n in place] or [
        place[n] for n in ("leftshoulder", "rightshoulder", "neck") if n in place]
    if bvh.offsets[collars].any():
        return bvh.tracks(), ()
    offsets = bvh.offsets.copy()
    offsets[collars] = (0, np.linalg.norm(offsets[bvh.parents[collars[0]]]), 0)
    tracks = replace(bvh, offsets=offsets).tracks()
    for hand in ("lefthand", "righthand") if "lefthand" in place else ("leftwrist", "rightwrist"):
        wrist, elbow = place[hand], bvh.parents[place[hand]]
        tracks.points[:, wrist] += (tracks.points[:, wrist] - tracks.points[:, elbow]) / 2
    return tracks, ("cgspeed conversion: the missing thorax and wrist bones were put back",)


def _fakes_first_frame(names: tuple[str, ...]) -> bool:
    """The CMU conversions of cgspeed and for Daz, which put a T-pose in front."""
    have = {plain(n) for n in names}
    return {"lhipjoint", "lowerback"} <= have or {"lshldr", "lbuttock", "abdomen"} <= have


def _read_c3d(path: Path) -> tuple[JointTracks, tuple[str, ...]]:
    tracks = read_c3d(path)
    centres = joint_centres(tracks)
    return (tracks, ()) if centres is None else (centres, (NOTE,))


def identify(path: Path) -> tuple[str, str]:
    """Clip and subject: from the names of CMU (`05_01`, `35_walk2`) and HDM05 (`HDM_bd_…`) files, else the folder."""
    stem = path.stem
    if found := re.fullmatch(r"(\d{1,3})_(\d{1,3}|walk.*)", stem):
        return stem, f"cmu-{int(found[1]):02d}"
    if found := re.match(r"HDM_([a-z]{2})_", stem):
        return stem, f"hdm05-{found[1]}"
    folder = path.absolute().parent.name
    return f"{folder}/{stem}", folder
