"""Pictures with 3D poses: Human3.6M in made-up files of its layouts, and rendered people.

A person with round coordinates walks before four cameras that all stand at the origin of the room and look along its
y; each video's picture is as bright as its frame's number, so that the right frame is known again. What must not be
read is absurd.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from samepose.errors import FormatError, SameposeError
from samepose.formats.h36m_cameras import CAMERAS
from samepose.formats.posed_image_set import action_of, read_posed_images
from samepose.formats.posed_images import PosedImages
from samepose.media.writer import video_writer
from samepose.skeleton import H36M17

NUMBERS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)  # of our joints in Human3.6M's documentation
FRAMES = 23
FOCAL, CENTRE = 500.0, 32.0
BODY = np.random.default_rng(0).normal(0, 0.3, (17, 3)) * (1, 1, 1)


def before_camera(frames: int = FRAMES) -> np.ndarray:
    """(T, 17, 3) metres, x right, y down, z away; the person steps 1 cm to the right each frame, 5 m away."""
    return BODY + np.array([0, 0, 5]) + np.arange(frames)[:, None, None] * np.array([0.01, 0, 0])


def in_picture(frames: int = FRAMES) -> np.ndarray:
    seen = before_camera(frames)
    return seen[..., :2] / seen[..., 2:] * FOCAL + CENTRE


def of_32(points: np.ndarray) -> np.ndarray:
    out = np.full((len(points), 32, points.shape[-1]), 9e6)
    out[:, NUMBERS] = points
    return out


def in_room(frames: int = FRAMES) -> np.ndarray:
    """Metres, z up: the cameras look along +y."""
    seen = before_camera(frames)
    return np.stack([seen[..., 0], seen[..., 2], -seen[..., 1]], axis=-1)


def write_cdf(path: Path, points: np.ndarray, variable: str = "Pose") -> None:
    writing = pytest.importorskip("cdflib.cdfwrite")
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = points.reshape(1, len(points), -1).astype(np.float32)
    file = writing.CDF(str(path))
    file.write_var({"Variable": variable, "Data_Type": file.CDF_FLOAT, "Num_Elements": 1, "Rec_Vary": True,
                    "Dim_Sizes": list(flat.shape[1:]), "Compress": 6}, var_data=flat)
    file.close()


def write_video(path: Path, frames: int = FRAMES) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with video_writer(path, (64, 64), 50.0) as out:
        for k in range(frames):
            out.write(np.full((64, 64, 3), 40 + 8 * k, np.uint8))


def write_room_cameras(path: Path, subjects: tuple[int, ...] = (9, 11)) -> None:
    h5py = pytest.importorskip("h5py")
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # rows: right, down, away
    with h5py.File(path, "w") as file:
        for subject in subjects:
            for k, name in enumerate(CAMERAS):
                place = file.create_group(f"subject{subject}/camera{k + 1}")
                values = {"R": turn.T, "T": np.zeros(3), "f": np.full(2, FOCAL), "c": np.full(2, CENTRE),
                          "k": np.zeros(3), "p": np.zeros(2), "Name": np.array([ord(c) for c in name])}
                for key, value in values.items():
                    place[key] = value.reshape(3, 3) if key == "R" else value[:, None]


def distributed(root: Path, poses: str = "MyPoseFeatures/{}", clip: str = "TakingPhoto 1") -> Path:
    for subject in ("S9", "S11"):
        for camera in CAMERAS[:2]:
            name = f"{clip}.{camera}"
            write_cdf(root / subject / poses.format("D3_Positions_mono") / f"{name}.cdf", of_32(before_camera()) * 1000)
            write_cdf(root / subject / poses.format("D2_Positions") / f"{name}.cdf", of_32(in_picture()))
            write_video(root / subject / "Videos" / f"{name}.mp4", FRAMES + 4)  # videos go on
    return root


def world(root: Path, clip: str = "Photo 1") -> Path:
    """VideoPose3D's file, the cameras and the videos, which have their first name."""
    table = {s: {clip: of_32(in_room()).astype(np.float32)} for s in ("S9", "S11")}
    root.mkdir(exist_ok=True)
    np.savez(root / "data_3d_h36m.npz", positions_3d=np.array(table, dtype=object))
    write_room_cameras(root / "cameras.h5")
    for subject in ("S9", "S11"):
        for camera in CAMERAS:
            write_video(root / subject / "Videos" / f"TakingPhoto 1.{camera}.mp4")
    return root


def distributed_world(root: Path) -> Path:
    for subject in ("S9", "S11"):
        write_cdf(root / subject / "MyPoseFeatures/D3_Positions/TakingPhoto 1.cdf", of_32(in_room()) * 1000)
        for camera in CAMERAS:
            write_video(root / subject / "Videos" / f"TakingPhoto 1.{camera}.mp4")
    write_room_cameras(root / "cameras.h5")
    return root


