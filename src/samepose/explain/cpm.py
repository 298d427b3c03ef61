"""How a belief grows from stage to stage (Wei 2016, Figure 1): where one joint of one person may be, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from samepose.detection.cpm import CPM
from samepose.detection.movenet import person_square
from samepose.errors import UsageError
from samepose.files import written
from samepose.media.draw import draw_poses
from samepose.media.square import Square
from samepose.poses import Poses

_SIDE = 368  # pixels of the crop in the picture
_FAINT = 0.3  # opacity of no belief at all: the person stays visible


@dataclass(frozen=True, eq=False)
class Beliefs:
    """One joint of one person.

    Attributes:
        maps: after each stage, 0..1.
        points: the peak of each map, in pixels of the image.
        heights: of the peaks, 0..1.
        spread: pixels, the root mean square distance of the belief from the peak.
        pose: of all joints, after the last stage.
    """

    joint: str
    maps: Float[np.ndarray, "stage cell cell"]
    points: Float[np.ndarray, "stage 2"]
    heights: Float[np.ndarray, " stage"]
    spread: Float[np.ndarray, " stage"]
    square: Square
    pose: Poses

    def to_json(self) -> list[dict[str, float]]:
        """One object per stage."""
        return [{"stage": k + 1, "x": round(float(x), 2), "y": round(float(y), 2), "belief": round(float(height), 4),
                 "spread": round(float(spread), 2)}
                for k, ((x, y), height, spread) in enumerate(zip(self.points, self.heights, self.spread))]


def beliefs(detector: CPM, image: UInt8[np.ndarray, "height width 3"], joint: str, person: int = 0) -> Beliefs:
    """Look at one person; where nobody is found, at the whole image.

    Args:
        joint: a joint of the detector's skeleton.
        person: rank of prominence, 0 = first.

    Raises:
        UsageError: no such joint or person.
    """
    k = detector.skeleton.index(joint)
    people = detector.people.detect(image)
    if person >= max(len(people), 1):
        raise UsageError(f"there is no person {person}; {len(people)} were found, counted from 0")
    height, width = image.shape[:2]
    side = max(height, width)
    square = person_square(people[person]) if len(people) else Square((width - side) // 2, (height - side) // 2, side)
    points, scores = detector.look(image, square)
    maps = np.clip(detector.belief_maps(image, square)[:, k], 0, 1)
    cell = square.side / maps.shape[-1]
    y, x = (square.y + (np.arange(maps.shape[1]) + 0.5) * cell - 0.5, square.x + (np.arange(maps.shape[2]) + 0.5) * cell
            - 0.5)
    squares = (x - points[:, k, 0, None, None]) ** 2 + (y[:, None] - points[:, k, 1, None, None]) ** 2
    mass = np.maximum(maps.sum(axis=(1, 2)), 1e-9)
    spread = np.sqrt((maps * squares).sum(axis=(1, 2)) / mass)
    pose = Poses.of(points[-1:], detector.skeleton, scores=scores[-1:])
    return Beliefs(joint, maps, points[:, k], scores[:, k], spread, square, pose)


def belief_picture(found: Beliefs, image: UInt8[np.ndarray, "height width 3"], path: Path) -> None:
    """The belief after each stage over the person, its peak marked, and the whole pose."""
    square, crop = found.square, found.square.crop(image, _SIDE)
    scale = _SIDE / square.side
    stages = len(found.maps)
    figure = Figure(figsize=(2.6 * (stages + 1), 3.2), layout="constrained")
    axes = figure.subplots(1, stages + 1, squeeze=False)[0]
    for k, axis in enumerate(axes[:-1]):
        axis.imshow(crop)
        opacity = np.clip(_FAINT + found.maps[k] * (1 - _FAINT), 0, 0.85)
        axis.imshow(found.maps[k], cmap="magma", vmin=0, vmax=1, alpha=opacity, interpolation="bilinear",
                    extent=(-0.5, _SIDE - 0.5, _SIDE - 0.5, -0.5))
        peak = (found.points[k] - (square.x, square.y) + 0.5) * scale - 0.5
        axis.plot(*peak, "+", color="#00e5ff", ms=12, mew=2)
        axis.set_title(f"stage {k + 1}: belief {found.heights[k]:.2f},\nspread {found.spread[k]:.0f} px", fontsize=9)
    moved = Poses.of((found.pose.points - (square.x, square.y) + 0.5) * scale - 0.5, found.pose.skeleton,
                     scores=found.pose.scores)
    axes[-1].imshow(draw_poses(crop, moved, below=0.1))
    axes[-1].set_title("all joints, last stage\nleft orange, right blue", fontsize=9)
    for axis in axes:
        axis.set(xticks=[], yticks=[], xlim=(-0.5, _SIDE - 0.5), ylim=(_SIDE - 0.5, -0.5))
    figure.colorbar(ScalarMappable(Normalize(0, 1), "magma"), ax=axes[-2], fraction=0.046)
    figure.suptitle(f"Where is the {found.joint.replace('_', ' ')}?")
    with written(path) as part:
        figure.savefig(part, dpi=130, facecolor="white")
