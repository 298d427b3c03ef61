"""Penn Action on made-up label files: the loader, both protocols against plain loops, and the two commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.stats import kendalltau

from drawn_people import Shell, share_networks
from drawn_people import embedder as shared_embedder
from exercising_people import Move, jack, knee, mirrored_knee
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError, SameposeError, UsageError
from samepose.evaluation.alignment import alignment, kendall_tau
from samepose.evaluation.penn_action import GUESS_REACH, clips_of, drawn, may_find, recognise, usable
from samepose.formats.penn import VIEWS, PennVideo, detected, read_penn_action, read_penn_label
from samepose.poses import Poses
from samepose.sequences.clip import Clip
from samepose.sequences.distance import frame_distances
from samepose.sequences.recognition import clip_distance

FRAMES = 20


@pytest.fixture
def embedder() -> PrVipeEmbedder:
    return shared_embedder()


def write_label(
    folder: Path, name: str, action: str = "squat", view: str = "front", *, train: int = 1, move: Move = jack,
    seed: int = 0, frames: int = FRAMES, hidden: int = 0, **changes: object,
) -> Path:
    """A label file; the last `hidden` joints are not seen, the very last one is nowhere."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 1, frames) ** rng.uniform(0.8, 1.25)
    points = move(phase) * rng.uniform(0.8, 1.2) + rng.normal(0, 1.0, (frames, 13, 2))
    seen = np.ones((frames, 13))
    if hidden:
        seen[:, -hidden:] = 0
        points[:, -1] = 1
    low, high = points[:, :-1].min(axis=1), points[:, :-1].max(axis=1)
    label = {"action": action, "pose": view, "x": points[..., 0], "y": points[..., 1], "visibility": seen,
             "train": train, "bbox": np.concatenate([low, high], axis=1), "nframes": frames,
             "dimensions": [480, 640, frames], **changes}
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / f"{name}.mat", {key: value for key, value in label.items() if value is not None})
    return folder / f"{name}.mat"


def data_set(folder: Path) -> Path:
    """Two actions, each in two views, five training videos and two of test, and one that shows too little."""
    n = 0
    for action, move in (("jumping_jacks", jack), ("squat", knee)):
        for k in range(7):
            n += 1
            side = mirrored_knee if action == "squat" and k % 3 == 1 else move
            write_label(folder / "labels", f"{n:04d}", action, VIEWS[k % 2], train=1 if k < 5 else -1, move=side,
                        seed=n, frames=FRAMES + k)
    write_label(folder / "labels", "0099", "bowl", hidden=10)
    write_label(folder / "labels", "0100", "strum_guitar")
    return folder


# -- labels --------------------------------------------------------------------------------------------------------


def test_a_label_as_it_is_written(tmp_path: Path) -> None:
    video = read_penn_label(write_label(tmp_path, "0007", "golf_swing", "back", train=-1, hidden=3))
    assert (video.name, video.action, video.view, video.train, len(video)) == ("0007", "golf_swing", "back", False, 20)
    assert np.isnan(video.poses.points[:, -1]).all() and not np.isnan(video.poses.points[:, :-1]).any()
    assert video.visible == pytest.approx(10 / 13) and not video.annotated[:, -3:].any()
    kept = video.without_guesses().poses
    np.testing.assert_array_equal(np.isnan(kept.points[..., 0]), ~video.annotated)
    assert (kept.scores[:, -3:] == 0).all() and np.isnan(video.poses.times).all()


def test_guesses_near_to_where_a_joint_was_seen_may_stay(tmp_path: Path) -> None:
    seen = np.ones((FRAMES, 13))
    seen[5:12, 4], seen[:, 6] = 0, 0
    video = read_penn_label(write_label(tmp_path, "0001", visibility=seen))
    for reach, lost in ((0, range(5, 12)), (2, range(7, 10)), (4, range(0))):
        points = video.without_guesses(reach).poses.points[..., 0]
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(points[:, 4])), list(lost))
        assert np.isnan(points[:, 6]).all() and np.isnan(points).sum() == FRAMES + len(lost)


