"""`samepose detect`."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

import samepose
from samepose.cli.options import DEFAULTS, DetectorName, Mode, Options, check_output, counted, people_text
from samepose.errors import MediaError, SameposeError, UsageError
from samepose.files import written

if TYPE_CHECKING:
    from samepose import Detector, Frame, Poses

_JOINT_SCORE = 0.25  # a joint that scores less is not seen
Fps = Annotated[float | Literal["all"], Parameter(help="Frames per second of videos to look at.")]


def detect(
    *media: Path,
    out: Path | None = None,
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    fps: Fps = 10.0,
    draw: Path | None = None,
    csv: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Find people and their joints in photos and videos.

    With --json the people are printed as COCO results: a list with one object per person.

    Args:
        media: Photos, videos, or folders of them.
        out: Save the poses, as .npz (everything) or .json (COCO results).
        detector: The network that finds the joints.
        mode: fast, balanced, or accurate (slower, finds small people).
        draw: Folder for pictures with the skeletons drawn in.
        csv: Write the angles at the joints of everyone in each picture (.csv): degrees as they appear in the picture,
            flexion 0 where the limb is straight, elevation 0 where the arm lies along the trunk.
    """
    if out is not None:
        check_output(out, (".npz", ".json"))
    if csv is not None:
        check_output(csv, (".csv",))
    run = _Run(options.detector(mode, detector), frame_rate(fps), draw)
    files = _files(media)
    try:
        with options.progress("file") as progress:
            for n, file in enumerate(files):
                progress(n, len(files), str(file))
                run.take(file)
    finally:  # also when interrupted: what was found so far is kept
        if out is not None:
            run.save(out)
        if csv is not None:
            run.save_angles(csv)
    for failure in run.failed:
        options.warn(failure)
    options.done(run.coco() if options.json else None, run.summary(len(files), out, csv))
    return 0 if not run.failed else 1 if len(run.failed) < len(files) or run.count else 3


def frame_rate(fps: float | Literal["all"]) -> float | None:
    """--fps as the library takes it.

    Raises:
        UsageError: not positive.
    """
    if fps == "all":
        return None
    if not 0 < fps < float("inf"):
        raise UsageError(f"--fps is {fps:g}; give frames per second above 0, or all")
    return fps


def _files(media: tuple[Path, ...]) -> list[Path]:
    if not media:
        raise UsageError("name the photos, videos or folders to look at")
    files = samepose.media_files(media)
    if not files:
        raise SameposeError(f"{', '.join(map(str, media))}: no photo or video in there; name files or another folder")
    return files


class _Run:
    """The people found so far."""

    def __init__(self, detector: Detector, fps: float | None, draw: Path | None) -> None:
        self.detector, self.fps, self.draw = detector, fps, draw
        self.poses: list[Poses] = []
        self.media: list[str] = []
        self.failed: list[str] = []
        self.count = 0
        self._names: Counter[str] = Counter()
        if draw is not None:
            draw.mkdir(parents=True, exist_ok=True)

    def take(self, file: Path) -> None:
        """Detect in one file. Of a video that breaks off, the people before the break are kept."""
        if file.is_dir():  # see `media_files`
            self.failed.append(f"{file}: the folder may not be looked into; change its permissions")
            return
        try:
            for frame, poses in samepose.detect(file, self.detector, self.fps):
                self.poses.append(poses)
                self.media += [str(file)] * len(poses)
                self.count += len(poses)
                if self.draw is not None:
                    self._draw(file, frame, poses)
        except (MediaError, OSError) as error:
            self.failed.append(str(error) if isinstance(error, MediaError) else f"{file}: {error}")

    def all(self) -> Poses:
        """Everyone."""
        empty = samepose.Poses.empty(samepose.SKELETONS["COCO17"])
        return samepose.Poses.concatenate(self.poses) if self.poses else empty

    def coco(self) -> list[dict[str, object]]:
        """COCO results."""
        return samepose.coco_results(self.all(), self.media)

    def save(self, out: Path) -> None:
        """Write the poses."""
        samepose.save_poses(out, self.all(), self.media)

    def save_angles(self, path: Path) -> None:
        """A row for each person in each picture; empty where there is no time, or a joint is not seen."""
        import csv

        poses = self.all().hide(below=_JOINT_SCORE)
        with written(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("path", "frame", "time", "person", *samepose.SPORTS))
            for n, (medium, angles) in enumerate(zip(self.media, samepose.sports_angles(poses).tolist())):
                numbers = ("" if math.isnan(v) else f"{v:.2f}" for v in angles)
                time = float(poses.times[n])
                table.writerow((medium, int(poses.frames[n]), "" if math.isnan(time) else f"{time:.3f}",
                                int(poses.tracks[n]), *numbers))

    def summary(self, files: int, out: Path | None, csv: Path | None) -> str:
        """One line."""
        text = f"{people_text(self.count)} in {counted(len(self.poses), 'picture')} of {counted(files, 'file')}"
        text += f", {len(self.failed)} failed" if self.failed else ""
        text += "".join(f"; saved {path}" for path in (out, csv) if path)
        return text + (f"; drawn in {self.draw}" if self.draw else "")

    def _draw(self, file: Path, frame: Frame, poses: Poses) -> None:
        from PIL import Image

        assert self.draw is not None
        stem = file.stem if math.isnan(frame.time) else f"{file.stem}-{frame.index:06d}"
        self._names[stem] += 1
        if self._names[stem] > 1:  # the same name in another folder
            stem = f"{stem}-{self._names[stem]}"
        labels = [str(t) for t in poses.tracks]
        with written(self.draw / f"{stem}.jpg") as part:
            Image.fromarray(samepose.draw_poses(frame.image, poses, labels=labels)).save(part, quality=90)
