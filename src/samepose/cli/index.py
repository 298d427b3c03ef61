"""`samepose index`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import samepose
from samepose.cli.detect import Fps, frame_rate
from samepose.cli.media import existing, found_in, left_out_text
from samepose.cli.options import DEFAULTS, By, DetectorName, Flag, Mode, Options, counted, people_text
from samepose.errors import SameposeError, UsageError

if TYPE_CHECKING:
    from samepose import Index, KeypointFile, Report


def index(
    *media: str,
    keypoints: Path | None = None,
    label: str | None = None,
    prune: Flag = False,
    embedding: By | None = None,
    re_embed: Flag = False,
    root: Path | None = None,
    ray: str | None = None,
    detector: DetectorName | None = None,
    mode: Mode | None = None,
    fps: Fps | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Add the people in photos, videos and motion capture to an index, which is made when there is none.

    Files that are indexed already are skipped, so an interrupted run goes on where it stopped. What is said of
    --detector, --mode and --fps is remembered: movenet, balanced and 10 in a new index.

    Args:
        media: Photos, videos, motion capture (BVH, AMC beside its ASF, C3D), or folders of them, here or at URIs like
            s3://bucket/photos.
        keypoints: Take the people from this file (samepose .npz, COCO or OpenPose JSON) instead of looking for them.
        label: Label for everyone in MEDIA.
        prune: Forget files that have vanished from the folders in MEDIA.
        embedding: What people are found by: keypoints (the default of a new index), pixels, which finds people whose
            joints cannot be seen too, or both. An index remembers it; with --re-embed it is changed.
        re_embed: Bring an index made with another model up to this one, or to another --embedding; needs no MEDIA. For
            pixels all photos and videos are read again.
        root: Folder that the paths in the index start at, when the media were moved; of a new index the working
            directory by default. Needs no MEDIA.
        ray: Read the files on a Ray cluster: its address, or auto for the one on this machine, which is started when
            there is none. Needs the extra ray.
        detector: The network that finds the joints.
        mode: fast, balanced, or accurate (slower, finds small people, looks twice at each).
    """
    rate: float | Literal["remembered"] | None = "remembered" if fps is None else frame_rate(fps)
    if not (media or keypoints or re_embed or root):
        raise UsageError("name the photos, videos or folders to index, or use --re-embed")
    if keypoints and embedding == "pixels":
        raise UsageError("--embedding pixels looks at pictures of people, and --keypoints gives none")
    if prune and keypoints:
        raise UsageError("--prune forgets files that have vanished; it does not go with --keypoints")
    places = existing(media)
    if embedding in ("pixels", "both"):
        options.note("the embedding of pixels has learned from photographs that are for research only")
    added = _keypoints(keypoints, places) if keypoints else _media(places, prune)
    target = _open(options, bool(added) and not re_embed, detector, mode, root, None if re_embed else embedding)
    if root is not None:
        files = target.move_root(root)
        if not (added or re_embed):
            options.done({"index": options.index, "root": str(target.root), "files": files},
                         f"{options.index}: paths start at {target.root} now; {counted(files, 'file')} found there")
            return 0
    if re_embed:
        lost = _re_embed(target, embedding, options, last=not added)
        if not added:
            return 1 if lost else 0
    with options.progress("file") as progress:
        return _tell(target.add(*added, fps=rate, label=label, prune=prune, ray=ray, progress=progress), options)


def _re_embed(target: Index, embedding: By | None, options: Options, *, last: bool) -> bool:
    """Embed everybody anew; True where media could not be read again for it."""
    if embedding != "keypoints" if embedding else any(space.name == "pixels" for space in target.spaces):
        options.note("photos and videos are read again for their pixels, but for those that were read by this model")
    with options.progress("person") as progress:
        people, lost = target.re_embed(progress, embedding=embedding)
    for path, why in lost:
        options.warn(f"{path}: its people cannot be found by pixels: {why}")
    if last:
        models = " and ".join(space.model for space in target.spaces)
        value = {"index": options.index, "re_embedded": people, "lost": [{"path": p, "error": why} for p, why in lost]}
        options.done(value,
                     f"{options.index}: {people_text(people)} embedded anew with {models}")
    return bool(lost)


def _open(
    options: Options, create: bool, detector: DetectorName | None, mode: Mode | None, root: Path | None,
    embedding: By | None,
) -> Index:
    """The index; with the detector that was asked for, or else its own."""
    asked = bool(detector or mode) or not samepose.Index.exists(options.index)
    return samepose.Index.open(
        options.index, create=create, root=root, embedder=options.embedder(), embedding=embedding,
        threads=options.threads,
        detector=options.detector(mode or "balanced", detector or "movenet") if asked else None,
    )


def _media(media: Sequence[Path], prune: bool) -> Sequence[Path]:
    """The photos, videos and folders named, if there is anything in them."""
    if media and not prune:
        found_in(media, motion=True)
    return media


def _keypoints(file: Path, media: Sequence[Path]) -> Sequence[KeypointFile]:
    """The people of a keypoint file, with the photos and videos that they are in."""
    loaded = samepose.load_poses(file)
    if not len(loaded.poses):
        raise SameposeError(f"{file}: holds no pose; there is nothing to index")
    return [loaded.located(media, otherwise=file)]


def _tell(report: Report, options: Options) -> int:
    """Report what was done, and the exit code."""
    fine = report.done + report.nobody + report.unchanged + report.moved + report.copied + report.removed
    for path, why in report.failed + report.cut:
        options.warn(f"{path}: {why}")
    value = {"index": options.index, **report.to_json()}
    for path, why in report.lost:
        options.warn(f"{path}: labels were lost: {why}; label it again")
    counts = [
        (report.done, "with people"), (report.nobody, "without people"), (report.unchanged, "unchanged"),
        (report.moved, "moved"), (report.copied, "copied"), (report.removed, "removed"),
        (len(report.cut), "kept in part"), (len(report.failed), "failed"),
    ]
    text = ", ".join(f"{n} {what}" for n, what in counts if n) or "nothing to do"
    if report.no_pixels:
        text += f"; {people_text(report.no_pixels)} not to be found by pixels: given as keypoints, or without a box"
    if report.left_out:
        text += f"; {left_out_text(report.left_out)}"
    options.done(value, f"{options.index}: {people_text(report.people)} added in {report.seconds:.1f} s; files: {text}")
    return 0 if not (report.failed or report.cut or report.lost) else 1 if fine else 3
