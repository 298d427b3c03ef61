"""TRC files, read again by a parser of their own that knows the format from OpenSim's description of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, photo, video
from samepose.errors import UsageError
from samepose.formats.keypoints import load_poses, save_poses
from samepose.poses import Poses
from samepose.skeleton import COCO17


def parsed(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray]:
    """Header, markers, times (T,) and coordinates (T, marker, 3); NaN where a cell is empty."""
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert lines[0] == ["PathFileType", "4", "(X/Y/Z)", path.name]
    header = dict(zip(lines[1], lines[2], strict=True))
    assert lines[3][:2] == ["Frame#", "Time"] and lines[4][:2] == ["", ""] and lines[5] == [""]
    markers = lines[3][2::3]
    assert lines[3][3::3] == lines[3][4::3] == [""] * len(markers)
    assert lines[4][2:] == [f"{axis}{n + 1}" for n in range(len(markers)) for axis in "XYZ"]
    numbers = np.array([[float(cell or "nan") for cell in line] for line in lines[6:]])
    assert numbers[:, 0].tolist() == list(range(1, len(numbers) + 1))
    return header, markers, numbers[:, 1], numbers[:, 2:].reshape(len(numbers), len(markers), 3)


def walk(times: list[float], tracks: tuple[int, ...] | None = None) -> Poses:
    points = np.random.default_rng(0).uniform(0, 500, (len(times), 17, 2))
    points[1, 3] = np.nan
    return Poses.of(points, COCO17, times=times, frames=np.arange(len(times)), tracks=tracks or (4,) * len(times))


def test_it_is_read_again_as_it_was(tmp_path: Path) -> None:
    poses = walk([0.2, 0.3, 0.4, 0.5])
    save_poses(tmp_path / "x.trc", poses)
    header, markers, times, points = parsed(tmp_path / "x.trc")
    assert header == {"DataRate": "10", "CameraRate": "10", "NumFrames": "4", "NumMarkers": "17", "Units": "px",
                      "OrigDataRate": "10", "OrigDataStartFrame": "1", "OrigNumFrames": "4"}
    assert markers == ["Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist",
                       "RWrist", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle"]
    np.testing.assert_allclose(times, poses.times)
    np.testing.assert_allclose(points[..., :2], poses.points, atol=6e-4)
    assert np.isnan(points[1, 3]).all() and (points[~np.isnan(points[..., 0])][:, 2] == 0).all()


def test_rows_stay_evenly_spaced_where_the_person_is_away(tmp_path: Path) -> None:
    save_poses(tmp_path / "x.trc", walk([0.0, 0.1, 0.2, 0.5, 0.6, 0.7])[[3, 0, 1, 2, 4, 5]])
    header, _, times, points = parsed(tmp_path / "x.trc")
    np.testing.assert_allclose(times, np.arange(8) / 10, atol=1e-6)
    assert header["NumFrames"] == "8" and np.isnan(points).all(axis=(1, 2)).tolist() == [0, 0, 0, 1, 1, 0, 0, 0]


def test_what_it_cannot_hold_is_refused(tmp_path: Path) -> None:
    for poses, says in ((walk([0, 0.1], (0, 1)), "of 2 people and a .trc holds one; choose a `person`"),
                        (walk([0, 0.1])[:1], "two different times"),
                        (Poses.of(np.zeros((2, 17, 2)), COCO17, tracks=[0, 0]), "two different times"),
                        (Poses.of(np.zeros((2, 17, 3)), COCO17, unit="metre"), "3D")):
        with pytest.raises(UsageError, match=says):
            save_poses(tmp_path / "x.trc", poses)
    assert not (tmp_path / "x.trc").exists()


def test_detect_writes_one_person_of_one_video(run: Shell, tmp_path: Path) -> None:
    video(tmp_path / "two.mp4", frames=12, people=2)
    run("detect", "two.mp4", "--out", "two.npz")
    everyone = load_poses(tmp_path / "two.npz").poses
    for track in (0, 1):
        run("detect", "two.mp4", "--out", f"{track}.trc", "--person", track)
        assert f"{track}.trc: person {track} of 2\n" in run.err
        _, _, times, points = parsed(tmp_path / f"{track}.trc")
        own = everyone[everyone.tracks == track].hide(below=0.25)
        np.testing.assert_allclose(times, own.times, atol=1e-6)
        np.testing.assert_allclose(points[..., :2], own.points, atol=6e-4)
    run("detect", "two.mp4", "--out", "any.trc")
    assert "(most prominent)" in run.err
    photo(tmp_path / "a.png")
    run.fails("detect", "a.png", "--out", "x.trc", code=2, says=["name one video"])
    run.fails("detect", "two.mp4", "a.png", "--out", "x.trc", code=2, says=["name one video"])
    run.fails("detect", "two.mp4", "--out", "x.npz", "--person", "1", code=2, says=["--person is for --out x.trc"])
    run.fails("detect", "two.mp4", "--out", "x.trc", "--person", "7", code=2, says=["two.mp4: has no person 7"])
