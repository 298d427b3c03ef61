"""Action recognition on Penn Action by the nearest aligned video (Sun 2020, section 4.3.1 and supplement).

All test videos are queries. Index: all training videos, or those of one view only, averaged over the views. Left out
are strum_guitar and videos that show less than a third of the person; with an index of one view also the actions of
which it holds no or one video. Accuracy is averaged over actions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import UsageError
from samepose.formats.penn import VIEWS, PennVideo
from samepose.poses import Poses
from samepose.progress import Progress, silent
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.nearest import Gallery

Protocol = Literal["all-views", "one-view"]
Split = Literal["official", "cv"]
LEFT_OUT = ("strum_guitar",)
LEAST_VISIBLE = 1 / 3
# Joints that must be seen for a frame to count. Search asks for seven; but fourteen of the training videos never show
# as many, a video must be recognised all the same, and its neighbours in time make up for what a frame lacks.
FEWEST_JOINTS = 2
# Frames: a guess this near to where the joint was seen is used. Between two sightings the annotator knows where a joint
# went; one that is never seen is made up. results/penn-action.json has the figures.
GUESS_REACH = 10


@dataclass(frozen=True, eq=False)
class Recognition:
    """How many videos were recognised.

    Attributes:
        protocol: all-views or one-view.
        classes: the actions, in alphabetical order.
        confusion: (classes, classes) counts, row: the query's action, column: the found one's; with one-view the sum
            over the views of the index.
        per_class: accuracy of each action; with one-view the mean over the views that hold it.
        per_view: all-views: accuracy over the queries of each view. one-view: with the index of each view.
        accuracy: mean of per_class; with one-view of per_view.
        queries: number of query videos.
        index: number of videos that each may be found among, at most.
        pruned: share of all pairs that a bound ruled out.
        seconds: that finding the neighbours took.
    """

    protocol: Protocol
    classes: tuple[str, ...]
    confusion: Int[np.ndarray, "truth found"]
    per_class: dict[str, float]
    per_view: dict[str, float]
    accuracy: float
    queries: int
    index: int
    pruned: float
    seconds: float


def usable(videos: Sequence[PennVideo], left_out: Sequence[str] = LEFT_OUT) -> list[PennVideo]:
    """Without the actions `left_out` and videos that show less than a third of the person."""
    return [v for v in videos if v.action not in left_out and v.visible >= LEAST_VISIBLE]


def drawn(videos: Sequence[PennVideo], n: int | None, seed: int) -> list[PennVideo]:
    """`n` of the videos at random, in their order; all by default or where there are fewer."""
    if n is None or n >= len(videos):
        return list(videos)
    return [videos[i] for i in sorted(np.random.default_rng(seed).permutation(len(videos))[:n])]


def clips_of(
    poses: Sequence[Poses], embedder: PrVipeEmbedder, progress: Progress = silent
) -> list[Clip]:
    """Embed the poses of each video, taken for 30 frames per second.

    Of annotated poses give `PennVideo.without_guesses(GUESS_REACH)`.

    Raises:
        SameposeError: a video without any frame of two joints.
    """
    lenient, clips = embedder.accepting(FEWEST_JOINTS), []
    for done, video in enumerate(poses, 1):
        clips.append(clip_of(video, lenient))
        progress(done, len(poses), "embedding")
    return clips


def may_find(
    videos: Sequence[PennVideo], split: Split, folds: int = 5, seed: int = 0
) -> tuple[Int[np.ndarray, " q"], Int[np.ndarray, " n"], Bool[np.ndarray, "q n"]]:
    """Numbers of the queries, of the index, and which of the index each query may find.

    official: test videos among training videos. cv: every video among those of the other folds, drawn at random.

    Raises:
        UsageError: no test or no training videos; fewer videos than folds, or fewer than two folds.
    """
    if split == "official":
        train = np.array([v.train for v in videos], bool)
        if train.all() or not train.any():
            kind = "test" if train.all() else "training"
            raise UsageError(f"none of {len(videos)} videos is a {kind} video; give the labels of all of Penn Action, "
                             "or use `split=cv`")
        queries, index = np.flatnonzero(~train), np.flatnonzero(train)
        return queries, index, np.ones((len(queries), len(index)), bool)
    if not 2 <= folds <= len(videos):
        raise UsageError(f"{folds} folds of {len(videos)} videos; at least two, and a video in each, are needed")
    fold = np.empty(len(videos), np.int64)
    fold[np.random.default_rng(seed).permutation(len(videos))] = np.arange(len(videos)) % folds
    everything = np.arange(len(videos))
    return everything, everything, fold[:, None] != fold


def recognise(
    videos: Sequence[PennVideo], clips: Sequence[Clip], embedder: PrVipeEmbedder, protocol: Protocol = "all-views",
    split: Split = "official", *, folds: int = 5, seed: int = 0, threads: int | None = None,
    progress: Progress = silent,
) -> Recognition:
    """The action of each query's nearest neighbour against its own.

    Args:
        videos, clips: as `usable` and `clips_of` give them.

    Raises:
        UsageError: see `may_find`.
    """
    queries, index, allowed = may_find(videos, split, folds, seed)
    gallery = Gallery([clips[i] for i in index], embedder.matching)
    asked = [clips[i] for i in queries]
    truth, label = (np.array([videos[i].action for i in at]) for at in (queries, index))
    begin, rounds = time.perf_counter(), []
    views = VIEWS if protocol == "one-view" else (None,)
    for k, view in enumerate(views):
        may, counted = (allowed, np.ones(len(queries), bool)) if view is None else _one_view(
            allowed & np.array([videos[i].view == view for i in index]), truth, label)
        def tell(done: float, total: float, what: str, /, before: int = k) -> None:
            progress(done + before * total, total * len(views), what)

        found = gallery.nearest(asked, allowed=may & counted[:, None], threads=threads, progress=tell)
        rounds.append((counted, np.where(found.clips[:, 0] >= 0, label[found.clips[:, 0]], ""), found))
    seconds = time.perf_counter() - begin
    return _summed_up(protocol, truth, np.array([videos[i].view for i in queries]), rounds,
                      (len(queries), int(allowed.sum(axis=1).max())), seconds)


def _one_view(
    allowed: Bool[np.ndarray, "q n"], truth: np.ndarray, label: np.ndarray
) -> tuple[Bool[np.ndarray, "q n"], Bool[np.ndarray, " q"]]:
    """What may be found, and the queries that count, without the actions that the index has at most once."""
    classes = np.unique(np.concatenate([truth, label]))
    held = allowed.astype(np.int64) @ (label[:, None] == classes)
    enough = held >= 2
    return allowed & enough[:, np.searchsorted(classes, label)], enough[np.arange(len(truth)),
                                                                        np.searchsorted(classes, truth)]


def _summed_up(
    protocol: Protocol, truth: np.ndarray, views: np.ndarray, rounds: Sequence[Any], sizes: tuple[int, int],
    seconds: float,
) -> Recognition:
    classes = tuple(sorted(set(truth) | {a for _, named, _ in rounds for a in named if a}))
    place = {name: k for k, name in enumerate(classes)}
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    tables = []
    for counted, named, _ in rounds:
        of = {a: counted & (truth == a) for a in classes}
        tables.append({a: float((named == truth)[rows].mean()) for a, rows in of.items() if rows.any()})
        for a, b in zip(truth[counted], named[counted]):
            confusion[place[a], place[b]] += 1
    per_class = {a: float(np.mean([t[a] for t in tables if a in t])) for a in classes if any(a in t for t in tables)}
    if protocol == "one-view":
        per_view = {v: float(np.mean(list(t.values()))) for v, t in zip(VIEWS, tables) if t}
        accuracy = float(np.mean(list(per_view.values()))) if per_view else 0.0
    else:
        right = rounds[0][1] == truth
        per_view = {v: float(right[views == v].mean()) for v in VIEWS if (views == v).any()}
        accuracy = float(np.mean(list(per_class.values())))
    pairs, compared = (sum(getattr(found, key) for _, _, found in rounds) for key in ("pairs", "compared"))
    return Recognition(protocol, classes, confusion, per_class, per_view, accuracy, *sizes,
                       1 - compared / max(pairs, 1), seconds)
