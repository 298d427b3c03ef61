"""`search --pose3d` and `index` of motion capture, as people type it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, photo
from made_up_motion import NAMES, POSE, write_bvh
from samepose.formats.keypoints import save_poses
from samepose.formats.motion import read_motion
from samepose.poses import Poses
from samepose.skeleton import COCO17, H36M17


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An arm that goes up and down in two seconds."""
    rows = np.zeros((60, 6 + 3 * 16))
    rows[:, 1] = 0.95
    rows[:, 6 + 3 * 11] = 80 * np.sin(np.arange(60) / 60 * np.pi)
    rows[:, 6 + 3 * 5] = 40 * np.sin(np.arange(60) / 30 * np.pi)
    return write_bvh(tmp_path_factory.mktemp("mocap") / "arm.bvh", POSE, NAMES["ours"], rows=rows)


@pytest.fixture(scope="module")
def filled(clip: Path) -> Path:
    from samepose.index import Index

    place = clip.parent / "index"
    assert Index.open(place, create=True, root=clip.parent).add(clip.parent).people == 20
    return place


def test_motion_is_searched_by_motion(run: Shell, clip: Path, filled: Path) -> None:
    told = run.json("search", "--pose3d", clip, "--frame", 30, "--copies", "--moment", 0, "--index", filled, "-k", 2)
    assert told["query"]["time"] == pytest.approx(1.0, abs=1e-3) and told["query"]["source"] == str(clip)
    assert told["results"][0]["path"] == "arm.bvh" and abs(told["results"][0]["time"] - 1.0) < 0.15
    same = run.json("search", clip, "--at", "1", "--copies", "--moment", "0", "--index", filled, "-k", "2")
    assert same["results"] == told["results"]
    around = run.json("search", "--pose3d", clip, "--frame", 30, "--copies", "--index", filled, "-k", 1)
    assert around["query"]["moment"] == 0.3 and around["query"]["alone"] is None
    run.fails("search", clip, "--frame", 30, "--at", 1, "--index", filled, code=2, says=["--at", "--frame"])
    lifted = clip.parent / "pose.npz"
    save_poses(lifted, read_motion(clip, None).poses[30], ["somewhere.jpg"])
    assert run.json("search", "--pose3d", lifted, "--index", filled, "-k", "2")["results"] == told["results"]
    sheet = clip.parent / "sheet.png"
    run("search", clip, "--at", "1", "--copies", "--index", filled, "--sheet", sheet)
    assert sheet.stat().st_size > 1000
    assert run.json("info", "--index", filled)["kind"] == {"motion": 1}


def test_index_of_a_folder_says_what_failed_and_goes_on(run: Shell, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "good.bvh").write_bytes(clip.read_bytes())
    (tmp_path / "cut.bvh").write_bytes(clip.read_bytes()[:-300])
    (tmp_path / "x.amc").write_text(":DEGREES\n1\nroot 0 0 0 0 0 0\n")
    told = run.json("index", tmp_path, code=1)
    assert told["people"] == 20 and sorted(Path(f["path"]).name for f in told["failed"]) == ["cut.bvh", "x.amc"]
    assert "put the skeleton there as" in str(told["failed"])


@pytest.mark.parametrize(("name", "content", "says"), [
    ("gone.bvh", None, "gone.bvh: no such file; check the path"),
    ("foreign.bvh", b"hello", "foreign.bvh: has no HIERARCHY section; is it a BVH file?"),
    ("foreign.npz", b"PK nothing", "foreign.npz: "),
    ("openpose.json", b'{"people": [{"points": [[1, 2]], "skeleton": "none"}]}', "openpose.json: damaged 3D poses"),
])
def test_what_is_no_3d_pose(run: Shell, filled: Path, tmp_path: Path, name: str, content: bytes | None, says: str
                            ) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    run.fails("search", "--pose3d", tmp_path / name, "--index", filled, code=2 if content is None else 3, says=[says])


def test_a_picture_is_no_3d_pose_nor_are_keypoints(run: Shell, filled: Path, tmp_path: Path) -> None:
    photo(tmp_path / "photo.png", arms=80)
    save_poses(tmp_path / "flat.npz", Poses.of(np.random.default_rng(0).random((1, 17, 2)) * 100, COCO17))
    for name in ("photo.png", "flat.npz"):
        run.fails("search", "--pose3d", tmp_path / name, "--index", filled, code=2,
                  says=[f"{name}: holds no 3D pose", "as QUERY"])


def test_which_frame(run: Shell, clip: Path, filled: Path, tmp_path: Path) -> None:
    run.fails("search", "--pose3d", clip, "--frame", "60", "--index", filled, code=2,
              says=["has no pose at frame 60; its 60 frames are numbered 0 to 59"])
    run.fails("search", "--pose3d", clip, "--index", filled, code=2, says=["holds 60 moments", "--frame"])
    run.fails("search", clip, "--pose3d", clip, "--index", filled, code=2, says=["name one thing to look for"])
    save_poses(tmp_path / "point.npz", Poses.of(np.ones((1, 17, 3)), H36M17, unit="metre"))
    run.fails("search", "--pose3d", tmp_path / "point.npz", "--index", filled, code=2, says=["lie at one point"])
