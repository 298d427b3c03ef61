"""Keypoint data sets made up on disk in the layouts of their authors, and what is wrong with some of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from samepose.errors import FormatError, MediaError
from samepose.evaluation.keypoints import head_units
from samepose.formats.keypointset import read_keypoint_set
from samepose.formats.labelled import subset_named
from samepose.skeleton import COCO17, LSP14, MPII16


def images(folder: Path, *names: str, size: tuple[int, int] = (60, 40)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(names):
        Image.new("RGB", size, (n, 100, 100)).save(folder / name)
    return folder


def lsp_joints(n: int, seed: int = 0) -> np.ndarray:
    """(n, 14, 2) inside images of 60 x 40."""
    return np.random.default_rng(seed).uniform(3, 37, (n, 14, 2))


def extended(folder: Path, points: np.ndarray, marked: np.ndarray) -> Path:
    """LSP-Extended's layout: (14, 3, n), what is not marked at negative coordinates with flag 0."""
    values = np.concatenate([np.where(marked[..., None], points, -70.0), marked[..., None]], axis=-1)
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "joints.mat", {"joints": values.transpose(1, 2, 0)})
    return folder


def test_lsp_extended_is_read_as_it_is_laid_out(tmp_path: Path) -> None:
    points, marked = lsp_joints(3), np.ones((3, 14), bool)
    marked[1, [0, 13]] = False
    images(extended(tmp_path, points, marked) / "images", "im00001.jpg", "im00002.jpg", "im00003.jpg")
    people = read_keypoint_set(tmp_path)
    assert people.name == "LSP-Extended" and len(people) == 3 and people.poses.skeleton is LSP14
    np.testing.assert_array_equal(people.poses.visible, marked)
    np.testing.assert_allclose(people.poses.points[marked], points[marked], atol=1e-4)
    assert not people.occluded.any() and not people.skipped
    assert people.image(2).shape == (40, 60, 3) and abs(int(people.image(2)[0, 0, 0]) - 2) <= 2
    assert people.square(0, (40, 60, 3)) == (0, -10, 60)  # the whole image, about its middle
    alone = read_keypoint_set(tmp_path / "joints.mat")
    assert alone.images == people.images


def test_lsp_marks_hidden_joints_with_the_opposite_flag(tmp_path: Path) -> None:
    points, hidden = lsp_joints(4), np.zeros((4, 14), bool)
    hidden[0, 3] = hidden[2, :5] = True
    savemat(tmp_path / "joints.mat", {"joints": np.concatenate([points, hidden[..., None]], -1).transpose(2, 1, 0)})
    images(tmp_path / "images", *(f"im{i:04d}.jpg" for i in range(1, 5)))
    people = read_keypoint_set(tmp_path)
    assert people.name == "LSP" and people.poses.visible.all()
    np.testing.assert_array_equal(people.occluded, hidden)
    np.testing.assert_allclose(people.poses.points, points, atol=1e-4)


@pytest.mark.parametrize(("names", "which"), [
    (("im00001.jpg", "im00003.jpg", "im00002.jpg"), (1, 2, 3)),
    (("im09002.jpg", "im09010.jpg", "im09001.jpg"), (9001, 9002, 9010)),  # numbered anew: by order
    (("im1.jpg", "im3.jpg"), (1, None, 3)),  # one is missing: by number
    (("im09001.jpg", "im09003.jpg"), (9001, None, 9003)),  # a part of a set, and one is missing
    (("a.jpg", "b.jpg", "c.jpg"), ("a", "b", "c")),
])
def test_images_belong_to_columns_by_number_or_by_order(tmp_path: Path, names: tuple, which: tuple) -> None:
    images(extended(tmp_path, lsp_joints(3), np.ones((3, 14), bool)) / "images", *names)
    (tmp_path / "images" / "._im00001.jpg").write_bytes(b"left behind by another system")
    people = read_keypoint_set(tmp_path)
    for path, expected in zip(people.images, which):
        if expected is None:
            assert not path.exists()
        else:
            assert path.exists() and path.stem.lstrip("im0") == str(expected)
    if None in which:
        with pytest.raises(MediaError, match=r"im0[09]002"):
            people.image(1)


def test_images_that_fit_no_column_are_an_error(tmp_path: Path) -> None:
    images(extended(tmp_path, lsp_joints(3), np.ones((3, 14), bool)) / "images", "im7.jpg", "im8.jpg")
    with pytest.raises(FormatError, match=r"joints\.mat: labels 3 images but 2 are there"):
        read_keypoint_set(tmp_path)


