"""`samepose train lifting`, resuming, and export that computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import samepose
from drawn_people import Shell
from made_up_motion import made_up
from moving_people import waving
from samepose.embed.lifting import LiftingInfo, LiftingNetwork
from samepose.errors import UsageError
from samepose.lifting.lifting import LiftingModel, load_lifter
from samepose.models.lifting import FEATURES, Lifting, LiftingConfig
from samepose.training.lifting.export import export
from samepose.training.lifting.train import initialise, load_model
from samepose.weights import Network

TINY = ("--model.width", 16, "--batch", 8, "--steps", 4, "--validate-every", 2, "--save-every", 2, "--threads", 1,
        "--quiet")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.mark.parametrize("window", [(), ("--model.kernel", 3, "--together", 3)])
def test_a_run_is_trained_and_exported(run: Shell, window: tuple[object, ...]) -> None:
    made_up(Path("mocap.npz"))
    words = ["train", "lifting", "--data", "mocap.npz", "--out", "run", *TINY, *window]
    told = run.json(*words)
    assert {"mpjpe", "pa_mpjpe", "best", "up_degrees", "spread"} == set(told["validation"])
    assert told["validation"]["best"] <= told["validation"]["mpjpe"]
    run.fails(*words, code=2, says=["--resume"])
    assert run.json(*words, "--resume")["validation"] == told["validation"]
    written = run.json("export", "run", "--out", "x.onnx", "--quiet")
    on = run.json("train", "lifting", "--data", "mocap.npz", "--out", "on", "--init", "run", *TINY, *window,
                  "--learning-rate", 1e-9)
    assert on["validation"]["mpjpe"] == pytest.approx(told["validation"]["mpjpe"], rel=0.2)
    network = LiftingNetwork(Path("x.onnx"))
    assert network.info == LiftingInfo("lifting-run", 27 if window else 1, ("ann", "bob"))
    assert network.sha256 == written["sha256"]
    shipped = load_lifter().single
    own = LiftingModel(shipped, network) if window else LiftingModel(network)
    assert own.name == (f"{shipped.info.name}+lifting-run" if window else "lifting-run")
    motion = samepose.lift(waving(np.arange(20) / 25), model=own)
    assert len(motion) == 20 and np.isfinite(motion.poses.points).all()


def test_a_network_for_tracks_begins_as_one_of_single_frames(run: Shell) -> None:
    made_up(Path("mocap.npz"))
    run.json("train", "lifting", "--data", "mocap.npz", "--out", "run", *TINY)
    single, track = load_model(Path("run")), Lifting(LiftingConfig(kernel=3, width=16))
    initialise(track, Path("run"))
    window = torch.randn(5, 27, FEATURES)
    middle = window[:, 13:14].clone()
    middle[..., 39:] = 0  # motion means nothing to a single frame
    with torch.no_grad():
        for one, other in zip(track.eval()(window), single(middle)):
            assert torch.allclose(one, other, atol=1e-5)
    with pytest.raises(UsageError, match="another shape"):
        initialise(Lifting(LiftingConfig(width=24)), Path("run"))


def test_learning_lowers_the_error(run: Shell) -> None:
    made_up(Path("mocap.npz"), each=200)
    run.json("train", "lifting", "--data", "mocap.npz", "--out", "run", "--model.width", 64, "--batch", 64, "--steps",
             60, "--validate-every", 20, "--threads", 1, "--ema", 0.8, "--quiet")
    figures = [json.loads(line)["mpjpe"] for line in Path("run/validation.jsonl").read_text().splitlines()]
    assert figures[-1] < 0.8 * figures[0]


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_exported_network_computes_the_same(tmp_path: Path, kernel: int) -> None:
    torch.manual_seed(0)
    model = Lifting(LiftingConfig(kernel=kernel, width=32))
    for _ in range(3):
        model(torch.randn(16, model.config.window, FEATURES))
    x = torch.randn(6, model.config.window, FEATURES)
    export(model.eval(), "x", (), tmp_path / "x.onnx")
    said = Network(tmp_path / "x.onnx").run(["poses", "weights", "spread", "up"], {"x": x.numpy()})
    with torch.no_grad():
        poses, logits, spread, up = model(x)
    for found, expected in zip(said, (poses, logits.softmax(-1), 2 * spread, up)):
        assert found.shape == expected.shape
        assert np.abs(found - expected.numpy()).max() < 0.01  # the weights are fp16


def test_bad_runs_are_one_line(run: Shell) -> None:
    made_up(Path("mocap.npz"), each=10)
    run.fails("train", "lifting", "--data", "mocap.npz", "--out", "run", *TINY, "--model.kernel", 3, code=2,
              says=["27 frames", "single frames"])
    run.fails("train", "lifting", "--data", "mocap.npz", "--out", "run", *TINY, "--everything", "--held-out", "x.txt",
              code=2, says=["--everything", "--held-out"])
