"""Motion capture as it really comes: `train prvipe` and `eval retrieval` mend it and say so, or refuse it by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell
from made_up_motion import AT, NAMES, POSE, some_people, write_bvh
from samepose.skeleton import H36M17

EVALUATE = ("eval", "retrieval", "--cameras", "chest4", "--frames", 8, "--data", "mocap")
TRAIN = ("train", "prvipe", "--everything", "--steps", 1, "--model.width", 16, "--batch", 8, "--out", "run", "--data",
         "mocap")
FRAMES = 12


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mocap").mkdir()
    bvh(tmp_path / "mocap" / "zz-good.bvh", POSE)
    return Shell(capsys)


def bvh(path: Path, pose: np.ndarray, odd: Callable[[np.ndarray], None] = lambda rows: None) -> None:
    """A person who waves and kicks, in the unit of `pose`; `odd` spoils the rows of channels."""
    rows = np.zeros((FRAMES, 3 + 3 * 17))
    rows[:, :3] = pose[AT("pelvis")]
    rows[:, 6:] = np.random.default_rng(len(path.name)).uniform(-20, 20, (FRAMES, 3 * 16))
    odd(rows)
    write_bvh(path, pose, NAMES["ours"], rows=rows)


def npz(path: Path, points: np.ndarray) -> None:
    np.savez(path, points=points, joints=np.array(H36M17.joints), clip=np.zeros(len(points), int), fps=30)


def nan_rows(rows: np.ndarray) -> None:
    rows[3:5, 20] = np.nan


def nan_points(points: np.ndarray) -> np.ndarray:
    points[3:5, 2] = np.nan
    return points


def at_one_point(points: np.ndarray, frames: slice) -> np.ndarray:
    points[frames, AT("left_elbow")] = points[frames, AT("left_shoulder")]
    return points


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])


def no_elbow() -> np.ndarray:
    return at_one_point(POSE[None].copy(), slice(None))[0]


def cut_bvh(path: Path) -> None:
    bvh(path, POSE)
    cut(path)


def cut_npz(path: Path) -> None:
    npz(path, some_people(FRAMES))
    cut(path)


MENDED: list[tuple[str, Callable[[Path], None], str]] = [
    ("nan.bvh", lambda p: bvh(p, POSE, nan_rows), "2 of 12 frames dropped: joints are missing (NaN)"),
    ("nan.npz", lambda p: npz(p, nan_points(some_people(FRAMES))), "2 of 12 frames dropped: joints are missing (NaN)"),
    ("lost.npz", lambda p: npz(p, at_one_point(some_people(FRAMES), slice(5))),
     "5 of 12 frames dropped: joints lie at one point"),
    ("tall.bvh", lambda p: bvh(p, POSE * 100), "scaled by 0.01: the lengths are centimetres"),
    ("tall.npz", lambda p: npz(p, some_people(FRAMES) * 100), "scaled by 0.01: the lengths are centimetres"),
    ("mirror.bvh", lambda p: bvh(p, POSE * (-1, 1, 1)), "left and right exchanged"),
    ("mirror.npz", lambda p: npz(p, some_people(FRAMES, spread=0.02) * (-1, 1, 1)), "left and right exchanged"),
]
REFUSED: list[tuple[str, Callable[[Path], None], str]] = [
    ("zero.bvh", lambda p: bvh(p, no_elbow()), "left_shoulder and left_elbow lie at one point"),
    ("zero.npz", lambda p: npz(p, at_one_point(some_people(FRAMES), slice(None))),
     "left_shoulder and left_elbow lie at one point"),
    ("cut.bvh", cut_bvh, "cut short"),
    ("cut.npz", cut_npz, "not a readable .npz"),
]
ONE: list[tuple[str, Callable[[Path], None]]] = [
    ("one.bvh", lambda p: (write_bvh(p, POSE, NAMES["ours"], frames=1), None)[1]),
    ("still.bvh", lambda p: (write_bvh(p, POSE, NAMES["ours"], frames=9), None)[1]),
    ("one.npz", lambda p: npz(p, some_people(1))),
]


@pytest.mark.parametrize("words", [EVALUATE, TRAIN], ids=["eval", "train"])
@pytest.mark.parametrize(("name", "make", "says"), MENDED, ids=[c[0] for c in MENDED])
def test_what_can_be_mended_is_and_said_of_the_file(
    run: Shell, words: tuple[object, ...], name: str, make: Callable[[Path], None], says: str
) -> None:
    make(Path(name))
    run(*words, name)
    (line,) = [line for line in run.err.splitlines() if says in line]
    assert Path(name).stem in line.partition(": ")[0], line
    assert "zz-good" not in run.err


@pytest.mark.parametrize("words", [EVALUATE, TRAIN], ids=["eval", "train"])
@pytest.mark.parametrize(("name", "make", "says"), REFUSED, ids=[c[0] for c in REFUSED])
def test_what_cannot_be_mended_is_reported_and_costs_nobody_else(
    run: Shell, words: tuple[object, ...], name: str, make: Callable[[Path], None], says: str
) -> None:
    make(Path(name))
    run.fails(*words[:-1], name, code=3, says=[name, says])
    assert not Path("run").exists()
    run(*words, name, "--quiet", code=1)
    (line,) = run.err.splitlines()
    assert line.startswith(f"error: {name}: ") and says in line


@pytest.mark.parametrize("words", [EVALUATE, TRAIN], ids=["eval", "train"])
@pytest.mark.parametrize(("name", "make"), ONE, ids=[c[0] for c in ONE])
def test_one_pose_is_welcome_beside_others_and_too_little_alone(
    run: Shell, words: tuple[object, ...], name: str, make: Callable[[Path], None]
) -> None:
    make(Path(name))
    run.fails(*words[:-1], name, code=3, says=["one pose"])
    assert not Path("run").exists()
    run(*words, name)


def test_many_files_with_one_fault_are_one_line(run: Shell) -> None:
    for k in range(9):
        bvh(Path(f"mocap/{k}.bvh"), POSE * 100)
    run(*EVALUATE)
    assert "0.bvh, 1.bvh, 2.bvh, 3.bvh, 4.bvh and 4 more: scaled by 0.01: the lengths are centimetres" in run.err