def test_people_with_two_joints_are_skipped_and_counted(tmp_path: Path) -> None:
    marked = np.ones((3, 14), bool)
    marked[1, 2:] = False
    images(extended(tmp_path, lsp_joints(3), marked) / "images", "im1.jpg", "im2.jpg", "im3.jpg")
    people = read_keypoint_set(tmp_path)
    assert len(people) == 2 and [p.stem for p in people.images] == ["im1", "im3"]
    assert dict(people.skipped) == {"fewer than 3 joints marked": 1}
    assert dict(people[0].skipped) == dict(people.skipped) and len(people[np.array([False, True])]) == 1


def test_a_single_person_is_a_set_too(tmp_path: Path) -> None:
    images(extended(tmp_path, lsp_joints(1), np.ones((1, 14), bool)) / "images", "im1.jpg")
    assert len(read_keypoint_set(tmp_path)) == 1


@pytest.mark.parametrize(("content", "says"), [
    ({"joints": np.zeros((14, 2, 5))}, "expected"),
    ({"other": 1}, "joints or RELEASE or examples"),
    (b"MATLAB 5.0 nonsense", "not a readable MATLAB file"),
    (b"", "not a readable MATLAB file"),
])
def test_damaged_label_files_are_named(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "joints.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, content)
    with pytest.raises(FormatError, match=says) as error:
        read_keypoint_set(tmp_path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_folders_without_labels_or_with_several_are_errors(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"holds no \.mat or \.json"):
        read_keypoint_set(tmp_path)
    for name in ("train.json", "valid.json"):
        (tmp_path / name).write_text("[]")
    with pytest.raises(FormatError, match=r"name one: train\.json, valid\.json"):
        read_keypoint_set(tmp_path)


def mpii_person(points: np.ndarray, *, visible: Any, box: bool = True) -> dict[str, Any]:
    point = np.array([(x + 1, y + 1, k, v) for k, ((x, y), v) in enumerate(zip(points, visible))],
                     dtype=[("x", "O"), ("y", "O"), ("id", "O"), ("is_visible", "O")])
    person: dict[str, Any] = {"annopoints": {"point": point}, "scale": 0.2, "objpos": {"x": 21.0, "y": 31.0}}
    return {**person, "x1": 11, "y1": 1, "x2": 14, "y2": 5} if box else person


def save_mpii(path: Path, entries: list[tuple[str, Any]], train: list[int], single: list[Any] | None = None) -> None:
    records = np.zeros(len(entries), dtype=[("image", "O"), ("annorect", "O")])
    for k, (name, rects) in enumerate(entries):
        records[k] = ({"name": name}, rects)
    release = {"annolist": records, "img_train": np.array(train), "version": "12"}
    if single is not None:
        cells = np.empty(len(single), dtype=object)
        cells[:] = [np.array(numbers) for numbers in single]
        release["single_person"] = cells
    savemat(path, {"RELEASE": release})


def test_mpii_mat(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 40, (2, 16, 2))
    flags: list[Any] = [1] * 16
    flags[3], flags[4], flags[9] = 0, "0", np.zeros(0)  # numbers, text and nothing all occur
    both = np.array([mpii_person(points[0], visible=flags), mpii_person(points[1], visible=["1"] * 16)], dtype=object)
    save_mpii(tmp_path / "mpii_human_pose.mat", [
        ("015601864.jpg", both[0]), ("005808361.jpg", mpii_person(points[1], visible=["1"] * 16, box=False)),
        ("000000001.jpg", {"scale": 1.0}), ("000000002.jpg", np.zeros((0, 0))),
    ], [1, 0, 0, 0])
    images(tmp_path / "images", "015601864.jpg")
    people = read_keypoint_set(tmp_path)
    assert people.poses.skeleton is MPII16 and people.subsets == ("train", "test")
    np.testing.assert_allclose(people.poses.points, points, atol=1e-4)  # from 0, not from 1
    assert list(np.flatnonzero(people.occluded[0])) == [3, 4] and not people.occluded[1].any()
    np.testing.assert_allclose(people.heads[0], [10, 0, 13, 4])
    assert np.isnan(people.heads[1]).all()
    np.testing.assert_allclose([people.centres[0, 0], people.centres[0, 1], people.sides[0]], [20, 30, 50])
    assert people.images[0].exists() and not people.images[1].exists()
    assert people.square(0, (40, 60, 3)) == pytest.approx((-5, 5, 50))


def test_mpii_tells_who_is_apart_enough_from_others(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 40, (5, 16, 2))
    people = [mpii_person(p, visible=["1"] * 16) for p in points]
    save_mpii(tmp_path / "mpii.mat", [
        ("1.jpg", np.array(people[:3], dtype=object)), ("2.jpg", people[3]), ("3.jpg", people[4]),
    ], [1, 1, 1], [[1, 3], [1], []])
    (tmp_path / "images").mkdir()
    assert list(read_keypoint_set(tmp_path).alone) == [True, False, True, True, False]
    save_mpii(tmp_path / "mpii.mat", [("1.jpg", np.array(people[:3], dtype=object))], [1], [[2]])
    assert list(read_keypoint_set(tmp_path).alone) == [False, True, False]
    save_mpii(tmp_path / "mpii.mat", [("1.jpg", np.array(people[:3], dtype=object))], [1])
    assert read_keypoint_set(tmp_path).alone.all()


def test_mpiis_validation_people_and_their_heads(tmp_path: Path) -> None:
    entry = {"image": "a.jpg", "joints": np.random.default_rng(0).uniform(1, 40, (16, 2)).tolist(),
             "joints_vis": [1] * 16, "center": [11, 21], "scale": 0.1}
    folder = tmp_path / "annot"
    folder.mkdir()
    (folder / "valid.json").write_text(json.dumps([entry, entry, entry]))
    boxes = np.array([[11, 21, 14, 25], [1, 2, 7, 10], [31, 5, 36, 17]], float)  # x0 y0 x1 y1, from 1
    corners = np.stack([boxes[:, :2].T, boxes[:, 2:].T])
    savemat(folder / "gt_valid.mat", {"headboxes_src": corners, "jnt_missing": np.zeros((16, 3))})
    people = read_keypoint_set(tmp_path)
    assert people.subsets == ("validation",) * 3
    np.testing.assert_allclose(people.heads, boxes - 1)
    assert head_units(people) == pytest.approx([0.6 * 5, 0.6 * 10, 0.6 * 13])
    savemat(folder / "gt_valid.mat", {"headboxes_src": corners[..., :2]})
    with pytest.raises(FormatError, match=r"gt_valid\.mat: headboxes_src is \(2, 2, 2\); expected \(2, 2, 3\)"):
        read_keypoint_set(tmp_path)
    (folder / "gt_valid.mat").unlink()
    (folder / "valid.json").rename(folder / "train.json")
    assert read_keypoint_set(tmp_path).subsets == ("train",) * 3


@pytest.mark.parametrize(("name", "subset"), [
    ("valid.json", "validation"), ("person_keypoints_val2017.json", "validation"), ("trainval.json", ""),
    ("person_keypoints_train2017.json", "train"), ("test-dev.json", "test"), ("labels.json", ""),
])
def test_the_name_of_a_label_file_tells_the_subset(name: str, subset: str) -> None:
    assert subset_named(Path(name)) == subset


def test_lsp_is_known_by_its_flags_and_its_size_whatever_its_shape(tmp_path: Path) -> None:
    flags = np.zeros((2000, 14, 1))
    flags[5, 3] = 1  # occluded
    lsp = np.concatenate([lsp_joints(2000), flags], -1)
    for shape in ((2, 1, 0), (1, 2, 0)):
        savemat(tmp_path / "joints.mat", {"joints": lsp.transpose(shape)})
        images(tmp_path / "images", "im0001.jpg")
        people = read_keypoint_set(tmp_path)
        assert people.name == "LSP" and people.subsets == ("train",) * 1000 + ("test",) * 1000
    extended = np.concatenate([lsp_joints(2001), np.ones((2001, 14, 1))], -1)
    savemat(tmp_path / "joints.mat", {"joints": extended.transpose(2, 1, 0)})
    people = read_keypoint_set(tmp_path)
    assert people.name == "LSP-Extended" and set(people.subsets) == {""}


def test_mpii_json(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(1, 40, (16, 2))
    entry = {"image": "a.jpg", "joints": (points + 1).tolist(), "joints_vis": [1] * 15 + [0], "center": [11, 21],
             "scale": 0.1}
    unknown = {**entry, "image": "b.jpg", "center": [-1, -1], "scale": -1}
    folder = tmp_path / "annot"
    folder.mkdir()
    (folder / "valid.json").write_text(json.dumps([entry, unknown]))
    images(tmp_path / "images", "a.jpg", "b.jpg")
    people = read_keypoint_set(tmp_path)
    assert people.images == read_keypoint_set(folder / "valid.json").images and people.images[0].exists()
    np.testing.assert_allclose(people.poses.points[0, :15], points[:15], atol=1e-4)
    assert not people.poses.visible[0, 15] and not people.occluded.any()
    assert people.square(1, (40, 60, 3)) == (0, -10, 60)
    (folder / "valid.json").write_text(json.dumps([entry, {"image": "b.jpg"}]))
    with pytest.raises(FormatError, match=r"valid\.json: person 1"):
        read_keypoint_set(tmp_path)


def test_flic(tmp_path: Path) -> None:
    names = ["lsho", "lelb", "lwri", "rsho", "relb", "rwri", "lhip", "lkne", "lank", "rhip", "rkne", "rank", "leye",
             "reye", "lear", "rear", "nose"]
    coords = np.full((2, 29), np.nan)
    for name, x in (("lsho", 41), ("rsho", 21), ("nose", 31), ("rhip", 23)):
        coords[:, names.index(name)] = x, x + 5
    example = {"filepath": "film-0001.jpg", "coords": coords, "torsobox": [21.0, 11, 41, 41], "istrain": 0, "istest": 1}
    records = np.zeros(2, dtype=[(key, "O") for key in example])
    records[0] = tuple(example.values())
    records[1] = tuple({**example, "filepath": "film-0002.jpg", "istest": 0, "istrain": 1}.values())
    savemat(tmp_path / "examples.mat", {"examples": records})
    images(tmp_path / "images", "film-0001.jpg", "film-0002.jpg")
    people = read_keypoint_set(tmp_path)
    assert people.subsets == ("test", "train") and people.poses.visible.sum() == 8 and people.images[1].exists()
    np.testing.assert_allclose(people.poses.points[0, COCO17.index("left_shoulder")], [40, 45])
    np.testing.assert_allclose(people.poses.points[0, COCO17.index("right_hip")], [22, 27])
    assert people.square(0, (1, 1)) == (-30, -35, 120)


def test_coco(tmp_path: Path) -> None:
    flags = [2] * 10 + [1] * 4 + [0] * 3
    keypoints = [v for k, flag in enumerate(flags) for v in ((k + 1, 2 * k + 1, flag) if flag else (0, 0, 0))]
    content = {
        "images": [{"id": 7, "file_name": "000000000007.jpg"}], "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"image_id": 7, "category_id": 1, "keypoints": keypoints, "bbox": [10, 10, 20, 40], "num_keypoints": 14},
            {"image_id": 7, "category_id": 1, "keypoints": [0] * 51, "bbox": [0, 0, 5, 5], "num_keypoints": 0},
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "person_keypoints.json").write_text(json.dumps(content))
    images(tmp_path / "val2017", "000000000007.jpg")
    people = read_keypoint_set(tmp_path)
    assert len(people) == 1 and people.images[0].exists() and people.poses.skeleton is COCO17
    np.testing.assert_array_equal(people.poses.visible[0], np.array(flags) > 0)
    np.testing.assert_array_equal(people.occluded[0], np.array(flags) == 1)
    assert people.square(0, (1, 1)) == (-5, 5, 50)
    (tmp_path / "annotations" / "person_keypoints.json").write_text("[{}]")
    with pytest.raises(FormatError, match="not results"):
        read_keypoint_set(tmp_path)


@pytest.mark.parametrize("kind", ["mat", "json"])
def test_a_label_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    points = lsp_joints(3)
    if kind == "mat":
        images(extended(tmp_path, points, np.ones((3, 14), bool)) / "images", *(f"im{i:05d}.jpg" for i in (1, 2, 3)))
    else:
        people = [{"image": "a.jpg", "joints": [[i, 5] for i in range(1, 17)], "joints_vis": [1] * 16,
                   "center": [8, 5], "scale": 1.0}]
        (tmp_path / "people.json").write_text(json.dumps(people))
    reads, opened = [], Path.open

    def counting(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.suffix in (".mat", ".json"):
            reads.append(self.name)
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", counting)
    assert len(read_keypoint_set(tmp_path)) == (3 if kind == "mat" else 1)
    assert len(reads) == 1
