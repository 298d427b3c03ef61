"""What the joint space of pictures and poses has learned (Li 2015, section 6 and figure 4).

Its two features of highest variance over the pictures' embeddings, and two principal components of them, each as a
plane with the average picture of every region, beside the same plane of the poses' embeddings with the average pose.
The paper averages the pictures of one person; rendered people differ in clothes and room, so ours are of everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from samepose.embed.image import person_crops
from samepose.errors import SameposeError, UsageError
from samepose.evaluation.pose3d_run import boxes_of
from samepose.explain.pictures import LEFT, MIDDLE, RIGHT
from samepose.files import written
from samepose.formats.posed_images import PosedImages
from samepose.lifting.structnet import Seen
from samepose.progress import Progress, silent
from samepose.skeleton import H36M17

CELLS = 9  # regions each way
_FEWEST = 3  # members of a region that is shown
_PERCENT = 1.0  # of the points beyond each edge of the regions
_PELVIS, _THORAX, _NECK, _LEFT_HIP, _RIGHT_HIP, _LEFT_KNEE, _RIGHT_KNEE = (H36M17.index(j) for j in (
    "pelvis", "thorax", "neck", "left_hip", "right_hip", "left_knee", "right_knee"))


@runtime_checkable
class Space(Protocol):
    """What embeds people and poses: an exported StructNet, or one in torch."""

    def see(self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "n 4"]) -> Seen:
        """People of a picture by their boxes, pixels."""
        ...

    def embed_poses(self, poses: Float[np.ndarray, "c 17 3"]) -> Float[np.ndarray, "c dim"]:
        """Poses, metres, camera axes."""
        ...


@dataclass(frozen=True, eq=False)
class Embedded:
    """N people of a data set in the joint space.

    Attributes:
        pictures, poses: embeddings of their pictures and of their true poses.
        truth: those poses, metres, camera axes.
        crops: they themselves.
        unreadable: why others are left out.
    """

    pictures: Float[np.ndarray, "n dim"]
    poses: Float[np.ndarray, "n dim"]
    truth: Float[np.ndarray, "n 17 3"]
    crops: UInt8[np.ndarray, "n size size 3"]
    unreadable: tuple[str, ...]


def embedded(images: PosedImages, space: Space, progress: Progress = silent) -> Embedded:
    """Look at everybody.

    Raises:
        SameposeError: no picture can be read.
    """
    boxes, rows, found, crops, unreadable = boxes_of(images), [], [], [], []
    for count, (row, picture) in enumerate(images.pictures()):
        progress(count, len(images), images.name)
        if isinstance(picture, SameposeError):
            unreadable.append(str(picture))
            continue
        rows.append(row)
        found.append(space.see(picture, boxes[row : row + 1]).embeddings[0])
        crops.append(person_crops(picture, boxes[row : row + 1])[0])
    if not rows:
        raise SameposeError(f"no picture can be read, such as {unreadable[0]}")
    truth = images.truth[rows]
    return Embedded(np.stack(found), space.embed_poses(truth), truth, np.stack(crops), tuple(unreadable))


@dataclass(frozen=True, eq=False)
class Plane:
    """Two coordinates of the joint space.

    Attributes:
        names: of the coordinates.
        explained: share of the variance of all coordinates of the pictures' embeddings that each has.
        pictures, poses: where the N pictures and their N poses are.
        told: R² of linear regressions, by what is told and from which of the two.
    """

    names: tuple[str, str]
    explained: tuple[float, float]
    pictures: Float[np.ndarray, "n 2"]
    poses: Float[np.ndarray, "n 2"]
    told: dict[str, dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Without the points."""
        return {"coordinates": list(self.names), "explained": [round(v, 4) for v in self.explained], "told": self.told}


def strongest(people: Embedded) -> Plane:
    """The two features of highest variance over the pictures (figures 4a and 4b).

    Raises:
        UsageError: too few pictures, or all embeddings are the same.
    """
    variance = _spread(people.pictures)
    chosen = np.argsort(-variance, kind="stable")[:2]
    share = variance[chosen] / variance.sum()
    names = (f"feature {chosen[0]}", f"feature {chosen[1]}")
    return _plane(names, share, people.pictures[:, chosen], people.poses[:, chosen], people.truth)


def components(people: Embedded) -> Plane:
    """Two principal components of the pictures' embeddings, which the poses' are projected on too (4c and 4d).

    Raises:
        UsageError: as `strongest`.
    """
    variance = _spread(people.pictures)
    centred = people.pictures - people.pictures.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    share = singular[:2] ** 2 / len(centred) / variance.sum()
    names = ("1st principal component", "2nd principal component")
    of_poses = (people.poses - people.poses.mean(axis=0)) @ axes[:2].T
    return _plane(names, share, centred @ axes[:2].T, of_poses, people.truth)


def heading(poses: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, "n 2"]:
    """Where people face: to the right of the picture and towards the camera, unit length; (0, 1) is a frontal view."""
    left, up = poses[:, _LEFT_HIP] - poses[:, _RIGHT_HIP], poses[:, _THORAX] - poses[:, _PELVIS]
    forward = np.cross(left, up)[:, [0, 2]] * (1, -1)
    unit: np.ndarray = forward / np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9)
    return unit


