"""`samepose detect`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

import samepose
from samepose.cli.media import found_in, is_video, left_out_text, left_standing
from samepose.cli.options import DEFAULTS, DetectorName, Mode, Options, Person, counted, people_text
from samepose.errors import MediaError, UsageError
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
    person: Person = None,
    draw: Path | None = None,
    csv: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Find people and their joints in photos and videos.

    With --json the people are printed as COCO results: a list with one object per person.

    Args:
        media: Photos, videos, or folders of them.
        out: Save the poses, as .npz (everything), .json (COCO results), or of one video and one person as .trc, for
            Sports2D's and OpenSim's users: markers in pixels, x right and y down, z 0.
        detector: The network that finds the joints.
        mode: fast, balanced, or accurate (slower, finds small people, looks twice at each).
        person: Track id of whom to save as .trc; the most prominent by default.
        draw: Folder for pictures with the skeletons drawn in.
        csv: Write the angles at the joints of everyone in each picture (.csv): degrees as they appear in the picture,
            flexion 0 where the limb is straight, elevation 0 where the arm lies along the trunk.
    """
    if not media:
        raise UsageError("name the photos, videos or folders to look at")
    if out is not None:
        options.output(out, (".npz", ".json", ".trc"), *media)
    if csv is not None:
        options.output(csv, (".csv",), *media)
    rate, found = frame_rate(fps), found_in(media)
    files = found.files
    one = out is not None and out.suffix.lower() == ".trc"
    if one and (len(files) > 1 or not is_video(files[0])):
        raise UsageError(f"{out}: a .trc holds one person of one video; name one video, or save as .npz")
    if person is not None and not one:
        raise UsageError("--person is for --out x.trc, which holds one person; all are looked for")
    drawing = None if draw is None else _Drawing(draw, files, options)
    run = _Run(options.detector(mode, detector), rate, drawing)
    try:
        with options.progress("file") as progress:
            for n, file in enumerate(files):
                progress(n, len(files), str(file))
                run.take(file)
    finally:  # also when interrupted: what was found so far is kept
        if out is not None:
            run.save(out, one, person, options)
        if csv is not None:
            run.save_angles(csv)
    for failure in run.failed:
        options.warn(failure)
    saved = (out if run.count or not one else None, csv)
    options.done(run.coco() if options.json else None, run.summary(len(files), found.left_out, saved))
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


class _Run:
    """The people found so far."""

    def __init__(self, detector: Detector, fps: float | None, drawing: _Drawing | None) -> None:
        self.detector, self.fps, self.drawing = detector, fps, drawing
        self.poses: list[Poses] = []
        self.media: list[str] = []
        self.failed: list[str] = []
        self.count = 0

    def take(self, file: Path) -> None:
        """Detect in one file. Of a video that breaks off, the people before the break are kept."""
        if what := left_standing(file):
            self.failed.append(f"{file}: {what}")
            return
        try:
            for frame, poses in samepose.detect(file, self.detector, self.fps):
                self.poses.append(poses)
                self.media += [str(file)] * len(poses)
                self.count += len(poses)
                if self.drawing is not None:
                    self.drawing.draw(file, frame, poses)
        except (MediaError, OSError) as error:
            self.failed.append(str(error) if isinstance(error, MediaError) else f"{file}: {error}")

    def all(self) -> Poses:
        """Everyone."""
        empty = samepose.Poses.empty(samepose.SKELETONS["COCO17"])
        return samepose.Poses.concatenate(self.poses) if self.poses else empty

    def coco(self) -> list[dict[str, object]]:
        """COCO results."""
        return samepose.coco_results(self.all(), self.media)

    def save(self, out: Path, one: bool, person: int | None, options: Options) -> None:
        """Write the poses; of one person only, as they can be seen, if so asked."""
        if not one:
            samepose.save_poses(out, self.all(), self.media)
        elif self.count:
            source = samepose.open_source(self.all().hide(below=_JOINT_SCORE))
            source.name = self.media[0]
            chosen = source.track(person)
            samepose.save_poses(out, chosen, self.media[:1] * len(chosen))
            there = len(set(source.people.tracks.tolist()))
            how = " (most prominent)" if person is None and there > 1 else ""
            options.note(f"{out}: person {chosen.tracks[0]} of {there}{how}")
        else:
            self.failed.append(f"{out}: nobody was found to write to it")

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

    def summary(self, files: int, left_out: Mapping[str, int], saved: Sequence[Path | None]) -> str:
        """One line."""
        text = f"{people_text(self.count)} in {counted(len(self.poses), 'picture')} of "
        text += counted(files, "file") + (f", {len(self.failed)} failed" if self.failed else "")
        text += f", {left_out_text(left_out)}" if left_out else ""
        text += "".join(f"; saved {path}" for path in saved if path)
        return text + (f"; drawn in {self.drawing.folder}" if self.drawing else "")


class _Drawing:
    """Pictures with the skeletons drawn in: PHOTO.jpg, VIDEO-FRAME.jpg; none takes the place of what is there.

    Raises:
        UsageError: a picture would replace an input, or another file without --force.
    """

    def __init__(self, folder: Path, files: Sequence[Path], options: Options) -> None:
        self.folder, self._files, self._options = folder, files, options
        self._drawn: set[str] = set()
        self._stems = _different_stems(files)
        stems = {stem.lower() for stem in self._stems.values()}
        folder.mkdir(parents=True, exist_ok=True)
        self._checked = {path for path in folder.iterdir() if path.suffix.lower() == ".jpg" and (
            path.stem.lower() in stems or re.sub(r"-[0-9]{6}$", "", path.stem.lower()) in stems)}
        options.outputs(sorted(self._checked), (".jpg",), *files)

    def draw(self, file: Path, frame: Frame, poses: Poses) -> None:
        """Draw one picture."""
        from PIL import Image

        stem = self._stems[file] + ("" if math.isnan(frame.time) else f"-{frame.index:06d}")
        stem = _free(stem, self._drawn)
        labels = [str(t) for t in poses.tracks]
        path = self.folder / f"{stem}.jpg"
        if path not in self._checked:  # it came there since
            self._options.output(path, (".jpg",), *self._files)
        with written(path) as part:
            Image.fromarray(samepose.draw_poses(frame.image, poses, labels=labels)).save(part, quality=90)


def _different_stems(files: Sequence[Path]) -> dict[Path, str]:
    """What each file's pictures are called; the same name in another folder gets a number."""
    taken: set[str] = set()
    return {file: _free(file.stem, taken) for file in files}


def _free(stem: str, taken: set[str]) -> str:
    """The stem, with a number where it is taken (in any letter case); it is taken now."""
    name, n = stem, 2
    while name.lower() in taken:
        name, n = f"{stem}-{n}", n + 1
    taken.add(name.lower())
    return name
