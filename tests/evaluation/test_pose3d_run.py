"""A run of 3D pose estimation with models whose errors are known, and its report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posed_pictures import posed_pictures, row_of
from samepose.errors import FormatError, SameposeError, UsageError
from samepose.evaluation.pose3d import about_hip
from samepose.evaluation.pose3d_models import along_axis, read_predictions
from samepose.evaluation.pose3d_report import markdown_tables, plot_curve, text_tables, to_json
from samepose.evaluation.pose3d_run import Batch, Recorded, Results, Seen, run, trained_within
from samepose.formats.posed_images import PosedImages


@dataclass
class Off:
    """Avg(A) is off by 100 / A mm in every joint, the prediction by 70 mm; nobody in row 3."""

    name: str
    truth: np.ndarray
    batches: int = 0

    def look(self, batch: Batch) -> Seen:
        rows = [row_of(image) for image in batch.images]
        self.batches += 1
        off = 100 / np.arange(1, 601)[:, None, None, None]
        pred = self.truth[rows] + (70, 0, 0)
        pred[np.array(rows) == 3] = np.nan
        return Seen({"pred": pred}, self.truth[rows] + off * (0, 1, 0))


@pytest.fixture
def images(tmp_path: Path) -> PosedImages:
    return posed_pictures(tmp_path / "frames", 18)


def measured(images: PosedImages, name: str = "structnet") -> Results:
    truth = about_hip(images.truth)
    half = {"": truth + np.array([0, 0, 35])}
    return run(images, [Off(name, truth)], [Recorded("regression", half)], lambda a, b, t: t + (b - a) / 2)


def test_everything_is_measured_once(images: PosedImages) -> None:
    results = measured(images)
    found = to_json(results)
    assert {k: v["mpjpe"] for k, v in found["models"].items()} == pytest.approx(
        {"max": 100, "avg20": 5, "avg500": 0.2, "apf": 49.9, "pred": 70, "regression": 35})
    assert [*found["models"]] == ["max", "avg20", "avg500", "apf", "pred", "regression"]  # 1500 are not averaged of 600
    assert {k: v["missing"] for k, v in found["models"].items() if v["missing"]} == {"pred": 1}
    assert found["curves"]["structnet"] == pytest.approx(100 / np.arange(1, 601), abs=1e-3)
    assert found["per_action"]["sit"]["max"]["mpjpe"] == pytest.approx(100)
    assert found["images"] == 18 and found["images_per_action"] == {"sit": 1, "walk": 17}
    assert found["to_avg500"]["max"]["mm"] == pytest.approx(99.8)
    assert found["apf_longest_bone_difference"] == pytest.approx(0, abs=1e-6)  # moved as a whole
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_another_name_goes_before_every_figure(images: PosedImages) -> None:
    names = to_json(measured(images, "raw"))["models"]
    assert {"raw-max", "raw-avg500", "raw-pred", "regression"} <= set(names) and "apf" not in names


def test_who_cannot_be_read_is_left_out_of_all(images: PosedImages) -> None:
    (images.media[0] / "img_000002.jpg").write_bytes(b"no picture")
    results = measured(images)
    assert len(results.images) == 17 and len(results.unreadable) == 1 and "img_000002.jpg" in results.unreadable[0]
    assert to_json(results)["models"]["max"]["mpjpe"] == pytest.approx(100)
    assert results.curves["structnet"][0] == pytest.approx(100)
    for picture in images.media[0].glob("*.jpg"):
        picture.unlink()
    with pytest.raises(SameposeError, match="no picture can be read, such as"):
        measured(images)


def test_share_of_training_pictures(images: PosedImages) -> None:
    truth = about_hip(images.truth)
    assert trained_within(images, [Off("structnet", truth)]) == {"structnet": 0}
    close = Off("near", truth)
    close.look = lambda batch: Seen({}, truth[[row_of(i) for i in batch.images]][None] + (0, 0, 30))  # type: ignore[method-assign]
    assert trained_within(images, [close]) == {"near": 1}


def test_predictions_of_other_pictures_are_refused(images: PosedImages) -> None:
    truth = about_hip(images.truth)
    with pytest.raises(UsageError, match="mine has 17 predictions, and there are 18 pictures"):
        run(images, [], [Recorded("mine", {"": truth[:17]})])
    with pytest.raises(UsageError, match="mine was predicted from other pictures"):
        run(images, [], [Recorded("mine", {"": truth}, truth[::-1].copy())])
    assert run(images, [], [Recorded("mine", {"": truth}, truth + np.full(3, 0.1))]).errors.keys() == {"mine"}


def test_tables_and_picture(images: PosedImages, tmp_path: Path) -> None:
    results = measured(images)
    text = text_tables(results, {"structnet": 0.5})
    assert max(map(len, text.splitlines())) <= 100
    row = next(line for line in text.splitlines() if line.startswith("avg500"))
    assert row.split() == ["avg500", "0.2", "0.0", "0.0", "0"]
    assert "50.0 % of the training pictures is within 30 mm" in text
    assert "| walk | 17 | 100.0 | 5.0 | 0.2 | 49.9 | 70.0 | 35.0 |" in markdown_tables(results)
    plot_curve(results, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.width > 400


def test_files_of_predictions(images: PosedImages, tmp_path: Path) -> None:
    truth = about_hip(images.truth)
    np.savez(tmp_path / "r.npz", pred=truth, truth=truth)
    assert read_predictions("regression", tmp_path / "r.npz").poses.keys() == {""}
    pred = truth.astype(np.float32) + np.float32(5)
    np.savez(tmp_path / "p.npz", pred=pred, poses=truth, truth=truth, scores=np.zeros(18))
    found = read_predictions("a", tmp_path / "p.npz")
    assert set(found.poses) == {"pred", ""} and found.truth == pytest.approx(truth)
    assert found.poses["pred"] == pytest.approx(truth, abs=1e-3)  # about the hip again


@pytest.mark.parametrize(("arrays", "says"), [
    ({"x": np.zeros(4)}, r"holds no predicted poses \(x float64 \(4,\)\); expected arrays \(N, 17, 3\), mm"),
    ({}, "holds no predicted poses"),
    ({"truth": np.arange(4 * 51.0).reshape(4, 17, 3) * 10}, "holds the truth alone"),
    ({"pred": np.ones((4, 16, 3))}, "pred has 16 joints; expected Human3.6M's 17"),
    ({"pred": np.full((4, 17, 3), np.nan)}, "pred holds nobody"),
    ({"pred": np.zeros((0, 17, 3))}, "pred holds nobody"),
    ({"pred": np.arange(4 * 51).reshape(4, 17, 3) / 1000}, "pred has people .* mm from hip to crown; give millimetres"),
])
def test_foreign_files_of_predictions_are_one_clear_error(
    tmp_path: Path, arrays: dict[str, np.ndarray], says: str
) -> None:
    np.savez(tmp_path / "p.npz", **arrays)
    with pytest.raises(FormatError, match=says):
        read_predictions("a", tmp_path / "p.npz")
    (tmp_path / "p.npz").write_bytes(b"PK\3\4 no")
    with pytest.raises(FormatError, match=r"not a readable \.npz"):
        read_predictions("a", tmp_path / "p.npz")


def test_the_ray_is_turned_onto_the_axis() -> None:
    rays = np.random.default_rng(0).normal(0, 1, (20, 3)) * (1, 1, 0) + (0, 0, 3)
    turns = along_axis(rays)
    assert turns @ turns.swapaxes(1, 2) == pytest.approx(np.tile(np.eye(3), (20, 1, 1)), abs=1e-12)
    moved = (turns @ rays[:, :, None])[..., 0]
    assert moved == pytest.approx(np.linalg.norm(rays, axis=1)[:, None] * (0, 0, 1), abs=1e-9)
    least = np.arccos(rays[:, 2] / np.linalg.norm(rays, axis=1))  # no smaller turn does it
    assert np.arccos((np.trace(turns, axis1=1, axis2=2) - 1) / 2) == pytest.approx(least)
