"""A 3D pose as a picture: from the front, with what depth adds."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_motion import some_people, standing
from samepose.errors import UsageError
from samepose.geometry.frontal import PER_METRE, SIDE, pictured, solid
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.poses import Poses
from samepose.skeleton import COCO17, H36M17


def bodies(points: np.ndarray) -> Poses:
    return Poses.of(points, H36M17, unit="metre")


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """About the axis that points up, written out."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def test_a_person_who_faces_the_viewer_is_only_moved() -> None:
    body = standing()
    body[H36M17.index("right_shoulder"), 1] = body[H36M17.index("left_shoulder"), 1]
    flat, depth = pictured(bodies(body + np.array([3, 4, 5])))
    hips = body[[H36M17.index("left_hip"), H36M17.index("right_hip")]].mean(axis=0)
    np.testing.assert_allclose(flat.points[0, :, 0], SIDE / 2 + PER_METRE * (body - hips)[:, 0], atol=1e-3)
    np.testing.assert_allclose(flat.points[0, :, 1], SIDE / 2 - PER_METRE * (body - hips)[:, 1], atol=1e-3)
    np.testing.assert_allclose(depth[0], -PER_METRE * (body - hips)[:, 2], atol=1e-3)
    left, right = (flat.points[0, H36M17.index(f"{side}_shoulder"), 0] for side in ("left", "right"))
    assert left > right and flat.unit == "pixel" and flat.boxes[0, 2] - flat.boxes[0, 0] > 100


@pytest.mark.parametrize("degrees", [0, 35, 90, 180, 271])
def test_no_heading_or_place_changes_the_picture(degrees: float) -> None:
    people = some_people(20, seed=1)
    first, depth = pictured(bodies(people))
    again, other = pictured(bodies(turned(people, degrees) + np.array([1, -2, 0.5])))
    np.testing.assert_allclose(again.points, first.points, atol=0.01)
    np.testing.assert_allclose(other, depth, atol=0.01)


def test_depth_brings_the_pose_back() -> None:
    people = some_people(20, seed=2)
    back = solid(*pictured(bodies(people)))
    assert np.diag(np_mpjpe_matrix(back.points, people)).max() < 1e-5 and back.unit == "metre"
    heights = [points[:, H36M17.index("head_top"), 1] - points[:, H36M17.index("left_ankle"), 1]
               for points in (back.points, people)]
    np.testing.assert_allclose(*heights, atol=1e-5)  # whoever lies or stands on their head still does
    np.testing.assert_allclose(solid(*pictured(back)).points, back.points, atol=1e-5)


def test_what_is_missing_stays_missing() -> None:
    body = some_people(1)
    body[0, H36M17.index("left_wrist")] = np.nan
    flat, depth = pictured(bodies(body))
    assert np.isnan(flat.points[0, H36M17.index("left_wrist")]).all() and np.isnan(depth).sum() == 1
    assert np.isnan(solid(flat, depth).points).all(axis=-1).sum() == 1


def test_who_lies_on_one_side_has_a_picture() -> None:
    lying = standing() @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])  # the person's left is up
    lying[:, [0, 2]] -= lying[0, [0, 2]]
    assert np.isfinite(pictured(bodies(lying))[0].points).all()


@pytest.mark.parametrize("spoil", ["one point", "no hip"])
def test_degenerate_trunks_are_refused(spoil: str) -> None:
    body = standing()
    if spoil == "one point":
        body[:] = body[0]
    else:
        body[H36M17.index("left_hip")] = np.nan
    with pytest.raises(UsageError, match="are not known, or lie at one point"):
        pictured(bodies(body))


def test_2d_poses_are_refused() -> None:
    with pytest.raises(UsageError, match="2D poses have no depth"):
        pictured(Poses.of(np.zeros((1, 17, 2)), COCO17))