def test_boxes_that_are_missing_are_the_nearest_frame_s(tmp_path: Path) -> None:
    boxes = np.tile([10.0, 20, 110, 220], (18, 1))  # two fewer than frames
    boxes[3] = 0
    boxes[:3, 0] = 5
    video = read_penn_label(write_label(tmp_path, "0001", bbox=boxes))
    np.testing.assert_array_equal(video.poses.boxes[[2, 3, 19], 0], [5, 5, 10])
    whole = read_penn_label(write_label(tmp_path, "0002", bbox=None)).poses
    np.testing.assert_allclose(whole.boxes[0], [*whole.points[0].min(axis=0), *whole.points[0].max(axis=0)])


@pytest.mark.parametrize(("changes", "says"), [
    ({"pose": "above"}, "its view .pose. is 'above'"),
    ({"visibility": np.ones((FRAMES, 12))}, "visibility is float64"),
    ({"x": np.ones((3, 13))}, "differ"),
    ({"action": ""}, "action is not a word"),
    ({"train": "yes"}, "train is not a number"),
    ({"y": None, "train": None}, "has no y, train"),
])
def test_what_is_no_label_is_refused(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    file = write_label(tmp_path, "0001", **changes)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=f"0001.mat: .*{says}"):
        read_penn_label(file)


def test_damaged_files_are_reported_and_left_out(tmp_path: Path) -> None:
    whole = write_label(tmp_path / "labels", "0001").read_bytes()
    (tmp_path / "labels" / "0002.mat").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "labels" / "0003.mat").write_bytes(b"not a label")
    read = read_penn_action(tmp_path)
    assert [v.name for v in read.videos] == ["0001"] and len(read.failed) == 2
    assert "0002.mat: is not a readable MATLAB file" in read.failed[0]
    assert [v.name for v in read_penn_action(tmp_path / "labels").videos] == ["0001"]
    (tmp_path / "labels" / "0001.mat").unlink()
    with pytest.raises(FormatError, match="none of 2 label files can be read"):
        read_penn_action(tmp_path)
    with pytest.raises(FormatError, match=r"holds no labels/\*.mat"):
        read_penn_action(tmp_path / "nowhere")


def test_keypoints_are_looked_for_inside_the_boxes(tmp_path: Path) -> None:
    from PIL import Image

    video = read_penn_label(write_label(tmp_path, "0001", frames=3))
    (tmp_path / "frames" / "0001").mkdir(parents=True)
    for k in (1, 2, 3):
        Image.new("RGB", (64, 48), (k, 0, 0)).save(tmp_path / "frames" / "0001" / f"{k:06d}.jpg")
    asked: list[np.ndarray] = []

    def find(image: np.ndarray, boxes: np.ndarray) -> Poses:
        asked.append(boxes)
        return video.poses[(len(asked) - 1) % 3]

    found = detected(video, tmp_path / "frames", find)
    np.testing.assert_allclose(np.concatenate(asked), video.poses.boxes)
    np.testing.assert_array_equal(found.frames, [0, 1, 2])
    (tmp_path / "frames" / "0001" / "000002.jpg").unlink()
    with pytest.raises(SameposeError, match=r"000002\.jpg: is missing"):
        detected(video, tmp_path / "frames", find)


# -- protocols -----------------------------------------------------------------------------------------------------


def prepared(folder: Path, embedder: PrVipeEmbedder) -> tuple[list[PennVideo], list[Clip]]:
    videos = usable(read_penn_action(data_set(folder)).videos)
    return videos, clips_of([v.without_guesses(GUESS_REACH).poses for v in videos], embedder)


def test_who_takes_part(tmp_path: Path) -> None:
    videos = read_penn_action(data_set(tmp_path)).videos
    kept = usable(videos)
    assert {v.name for v in videos} - {v.name for v in kept} == {"0099", "0100"}
    some = drawn(kept, 5, seed=1)
    assert len(some) == 5 and some == drawn(kept, 5, seed=1) != drawn(kept, 5, seed=2)
    assert [v.name for v in some] == sorted(v.name for v in some) and drawn(kept, 99, 0) == kept


