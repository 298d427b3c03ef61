"""Views of several cameras as a file, and which cameras of each frame count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samepose.errors import FormatError, UsageError
from samepose.formats.multiview import MultiView, read_views, write_views


def some_views(cameras: int = 3, n: int = 5) -> MultiView:
    """Camera k sees joint j of frame i at (100 k + i, j), scored k / 10."""
    keypoints = np.zeros((cameras, n, 13, 2), np.float32)
    keypoints[..., 0] = 100 * np.arange(cameras)[:, None, None] + np.arange(n)[:, None]
    keypoints[..., 1] = np.arange(13)
    scores = np.broadcast_to(np.arange(cameras, dtype=np.float32)[:, None, None] / 10, (cameras, n, 13)).copy()
    points = np.random.default_rng(0).normal(size=(n, 17, 3)).astype(np.float32)
    return MultiView(keypoints, points, tuple("abcdef"[:cameras]), np.zeros(n, np.int64), ("ann/walk",), np.arange(n),
                     scores=scores)


@pytest.mark.parametrize("scored", [True, False])
def test_a_file_holds_all_of_it(scored: bool, tmp_path: Path) -> None:
    views = some_views() if scored else replace(some_views(), scores=None)
    write_views(tmp_path / "views.npz", views)
    again = read_views(tmp_path / "views.npz")
    assert (again.cameras, again.clip_names, again.subjects) == (("a", "b", "c"), ("ann/walk",), ("ann",))
    for name in ("keypoints", "points", "clip", "frame"):
        np.testing.assert_array_equal(getattr(again, name), getattr(views, name))
    np.testing.assert_array_equal(again.scores, views.scores)


def test_the_first_cameras_that_see_somebody_count() -> None:
    views = some_views()
    views.keypoints[0, 1, :8] = np.nan  # camera a sees five joints of frame 1,
    views.keypoints[1:, 2] = np.nan  # and frame 2 is seen by it alone
    found = views.seen_in(2, 6)
    assert found.frame.tolist() == [0, 1, 3, 4]
    assert found.keypoints[:, :, 0, 0].tolist() == [[0, 101, 3, 4], [100, 201, 103, 104]]
    assert found.scores is not None and found.scores[:, 1, 0] == pytest.approx([0.1, 0.2])


@pytest.mark.usefixtures("unchecked")
def test_other_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "views.npz"
    np.savez(path, keypoints=np.zeros(3))
    with pytest.raises(FormatError, match=r"views\.npz: is no file of views"):
        read_views(path)
    write_views(path, some_views())
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "clip": arrays["clip"] + 7})
    with pytest.raises(FormatError, match="are damaged"):
        read_views(path)
    np.savez(path, **{**arrays, "scores": arrays["scores"][:2]})
    with pytest.raises(FormatError, match="scores have shape"):
        read_views(path)
    with pytest.raises(UsageError, match="scores have shape"):
        replace(some_views(), scores=np.zeros((3, 5, 2), np.float32))