def fetched(root: Path, pose: str = "pose/3d") -> Path:
    """h36m-fetch's: each camera's frames 1, 11 and 21, counted from 1."""
    h5py = pytest.importorskip("h5py")
    rows = np.array([0, 10, 20])
    for subject in ("S9", "S11"):
        folder = root / subject / "TakingPhoto-1"
        folder.mkdir(parents=True)
        with h5py.File(folder / "annot.h5", "w") as file:
            file[pose] = np.concatenate([of_32(before_camera())[rows] * 1000] * 2)
            file["pose/2d"] = np.concatenate([of_32(in_picture())[rows]] * 2)
            file["camera"] = np.repeat([int(name) for name in CAMERAS[:2]], 3)
            file["frame"] = np.tile(rows + 1, 2)
        for camera in CAMERAS[:2]:
            (folder / "imageSequence" / camera).mkdir(parents=True)
            for k in rows:
                Image.fromarray(np.full((64, 64, 3), 40 + 8 * k, np.uint8)).save(
                    folder / "imageSequence" / camera / f"img_{k + 1:06d}.jpg")
    return root


def split_archives(root: Path) -> Path:
    return distributed(root, "Poses_{}")


@pytest.mark.parametrize(("layout", "cameras"), [
    (distributed, 2), (split_archives, 2), (distributed_world, 4), (world, 4), (fetched, 2)])
def test_every_layout_gives_the_same(tmp_path: Path, layout: Callable[[Path], Path], cameras: int) -> None:
    images = read_posed_images(layout(tmp_path / "h36m"))
    assert len(images) == 2 * cameras * 3  # subjects, cameras, every tenth of 23 frames
    assert set(images.subjects) == {"S9", "S11"} and set(images.actions) == {"Photo"}
    assert images.truth == pytest.approx(np.tile(before_camera()[::10], (2 * cameras, 1, 1)), abs=1e-4)
    assert images.points == pytest.approx(np.tile(in_picture()[::10], (2 * cameras, 1, 1)), abs=1e-2)
    seen = dict(images.pictures())
    assert sorted(seen) == [*range(len(images))]
    for row, picture in seen.items():
        assert not isinstance(picture, SameposeError)
        assert picture.mean() == pytest.approx(40 + 80 * (row % 3), abs=4)


def test_some_of_the_pictures_are_the_same_pictures(tmp_path: Path) -> None:
    images = read_posed_images(fetched(tmp_path / "h36m"))
    drawn = images.drawn(5)
    assert len(drawn) == 5 == len(drawn.actions) and len(images.drawn(99)) == len(images)
    for row, picture in drawn.pictures():
        right = 0.01 * (drawn.places[row, 1] - 1)  # metres walked
        assert drawn.truth[row, 0, 0] - BODY[0, 0] == pytest.approx(right, abs=1e-5)
        assert not isinstance(picture, SameposeError)
        assert picture.mean() == pytest.approx(40 + 8 * (drawn.places[row, 1] - 1), abs=4)


def test_the_damaged_video_may_be_missing_and_no_other(tmp_path: Path) -> None:
    root = world(tmp_path / "h36m", "Directions")
    for subject in ("S9", "S11"):
        for camera in CAMERAS:
            if (subject, camera) != ("S11", CAMERAS[0]):
                write_video(root / subject / "Videos" / f"Directions.{camera}.mp4", 11)
    images = read_posed_images(root)
    assert len(images) == 7 * 3
    short = [why for _, why in images.pictures() if isinstance(why, SameposeError)]
    assert len(short) == 7 and "ends before its 3D poses do" in str(short[0])  # frame 20 of 11
    (root / f"S9/Videos/Directions.{CAMERAS[0]}.mp4").unlink()
    with pytest.raises(FormatError, match=r"S9/Videos/Directions\.54138969\.mp4: there is no such video"):
        read_posed_images(root)


def _without(what: str) -> Callable[[Path], Any]:
    return lambda root: [path.unlink() for path in root.rglob(what)]


@pytest.mark.parametrize(("spoil", "says"), [
    (_without("S11/**/*.cdf"), r"holds no poses of S11, .*it has S11, S9"),
    (_without("*/D2_Positions/*.cdf"), r"there is no D2_Positions/TakingPhoto 1\.54138969\.cdf of S9"),
    (_without("S9/Videos/*.mp4"), r"TakingPhoto 1\.54138969\.mp4: there is no such video"),
    (lambda r: write_cdf(r / "S9/MyPoseFeatures/D3_Positions_mono/A.cdf", of_32(before_camera())), "after no camera"),
    (lambda r: next(r.rglob("*_mono/*.cdf")).write_bytes(b"CDF" * 99), r"is not a readable \.cdf file"),
    (lambda r: [write_cdf(f, before_camera()) for f in r.rglob("S9/**/D3_Positions_mono/*.cdf") if not f.unlink()],
     r"Pose has shape \(23, 51\); expected \(1, T, 96\)"),
    (lambda r: [write_cdf(f, of_32(in_picture(9))) for f in r.rglob("D2_Positions/*.cdf") if not f.unlink()],
     "has 9 poses, and .* in 3D 23"),
])
def test_bad_distributed_files_are_one_clear_error(tmp_path: Path, spoil: Callable[[Path], Any], says: str) -> None:
    root = distributed(tmp_path / "h36m")
    spoil(root)
    with pytest.raises(FormatError, match=says) as caught:
        read_posed_images(root)
    assert "\n" not in str(caught.value)


