"""The light StructNet on pictures: what comes back, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; it comes with samepose[train]")

from drawn_people import picture, standing  # noqa: E402
from samepose.embed.pose_machine import MIDDLE, SIZE, TOP, PoseMachineFeatures  # noqa: E402
from samepose.errors import SameposeError, UsageError  # noqa: E402
from samepose.geometry.kinematics import bone_lengths  # noqa: E402
from samepose.lifting.lifted import stature  # noqa: E402
from samepose.lifting.structnet import HYPOTHESES, Seen, StructNetInfo, StructNetModel  # noqa: E402
from samepose.skeleton import H36M17  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StructNetModel:
    from made_up_motion import standing as body
    from samepose.models.structnet import StructNet, StructNetConfig
    from samepose.training.structnet.export import export_structnet

    torch.manual_seed(0)
    net = StructNet(StructNetConfig("cpm", hidden=8, dimensions=16)).eval()
    upright = body() * [1, -1, -1] * 0.5  # camera axes
    poses = upright + np.random.default_rng(0).normal(0, 0.05, (40, 17, 3))
    path = tmp_path_factory.mktemp("structnet") / "m.onnx"
    export_structnet(net, StructNetInfo("tiny", 12), (poses - poses[:, :1]).astype(np.float32), path)
    return StructNetModel.load(path, threads=1)


def test_people_of_a_photo_stand_on_the_floor_at_their_height(model: StructNetModel) -> None:
    image = np.asarray(picture())
    people = standing(160, 60, 200)
    lifted = model.lift_people(image, people, height=1.8)
    assert lifted.poses.skeleton == H36M17 and lifted.alternatives.shape == (1, HYPOTHESES, 17, 3)
    points = lifted.poses.points
    assert points[0, :, 1].min() == pytest.approx(0, abs=1e-5) and (points[0, 0, [0, 2]] == 0).all()
    assert stature(points) == pytest.approx(1.8, rel=1e-3)
    assert points[0, H36M17.index("head_top"), 1] > points[0, 0, 1]  # y is up
    np.testing.assert_array_equal(points[0], lifted.alternatives[0, 0])
    lengths = bone_lengths(lifted.alternatives[0].astype(np.float64))
    np.testing.assert_allclose(lengths, 1.8 * np.tile(model.proportions, (HYPOTHESES, 1)), atol=1e-5)
    np.testing.assert_array_equal(model.proportions, model.proportions[H36M17.mirror])
    assert lifted.weights.sum() == pytest.approx(1) and (np.diff(lifted.weights[0]) <= 0).all()
    assert lifted.spread.shape == (1, 17) and (lifted.spread >= 0).all() and lifted.spread[0, 5] > 0


def test_scores_are_dot_products_and_avg_1_is_max(model: StructNetModel) -> None:
    seen = model.see(np.asarray(picture()), standing(160, 60, 200).boxes)
    scores = seen.embeddings @ model.embed_poses(model.candidates.poses).T
    np.testing.assert_allclose(model.maximum(seen)[0], model.candidates.poses[scores[0].argmax()], atol=1e-6)
    np.testing.assert_allclose(model.average(seen, 1), model.maximum(seen), atol=1e-6)
    best = np.argsort(-scores[0])[:12]
    np.testing.assert_allclose(model.average(seen)[0], model.candidates.poses[best].mean(0), atol=1e-5)


def test_where_a_pose_stands_does_not_matter(model: StructNetModel) -> None:
    poses = model.candidates.poses[:3]
    elsewhere = poses + np.array([3, -1, 7], np.float32)
    np.testing.assert_allclose(model.embed_poses(elsewhere), model.embed_poses(poses), atol=1e-4)
    assert model.embed_poses(poses[:0]).shape == (0, 16)


def test_the_pose_machines_features_are_what_their_sizes_say() -> None:
    features = PoseMachineFeatures(threads=1)
    square = np.asarray(picture().resize((SIZE, SIZE)))
    middle, top = features(np.stack([square, square[:, ::-1]]))
    assert middle.shape == (2, MIDDLE) and top.shape == (2, TOP)
    assert np.abs(middle[:, :42].reshape(2, 14, 3)[..., :2]).max() < 1
    alone, _ = features(square[None])
    np.testing.assert_allclose(alone[0], middle[0], rtol=1e-3, atol=1e-3)
    from samepose.weights import Network, weight_file

    maps = Network(weight_file("cpm-synthetic"), 1).run(["belief_maps"], {"image": square[None]})[0][0, -1]
    x, y, belief = middle[0, 3:6]  # the second joint
    row, column = np.unravel_index(maps[1].argmax(), maps[1].shape)
    assert (x, y) == pytest.approx((2 * (column + 0.5) / 24 - 1, 2 * (row + 0.5) / 24 - 1))
    assert belief == pytest.approx(maps[1].max())
    assert [a.size for a in features(np.zeros((0, SIZE, SIZE, 3), np.uint8))] == [0, 0]


def test_what_cannot_be_lifted_is_said(model: StructNetModel, tmp_path: Path) -> None:
    image, people = np.asarray(picture()), standing(160, 60, 200)
    with pytest.raises(UsageError, match="height"):
        model.lift_people(image, people, height=17)
    with pytest.raises(SameposeError, match="no box"):
        model.lift_people(image, replace(people, boxes=np.full((1, 4), np.nan, np.float32)))
    nobody = model.lift_people(image, people[:0])
    assert len(nobody) == 0 and isinstance(model.see(image, people[:0].boxes), Seen)
