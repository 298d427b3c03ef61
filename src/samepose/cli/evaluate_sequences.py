"""`samepose eval penn-action` and `samepose eval alignment`: the two protocols on Penn Action."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Options, counted, needs
from samepose.files import written

if TYPE_CHECKING:
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.evaluation.penn_action import Split
    from samepose.formats.penn import PennVideo
    from samepose.poses import Poses
    from samepose.sequences.clip import Clip

Which = Literal["annotated", "seen", "guessed", "detected"]
Subset = Annotated[int | None, Parameter(validator=Number(gte=2))]


def penn_action(
    *,
    data: Path,
    protocol: Literal["all-views", "one-view"] = "all-views",
    split: Literal["official", "cv"] = "official",
    folds: Annotated[int, Parameter(validator=Number(gte=2))] = 5,
    seed: int = 0,
    subset: Subset = None,
    keypoints: Which = "annotated",
    model: Path | None = None,
    plot: Path | None = None,
    markdown: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Action recognition on Penn Action by the nearest aligned video (Sun 2020, section 4.3.1).

    Accuracy is averaged over actions. Without strum_guitar, and videos that show less than a third of the person.

    Args:
        data: Folder of Penn Action, with labels/ in it, or the folder of the label files.
        protocol: Index of all-views, or of one-view, averaged over the views.
        split: official: test videos looked for among training videos. cv: each among those of the other folds.
        folds: Of --split cv.
        seed: Of the folds and the subset.
        subset: Only this many videos, drawn at random: quick.
        keypoints: annotated: those the annotator saw, and guesses within 10 frames of that. seen: without guesses.
            guessed: with all of them. detected: by MoveNet inside the given boxes, which needs the data set's frames/.
        model: An exported .onnx instead of the shipped weights.
        plot: Write a picture of the confusion matrix (.png; needs samepose[eval]).
        markdown: Also write the tables to this file (.md).
    """
    if plot is not None:
        options.output(plot, (".png",), data)
        with needs("eval"):
            import matplotlib  # noqa: F401
    if markdown is not None:
        options.output(markdown, (".md",), data)
    from samepose.evaluation.penn_action import LEFT_OUT, may_find, recognise
    from samepose.evaluation.penn_report import markdown_tables, plot_confusion, text_tables, to_json

    videos, failed = _videos(data, LEFT_OUT, subset, seed, options)
    may_find(videos, split, folds, seed)
    clips, embedder = _clips(videos, data, keypoints, model, options)
    with options.progress("video") as progress:
        result = recognise(videos, clips, embedder, protocol, split, folds=folds, seed=seed, threads=options.threads,
                           progress=progress)
    if plot is not None:
        plot_confusion(result, plot)
    if markdown is not None:
        with written(markdown) as part:
            part.write_text(markdown_tables(result) + "\n", "utf-8")
    options.result({**to_json(result), "split": split, "folds": folds if split == "cv" else None, "seed": seed,
                    "keypoints": keypoints, "model": embedder.name, "failed": failed}, text_tables(result))
    return 1 if failed else 0


def alignment(
    *,
    data: Path,
    split: Literal["official", "cv"] = "official",
    seed: int = 0,
    subset: Subset = None,
    keypoints: Which = "annotated",
    model: Path | None = None,
    markdown: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Kendall's tau of aligning videos of the same action of Penn Action (Sun 2020, section 4.3.2).

    Averaged over 13 actions; without jump_rope, strum_guitar, and videos that show less than a third of the person.

    Args:
        data: Folder of Penn Action, with labels/ in it, or the folder of the label files.
        split: official: the test videos. cv: all videos that are there; nothing is trained.
        seed: Of the subset.
        subset: Only this many videos, drawn at random: quick.
        keypoints: annotated: those the annotator saw, and guesses within 10 frames of that. seen: without guesses.
            guessed: with all of them. detected: by MoveNet inside the given boxes, which needs the data set's frames/.
        model: An exported .onnx instead of the shipped weights.
        markdown: Also write the table to this file (.md).
    """
    if markdown is not None:
        options.output(markdown, (".md",), data)
    from samepose.evaluation.alignment import LEFT_OUT, alignment
    from samepose.evaluation.penn_report import alignment_json, alignment_markdown, alignment_text

    videos, failed = _videos(data, LEFT_OUT, subset, seed, options)
    videos = _asked(videos, split)
    clips, embedder = _clips(videos, data, keypoints, model, options)
    with options.progress("pair") as progress:
        result = alignment(videos, clips, embedder.matching, threads=options.threads,
                           progress=progress)
    if markdown is not None:
        with written(markdown) as part:
            part.write_text(alignment_markdown(result) + "\n", "utf-8")
    options.result({**alignment_json(result), "split": split, "keypoints": keypoints, "model": embedder.name,
                    "failed": failed}, alignment_text(result))
    return 1 if failed else 0


def _videos(
    data: Path, left_out: tuple[str, ...], subset: int | None, seed: int, options: Options
) -> tuple[list[PennVideo], int]:
    """The videos that the protocol uses, and how many files could not be read."""
    from samepose.evaluation.penn_action import drawn, usable
    from samepose.formats.penn import read_penn_action

    options.limit_threads()
    options.note(f"reading {data}")
    read = read_penn_action(data)
    for line in read.failed:
        options.warn(line)
    videos = drawn(usable(read.videos, left_out), subset, seed)
    options.note(f"{counted(len(videos), 'video')} of {len(read.videos):,}, {sum(map(len, videos)):,} frames")
    return videos, len(read.failed)


def _asked(videos: list[PennVideo], split: Split) -> list[PennVideo]:
    from samepose.errors import UsageError

    test = videos if split == "cv" else [v for v in videos if not v.train]
    if not test:
        raise UsageError(f"none of {len(videos)} videos is a test video; give the labels of all of Penn Action, or use "
                         "--split cv")
    return test


def _clips(
    videos: list[PennVideo], data: Path, keypoints: Which, model: Path | None, options: Options
) -> tuple[list[Clip], PrVipeEmbedder]:
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.evaluation.penn_action import GUESS_REACH, clips_of

    embedder = PrVipeEmbedder.load(model, options.threads)
    if keypoints == "detected":
        poses = _detected(videos, data, options)
    elif keypoints == "guessed":
        poses = [video.poses for video in videos]
    else:
        reach = GUESS_REACH if keypoints == "annotated" else 0
        poses = [video.without_guesses(reach).poses for video in videos]
    with options.progress("video") as progress:
        clips = clips_of(poses, embedder, progress)
    return clips, embedder


def _detected(videos: list[PennVideo], data: Path, options: Options) -> list[Poses]:
    from samepose.detection.movenet import MoveNet
    from samepose.formats.penn import detected

    detector, found = MoveNet(threads=options.threads), []
    folder = next((f for f in (data / "frames", data.parent / "frames") if f.is_dir()), data / "frames")
    with options.progress("video") as progress:
        for done, video in enumerate(videos):
            progress(done, len(videos), f"people in {video.name}")
            found.append(detected(video, folder, detector.detect_inside))
    return found