def test_bad_folders_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        read_posed_images(tmp_path / "nowhere")
    with pytest.raises(FormatError, match="holds neither people"):
        read_posed_images(tmp_path)
    (tmp_path / "people-00000.npz").write_bytes(b"PK")
    with pytest.raises(FormatError, match="is not a shard of rendered people"):
        read_posed_images(tmp_path)
    with pytest.raises(FormatError, match=r"has no pose/3d \(pose/3d-univ is of a body of another size\)"):
        read_posed_images(fetched(tmp_path / "univ", "pose/3d-univ"))
    room = distributed_world(tmp_path / "room")
    (room / "cameras.h5").unlink()
    with pytest.raises(FormatError, match="is known in the room alone; put the D3_Positions_mono"):
        read_posed_images(room)


def test_training_subjects_are_others(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"holds no poses of S1, S5, .*it has S11, S9"):
        read_posed_images(distributed(tmp_path / "h36m"), ("S1", "S5"))


def shard(path: Path, jpegs: list[bytes], joints: tuple[str, ...] = H36M17.joints) -> None:
    n = len(jpegs)
    at = np.random.default_rng(1).normal(np.array([0, 0, 4]), 0.3, (n, len(joints), 3)).astype(np.float32)
    np.savez(path, jpeg=np.frombuffer(b"".join(jpegs), np.uint8), start=np.cumsum([0, *map(len, jpegs)]),
             joints=np.array(joints), joints_3d=at, joints_2d=at[..., :2] / at[..., 2:] * 100 + 32,
             visible=np.ones((n, len(joints)), bool), inside=np.repeat(np.arange(n) != 1, len(joints)).reshape(n, -1),
             intrinsics=np.zeros((n, 3, 3), np.float32), shape=np.zeros((n, 6), np.float32),
             instant=np.arange(n), camera=np.zeros(n, int), subject=np.array(["hdm05-bk", "cmu-16"] * n)[:n],
             clip=np.array(["HDM_bk_squat1Reps_018_120.amc", "bvh_walk/16_22.bvh"] * n)[:n])


def jpeg(path: Path, value: int) -> bytes:
    Image.fromarray(np.full((64, 64, 3), value, np.uint8)).save(path, "JPEG")
    return path.read_bytes()


def rendered(folder: Path) -> PosedImages:
    pictures = [jpeg(folder / "a.jpg", 20 * k + 20) for k in range(4)]
    pictures[2] = pictures[2][:200]
    shard(folder / "people-00000.npz", pictures)
    shard(folder / "people-00001.npz", pictures[:2])
    return read_posed_images(folder)


def test_rendered_people(tmp_path: Path) -> None:
    images = rendered(tmp_path)
    assert images.actions == ("squat", "cmu-16") * 3 and images.subjects[:2] == ("hdm05-bk", "cmu-16")
    expected = images.truth[..., :2] / images.truth[..., 2:] * 100 + 31.5  # our pixels' middles are whole
    assert images.skeleton.convert(images.points, H36M17) == pytest.approx(expected, abs=1e-3)
    assert (images.inside[:, : len(H36M17)] == np.array([1, 0, 1, 1, 1, 0], bool)[:, None]).all()
    seen = dict(images.pictures())
    assert isinstance(seen[2], SameposeError) and "is damaged" in str(seen[2])
    means = [np.mean(seen[k]) for k in (0, 1, 3, 4, 5)]
    assert means == pytest.approx([20, 40, 80, 20, 40], abs=2)


def test_rendered_people_without_our_joints(tmp_path: Path) -> None:
    shard(tmp_path / "people-00000.npz", [jpeg(tmp_path / "a.jpg", 9)], ("left_hip", "right_hip"))
    with pytest.raises(FormatError, match=r"poses lack joints of Human3\.6M's 17"):
        read_posed_images(tmp_path)


def test_actions() -> None:
    assert action_of("HDM_mm_rotateArmsBothBackward1Reps_013_120.amc", "hdm05-mm") == "rotateArmsBothBackward"
    assert action_of("asf_amc/02/02_02.amc", "cmu-02") == "cmu-02"
