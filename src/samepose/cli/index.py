"""`samepose index`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from samepose.cli.detect import Fps, frame_rate
from samepose.cli.options import DEFAULTS, DetectorName, Flag, Mode, Options, people_text
from samepose.errors import SameposeError, UsageError

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder
    from samepose.index import Report


def index(
    *media: Path,
    keypoints: Path | None = None,
    label: str | None = None,
    prune: Flag = False,
    re_embed: Flag = False,
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    fps: Fps = 10.0,
    options: Options = DEFAULTS,
) -> int:
    """Add the people in photos and videos to an index, which is made when there is none.

    Files that are indexed already are skipped, so an interrupted run goes on where it stopped.

    Args:
        media: Photos, videos, or folders of them.
        keypoints: Take the people from this file (samepose .npz, COCO or OpenPose JSON) instead of looking for them.
        label: Label for everyone in MEDIA.
        prune: Forget files that have vanished from the folders in MEDIA.
        re_embed: Bring an index made with another model up to this one; needs no MEDIA.
        detector: The network that finds the joints; cpm looks where movenet finds people.
        mode: fast, balanced, or accurate (slower, finds small people).
    """
    rate = frame_rate(fps)
    if not (media or keypoints or re_embed):
        raise UsageError("name the photos, videos or folders to index, or use --re-embed")
    if prune and keypoints:
        raise UsageError("--prune forgets files that have vanished; it does not go with --keypoints")
    for path in media:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
    embedder = options.embedder()
    if re_embed:
        count = _re_embed(embedder, options)
        if not (media or keypoints):
            options.done({"index": options.index, "re_embedded": count},
                         f"{options.index}: {people_text(count)} embedded anew with {embedder.name}")
            return 0
    if keypoints:
        report = _add_keypoints(keypoints, media, embedder, label, options)
    else:
        people = options.detector(mode, detector)
        report = _add_media(media, embedder, people, options, fps=rate, label=label, prune=prune)
    return _tell(report, options)


def _re_embed(embedder: Embedder, options: Options) -> int:
    from samepose.index import Index

    with options.progress("person") as progress:
        return Index.open(options.index, embedder=embedder).re_embed(progress)


def _add_media(
    media: tuple[Path, ...], embedder: Embedder, detector: Detector, options: Options, *, fps: float | None,
    label: str | None, prune: bool,
) -> Report:
    from samepose.index import Index
    from samepose.media.files import media_files

    if not media_files(media) and not prune:
        raise SameposeError(f"{', '.join(map(str, media))}: no photo or video in there; name files or another folder")
    target = Index.open(options.index, create=True, detector=detector, embedder=embedder)
    with options.progress("file") as progress:
        return target.add(*media, fps=fps, label=label, prune=prune, progress=progress)


def _add_keypoints(
    file: Path, media: tuple[Path, ...], embedder: Embedder, label: str | None, options: Options
) -> Report:
    from samepose.formats.keypoints import load_poses
    from samepose.index import Index

    loaded = load_poses(file)
    if not len(loaded.poses):
        raise SameposeError(f"{file}: holds no pose; there is nothing to index")
    names = set(loaded.media)
    places = {name: _place(name, media, file, alone=len(names) == 1) for name in names}
    target = Index.open(options.index, create=True, embedder=embedder)
    return target.add(loaded, name=[places[name] for name in loaded.media], label=label)


def _place(name: str, media: tuple[Path, ...], file: Path, alone: bool) -> Path:
    """The photo or video that a keypoint file means by a name: it may leave out folders, or name nothing at all."""
    for path in media:
        if path.is_dir() and name and (path / name).is_file():
            return path / name
        if path.is_file() and (path.name == Path(name).name or (alone and len(media) == 1)):
            return path
    return Path(name) if name else file


def _tell(report: Report, options: Options) -> int:
    """Report what was done, and the exit code."""
    fine = report.done + report.nobody + report.unchanged + report.moved + report.copied + report.removed
    for path, why in report.failed:
        options.warn(f"{path}: {why}")
    value = {"index": options.index, **asdict(report),
             "failed": [{"path": path, "error": why} for path, why in report.failed]}
    counts = [
        (report.done, "with people"), (report.nobody, "without people"), (report.unchanged, "unchanged"),
        (report.moved, "moved"), (report.copied, "copied"), (report.removed, "removed"), (len(report.failed), "failed"),
    ]
    text = ", ".join(f"{n} {what}" for n, what in counts if n) or "nothing to do"
    options.done(value, f"{options.index}: {people_text(report.people)} added in {report.seconds:.1f} s; files: {text}")
    return 0 if not report.failed else 1 if fine else 3
