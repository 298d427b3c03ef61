"""Crops of people, as image embeddings see them."""

from __future__ import annotations

import numpy as np

from samepose.embed.image import ROOM, SIZE, boxes_of_joints, person_crops, square_of


def test_a_crop_is_a_square_about_the_box_and_black_beyond_the_image() -> None:
    image = np.full((60, 100, 3), 200, np.uint8)
    image[:, 50:] = (10, 20, 30)  # the right half
    crop = person_crops(image, np.array([[40.0, 10.0, 60.0, 50.0]], np.float32))[0]
    square = square_of(np.array([40.0, 10.0, 60.0, 50.0], np.float32))
    assert square.side == 44 == round(40 * ROOM)
    assert crop.shape == (SIZE, SIZE, 3)
    assert tuple(crop[SIZE // 2, 5]) == (200, 200, 200) and tuple(crop[SIZE // 2, -5]) == (10, 20, 30)
    above = person_crops(image, np.array([[10.0, -40.0, 50.0, 10.0]], np.float32))[0]
    assert (above[:40] == 0).all() and (above[-10:] > 0).any()


def test_nobody_gives_no_crops() -> None:
    assert person_crops(np.zeros((5, 5, 3), np.uint8), np.zeros((0, 4), np.float32)).shape == (0, SIZE, SIZE, 3)


def test_the_box_of_joints_holds_them_and_ignores_missing_ones() -> None:
    points = np.array([[[10, 20], [30, 60], [np.nan, np.nan]], [[np.nan] * 2] * 3], np.float32)
    boxes = boxes_of_joints(points)
    assert np.allclose(boxes[0], [20 - 11.5, 40 - 23, 20 + 11.5, 40 + 23])
    assert np.isnan(boxes[1]).all()