def test_splits(tmp_path: Path) -> None:
    videos = usable(read_penn_action(data_set(tmp_path)).videos)
    queries, index, may = may_find(videos, "official")
    assert [videos[i].train for i in index] == [True] * 10 and len(queries) == 4 and may.all()
    queries, index, may = may_find(videos, "cv", folds=5, seed=0)
    assert len(queries) == len(index) == 14 and not may.diagonal().any()
    assert sorted(np.unique((~may).sum(axis=1)).tolist()) == [2, 3] and (may == may.T).all()
    np.testing.assert_array_equal(may, may_find(videos, "cv", folds=5, seed=0)[2])
    train = [v for v in videos if v.train]
    for these, kind in ((train, "test"), ([v for v in videos if not v.train], "training")):
        with pytest.raises(UsageError, match=f"none of {len(these)} videos is a {kind} video"):
            may_find(these, "official")
    with pytest.raises(UsageError, match="5 folds of 4 videos"):
        may_find(videos[:4], "cv")


def test_recognition_is_as_a_plain_loop_has_it(tmp_path: Path, embedder: PrVipeEmbedder) -> None:
    videos, clips = prepared(tmp_path, embedder)
    for i in (2, 12):
        videos[i] = replace(videos[i], action={"squat": "jumping_jacks"}.get(videos[i].action, "squat"))  # goes wrong
    videos[0] = replace(videos[0], view="back")  # the only one of that view: no action has two there
    distance = np.array([[clip_distance(a, b) for b in clips] for a in clips])
    for split in ("official", "cv"):
        queries, index, may = may_find(videos, split)
        for protocol, views in (("all-views", [None]), ("one-view", VIEWS)):
            found = recognise(videos, clips, embedder, protocol, split, threads=1)  # type: ignore[arg-type]
            tables = []
            for view in views:
                right: dict[str, list[bool]] = {}
                for q, i in enumerate(queries):
                    inside = [j for n, j in enumerate(index) if may[q, n] and view in (None, videos[j].view)]
                    held = [videos[j].action for j in inside]
                    inside = [j for j in inside if view is None or held.count(videos[j].action) >= 2]
                    if view is None or held.count(videos[i].action) >= 2:
                        best = min(inside, key=lambda j: distance[i, j])
                        right.setdefault(videos[i].action, []).append(videos[best].action == videos[i].action)
                if right:
                    tables.append(np.mean([np.mean(values) for values in right.values()]))
            assert found.accuracy == pytest.approx(np.mean(tables)) and 0.2 < found.accuracy < 1
            assert found.queries == len(queries) and 0 <= found.pruned < 1
            assert np.diag(found.confusion).sum() < found.confusion.sum()
            if protocol == "one-view":
                assert set(found.per_view) == {"front", "left"} and len(tables) == 2


def test_kendalls_tau_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 10, 80):
        for matches in (rng.integers(0, n, n), rng.permutation(n), np.sort(rng.integers(0, 3, n))):
            if len(set(matches.tolist())) > 1:
                assert kendall_tau(matches.tolist()) == pytest.approx(kendalltau(np.arange(n), matches).statistic)
    assert kendall_tau([0, 1, 2, 3]) == 1 and kendall_tau([3, 2, 1]) == -1 and kendall_tau([2, 2, 2]) == 0


def test_alignment_is_as_a_plain_loop_has_it(tmp_path: Path, embedder: PrVipeEmbedder) -> None:
    videos, clips = prepared(tmp_path, embedder)
    found = alignment(videos, clips, embedder.matching, threads=1)
    taus: dict[tuple[str, bool], list[float]] = {}
    for i, a in enumerate(videos):
        for j, b in enumerate(videos):
            if i == j or a.action != b.action:
                continue
            other = clips[j]
            sides = (other, replace(other, embeddings=other.mirrored, mirrored=other.embeddings))
            tau = max(kendalltau(np.arange(len(a)), frame_distances(clips[i], side, embedder.matching).argmin(axis=1))
                      .statistic for side in sides)
            taus.setdefault((a.action, a.view == b.view), []).append(tau)
    for action in ("jumping_jacks", "squat"):
        same, other_view = taus[action, True], taus[action, False]
        assert found.per_class[action] == pytest.approx(np.mean(same + other_view), abs=0.01)
        assert found.per_class_same_view[action] == pytest.approx(np.mean(same), abs=0.02)
        assert found.per_class_different_view[action] == pytest.approx(np.mean(other_view), abs=0.02)
    assert found.tau == pytest.approx(np.mean(list(found.per_class.values())))
    assert found.same_view == pytest.approx(np.mean(list(found.per_class_same_view.values())))
    assert found.pairs == sum(map(len, taus.values())) and found.path_tau > found.tau > 0.3
    with pytest.raises(UsageError, match="no two of 1 videos"):
        alignment(videos[:1], clips[:1], embedder.matching)


