"""`samepose eval retrieval`, on made-up motion and tiny exported models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_people import Shell
from made_up_motion import made_up, some_people
from samepose.cli.app import main
from samepose.embed.pairs import PairModel
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.retrieval import Keypoints2D, PrVipe, Reranked, evaluate, select_frames
from samepose.evaluation.views import ALL11, CHEST4
from samepose.formats.load_mocap import load_poseset
from samepose.models.prvipe import PrVipe as Network
from samepose.models.prvipe import PrVipeConfig
from samepose.skeleton import H36M17, PARTS
from samepose.training.prvipe.export import export, info_of

BASE = ("eval", "retrieval", "--data", "motion.npz", "--cameras", "chest4", "--quiet")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    made_up(tmp_path / "motion.npz", ("ann", "bob"), 20)
    return Shell(capsys)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = Network(PrVipeConfig(width=16)).eval()
    export(model, info_of(model, "tiny"), tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def test_json_is_the_contract_and_the_library_figures(run: Shell, tiny: Path) -> None:
    told = run.json(*BASE, "--model", tiny, "--model", "prvipe", "--baselines", "--frames", 30)
    assert set(told) == {"models"} and list(told["models"]) == ["tiny", "prvipe", "prvipe+pairs", "keypoints2d"]
    poses = load_poseset("motion.npz")
    points = poses.points[select_frames(poses.points, 30)]
    shipped = PrVipeEmbedder.load()
    prvipe = PrVipe(shipped.embed_keypoints, shipped.matching)
    scorers = {"prvipe": prvipe, "prvipe+pairs": Reranked(prvipe, PairModel.load()), "keypoints2d": Keypoints2D()}
    for result in evaluate(points, scorers, CHEST4, cameras_name="chest4"):
        assert told["models"][result.model] == {
            "hit": {str(kappa): {str(k): rate for k, rate in row.items()} for kappa, row in result.hit.items()},
            "frames": 30, "cameras": "chest4", "keypoints": "perfect",
        }
    assert told["models"]["prvipe"]["hit"].keys() == {"0.1", "0.05"}
    assert run.json(*BASE, "--frames", 30)["models"] == {  # the default
        name: told["models"][name] for name in ("prvipe", "prvipe+pairs")}


def test_the_pair_network_ranks_shortlists_of_prvipe_alone(run: Shell, tiny: Path) -> None:
    told = run.json(*BASE, "--model", tiny, "--pairs", "pairs", "--frames", 20)
    assert list(told["models"]) == ["tiny", "tiny+pairs"]
    assert list(run.json(*BASE, "--model", tiny, "--frames", 20)["models"]) == ["tiny"]
    run.fails(*BASE, "--model", tiny, "--pairs", "none.onnx", code=3, says=["none.onnx", "cannot be read"])
    run.fails(*BASE, "--model", tiny, "--pairs", tiny, code=3, says=["not a pair network"])


def test_the_table_tells_n(run: Shell) -> None:
    run(*BASE, "--frames", 30, "--markdown", "t.md")
    head, rule, row = run.out.splitlines()[:3]
    assert head.startswith("Hit@1/10/20 in %, kappa 0.1") and "chest4, perfect" in head and set(rule) == {"-"}
    assert row.startswith("prvipe ") and "kappa 0.05" in run.out
    assert "N = 30 frames in each of 4 cameras, mean of all 12 pairs" in run.out
    written = Path("t.md").read_text()
    assert written.count("|---|---|") == 2 and "N = 30 frames" in written


def test_all_eleven_noise_hidden_joints_and_subjects(run: Shell, tiny: Path) -> None:
    Path("bob.txt").write_text("bob\neve\n")
    words = ["eval", "retrieval", "--data", "motion.npz", "--model", tiny, "--keypoints", "noisy", "--held-out",
             "bob.txt", "--hide", "left_arm,left_ear", "--json"]
    run(*words)
    assert "the data has no eve" in run.err and "only 20 frames" in run.err
    told = run.json(*words[:-1])["models"]["tiny"]
    assert (told["frames"], told["cameras"], told["keypoints"]) == (20, "all11", "noisy")
    assert told["hidden"] == [j for j in PARTS["left_arm"] if j != "left_ear"]
    embedder = PrVipeEmbedder.load(tiny)
    scorers = {"tiny": PrVipe(embedder.embed_keypoints, embedder.matching)}
    (result,) = evaluate(load_poseset("motion.npz").points[20:], scorers, ALL11, cameras_name="all11",
                         keypoints="noisy", hide=told["hidden"])
    assert told["hit"]["0.1"]["1"] == result.hit[0.1][1]


def test_hidden_pairs_and_a_file_of_cameras(run: Shell, tiny: Path) -> None:
    Path("two.csv").write_text("azimuth,elevation,roll\n0,0,0\n60,10,0\n")
    words = ["eval", "retrieval", "--data", "motion.npz", "--model", tiny, "--cameras", "two.csv", "--frames", 8]
    told = run.json(*words, "--hidden-pairs")["models"]["tiny"]
    assert (told["cameras"], told["hidden"]) == ("two.csv", ["any two"])
    assert told["drop"]["worst"] >= told["drop"]["mean"] and len(told["worst"]["hidden"]) == 2
    run(*words, "--hidden-pairs")
    assert "tiny: two hidden joints cost" in run.out and " and ".join(told["worst"]["hidden"]) in run.out


def test_who_was_trained_on_the_subjects_is_told_so(run: Shell) -> None:
    Path("ann.txt").write_text("ann\n")
    train = ["train", "prvipe", "--data", "motion.npz", "--steps", "1", "--model.width", "16", "--batch", "8",
             "--quiet"]
    run(*train, "--out", "r1", "--held-out", "ann.txt")
    run(*train, "--out", "r2", "--everything", "--init", "r1")
    Path("bob.txt").write_text("bob\n")
    run(*train, "--out", "r3", "--held-out", "bob.txt", "--init", "r1")  # r1 saw bob
    run("export", "r1", "--out", "m.onnx", "--name", "m", "--quiet")
    words = ["eval", "retrieval", "--data", "motion.npz", "--cameras", "chest4", "--frames", 8]
    for model, seen in (("r1", ["bob"]), ("m.onnx", ["bob"]), ("r2", ["ann", "bob"]), ("r3", ["ann", "bob"])):
        (told,) = run.json(*words, "--model", model)["models"].values()
        assert told["trained_on"] == seen, model
        run(*words, "--model", model)
        assert f"was trained on {', '.join(seen)};" in run.err
        (told,) = run.json(*words, "--model", model, "--held-out", "ann.txt")["models"].values()
        assert ("trained_on" in told) == ("ann" in seen), model
    before = Path("r1/config.json").read_text()
    Path("r1/config.json").write_text(before.replace("subjects", "others"))  # as runs once were
    assert "trained_on" not in run.json(*words, "--model", "r1")["models"]["prvipe"]


def test_baselines_compare_what_a_detector_or_a_mask_leaves(run: Shell) -> None:
    words = [*BASE, "--frames", 30, "--baselines"]
    whole, detected, hidden = (run.json(*words, *more)["models"]["keypoints2d"]["hit"]["0.1"]["1"] for more in (
        (), ("--keypoints", "detected"), ("--hide", "left_arm,right_leg")))
    assert whole > max(detected, hidden) and min(detected, hidden) > 0


@pytest.mark.parametrize("kind", ["lifting", "l2", "point", "gaussian"])
def test_a_training_run_competes(run: Shell, kind: str) -> None:
    torch.manual_seed(1)
    main(["train", "prvipe", "--data", "motion.npz", "--everything", "--steps", "2", "--out", "r1", "--model.width",
          "16", "--batch", "8", "--model.kind", kind, "--threads", "1", "--quiet"])
    name = {"lifting": "lifting", "l2": "l2-vipe", "point": "vipe", "gaussian": "prvipe"}[kind]
    told = run.json(*BASE, "--frames", 10, "--model", "r1", "--model", "prvipe", "--model", "r1")["models"]
    assert "prvipe" in told and f"{name} (r1)" in told and len(told) == (3 if kind == "gaussian" else 4)
    assert run.json(*BASE, "--frames", 10, "--model", "r1")["models"] == {name: told[f"{name} (r1)"]}


def test_without_torch_onnx_works_and_a_run_is_refused_in_one_line(tmp_path: Path) -> None:
    made_up(tmp_path / "motion.npz", ("ann",), 12)
    (tmp_path / "run").mkdir()
    script = ("import sys; sys.modules['torch'] = None; from samepose.cli import main;"
              "sys.exit(main(['eval', 'retrieval', '--data', 'motion.npz', '--quiet', *sys.argv[1:]]))")

    def done(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, cwd=tmp_path)

    fine, refused = done(), done("--model", "run")
    assert (fine.returncode, fine.stderr) == (0, "") and "prvipe" in fine.stdout
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.startswith("error: run: a training run needs torch") and "samepose[train]" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(("words", "code", "says"), [
    ([], 2, ["--data"]),
    (["--data", "none.npz"], 3, ["none.npz"]),
    (["--data", "motion.npz", "--cameras", "twelve"], 2, ["chest4"]),
    (["--data", "motion.npz", "--keypoints", "good"], 2, ["perfect"]),
    (["--data", "motion.npz", "--frames", "1"], 2, ["--frames"]),
    (["--data", "motion.npz", "--model", "x.onnx"], 3, ["x.onnx", "does not exist"]),
    (["--data", "motion.npz", "--model", "motion.npz"], 3, ["motion.npz", "not a Pr-VIPE model"]),
    (["--data", "motion.npz", "--model", "."], 3, ["holds no run"]),
    (["--data", "motion.npz", "--hide", "tail"], 2, ["tail"]),
    (["--data", "motion.npz", "--hide", "left_ear"], 2, ["left_ear"]),
    (["--data", "motion.npz", "--hide", "head", "--hidden-pairs"], 2, ["--hidden-pairs"]),
    (["--data", "motion.npz", "--markdown", "t.txt"], 2, ["*.md"]),
    (["--data", "motion.npz", "--held-out", "motion.npz"], 3, ["motion.npz"]),
])
def test_wrong_usage(run: Shell, words: list[str], code: int, says: list[str]) -> None:
    run.fails("eval", "retrieval", *words, code=code, says=says)


def test_unknown_joint_names_need_a_map_and_bad_files_are_reported(run: Shell) -> None:
    names = [f"j{i}" for i in range(17)]
    np.savez("odd.npz", points=some_people(12), joints=np.array(names), clip=np.zeros(12, int))
    run.fails("eval", "retrieval", "--data", "odd.npz", code=3, says=["odd.npz", "--joint-map"])
    Path("map.toml").write_text("".join(f'{ours} = "{n}"\n' for ours, n in zip(H36M17.joints, names)))
    Path("bad.npz").write_bytes(b"no")
    words = ["eval", "retrieval", "--cameras", "chest4", "--joint-map", "map.toml", "--quiet", "--json"]
    run(*words, "--data", "odd.npz", "bad.npz", code=1)
    assert run.err.startswith("error: bad.npz") and run.err.count("\n") == 1
    mapped = run.json(*words[:-1], "--data", "odd.npz")["models"]["prvipe"]
    made_up(Path("same.npz"), ("ann",), 12)
    assert mapped == run.json("eval", "retrieval", "--cameras", "chest4", "--quiet", "--data", "same.npz")["models"][
        "prvipe"]
