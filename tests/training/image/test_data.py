"""Crops of people to learn from, and the batches made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samepose.embed.image import SIZE, boxes_of_joints, person_crops, square_of
from samepose.formats.labelled import LabelledPeople
from samepose.geometry.pose_difference import pose_differences
from samepose.poses import Poses
from samepose.skeleton import COCO17, LSP14, Skeleton
from samepose.training.augment import CropAugmentConfig
from samepose.training.image.data import KEPT, Crops

STILL = CropAugmentConfig(0, 0, (1.0, 1.0), 0, 0, 0, 0, 0)
RNG = np.random.default_rng


def standing(n: int, seed: int = 0, middle: tuple[float, float] = (100.0, 90.0)) -> np.ndarray:
    """Joints all over a square of 80 pixels."""
    return (RNG(seed).uniform(-40, 40, (n, 14, 2)) + middle).astype(np.float32)


def photographed(folder: Path, points: np.ndarray, skeleton: Skeleton = LSP14, mode: str = "RGB") -> LabelledPeople:
    """Photographs of noise, a white spot where each person's right wrist is."""
    paths = []
    for i, joints in enumerate(points):
        pixels = RNG(i).integers(0, 60, (180, 220, 3)).astype(np.uint8)
        x, y = np.nan_to_num(joints[skeleton.index("right_wrist")]).round().astype(int)
        pixels[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = 255
        paths.append(folder / f"{i}.png")
        Image.fromarray(pixels).convert(mode).save(paths[-1])
    return LabelledPeople.of("made up", Poses.of(points, skeleton), paths)


def spot(image: np.ndarray) -> np.ndarray:
    """Where an image (3, h, w) is white."""
    weight = np.clip(image.mean(0) - 128, 0, None)
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def test_a_crop_is_the_embedders_own(tmp_path: Path) -> None:
    people = photographed(tmp_path, standing(3))
    crops = Crops.of([people])
    assert crops.pixels.shape == (3, KEPT, KEPT, 3) and crops.pixels.dtype == np.uint8
    batch = crops.batch(np.arange(3)[:, None])
    for i, box in enumerate(boxes_of_joints(people.poses.points)):
        theirs = person_crops(people.image(i), box[None])[0].astype(float)
        ours = batch.images[i].permute(1, 2, 0).numpy()
        assert np.abs(ours - theirs).mean() < 12  # resized twice, so noise is smoother
        square = square_of(box)
        joints = (people.poses.points[i] + 0.5 - [square.x, square.y]) * SIZE / square.side - 0.5
        np.testing.assert_allclose(batch.joints[i].numpy(), joints, atol=1e-3)


def test_poses_are_the_joints_on_their_torso_in_pixels_of_the_crop(tmp_path: Path) -> None:
    people = photographed(tmp_path, standing(4))
    crops = Crops.of([people])
    np.testing.assert_allclose(crops.poses(), crops.batch(np.arange(4)[:, None]).poses, atol=1e-3)
    hips = [LSP14.index("left_hip"), LSP14.index("right_hip")]
    np.testing.assert_allclose(crops.poses()[:, hips].mean(1), 0, atol=1e-4)
    larger = Crops.of([photographed(tmp_path, 2 * standing(4) - 100)])  # twice as large in the photograph
    np.testing.assert_allclose(larger.poses(), crops.poses(), atol=1.0)  # squares are of whole pixels


@pytest.mark.parametrize("seed", range(4))
def test_joints_move_with_the_pixels(tmp_path: Path, seed: int) -> None:
    crops = Crops.of([photographed(tmp_path, standing(2, seed=3))])
    strong = CropAugmentConfig(30, 0.2, (0.8, 1.1), 0.05, 0.5, 0, 0, 0)
    batch = crops.batch(np.array([[0, 1]]), strong, RNG(seed))
    mirrored = np.linalg.det(np.linalg.lstsq(crops.joints[0], batch.joints[0].numpy() - batch.joints[0].numpy().mean(0),
                                             rcond=None)[0]) < 0
    wrist = LSP14.index("left_wrist" if mirrored else "right_wrist")
    for image, joints in zip(batch.images.numpy(), batch.joints.numpy()):
        np.testing.assert_allclose(spot(image), joints[wrist], atol=1.0)


def test_those_of_a_row_stay_as_alike_as_they_were_and_rows_differ(tmp_path: Path) -> None:
    crops = Crops.of([photographed(tmp_path, standing(6))])
    varied = CropAugmentConfig(40, 0.3, (0.8, 1.2), 0.1, 0.5)
    rows = np.arange(6).reshape(3, 2)
    truth = pose_differences(crops.poses(), crops.poses())
    other = False
    for seed in range(4):
        poses = crops.batch(rows, varied, RNG(seed)).poses
        found = pose_differences(poses, poses)
        for a, b in rows:
            assert found[a, b] == pytest.approx(truth[a, b], rel=1e-3)
        other |= bool(abs(found[0, 2] - truth[0, 2]) > 1)
    assert other  # two rows are mirrored and turned each in its own way


def test_mirroring_is_somebody_else_with_mirrored_joints(tmp_path: Path) -> None:
    crops = Crops.of([photographed(tmp_path, standing(2))])
    plain, mirrored = (crops.batch(np.array([[0], [1]]), CropAugmentConfig(0, 0, (1, 1), 0, flip, 0, 0, 0), RNG(0))
                       for flip in (0.0, 1.0))
    np.testing.assert_allclose(mirrored.images.flip(-1).numpy(), plain.images.numpy(), atol=2)
    np.testing.assert_allclose(mirrored.poses[:, LSP14.mirror] * [-1, 1], plain.poses, atol=1e-3)


def test_who_cannot_be_used_is_left_out_and_counted(tmp_path: Path) -> None:
    points = standing(6)
    points[0, LSP14.index("left_hip")] = np.nan
    points[1, :5] = np.nan
    points[1, [2, 3]] = 90.0  # its hips are there
    points[1, 5:7] = np.nan
    points[2] = (points[2] - 100) / 20 + 100
    people = photographed(tmp_path, points)
    people.images[3].write_bytes(b"no image")
    people.images[4].unlink()
    crops = Crops.of([people])
    assert crops.skipped == {"hidden torso": 1, "fewer than 10 joints marked": 1, "smaller than 16 pixels": 1,
                             "unreadable image": 2}
    assert len(crops) == 1
    np.testing.assert_allclose(crops.poses(), Crops.of([people[[5]]]).poses())


def test_grey_photographs_and_other_skeletons_are_people_too(tmp_path: Path) -> None:
    coco = standing(2)[:, [0] * 17] + RNG(9).uniform(-30, 30, (2, 17, 2)).astype(np.float32)
    crops = Crops.of([photographed(tmp_path, coco, COCO17, "L")])
    assert len(crops) == 2
    wrist = LSP14.index("right_wrist")
    batch = crops.batch(np.array([[0], [1]]))
    np.testing.assert_allclose(spot(batch.images[1].numpy()), batch.joints[1, wrist].numpy(), atol=1.0)
    assert np.isnan(crops.joints[:, LSP14.index("neck")]).all()


def test_whole_images_are_people_nothing_is_known_of() -> None:
    image = np.zeros((40, 20, 3), np.uint8)
    image[:, :] = (10, 200, 30)
    crops = Crops.whole([image])
    batch = crops.batch(np.array([[0]]))
    row = batch.images[0, 1, SIZE // 2].numpy()
    assert np.isnan(crops.joints).all()
    assert (row[:28] == 0).all() and (row[38:90] > 190).all() and (row[100:] == 0).all()
    assert batch.images[0, 1, 2:-2, SIZE // 2].min() > 190
