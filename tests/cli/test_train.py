"""`samepose train prvipe` and `samepose export`, on made-up motion and a tiny network."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_people import Shell
from made_up_motion import SUBJECTS, made_up
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError, UsageError
from samepose.evaluation.retrieval import Lifting, PointEmbedding, PrVipe
from samepose.evaluation.views import CHEST4
from samepose.formats.load_mocap import load_poseset
from samepose.formats.subjects import load_many, only, present, read_subjects, split
from samepose.matching.embeddings import Embeddings
from samepose.models.prvipe import PrVipe as Network
from samepose.models.prvipe import PrVipeConfig
from samepose.training.loop import averaged_weights
from samepose.training.prvipe.export import JOINT_SCORE, MIN_JOINTS
from samepose.training.prvipe.train import initialise, load_model
from samepose.training.prvipe.validate import scorer_of

TINY = ("--model.width", 24, "--batch", 16, "--threads", 1, "--deterministic", "--quiet")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    made_up(tmp_path / "motion.npz")
    yield Shell(capsys)
    torch.use_deterministic_algorithms(False)


def same_weights(a: Path, b: Path) -> bool:
    one, other = averaged_weights(a), averaged_weights(b)
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_a_run_validates_on_the_held_out_subject_and_becomes_onnx(run: Shell, tmp_path: Path) -> None:
    words = ["train", "prvipe", "--data", "motion.npz", "--out", "run", *TINY]
    told = run.json(*words, "--steps", 6, "--validate-every", 4)
    names = {f"hit1_{c}_{k}" for c in ("chest4", "all11") for k in ("perfect", "noisy")}
    assert told["steps"] == 6 and told["validation"].keys() == names
    assert all(0 <= rate <= 1 for rate in told["validation"].values())
    lines = [json.loads(line) for line in Path("run/validation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 6]
    assert list(Path("run").glob("events.out.tfevents.*"))
    kept = json.loads(Path("run/config.json").read_text())
    assert kept["recipe"]["model"]["width"] == 24 and kept["loop"]["deterministic"]
    assert kept["origin"]["subjects"] == ["ann", "bob"]  # cmu-02 is in the default list

    done = run.json("export", "run", "--out", "m.onnx", "--name", "tiny")
    embedder = PrVipeEmbedder.load("m.onnx")
    assert (done["name"], done["sha256"], embedder.name) == ("tiny", embedder.sha256, "tiny")
    assert (embedder.info.joint_score, embedder.info.min_joints) == (JOINT_SCORE, MIN_JOINTS)
    model = load_model(Path("run"))
    assert embedder.matching.a == pytest.approx(float(model.a.detach()))
    keypoints = np.random.default_rng(0).normal(size=(5, 13, 2)).astype(np.float32)
    ours, theirs = embedder.embed_keypoints(keypoints), scorer_of(model).describe(keypoints)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-2, atol=1e-2)  # fp16 weights
    run("export", "run", "--out", "n.onnx")
    assert PrVipeEmbedder.load("n.onnx").name == "prvipe-run"


def test_a_model_is_calibrated_on_people_it_never_saw(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samepose.evaluation.calibrator.CAMERAS", {"chest4": CHEST4[:2], "all11": CHEST4[:2]})
    run("train", "prvipe", "--data", "motion.npz", "--out", "run", *TINY, "--steps", 2)
    made_up(Path("others.npz"), ("cmu-02", "eve", "fay", "ann"), each=15)
    Path("new.txt").write_text("eve\nfay\n")
    words = ["export", "run", "--calibrate", "others.npz", "--out", "m.onnx", "--force", "--held-out"]
    found = run.json(*words, "new.txt")["calibration"]
    shown, plain = PrVipeEmbedder.load("m.onnx").matching, load_model(Path("run"))
    assert (shown.slope, shown.offset) == (found["slope"], found["offset"]) and shown.slope != 1
    assert shown.uncalibrated.a == pytest.approx(float(plain.a.detach()))
    assert sorted(p for half in found["halves"] for p in half["people"]) == ["eve", "fay"]
    assert "| chest4 | noisy | both |" in run(*words, "new.txt").out
    Path("known.txt").write_text("eve\nann\n")
    run.fails(*words, "known.txt", code=2, says=["ann", "--held-out"])
    # The weights for everybody take it over, and a model exported before can be described anew.
    run("export", "run", "--out", "n.onnx", "--calibration", "m.onnx")
    run("export", "n.onnx", "--out", "o.onnx", "--name", "other")
    renamed = PrVipeEmbedder.load("o.onnx")
    assert (renamed.name, renamed.matching) == ("other", shown)
    run.fails(*words, "new.txt", "--calibration", "m.onnx", code=2, says=["one of them"])


def test_killed_and_resumed_is_bitwise_undisturbed(run: Shell) -> None:
    words = ["train", "prvipe", "--data", "motion.npz", "--everything", "--steps", 150, "--save-every", 10, *TINY]
    run(*words, "--out", "whole")
    process = subprocess.Popen([sys.executable, "-m", "samepose", *map(str, words), "--out", "cut"])
    try:
        until = time.monotonic() + 60
        while not Path("cut/checkpoint.safetensors").exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL  # it had not finished
    assert not same_weights(Path("cut"), Path("whole"))
    run.fails(*words, "--out", "cut", code=2, says=["--resume"])
    run.fails(*words, "--out", "cut", "--resume", "--kappa", 0.2, code=2, says=["kappa was 0.1, now 0.2"])
    made_up(Path("more.npz"), (*SUBJECTS, "eve"))
    other = ["more.npz" if w == "motion.npz" else w for w in words]
    run.fails(*other, "--out", "cut", "--resume", code=2, says=["poses was 120, now 160"])
    run(*words, "--out", "cut", "--resume")
    assert same_weights(Path("cut"), Path("whole"))
    run(*words, "--out", "cut", "--resume")  # nothing left to do
    assert same_weights(Path("cut"), Path("whole"))


def test_a_run_may_start_from_another(run: Shell) -> None:
    words = ["train", "prvipe", "--data", "motion.npz", "--everything", "--steps", 2, *TINY]
    run(*words, "--out", "first")
    run(*words, "--out", "second", "--init", "first", "--learning-rate", 1e-9, "--weight-decay", 0)
    run(*words, "--out", "third", "--learning-rate", 1e-9, "--weight-decay", 0)
    first, second, third = (averaged_weights(Path(name))["mean.weight"] for name in ("first", "second", "third"))
    torch.testing.assert_close(second, first)
    assert not torch.allclose(third, first)
    run.fails(*words, "--out", "fourth", "--init", "first", "--model.dim", 8, code=2, says=["first", "another shape"])
    run.fails(*words, "--out", "fourth", "--init", "motion.npz", code=3, says=["motion.npz", "no checkpoint"])
    assert not Path("fourth/checkpoint.safetensors").exists()


def test_lifter_of_the_auxiliary_task_comes_and_goes(run: Shell) -> None:
    run("train", "prvipe", "--data", "motion.npz", "--everything", "--steps", 2, "--lift", 1, "--out", "lift", *TINY)
    model = load_model(Path("lift"))
    plain = Network(model.config)
    initialise(plain, Path("lift"))
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), model.state_dict().values()))


@pytest.mark.parametrize(("words", "code", "says"), [
    (["--out", "run"], 2, ["--data"]),
    (["--data", "motion.npz"], 2, ["--out"]),
    (["--data", "none.npz", "--out", "run"], 3, ["none.npz"]),
    (["--data", "motion.npz", "--out", "run", "--batch", "1"], 2, ["batch is 1"]),
    (["--data", "motion.npz", "--out", "run", "--steps", "0"], 2, ["steps"]),
    (["--data", "motion.npz", "--out", "run", "--learning-rate", "-1"], 2, ["learning-rate"]),
    (["--data", "motion.npz", "--out", "run", "--model.kind", "huge"], 2, ["gaussian"]),
    (["--data", "motion.npz", "--out", "run", "--everything", "--held-out", "x.txt"], 2, ["--everything"]),
    (["--data", "motion.npz", "--out", "run", "--held-out", "x.txt"], 3, ["x.txt", "cannot be read"]),
    (["--data", "motion.npz", "--out", "run", "--joint-map", "x.toml"], 3, ["x.toml"]),
])
def test_wrong_usage(run: Shell, words: list[str], code: int, says: list[str]) -> None:
    run.fails("train", "prvipe", *words, code=code, says=says)
    assert not Path("run").exists()


def test_held_out_files(run: Shell, tmp_path: Path) -> None:
    base = ["train", "prvipe", "--data", "motion.npz", "--out", "run", "--steps", 1, *TINY[:-1]]
    held = tmp_path / "held.txt"
    held.write_text("# nobody\neve\n")
    run.fails(*base, "--held-out", held, code=2, says=["eve", "ann, bob, cmu-02"])
    held.write_text("ann\nbob\ncmu-02\n")
    run.fails(*base, "--held-out", held, code=2, says=["all subjects"])
    held.write_text("bob # the tall one\n\neve\n")
    run(*base, "--held-out", held)
    assert "the data has no eve" in run.err and "step 1: Hit@1" in run.err
    assert json.loads(Path("run/config.json").read_text())["origin"]["subjects"] == ["ann", "cmu-02"]


def test_failed_data_is_reported_and_the_rest_used(run: Shell) -> None:
    Path("bad.npz").write_bytes(b"no")
    words = ["train", "prvipe", "--data", "motion.npz", "bad.npz", "--everything", *TINY]
    run(*words, "--out", "run", "--steps", 1, code=1)
    assert run.err.startswith("error: bad.npz: ") and run.err.count("\n") == 1
    assert Path("run/checkpoint.safetensors").exists()


def test_pose_sets_are_joined_by_subject_and_split(tmp_path: Path) -> None:
    one, two = made_up(tmp_path / "a.npz", ("ann", "bob"), 3), made_up(tmp_path / "b.npz", ("bob", "eve"), 2)
    poses = load_many([one, two])
    assert poses.subject_names == ("ann", "bob", "eve") and poses.subject.tolist() == [0] * 3 + [1] * 5 + [2] * 2
    assert poses.clip.tolist() == [0] * 3 + [1] * 3 + [2] * 2 + [3] * 2 and poses.fps == 30
    np.testing.assert_array_equal(poses.points[6:], load_poseset(two).points)
    rest, held = split(poses, ["bob", "nobody"])
    assert (present(rest), present(held)) == (("ann", "eve"), ("bob",))
    assert len(rest) == 5 and len(held) == 5 and present(only(poses, ["eve"])) == ("eve",)
    with pytest.raises(UsageError, match="nobody"):
        only(poses, ["nobody"])
    with pytest.raises(FormatError, match=r"c\.npz: does not exist"):
        load_many([tmp_path / "c.npz"])


def test_the_default_list_of_held_out_subjects(tmp_path: Path) -> None:
    assert read_subjects() == ("cmu-02", "cmu-12", "cmu-16", "cmu-136", "cmu-144", "hdm05-bk", "hdm05-tr")
    (tmp_path / "empty.txt").write_text("# none\n")
    with pytest.raises(FormatError, match="names no subject"):
        read_subjects(tmp_path / "empty.txt")


def test_each_kind_of_model_ranks_its_own_way() -> None:
    keypoints = np.random.default_rng(0).normal(size=(4, 13, 2)).astype(np.float32)
    for kind, scorer_type in (("gaussian", PrVipe), ("point", PointEmbedding), ("l2", PointEmbedding),
                              ("lifting", Lifting)):
        scorer = scorer_of(Network(PrVipeConfig(kind, width=16)))  # type: ignore[arg-type]
        assert isinstance(scorer, scorer_type)
        described = scorer.describe(keypoints)
        scores = scorer.scores(described, described)
        if kind == "gaussian":
            assert isinstance(described, Embeddings) and ((scores > 0) & (scores < 1)).all()
        else:
            assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    script = ("import sys; sys.modules['torch'] = None; from samepose.cli import main;"
              f"sys.exit(main(['train', 'prvipe', '--data', 'a.npz', '--out', {str(tmp_path / 'r')!r}]))")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "error: this needs torch, which is not installed: pip install 'samepose[train]'\n"
