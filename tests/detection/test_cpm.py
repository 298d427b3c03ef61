"""The belief maps of a network that looks for colours: where peaks are, scales, flips, people, bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blob_network import blobs, standing, write_network
from drawn_people import Shell, embedder, picture
from samepose.cli.options import Options
from samepose.detection import detect
from samepose.detection.cpm import CPM, flipped, peaks
from samepose.detection.movenet import MoveNet, person_square
from samepose.detection.track import Tracker
from samepose.errors import FormatError, UsageError
from samepose.formats.keypoints import load_poses
from samepose.index import Index
from samepose.media.square import Square
from samepose.poses import Poses
from samepose.skeleton import COCO17, LSP14, Skeleton
from samepose.weights import weight_file


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("cpm") / "blobs.onnx")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return Shell(capsys)


def gaussians(middles: np.ndarray, cells: int = 32, sigma: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:cells, :cells]
    maps = [np.exp(-((x - mx) ** 2 + (y - my) ** 2) / (2 * sigma**2)) for mx, my in middles]
    return np.array(maps, np.float32)


def test_peaks_of_gaussians_are_found_between_cells() -> None:
    middles = np.random.default_rng(0).uniform(2, 29, (50, 2))
    cells, heights = peaks(gaussians(middles).reshape(5, 10, 32, 32))
    np.testing.assert_allclose(cells.reshape(50, 2), middles, atol=2e-3)
    assert cells.shape == (5, 10, 2) and heights.shape == (5, 10)
    assert ((heights > 0.75) & (heights <= 1)).all()


def test_peaks_equal_the_plain_loop_and_stand_rims_zeros_and_negative_beliefs() -> None:
    maps = np.random.default_rng(1).uniform(-0.2, 1, (20, 6, 7)).astype(np.float32)
    cells, heights = peaks(maps)
    for k, each in enumerate(maps):
        best = max((each[y, x], x, y) for y in range(6) for x in range(7))
        assert heights[k] == pytest.approx(best[0])
        assert abs(cells[k, 0] - best[1]) <= 0.5 and abs(cells[k, 1] - best[2]) <= 0.5
    assert np.isfinite(peaks(np.zeros((2, 4, 4), np.float32))[0]).all()
    corner = np.zeros((1, 4, 4), np.float32)
    corner[0, 3, 0] = 1
    np.testing.assert_allclose(peaks(corner)[0][0], [0, 3], atol=1e-3)


def test_a_mirrored_map_is_the_map_of_the_mirrored_joint() -> None:
    maps = np.random.default_rng(2).random((2, 15, 8, 8)).astype(np.float32)
    back = flipped(maps, LSP14)
    left, right = LSP14.index("left_knee"), LSP14.index("right_knee")
    np.testing.assert_array_equal(back[:, left, 3, 1], maps[:, right, 3, 6])
    np.testing.assert_array_equal(back[:, 14, 2, 0], maps[:, 14, 2, 7])
    np.testing.assert_array_equal(flipped(back, LSP14), maps)


@pytest.mark.parametrize("square", [Square(0, 0, 256), Square(-40, -25, 320), Square(13, 7, 200)])
def test_joints_are_found_in_pixels_of_the_image(network: Path, square: Square) -> None:
    person = standing(120, 110, 180)
    points, beliefs = CPM(network, threads=1).look(blobs(person.points, 230, 220), square)
    assert points.shape == (2, 14, 2) and beliefs.shape == (2, 14)
    np.testing.assert_allclose(points[-1], person.points[0], atol=0.9)
    assert abs((points[-1] - person.points[0]).mean(axis=0)).max() < 0.3  # no half pixel lost on the way
    np.testing.assert_allclose(beliefs[0], beliefs[1] / 2, rtol=1e-3)


def test_scales_agree_where_they_see_the_same(network: Path) -> None:
    image = blobs(standing(120, 110, 140).points, 240, 220)
    square = Square(0, -10, 240)
    truth = standing(120, 110, 140).points[0]
    for scales in ((0.8,), (1.25,), (0.8, 1.0, 1.25)):
        points, _ = CPM(network, scales=scales, threads=1).look(image, square)
        np.testing.assert_allclose(points[-1], truth, atol=1.2, err_msg=str(scales))


def test_what_a_larger_scale_does_not_see_is_left_to_the_others(network: Path) -> None:
    image = blobs(standing(120, 120, 225).points, 240, 240)
    square = Square(0, 0, 240)
    alone = CPM(network, threads=1).belief_maps(image, square)
    both = CPM(network, scales=(1.0, 2.0), threads=1).belief_maps(image, square)
    np.testing.assert_allclose(both[..., :8, :], alone[..., :8, :], atol=1e-5)  # the upper eighth
    assert np.abs(both - alone)[..., 16:48, 16:48].max() > 0.01
    points, _ = CPM(network, scales=(1.0, 2.0), threads=1).look(image, square)
    np.testing.assert_allclose(points[-1], standing(120, 120, 225).points[0], atol=1.5)


def test_flipped_testing_averages_in_the_mirror_image(network: Path) -> None:
    image = blobs(standing(110, 110, 160).points, 220, 220)
    square = Square(0, 0, 220)
    once, mirrored = (CPM(network, threads=1, **how).belief_maps(image, square)
                      for how in ({}, {"flip": True}))
    swapped = CPM(network, threads=1).belief_maps(np.ascontiguousarray(image[:, ::-1]), square)
    np.testing.assert_allclose(mirrored, (once + flipped(swapped, LSP14)) / 2, atol=1e-5)


def test_a_float_network_gives_the_same(network: Path, tmp_path: Path) -> None:
    image = blobs(standing(110, 110, 160).points, 220, 220)
    other = write_network(tmp_path / "float.onnx", dtype="FLOAT")
    a, b = (CPM(path, threads=1).belief_maps(image, Square(0, 0, 220)) for path in (network, other))
    np.testing.assert_array_equal(a, b)


def test_people_are_looked_at_where_movenet_finds_them(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = Poses.concatenate([standing(100, 120, 160), standing(330, 120, 200)])
    coarse = people.to(COCO17)
    twice = Poses.concatenate([coarse, coarse[1]])  # the same person found twice is reported once
    monkeypatch.setattr(MoveNet, "find", lambda self, image: twice)
    found = CPM(network, threads=1).detect(blobs(people.points, 460, 240, radius=4))
    assert found.skeleton is LSP14 and list(found.tracks) == [0, 1]
    np.testing.assert_allclose(found.points[:, 0], people.points[::-1][:, 0], atol=2)  # the larger one first
    square = person_square(coarse[0])
    seen = coarse.points[0][~np.isnan(coarse.points[0, :, 0])]
    assert square.side == pytest.approx(1.5 * np.ptp(seen, axis=0).max(), abs=1)
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2  # where the map that is built into the network has its peak
    np.testing.assert_allclose([square.x + square.side / 2, square.y + square.side / 2], middle, atol=1)
    monkeypatch.setattr(MoveNet, "find", lambda self, image: Poses.empty(COCO17))
    assert len(CPM(network, threads=1).detect(np.zeros((40, 40, 3), np.uint8))) == 0


def test_an_unknown_skeleton_comes_back_as_coco17_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Skeleton("arms", ("left_wrist", "right_wrist", "left_shoulder", "right_shoulder", "left_tool"))
    path = write_network(tmp_path / "arms.onnx", skeleton=few)
    points = np.array([[180, 60], [40, 60], [140, 90], [80, 90], [110, 150]], float)
    monkeypatch.setattr(MoveNet, "find", lambda self, image: standing(110, 110, 130).to(COCO17))
    found = CPM(path, threads=1).detect(blobs(points, 220, 220, skeleton=few))
    assert found.skeleton is COCO17 and found.visible.sum() == 4
    np.testing.assert_allclose(found.points[0, COCO17.index("left_wrist")], points[0], atol=1)


def test_the_name_changes_with_whatever_changes_the_result(network: Path, tmp_path: Path) -> None:
    other = write_network(tmp_path / "other.onnx", stages=3)
    names = {CPM(network).name, CPM(other).name, CPM(network, flip=True).name, CPM(network, "fast").name,
             CPM(network, scales=(1, 1.2)).name}
    assert len(names) == 5 and all(name.startswith("blobs-") for name in names)
    assert CPM(network, threads=1).name == CPM(network, threads=2).on_one_thread.name


def test_wrong_weights_and_scales_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"bad\.onnx: not a Convolutional"):
        CPM(tmp_path / "bad.onnx").name  # noqa: B018
    with pytest.raises(FormatError, match=r"missing\.onnx: cannot be read"):
        CPM(tmp_path / "missing.onnx").name  # noqa: B018
    with pytest.raises(FormatError, match=r"prvipe\.onnx: not a Convolutional"):
        CPM(weight_file("prvipe")).name  # noqa: B018
    for scales in ((), (0.0,), (float("nan"),)):
        with pytest.raises(UsageError, match="scales"):
            CPM(tmp_path / "bad.onnx", scales=scales)


def test_tracks_follow_people_of_other_skeletons() -> None:
    tracker = Tracker()
    for k in range(5):
        frame = Poses.concatenate([standing(100 + 4 * k, 120, 160), standing(300 - 4 * k, 120, 160)])
        found = tracker.update(frame if k % 2 else frame[[1, 0]], k / 10)
        assert found.skeleton is LSP14
        order = found.tracks if k % 2 == 0 else found.tracks[::-1]
        assert list(order) == [0, 1]


def test_detect_and_index_from_the_command_line(
    network: Path, run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.asarray(picture(1))).save(tmp_path / "someone.png")
    made = CPM(network, "fast", threads=1)
    monkeypatch.setattr(Options, "embedder", lambda self: embedder())
    results = run.json("detect", "someone.png", "--detector", network, "--mode", "fast", "--out", "poses.npz")
    assert len(results) == 1 and load_poses(tmp_path / "poses.npz").poses.skeleton == LSP14
    run("index", "someone.png", "--detector", network, "--mode", "fast", "--index", "index")
    media = Index.open("index").select()
    assert [(m.mode, m.skeleton) for m in media] == [(made.name, "LSP14")]
    assert len(list(detect(tmp_path / "someone.png", made))) == 1


def test_an_lsp_pose_is_embedded_as_pr_vipe_was_trained() -> None:
    """Pr-VIPE's nose in training is the middle of upper neck and crown, which is what LSP14 converts to."""
    person = standing(100, 100, 180)
    keypoints = embedder().keypoints(person)
    assert not np.isnan(keypoints).any()
    middle = person.points[0, [LSP14.index("neck"), LSP14.index("head_top")]].mean(axis=0)
    np.testing.assert_allclose(keypoints[0, 0], middle, atol=1e-4)


