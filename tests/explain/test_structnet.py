"""The planes of the joint space, on embeddings whose meaning is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_up_motion import some_people
from posed_pictures import posed_pictures, row_of
from samepose.errors import SameposeError, UsageError
from samepose.explain.structnet import Embedded, components, embedded, heading, plane_picture, regions, strongest
from samepose.geometry.camera import to_camera
from samepose.lifting.structnet import Seen

RNG = np.random.default_rng(0)


def turned(n: int) -> tuple[np.ndarray, np.ndarray]:
    """People seen from all around, in camera space, and the cameras' azimuths."""
    people = some_people(n, spread=0.03).astype(np.float64)
    azimuth = RNG.uniform(-np.pi, np.pi, n)
    return to_camera(people - people[:, :1], azimuth, np.zeros(n), np.zeros(n)), azimuth


def test_heading() -> None:
    poses, azimuth = turned(50)
    # Who faces the world's +z is seen from the front at azimuth 0; from the person's left (+x) they face the left edge.
    expected = np.stack([-np.sin(azimuth), np.cos(azimuth)], axis=1)
    assert (heading(poses) * expected).sum(axis=1).mean() > 0.95  # joints are strewn a little
    assert np.linalg.norm(heading(poses), axis=1) == pytest.approx(np.ones(50))


def told_by_heading(n: int = 200) -> Embedded:
    poses, _ = turned(n)
    faces = heading(poses)
    space = np.concatenate([0.01 * RNG.normal(size=(n, 5)), 3 * faces[:, :1], 0.01 * RNG.normal(size=(n, 2)),
                            2 * faces[:, 1:]], axis=1)
    crops = np.tile(np.arange(n, dtype=np.uint8)[:, None, None, None], (1, 8, 8, 3))
    return Embedded(space.astype(np.float32), space.astype(np.float32), poses.astype(np.float32), crops, ())


def test_the_strongest_features_are_found_and_what_they_tell() -> None:
    plane = strongest(told_by_heading())
    assert plane.names == ("feature 5", "feature 8") and 0.95 < sum(plane.explained) <= 1
    told = plane.told["heading from pictures"]
    assert told["both"] > 0.99 and 0.2 < told["feature 5"] < 0.8 and told["feature 5"] + told["feature 8"] < 1.1


def test_components_turn_with_the_space() -> None:
    people = told_by_heading()
    turn = np.linalg.qr(RNG.normal(size=(9, 9)))[0].astype(np.float32)
    other = Embedded(people.pictures @ turn, people.poses @ turn, people.truth, people.crops, ())
    a, b = components(people), components(other)
    assert np.abs(a.pictures) == pytest.approx(np.abs(b.pictures), abs=1e-4)
    assert a.explained == pytest.approx(b.explained) and a.told["heading from poses"]["both"] > 0.99


def test_regions_against_a_loop() -> None:
    points = RNG.normal(size=(300, 2))
    low, high = np.percentile(points, [1, 99], axis=0)
    found = {tuple(np.floor((np.array(middle) - low) / (high - low) * 4).astype(int)): members
             for middle, members in regions(points, 4)}
    for x in range(4):
        for y in range(4):
            inside = [k for k, p in enumerate(points) if (np.floor((p - low) / (high - low) * 4) == (x, y)).all()]
            assert list(found.get((x, y), [])) == (inside if len(inside) >= 3 else [])


def test_the_picture(tmp_path: Path) -> None:
    people = told_by_heading()
    plane_picture(strongest(people), people, tmp_path / "plane.png", "made up")
    with Image.open(tmp_path / "plane.png") as picture:
        assert picture.width > 1000


class Brightness:
    """Embeds a picture as its row."""

    def see(self, image: np.ndarray, boxes: np.ndarray) -> Seen:
        return Seen(np.full((len(boxes), 2), row_of(image), np.float32), np.zeros((len(boxes), 17, 3), np.float32))

    def embed_poses(self, poses: np.ndarray) -> np.ndarray:
        return poses[:, 0, :2].astype(np.float32)


def test_everybody_is_embedded_with_their_own_pose(tmp_path: Path) -> None:
    images = posed_pictures(tmp_path / "frames")
    (tmp_path / "frames/img_000003.jpg").write_bytes(b"no picture")
    people = embedded(images, Brightness())
    assert people.pictures[:, 0].tolist() == [0, 1, 3, 4, 5, 6] and len(people.unreadable) == 1
    assert people.truth == pytest.approx(images.truth[[0, 1, 3, 4, 5, 6]])
    for path in (tmp_path / "frames").iterdir():
        path.unlink()
    with pytest.raises(SameposeError, match="no picture can be read"):
        embedded(images, Brightness())


def test_embeddings_that_are_all_the_same_say_nothing() -> None:
    people = told_by_heading(10)
    flat = Embedded(np.ones_like(people.pictures), people.poses, people.truth, people.crops, ())
    for plane in (strongest, components):
        with pytest.raises(UsageError, match="the embeddings of 10 pictures do not differ"):
            plane(flat)
