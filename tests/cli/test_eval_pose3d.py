"""`samepose eval pose3d` and `samepose explain structnet` with a small untrained StructNet, as file and as run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell
from rendered_shard import shard
from samepose.evaluation.pose3d import mpjpe
from samepose.evaluation.pose3d_bodies import longest_difference, valid_bodies
from samepose.skeleton import H36M17, SYNTH22


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    shard(folder, 6)
    return folder


def true_poses(data: Path) -> np.ndarray:
    joints = np.load(data / "people-00000.npz")["joints_3d"]
    return SYNTH22.convert(joints, H36M17)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    torch = pytest.importorskip("torch")
    from samepose.lifting.structnet import StructNetInfo
    from samepose.models.structnet import StructNet, StructNetConfig
    from samepose.training.structnet.export import export_structnet

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    poses = true_poses(data)
    export_structnet(StructNet(StructNetConfig("cpm", hidden=8, dimensions=16)), StructNetInfo("small", 2),
                     poses - poses[:, :1], path)
    return path


def test_a_model_and_predictions_side_by_side(run: Shell, data: Path, model: Path, tmp_path: Path) -> None:
    truth = 1000 * true_poses(data).astype(np.float64)
    np.savez(tmp_path / "mine.npz", poses=truth + np.array([0, 0, 99]), first=truth * 1.1)
    found = run.json("eval", "pose3d", "--data", data, "--model", f"structnet={model}", "--model", "mine=mine.npz",
                     "--no-apf", "--train", data, "--plot", "curve.png", "--markdown", "table.md", "--threads", 1)
    assert {"max", "pred", "mine", "mine-first"} == set(found["models"]) and found["images"] == 6
    assert found["models"]["mine"]["mpjpe"] == pytest.approx(0, abs=1e-6)  # about the hip
    assert found["models"]["mine-first"]["pa_mpjpe"] == pytest.approx(0, abs=1e-3)
    curve = found["curves"]["structnet"]
    assert curve[0] == pytest.approx(found["models"]["max"]["mpjpe"], abs=1e-3) and len(curve) == 6
    mean = truth - truth[:, :1]  # the average of all candidates is the same for everybody
    assert curve[5] == pytest.approx(mpjpe(mean.mean(axis=0)[None], mean).mean(), abs=1)
    assert found["train_within_30mm"].keys() == {"structnet"}
    assert (tmp_path / "curve.png").stat().st_size > 5000 and "| max |" in (tmp_path / "table.md").read_text()


def test_candidates_of_an_export_are_of_the_folders_named(run: Shell, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from samepose.lifting.structnet import StructNetModel

    shard(tmp_path / "others", 2)
    run("train", "structnet", "--data", data, "--out", "run", "--model.features", "cpm", "--model.hidden", 8,
        "--model.dimensions", 16, "--steps", 2, "--batch", 4, "--threads", 1)
    run("export", "run", "--out", "all.onnx", "--threads", 1)
    run("export", "run", "--out", "some.onnx", "--candidates", "others", "--threads", 1)
    every, some = (StructNetModel.load(tmp_path / f"{name}.onnx", 1).candidates.poses for name in ("all", "some"))
    truth = true_poses(tmp_path / "others")
    assert (len(every), len(some)) == (4 * 6, 4 * 2)
    away = np.linalg.norm(some[:, None] - (truth - truth[:, :1]), axis=-1).mean(-1).min(0)
    assert away.max() < 1e-3  # halves
    run.fails("export", "some.onnx", "--out", "new.onnx", "--candidates", "others", code=2, says=["--candidates is of"])
    run.fails("train", "structnet", "--data", data, "--out", "new", code=2, says=["--init, a run of the regressor"])
    assert not (tmp_path / "new").exists()


def test_explain(run: Shell, data: Path, model: Path, tmp_path: Path) -> None:
    found = run.json("explain", "structnet", "--data", data, "--model", model, "--out", "space")
    assert found["model"] == "small" and found["pictures"] == 6
    assert {p.name for p in (tmp_path / "space").iterdir()} == {"features.png", "components.png"}


@pytest.mark.parametrize(("arguments", "code", "says"), [
    (["--model", "a=none.onnx"], 3, "none.onnx: cannot be read"),
    (["--model", "nobody"], 2, "--model nobody: give NAME=FILE"),
    (["--model", "a=x.npz", "--model", "a=y.npz"], 3, "x.npz: does not exist"),
    (["--model", "=x.npz"], 2, "give each model a name of its own"),
    (["--model", "a=."], 3, "holds no run of `samepose train structnet`"),
    (["--model", "a=wrong.onnx"], 3, "not a lifting model exported by samepose"),
])
def test_bad_models_are_one_clear_error(
    run: Shell, data: Path, arguments: list[str], code: int, says: str, tmp_path: Path
) -> None:
    from samepose.weights import FOLDER

    (tmp_path / "wrong.onnx").write_bytes((FOLDER / "movenet-thunder.onnx").read_bytes())
    run.fails("eval", "pose3d", "--data", data, *arguments, code=code, says=[says])


def test_bad_data_is_one_clear_error(run: Shell, tmp_path: Path) -> None:
    run.fails("explain", "structnet", "--data", "nowhere", "--out", "o", "--model", "none.onnx", code=3,
              says=["none.onnx: cannot be read"])
    run.fails("eval", "pose3d", "--data", "nowhere", code=3, says=["nowhere: does not exist"])
    run.fails("eval", "pose3d", "--data", tmp_path, code=3, says=["holds neither people-*.npz"])


def test_a_body_of_exact_bones_from_an_average() -> None:
    from made_up_motion import some_people

    people = some_people(2, spread=0.02).astype(np.float64)
    truth = 1000 * (people - people[:, :1]) * (1, -1, -1)
    target = 0.85 * truth  # averages shrink
    target[1, 3, 0] = np.nan
    found = valid_bodies(target, truth, truth)
    assert np.isnan(found[1]).all()
    assert longest_difference(found, truth) < 0.01
    assert (found[:, 0][0] == 0).all()
    assert mpjpe(found[:1], truth[:1])[0] < 15 < mpjpe(target[:1], truth[:1])[0]  # not folded to be as small


def test_an_ablation_goes_by_its_own_name(run: Shell, data: Path, model: Path) -> None:
    found = run.json("eval", "pose3d", "--data", data, "--model", f"raw={model}", "--frames", 4)
    assert found["models"].keys() == {"raw-max", "raw-pred"} and found["images"] == 4