def test_a_video_of_few_joints_is_recognised_all_the_same(tmp_path: Path, embedder: PrVipeEmbedder) -> None:
    few = read_penn_label(write_label(tmp_path, "0001", hidden=8)).without_guesses()
    clip = clips_of([few.poses], embedder)[0]
    assert clip.found.all() and len(clip) == FRAMES


# -- commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    share_networks(monkeypatch)
    data_set(tmp_path / "penn")
    return Shell(capsys)


@pytest.mark.parametrize(("words", "queries"), [
    ((), 4), (("--protocol", "one-view"), 4), (("--split", "cv", "--folds", 3, "--seed", 1), 14),
    (("--split", "cv", "--subset", 8), 8), (("--split", "cv", "--keypoints", "guessed"), 14),
    (("--split", "cv", "--keypoints", "seen", "--protocol", "one-view"), 14),
])
def test_eval_penn_action(run: Shell, words: tuple[object, ...], queries: int) -> None:
    told = run.json("eval", "penn-action", "--data", "penn", *words)
    assert set(told) >= {"protocol", "accuracy", "per_class", "per_view", "seconds", "pruned", "confusion"}
    assert told["queries"] == queries and 0.5 <= told["accuracy"] <= 1 and told["failed"] == 0
    assert np.shape(told["confusion"]) == (len(told["classes"]),) * 2


def test_eval_penn_action_writes_a_picture_and_tables(run: Shell) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it comes with samepose[eval]")
    from PIL import Image

    text = run("eval", "penn-action", "--data", "penn/labels", "--plot", "c.png", "--markdown", "t.md").out
    assert "jumping jacks" in text and "accuracy" in text and "% of the pairs ruled out by the bound" in text
    assert Path("t.md").read_text().startswith("| | |\n|---|---|\n| jumping jacks |")
    with Image.open("c.png") as picture:
        assert min(picture.size) > 300


def test_eval_alignment(run: Shell) -> None:
    told = run.json("eval", "alignment", "--data", "penn", "--markdown", "t.md")
    assert set(told) >= {"tau", "same_view", "different_view", "per_class", "path_tau"} and told["pairs"] == 4
    everything = run.json("eval", "alignment", "--data", "penn", "--split", "cv", "--subset", 10)
    assert everything["pairs"] > 4 and -1 <= everything["tau"] <= 1 and len(everything["per_class"]) == 2
    assert "| mean over actions |" in Path("t.md").read_text()
    assert "along the path" in run("eval", "alignment", "--data", "penn", "--split", "cv").out


def test_what_is_missing_is_said(run: Shell) -> None:
    (Path("penn") / "labels" / "0050.mat").write_bytes(b"")
    run.json("eval", "penn-action", "--data", "penn", code=1)
    assert "0050.mat" in run.err and json.loads(run.out)["failed"] == 1
    for file in Path("penn/labels").glob("*.mat"):
        if file.stem in {"0006", "0007", "0013", "0014", "0050"}:
            file.unlink()
    run.fails("eval", "penn-action", "--data", "penn", code=2, says=["is a test video", "--split cv"])
    run.fails("eval", "alignment", "--data", "penn", code=2, says=["is a test video", "--split cv"])
    run.fails("eval", "penn-action", "--data", "penn", "--split", "cv", "--keypoints", "detected", code=3,
              says=["000001.jpg: is missing"])
    run.fails("eval", "alignment", "--data", "nowhere", code=3, says=["nowhere: holds no labels"])
