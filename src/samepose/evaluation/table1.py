"""Sun 2020, table 1, on the real data: real cameras, keypoints that a detector saw in their videos or projected ones.

A column is Human3.6M's S9 and S11 in its four cameras, or MPI-INF-3DHP's training set (a test set here) in its eleven
that do not hang from the ceiling, or in the five of those at chest height. The frames are the published ones where
their list is given, else chosen by the rule that the paper states (`evaluation.frame_list`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from samepose.errors import UsageError
from samepose.evaluation.frame_list import PAPER_FRAMES, FrameList, listed_frames, paper_frames
from samepose.evaluation.retrieval import RetrievalResult, Scorer, evaluate_views
from samepose.formats.h36m import read_h36m_views
from samepose.formats.mpi_inf_3dhp import CHEST, NOT_OVERHEAD, read_3dhp
from samepose.formats.multiview import MultiView

Cameras3DHP = Literal["all11", "chest5"]


@dataclass(frozen=True, eq=False)
class Column:
    """What one column of the table is measured on.

    Attributes:
        name: "h36m", "3dhp all11" or "3dhp chest5".
        keypoints: "projected" or "detected".
        views: the chosen frames; every camera sees every one.
        notes: one line for each thing that differs from the paper or was mended.
    """

    name: str
    keypoints: str
    views: MultiView
    notes: tuple[str, ...] = ()

    def measure(self, scorers: Mapping[str, Scorer], hide: Sequence[str] = ()) -> list[RetrievalResult]:
        """Hit rates of every scorer; see `evaluate_views`."""
        return evaluate_views(self.views.points, self.views.keypoints, scorers, cameras_name=self.name,
                              keypoints=self.keypoints, hide=hide)


def h36m_column(
    path: Path, detections: Path | None = None, frames: FrameList | None = None, n: int | None = None
) -> Column:
    """Human3.6M's S9 and S11 in four cameras.

    Args:
        path, detections: as in `read_h36m_views`.
        frames: the list to measure; None chooses by the rule.
        n: draw so many of those that the rule leaves; None keeps all.

    Raises:
        FormatError: the data cannot be used.
        UsageError: listed frames that the data lack, or fewer than two frames.
    """
    return _column("h36m", read_h36m_views(path, detections), "h36m", detections, frames, n)


def mpi_inf_3dhp_column(
    path: Path, detections: Path | None = None, frames: FrameList | None = None, n: int | None = None,
    cameras: Cameras3DHP = "all11",
) -> Column:
    """MPI-INF-3DHP's eight training subjects; the frames are the same in 11 cameras and in 5.

    Args:
        path, detections: as in `read_3dhp`; others as in `h36m_column`.

    Raises:
        FormatError, UsageError: as `h36m_column`.
    """
    views = read_3dhp(path, NOT_OVERHEAD, detections=detections)
    column = _column(f"3dhp {cameras}", views, "3dhp", detections, frames, n)
    chosen = NOT_OVERHEAD if cameras == "all11" else CHEST
    return Column(column.name, column.keypoints, column.views.seen_by(chosen), column.notes)


def _column(
    name: str, views: MultiView, data: str, detections: Path | None, frames: FrameList | None, n: int | None
) -> Column:
    notes = list(views.notes)
    if frames is None:
        kept = paper_frames(views, n)
        if len(kept) != PAPER_FRAMES[data]:
            notes.append(f"{len(kept):,} frames, the published list has {PAPER_FRAMES[data]:,}: measure its frames to "
                         "compare with the paper")
    else:
        listed = listed_frames(views, frames)
        kept = listed[views.in_all_cameras()[listed]]
        if len(kept) < len(listed):
            notes.append(f"{len(listed) - len(kept):,} of {len(listed):,} listed frames left out: one of the cameras "
                         "sees nobody there")
    if len(kept) < 2:
        raise UsageError(f"{name}: {len(kept)} frames are left that differ and that all cameras see; give the whole "
                         "data set")
    return Column(name, "detected" if detections else "projected", views.take(kept), tuple(notes))
