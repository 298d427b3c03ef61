"""The classifier beside the nearest example: what it learns, what is kept in a file, and its command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, embedder, share_networks
from exercising_people import Move, jack, knee, mirrored_knee, moves, saved
from samepose.errors import FormatError, UsageError
from samepose.matching.embeddings import Matching
from samepose.sequences.classifier import ActionClassifier
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.naming import Fit
from samepose.sequences.recognition import Recogniser
from samepose.sequences.subsequence import RATE

MOVES = {"jack": jack, "knee": knee}


def clip_with(move: Move, seed: int, seconds: float = 1.6) -> Clip:
    return clip_of(moves((move, seconds), seed=seed), embedder(), rate=RATE, name=f"clip {seed}")


def known(count: int = 3) -> Recogniser:
    return Recogniser({name: [clip_with(move, n, 1.3 + 0.2 * n) for n in range(count)] for name, move in MOVES.items()})


def test_a_classifier_learns_moves_and_their_mirror_images() -> None:
    clips = [clip_with(move, n, 1.2 + 0.2 * n) for move in MOVES.values() for n in range(3)]
    learned = ActionClassifier.fit(clips, ["jack"] * 3 + ["knee"] * 3)
    assert learned.actions == ("jack", "knee")
    for move, action in ((jack, "jack"), (knee, "knee"), (mirrored_knee, "knee")):
        told = learned.log_probabilities(clip_with(move, 9, 2.3))
        assert np.exp(list(told.values())).sum() == pytest.approx(1)
        assert np.exp(told[action]) > 0.8
    same, other = (ActionClassifier.fit(clips, ["jack"] * 3 + ["knee"] * 3, seed) for seed in (0, 1))
    assert np.array_equal(same.weights, learned.weights) and not np.array_equal(other.weights, learned.weights)


def test_labels_are_what_it_learns() -> None:
    """With the names exchanged it names the other action: nothing but the examples decides."""
    clips = [clip_with(move, n) for move in MOVES.values() for n in range(3)]
    learned = ActionClassifier.fit(clips, ["knee"] * 3 + ["jack"] * 3)
    assert np.exp(learned.log_probabilities(clip_with(jack, 9))["knee"]) > 0.8


def test_a_moment_without_the_person_is_bridged() -> None:
    clips = [clip_with(move, n) for move in MOVES.values() for n in range(3)]
    learned = ActionClassifier.fit(clips, ["jack"] * 3 + ["knee"] * 3)
    whole = clip_with(jack, 9, 2)
    found = whole.found.copy()
    found[6:9] = False
    mean = np.where(found[:, None], whole.embeddings.mean, np.float32(np.nan))
    gap = replace(whole, found=found, embeddings=replace(whole.embeddings, mean=mean),
                  mirrored=replace(whole.mirrored, mean=np.where(found[:, None], whole.mirrored.mean, np.nan)))
    assert np.exp(learned.log_probabilities(gap)["jack"]) > 0.8


def test_both_probabilities_are_multiplied_and_distance_alone_says_none() -> None:
    fit = Fit(cutoff=3.0, spread=1.0)
    actions, near = ["a", "a", "b"], np.array([1.0, 1.4, 1.2])
    told = {"a": np.log(0.3), "b": np.log(0.7)}
    assert fit.name(near, actions)[0] == "a"
    action, confidence = fit.name(near, actions, told)
    weights = np.exp(-np.array([1.0, 1.2])) * [0.3, 0.7]
    none = np.exp(-3.0) / np.exp(-np.array([1.0, 1.2, 3.0])).sum()
    assert action == "b" and confidence == pytest.approx((1 - none) * weights[1] / weights.sum())
    assert fit.name(near + 3, actions, told)[0] is None
    assert fit.name(near, actions, {"a": 0.0, "b": -np.inf})[0] == "a"


def test_training_adds_a_classifier_and_leaves_the_rest() -> None:
    recogniser = known()
    trained = recogniser.trained()
    assert recogniser.classifier is None and trained.classifier is not None
    assert trained.fit == recogniser.fit and trained.examples == recogniser.examples
    clip = clip_with(mirrored_knee, 9, 2.4)
    named = trained.recognise(clip)
    assert named.action == "knee" and named.neighbours == recogniser.recognise(clip).neighbours
    with pytest.raises(UsageError, match="of jack alone"):
        Recogniser({"jack": [clip_with(jack, 0)]}).trained()


def test_examples_are_tried_on_each_other() -> None:
    tried = known(4).tried()
    assert tried is not None and tried.examples == 8 and tried.nearest == tried.trained == 8
    mixed = Recogniser({"a": [clip_with(jack, 0), clip_with(knee, 1)], "b": [clip_with(knee, 2), clip_with(jack, 3)]})
    tried = mixed.tried()
    assert tried is not None and tried.examples == 4 and tried.nearest == 0
    assert Recogniser({"a": [clip_with(jack, 0)], "b": [clip_with(knee, 1)]}).tried() is None


@pytest.mark.parametrize("train", [False, True])
def test_a_file_of_examples_names_as_they_did(tmp_path: Path, train: bool) -> None:
    recogniser = known().trained() if train else known()
    recogniser.save(tmp_path / "moves.npz")
    read = Recogniser.open(tmp_path / "moves.npz", embedder=embedder())
    assert read.actions == recogniser.actions and read.fit == recogniser.fit and (read.classifier is not None) == train
    for move in (jack, knee, mirrored_knee):
        clip = clip_with(move, 9, 2.2)
        now, before = read.recognise(clip), recogniser.recognise(clip)
        assert now.action == before.action and now.neighbours == before.neighbours
        assert now.confidence == pytest.approx(before.confidence, abs=1e-4)
    assert read.tried() == recogniser.tried()


def test_files_that_are_no_examples(tmp_path: Path) -> None:
    path = tmp_path / "moves.npz"
    known().trained().save(path)
    with np.load(path) as file:
        arrays = dict(file)

    def spoiled(**changed: np.ndarray) -> None:
        np.savez(path, **{**arrays, **changed})
        with pytest.raises(FormatError, match="is no file of examples, or damaged"):
            Recogniser.open(path, embedder=embedder())

    about = json.loads(str(arrays["about"]))
    for change in ({"kind": "poses"}, {"fit": 3}, {"matching": {}}, {"examples": []},
                   {"examples": about["examples"] * 2}, {"classifier": {"actions": ["a"]}}):
        spoiled(about=np.array(json.dumps({**about, **change})))
    for name in ("mean", "found", "classifier.weights", "classifier.kernels"):
        spoiled(**{name: arrays[name][:-1]})
    np.savez(path, mean=arrays["mean"])
    with pytest.raises(FormatError, match=r"moves\.npz: is no file of examples"):
        Recogniser.open(path, embedder=embedder())
    path.write_bytes(b"PK")
    with pytest.raises(FormatError, match="not a readable"):
        Recogniser.open(path, embedder=embedder())


def test_examples_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "moves.npz"
    other = Matching(0.5, 0.1)
    Recogniser({"jack": [replace(clip_with(jack, 0), matching=other, sightings=None)]}).save(path)
    with pytest.raises(UsageError, match=r"moves\.npz: its examples were embedded by another model"):
        Recogniser.open(path, embedder=embedder())


# -- command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    share_networks(monkeypatch)
    for name, move in MOVES.items():
        for n in range(3):
            saved(tmp_path / "moves" / name / f"{n}.npz", moves((move, 1.5), seed=n))
    saved(tmp_path / "clip.npz", moves((jack, 2), seed=7))
    return Shell(capsys)


def test_train_and_recognise(run: Shell) -> None:
    told = run.json("train", "recogniser", "--examples", "moves", "--out", "moves.npz")
    assert told == {"recogniser": "moves.npz", "actions": {"jack": 3, "knee": 3}, "left_out": [],
                    "tried": {"examples": 6, "nearest": 6, "trained": 6}}
    told = run.json("recognise", "clip.npz", "--examples", "moves.npz")
    assert told["examples"]["trained"] and told["results"][0]["action"] == "jack"
    assert not run.json("recognise", "clip.npz", "--examples", "moves")["examples"]["trained"]
    text = run("train", "recogniser", "--examples", "moves", "--out", "again.npz").out
    assert text == "again.npz: 2 actions, 6 examples: of 6 examples the others name 6 right, by the nearest alone 6\n"


def test_training_that_cannot_be(run: Shell) -> None:
    words = ["train", "recogniser", "--examples"]
    run.fails(*words, "moves", "--out", "moves.pt", code=2, says=["moves.pt", ".npz"])
    run.fails(*words, "moves/jack", "--out", "x.npz", code=2, says=["has no sub-folders"])
    run.fails("recognise", "clip.npz", "--examples", "clip.npz", code=3, says=["clip.npz: is no file of examples"])
    run.json(*words, "moves", "--out", "moves.npz")
    run.fails(*words, "moves", "--out", "moves.npz", code=2, says=["--force"])
    Path("one").mkdir()
    Path("moves/jack").rename("one/jack")
    run.fails(*words, "one", "--out", "one.npz", code=2, says=["there are examples of jack alone"])
    assert not Path("one.npz").exists()