def test_explain_cpm_draws_the_beliefs_of_a_joint(network: Path, run: Shell, tmp_path: Path) -> None:
    person = standing(110, 110, 130)
    Image.fromarray(blobs(person.points, 220, 220)).save(tmp_path / "blobs.png")
    words = ("explain", "cpm", "blobs.png", "--out", "pictures", "--weights", network, "--threads", 1)
    found = run.json(*words, "--joint", "left_wrist")
    assert [stage["stage"] for stage in found["stages"]] == [1, 2]
    x, y = person.points[0, LSP14.index("left_wrist")]
    last = found["stages"][-1]
    assert (last["x"], last["y"]) == (pytest.approx(x, abs=1), pytest.approx(y, abs=1))
    assert last["belief"] == pytest.approx(2 * found["stages"][0]["belief"], rel=1e-2) and 0 < last["spread"] < 10
    with Image.open(found["picture"]) as picture:
        assert picture.width > 3 * 200 and len(picture.getcolors(10**6) or []) > 100
    run.fails(*words, "--joint", "tail", code=2, says=["tail", "left_wrist"])
    run.fails(*words, "--person", 3, code=2, says=["no person 3"])
    run.fails("explain", "cpm", "none.png", "--out", "pictures", "--weights", network, code=3, says=["none.png"])
