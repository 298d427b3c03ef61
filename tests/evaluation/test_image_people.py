"""Who takes part in image retrieval, and `samepose eval image-retrieval` on a made-up data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blob_network import data_set, standing
from drawn_people import Shell
from image_networks import write_classifier, write_embedder, write_joint_network
from samepose.embed.image import SIZE, ImageEmbedder, boxes_of_joints, person_crops
from samepose.evaluation.image_people import CroppedPeople, Split, in_crop, task_of
from samepose.evaluation.image_rivals import Batch, euclidean, of_embedder
from samepose.evaluation.image_run import run as measure
from samepose.evaluation.image_run import worst_detected
from samepose.formats.keypointset import read_keypoint_set
from samepose.formats.labelled import LabelledPeople
from samepose.media.square import Square
from samepose.poses import Poses
from samepose.skeleton import BODY13, LSP14

BASE = ("eval", "image-retrieval", "--data", "set", "--models", "image", "--model", "cells.onnx")
N = 8


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    data_set(tmp_path / "set", N)
    write_embedder(tmp_path / "cells.onnx")
    return Shell(capsys)


def people_of(points: np.ndarray) -> LabelledPeople:
    return LabelledPeople.of("some", Poses.of(points, LSP14), [Path(f"{i}.jpg") for i in range(len(points))])


def test_points_of_the_crop_lie_where_its_pixels_are() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[96:104, 146:154] = 255  # about (149.5, 99.5)
    square = Square(100, 60, 64)
    crop = square.crop(image, SIZE)
    y, x = np.nonzero(crop[..., 0] > 127)
    found = in_crop(np.array([149.5, 99.5]), square)
    np.testing.assert_allclose(found, (x.mean(), y.mean()), atol=1)


def test_who_has_no_hip_or_is_tiny_is_left_out_and_counted() -> None:
    points = np.concatenate([standing(50, 50, 80).points, standing(50, 50, 80).hide(["left_hip"]).points,
                             standing(50, 50, 9).points])
    cropped = CroppedPeople.of(people_of(points))
    assert len(cropped) == 1
    assert dict(cropped.people.skipped) == {"a hip that is not marked": 1, "a crop under 16 pixels": 1}
    assert (cropped.points > 0).all() and (cropped.points < SIZE).all()


def test_size_and_place_in_the_photograph_do_not_matter() -> None:
    points = np.concatenate([standing(50, 50, 80).points, 3 * standing(50, 50, 80).points + 400,
                             standing(50, 50, 80).points[:, LSP14.mirror]])
    cropped = CroppedPeople.of(people_of(points))
    task, _ = task_of(cropped, Split.of(cropped, "leave-one-out"))
    assert task.differences[0, 1] < 1 and task.differences[0, 2] > 5  # squares are whole pixels
    assert task.query_facing.tolist() == [1, 1, -1] and np.isnan(np.diagonal(task.differences)).all()


def test_a_drawn_split_keeps_its_sizes_apart_and_is_always_the_same() -> None:
    cropped = CroppedPeople.of(people_of(np.concatenate([standing(50 + i, 50, 80).points for i in range(20)])))
    split = Split.of(cropped, "7:8:4")
    assert (len(split.database), len(split.queries), split.train) == (8, 4, 7) and split.seed is not None
    assert not set(split.database) & set(split.queries)
    again = Split.of(cropped, "7:8:4")
    np.testing.assert_array_equal(split.queries, again.queries)
    everyone = Split.of(cropped, "0:10:10")
    assert sorted([*everyone.database, *everyone.queries]) == [*range(20)]


def test_lists_name_images_or_their_numbers_less_one(tmp_path: Path, run: Shell) -> None:
    (tmp_path / "lists.txt").write_text("# made up\ndatabase im09002.png\ndatabase 9002\nqueries 9000\nqueries 1\n"
                                        "train im09005.png\n")
    found = run.json(*BASE, "--split", "lists.txt")
    assert (found["queries"], found["database"], found["train"], found["split"]) == (1, 2, 1, "lists.txt")
    assert found["skipped_why"] == {"a place in the lists, but not among those who can be measured": 1}


def test_the_worst_detected_are_those_farthest_off_and_not_found() -> None:
    points = np.concatenate([standing(60, 60, 90).points] * 20)
    cropped = CroppedPeople.of(people_of(points))
    found = np.zeros((20, len(BODY13), 3), np.float32)
    for k, joint in enumerate(BODY13.joints):
        found[:, k, :2] = cropped.points[:, LSP14.index(joint)] if joint in LSP14.joints else 900
    found[3, 5:, 0] += 9  # the nose is not marked in LSP: it does not count
    found[11] = np.nan
    split = Split.of(cropped, "leave-one-out")
    assert worst_detected(cropped, split, found).tolist() == [3, 11]


def test_what_is_measured_is_what_the_embedder_says(tmp_path: Path, run: Shell) -> None:
    cropped = CroppedPeople.of(read_keypoint_set(tmp_path / "set"))
    embedder = ImageEmbedder.load(tmp_path / "cells.onnx")
    results = measure(cropped, Split.of(cropped, "leave-one-out"), [of_embedder(embedder)])
    box = boxes_of_joints(cropped.people.poses.points)
    means = np.concatenate([embedder.embed_crops(person_crops(cropped.people.image(i), box[i : i + 1])).mean
                            for i in range(N)])
    expected = np.linalg.norm(means[:, None].astype(np.float64) - means, axis=-1)
    np.testing.assert_allclose(results.distances["image"], expected, atol=2e-4)


def test_distances_are_those_of_numpy() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 9, 5))
    np.testing.assert_allclose(euclidean(a, b), np.linalg.norm(a[:, None] - b, axis=-1), atol=1e-5)


def test_json_is_the_contract(run: Shell) -> None:
    found = run.json(*BASE, "--split", "leave-one-out")
    assert list(found["models"]) == ["oracle", "image", "random"] and found["queries"] == found["database"] == N
    for figures in found["models"].values():
        assert set(figures) == {"hit_absolute", "hit_relative", "pose_difference", "interval", "curves"}
        assert list(figures["hit_absolute"]) == ["1", "2", "5"] and len(figures["curves"]["hit_absolute"]) == N
        low, high = figures["interval"]["pose_difference"]["1"]
        assert low <= figures["pose_difference"]["1"] <= high
    assert found["models"]["oracle"]["hit_relative"]["1"] == 1 and found["skipped"] == 0
    assert found["front_back"]["image"] == 0 and found["front_back_queries"]["image"] == N  # all face the camera


def test_the_table_fits_and_all_files_are_written(run: Shell, tmp_path: Path) -> None:
    write_joint_network(tmp_path / "joints.onnx", LSP14.joints)
    write_classifier(tmp_path / "net.onnx")
    run(*BASE[:4], "--model", "cells.onnx", "--joints", "joints.onnx", "--features", "net.onnx", "--models",
        "image,joints", "--split", "2:3:3", "--fuse", "image,features:net", "--fuse", "image,joints", "--plot",
        "curves.png", "--sheet", "sheet.png", "--markdown", "t.md")
    assert max(map(len, run.out.splitlines()[1:])) <= 82 and "drawn with seed 2015: 3 queries among 3" in run.out
    for name in ("oracle", "image", "features:net", "joints", "image+features:net", "image+joints", "random"):
        assert f"\n{name} " in run.out and f"| {name} |" in Path("t.md").read_text()
    for name in ("curves.png", "sheet.png", "sheet-2.png"):
        with Image.open(name) as picture:
            assert min(picture.size) > 300


def test_joints_alone_measure_oracle_and_random(run: Shell, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [",".join([f"{i}.jpg", *(f"{v:.1f}" for v in rng.uniform(50, 300, 32))]) for i in range(30)]
    (tmp_path / "mpii").mkdir()
    for name, part in (("train_joints.csv", lines[:20]), ("test_joints.csv", lines[20:])):
        (tmp_path / "mpii" / name).write_text("\n".join(part) + "\n")
    found = run.json("eval", "image-retrieval", "--data", "mpii", "--split", "10:12:8")
    assert "only oracle and random" in run.err and list(found["models"]) == ["oracle", "random"]
    assert (found["data"], found["queries"], found["database"], found["seed"]) == ("MPII", 8, 12, 2015)
    people = read_keypoint_set(tmp_path / "mpii")
    assert people.subsets.count("test") == 10
    value = float(lines[20].split(",")[1])
    assert people.poses.points[0, 0, 0] == pytest.approx(value - 1)  # MPII's pixels count from 1
    (tmp_path / "mpii" / "test_joints.csv").write_text("0.jpg,1,2\n")
    run.fails("eval", "image-retrieval", "--data", "mpii", "--split", "1:2:3", code=3, says=["line 1", "32 numbers"])


def test_unreadable_and_grey_images(run: Shell, tmp_path: Path) -> None:
    images = sorted((tmp_path / "set" / "images").iterdir())
    images[0].write_bytes(images[0].read_bytes()[:200])
    with Image.open(images[1]) as picture:
        picture.convert("L").save(images[1])
    found = run.json(*BASE, "--split", "leave-one-out", code=1)
    assert found["queries"] == N - 1 and found["skipped_why"] == {"an image that is missing or damaged": 1}
    assert images[0].name in run.err


@pytest.mark.parametrize(("words", "code", "says"), [
    (("--split", "5:5:5"), 2, "8 can be measured"),
    (("--split", "8:0:0"), 2, "leaves 0 queries"),
    ((), 2, "leave-one-out"),  # of the committed lists nobody is there
    (("--split", "nowhere.txt"), 2, "nowhere.txt"),
    (("--split", "bad.txt"), 3, "line 2"),
    (("--split", "leave-one-out", "--models", "image,vgg"), 2, "vgg"),
    (("--split", "leave-one-out", "--models", "joints"), 2, "--joints FILE.onnx"),
    (("--split", "leave-one-out", "--fuse", "image,prvipe"), 2, "prvipe"),
    (("--split", "leave-one-out", "--fuse", "image"), 2, "two different models"),
    (("--split", "leave-one-out", "--fuse", "image,image"), 2, "two different models"),
    (("--split", "leave-one-out", "--joints", "cells.onnx", "--models", "joints"), 3, "joint regression"),
    (("--split", "leave-one-out", "--features", "bad.txt"), 3, "cannot be read as an ONNX network"),
    (("--split", "leave-one-out", "--features", "grey.onnx"), 3, "expected one image"),
    (("--split", "leave-one-out", "--plot", "curves.jpg"), 2, ".png"),
])
def test_bad_input_is_one_error(run: Shell, tmp_path: Path, words: tuple[str, ...], code: int, says: str) -> None:
    (tmp_path / "bad.txt").write_text("queries im09001.png\nothers im09002.png\n")
    write_classifier(tmp_path / "grey.onnx", channels=1)
    base = BASE if "--models" not in words else (*BASE[:4], *BASE[6:])
    run.fails(*base, *words, code=code, says=[says])


@pytest.mark.parametrize("head", [True, False])
def test_features_are_what_goes_into_the_last_layer(tmp_path: Path, head: bool) -> None:
    from samepose.evaluation.image_features import of_network

    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    rival = of_network(write_classifier(tmp_path / "net.onnx", head=head, side=SIZE))
    batch = Batch([image], [Square(0, 0, 64)], np.array([[0, 0, 64, 64]], np.float32))
    mean = batch.crops()[0].reshape(-1, 3).mean(axis=0) / 255
    expected = (mean - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)  # the tiny network pools its input
    np.testing.assert_allclose(rival.see(batch)[0], expected, atol=1e-4)
    assert rival.name == "features:net"
