"""Who takes part in a measure of image retrieval: people with a crop and a torso, split into queries and database."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from samepose.embed.image import LEAST_SIDE, SIZE, boxes_of_joints, square_of
from samepose.errors import FormatError, SameposeError, UsageError
from samepose.evaluation.image_retrieval import Task
from samepose.evaluation.keypoints import viewpoints
from samepose.formats.labelled import LabelledPeople
from samepose.formats.lsp import lspet_split
from samepose.formats.rendered import RenderedPeople
from samepose.geometry.pose_difference import on_torso, pose_differences
from samepose.media.square import Square
from samepose.skeleton import LSP14, Skeleton

SEED = 2015  # of a split that is drawn
LEAVE_ONE_OUT = "leave-one-out"
COMMITTED = "lspet"
_FACING = {"front": 1, "back": -1}
_SETS = ("train", "database", "queries")


def in_crop(points: Float[np.ndarray, "*n 2"], square: Square) -> Float[np.ndarray, "*n 2"]:
    """Points of the photograph in pixels of the crop (`embed.image.person_crops`)."""
    return ((points - np.array([square.x, square.y])) * (SIZE / square.side)).astype(np.float32)


def told(skipped: Counter[str]) -> str:
    """Who is skipped, in words."""
    return "; ".join(f"{n:,} with {why}" for why, n in skipped.items() if n) or "nobody skipped"


@dataclass(frozen=True, eq=False)
class CroppedPeople:
    """N people whose poses can be compared.

    Attributes:
        people: with `skipped`, by reason.
        squares: what their crops hold.
        points: (N, J, 2) pixels of the crop, NaN where not marked.
        skeleton: of the points.
    """

    people: LabelledPeople
    squares: tuple[Square, ...]
    points: Float[np.ndarray, "n joint 2"]
    skeleton: Skeleton

    @classmethod
    def of(cls, people: LabelledPeople) -> CroppedPeople:
        """All but those without both hips, and those whose crop has under 16 pixels.

        Rendered people are compared by the 14 joints of LSP: of their own 22, seven are on the head.

        Raises:
            SameposeError: nobody is left.
        """
        skeleton = people.poses.skeleton
        hips = [skeleton.index(f"{side}_hip") for side in ("left", "right")]
        people = people.without(np.isnan(people.poses.points[:, hips]).any(axis=(1, 2)), "a hip that is not marked")
        squares = [square_of(box) for box in boxes_of_joints(people.poses.points)]
        small = np.array([square.side < LEAST_SIDE for square in squares], bool)
        people = people.without(small, f"a crop under {LEAST_SIDE} pixels")
        if not len(people):
            raise SameposeError(f"nobody can be measured ({told(people.skipped)})")
        kept = tuple(square for square, no in zip(squares, small) if not no)
        poses = people.poses.to(LSP14) if isinstance(people, RenderedPeople) else people.poses
        points = np.stack([in_crop(pose, square) for pose, square in zip(poses.points, kept)])
        return cls(people, kept, points, poses.skeleton)

    def __len__(self) -> int:
        return len(self.people)

    @property
    def photographed(self) -> bool:
        """Whether there are images: of MPII's joints alone there are none."""
        return isinstance(self.people, RenderedPeople) or any(image.is_file() for image in self.people.images)


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of the queries and of the database.

    Attributes:
        name: as it was asked for.
        seed: with which it was drawn, if it was.
        train: how many people were set aside.
        missing: how many who are listed cannot be measured, or are not there.
    """

    name: str
    queries: Int[np.ndarray, " q"]
    database: Int[np.ndarray, " n"]
    train: int = 0
    seed: int | None = None
    missing: int = 0

    @classmethod
    def of(cls, cropped: CroppedPeople, text: str | None) -> Split:
        """The split that `--split` asks for.

        Args:
            text: "TRAIN:DATABASE:QUERIES" sizes, "leave-one-out", "lspet" (the default for LSP-Extended) or a text file
                of lines such as "queries im00067.jpg"; a number in the place of a name is that of an image less 1.

        Raises:
            UsageError: no split for this data set, sizes that it does not have, or nobody in the queries or database.
            FormatError: a line of the file is none.
        """
        if text is None and cropped.people.name != "LSP-Extended":
            raise UsageError(f"`split` is needed for {cropped.people.name}: give TRAIN:DATABASE:QUERIES as numbers of "
                             f"people, {LEAVE_ONE_OUT}, or a file of lists")
        text = text or COMMITTED
        if text == LEAVE_ONE_OUT:
            everyone = np.arange(len(cropped))
            split = cls(text, everyone, everyone)
        elif re.fullmatch(r"\d+:\d+:\d+", text):
            split = _drawn(cropped, text)
        else:
            listed = ({name: list(map(str, numbers)) for name, numbers in lspet_split().items()} if text == COMMITTED
                      else _read_lists(Path(text)))
            split = _listed(cropped, text, listed)
        if not len(split.queries) or not len(split.database) or (text == LEAVE_ONE_OUT and len(cropped) < 2):
            raise UsageError(f"`split` {text} leaves {len(split.queries):,} queries and {len(split.database):,} people "
                             f"in the database; give another, such as {LEAVE_ONE_OUT}")
        return split

    def only(self, there: Sequence[bool] | np.ndarray) -> Split:
        """Without those of whom there is no image."""
        there = np.asarray(there, bool)
        return replace(self, queries=self.queries[there[self.queries]], database=self.database[there[self.database]])


def task_of(cropped: CroppedPeople, split: Split) -> tuple[Task, Split]:
    """What is right, and the split without the queries to whom nobody in the database compares.

    Raises:
        SameposeError: that is all of them.
    """
    poses = on_torso(cropped.points, cropped.skeleton)
    facing = np.array([_FACING.get(view, 0) for view in viewpoints(cropped.points, cropped.skeleton)])
    differences = pose_differences(poses[split.queries], poses[split.database])
    differences[split.queries[:, None] == split.database] = np.nan
    some = ~np.isnan(differences).all(axis=1)
    if not some.any():
        raise SameposeError("no query has enough joints in common with anybody in the database")
    kept = replace(split, queries=split.queries[some])
    return Task(differences[some], facing[kept.queries], facing[kept.database]), kept


def _drawn(cropped: CroppedPeople, text: str) -> Split:
    train, database, queries = map(int, text.split(":"))
    if train + database + queries > len(cropped):
        raise UsageError(f"`split` {text} asks for {train + database + queries:,} people; {len(cropped):,} can be "
                         "measured")
    drawn = np.random.default_rng(SEED).permutation(len(cropped))[train:]
    return Split(text, np.sort(drawn[database : database + queries]), np.sort(drawn[:database]), train, SEED)


def _read_lists(file: Path) -> dict[str, list[str]]:
    """The images of each set, by name."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`split` {file}: is neither TRAIN:DATABASE:QUERIES, {LEAVE_ONE_OUT}, {COMMITTED} nor a text "
                         "file that can be read") from error
    listed: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            name, _, image = line.strip().partition(" ")
            if name not in _SETS or not image.strip():
                raise FormatError(f"{file}: line {number} is {line.strip()[:40]!r}; expected {', '.join(_SETS[:2])} or "
                                  f"{_SETS[2]}, a space, and an image's name")
            listed.setdefault(name, []).append(image.strip())
    return listed


def _listed(cropped: CroppedPeople, text: str, listed: dict[str, list[str]]) -> Split:
    """Rows of listed images; those that are not there are counted."""
    by_name: dict[str, list[int]] = {}
    for row, image in enumerate(cropped.people.images):
        by_name.setdefault(image.name, []).append(row)
        if digits := re.findall(r"\d+", image.stem):
            by_name.setdefault(str(int(digits[-1]) - 1), []).append(row)
    rows = {name: np.array(sorted({row for image in listed.get(name, ()) for row in by_name.get(image, ())}), int)
            for name in _SETS}
    missing = sum(image not in by_name for name in _SETS[1:] for image in listed.get(name, ()))
    return Split(text, rows["queries"], rows["database"], len(rows["train"]), missing=missing)