def regions(
    points: Float[np.ndarray, "n 2"], cells: int = CELLS
) -> list[tuple[tuple[float, float], Int[np.ndarray, " member"]]]:
    """Middle and members of every region of a grid over the points, but those with fewer than three members."""
    low, high = np.percentile(points, [_PERCENT, 100 - _PERCENT], axis=0)
    size = np.maximum(high - low, 1e-12) / cells
    cell = np.floor((points - low) / size).astype(int)
    found = []
    for x in range(cells):
        for y in range(cells):
            members = np.flatnonzero((cell == (x, y)).all(axis=1))
            if len(members) >= _FEWEST:
                middle = low + (np.array([x, y]) + 0.5) * size
                found.append(((float(middle[0]), float(middle[1])), members))
    return found


def plane_picture(plane: Plane, people: Embedded, path: Path, title: str) -> None:
    """Both embeddings on the plane: average pictures of regions on the left, average poses on the right."""
    figure = Figure(figsize=(14, 7.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, points, kind in ((left, plane.pictures, "pictures"), (right, plane.poses, "poses")):
        axes.plot(*points.T, ".", ms=2, color="#c4cbd4", zorder=1)
        low, high = np.percentile(points, [_PERCENT, 100 - _PERCENT], axis=0)
        half = np.maximum(high - low, 1e-12) / CELLS / 2
        for middle, members in regions(points):
            if kind == "pictures":
                _average_image(axes, people.crops[members], middle, half)
            else:
                _average_pose(axes, people.truth[members], middle, half)
        axes.set(title=f"Embeddings of the {kind}: average {kind[:-1]} of each region", facecolor="white",
                 xlabel=f"{plane.names[0]} ({100 * plane.explained[0]:.1f} % of the pictures' variance)",
                 ylabel=f"{plane.names[1]} ({100 * plane.explained[1]:.1f} %)")
        axes.set_xlim(low[0] - half[0], high[0] + half[0])
        axes.set_ylim(low[1] - half[1], high[1] + half[1])
    right.set_facecolor("#fbfbf8")
    figure.suptitle(f"{title}; N = {len(people.crops):,}")
    figure.supxlabel("poses as the camera sees them: the person's left is orange, the right blue; the green line "
                     "points where they face", fontsize=9)
    with written(path) as part:
        figure.savefig(part, dpi=110, facecolor="white")


def _spread(pictures: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " dim"]:
    variance: np.ndarray = pictures.var(axis=0)
    if len(pictures) < _FEWEST or not variance.sum() > 0:
        raise UsageError(f"the embeddings of {len(pictures)} pictures do not differ; give more pictures, or a model "
                         "that has been trained")
    return variance


def _plane(
    names: tuple[str, str], share: Float[np.ndarray, " 2"], pictures: Float[np.ndarray, "n 2"],
    poses: Float[np.ndarray, "n 2"], truth: Float[np.ndarray, "n 17 3"],
) -> Plane:
    knees = (truth[:, _RIGHT_KNEE, 2] - truth[:, _LEFT_KNEE, 2])[:, None]  # > 0: the left one is nearer
    facts = {"heading": heading(truth), "nearer knee": knees}
    told = {f"{fact} from {kind}": {
        which: round(_determination(points[:, rows], target), 3)
        for which, rows in (("both", [0, 1]), (names[0], [0]), (names[1], [1]))}
        for fact, target in facts.items() for kind, points in (("pictures", pictures), ("poses", poses))}
    return Plane(names, (float(share[0]), float(share[1])), pictures, poses, told)


def _determination(points: Float[np.ndarray, "n k"], target: Float[np.ndarray, "n facts"]) -> float:
    """R² of the linear regression, over all target columns together."""
    design = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    rest = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(1 - (rest**2).sum() / max(((target - target.mean(axis=0)) ** 2).sum(), 1e-12))


def _average_image(
    axes: Any, crops: UInt8[np.ndarray, "n size size 3"], middle: tuple[float, float], half: Float[np.ndarray, " 2"]
) -> None:
    """Contrast is stretched: what many different pictures have in common is faint."""
    mean = crops.mean(axis=0, dtype=np.float64)
    low, high = np.percentile(mean, [1, 99])
    (x, y), (w, h) = middle, half * 0.94
    axes.imshow(np.clip((mean - low) / max(high - low, 1), 0, 1), extent=(x - w, x + w, y - h, y + h), aspect="auto",
                zorder=2, interpolation="bilinear")


def _average_pose(
    axes: Any, poses: Float[np.ndarray, "n 17 3"], middle: tuple[float, float], half: Float[np.ndarray, " 2"]
) -> None:
    mean = (poses - poses[:, :1]).mean(axis=0)
    flat = mean[:, :2] * (1, -1)  # axes whose y goes up
    body = (flat - (flat.min(axis=0) + flat.max(axis=0)) / 2) / max(np.ptp(flat, axis=0).max(), 1e-9)
    body = body * 1.8 * half + middle
    lines, colours = [], []
    for a, b in H36M17.bones:
        sides = {H36M17.joints[k].partition("_")[0] for k in (a, b)}
        lines.append(body[[a, b]])
        colours.append(MIDDLE if {"left", "right"} <= sides else LEFT if "left" in sides else
                       RIGHT if "right" in sides else MIDDLE)
    face = heading(mean[None])[0, 0] * 0.5 * half[0]
    lines.append(np.stack([body[_NECK], body[_NECK] + (face, 0)]))
    axes.add_collection(LineCollection(lines, colors=[*colours, "#2a9d4a"], linewidths=1.3, capstyle="round", zorder=3))
