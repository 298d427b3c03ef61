"""Files that chance or malice spoiled: each is read, or refused in one line, in time, and is as before."""

from __future__ import annotations

import hashlib
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks._spoiled import ASF
from benchmarks.fuzz import Reader, limit, main, outcome, readers, watch

from drawn_people import Shell, photo
from hostile_files import IMAGES, KEYPOINTS, MOTION, VIDEOS
from samepose.formats.keypoints import load_poses
from samepose.formats.load_mocap import load_poseset
from samepose.media.image import read_image

READERS = readers()
SEEDS = 8


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", READERS)
def test_spoiled_files(tmp_path: Path, name: str, seed: int) -> None:
    reader = READERS[name]
    data = reader.make(random.Random(f"attack {name} {seed}"))
    assert outcome(reader, tmp_path / reader.name, data) in ("read", "refused")


BY_HAND: list[tuple[str, str, bytes, Callable[[Path], object]]] = [
    *((f"image {name}", "a.jpg", data, read_image) for name, data in IMAGES.items()),
    *((f"video {name}", "a.mp4", data, watch) for name, data in VIDEOS.items()),
    *((f"keypoints {name}", "a.npz", data, load_poses) for name, data in KEYPOINTS.items()),
    *((f"motion {name}", "a.bvh", data, load_poseset) for name, data in MOTION.items()),
]


@pytest.mark.parametrize(("file", "data", "read"), [case[1:] for case in BY_HAND], ids=[case[0] for case in BY_HAND])
def test_made_by_hand(tmp_path: Path, file: str, data: bytes, read: Callable[[Path], object]) -> None:
    assert outcome(Reader(file, lambda rng: data, read), tmp_path / file, data) in ("read", "refused")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("length 0.45", "length 0"),
        ("length 0.45", "length nan"),
        ("length 0.45", "length 1e-320"),
        ("direction 0.3 -0.9 0", "direction 0.3 -0.9"),
        ("direction 0.3 -0.9 0", "direction"),
        ("position 0 0 0", "position 0 0"),
        ("length 7", "length 1e308"),
    ],
)
def test_acclaim_skeletons(tmp_path: Path, good: str, bad: str) -> None:
    assert good in ASF
    assert outcome(READERS["ASF"], tmp_path / "skeleton.asf", ASF.replace(good, bad).encode()) == "refused"


# ---------------------------------------------------------------- the command line over all of them


def hashes(folder: Path) -> dict[str, str]:
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.rglob("*") if f.is_file()}


@pytest.mark.parametrize("verb", ["index", "detect"])
def test_a_folder_of_hostile_media(run: Shell, tmp_path: Path, verb: str) -> None:
    """All in one folder, under their own suffixes: everyone is reported, and the good photo among them is found."""
    photo(tmp_path / "media" / "zz-good.png")
    for kind, suffix in ((IMAGES, ".jpg"), (VIDEOS, ".mp4")):
        for n, data in enumerate(kind.values()):
            (tmp_path / "media" / f"{n:02d}{suffix}").write_bytes(data)
    before = hashes(tmp_path / "media")
    with warnings.catch_warnings(record=True) as told, limit(120):
        warnings.simplefilter("always")
        run(verb, "media", code=1)
    assert not told and hashes(tmp_path / "media") == before
    assert "unexpected" not in run.err and "Traceback" not in run.err
    assert all(line.startswith("error: ") and len(line) < 700 for line in run.err.splitlines())
    assert len(run.err.splitlines()) > 50


@pytest.mark.parametrize("name", KEYPOINTS)
def test_hostile_keypoints_to_index(run: Shell, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.npz").write_bytes(KEYPOINTS[name])
    with warnings.catch_warnings(record=True) as told, limit(30):
        warnings.simplefilter("always")
        run("index", "--keypoints", "a.npz", code=None)
    assert run.code in (0, 3) and not told and (tmp_path / "a.npz").read_bytes() == KEYPOINTS[name]
    assert "unexpected" not in run.err and "Traceback" not in run.err and len(run.err) < 700


PARTS = [f"{table}.lance/{folder}" for table in ("media", "people") for folder in ("data", "_versions")]
DAMAGE: dict[str, Callable[[Path], object]] = {
    "emptied": lambda f: f.write_bytes(b""),
    "cut": lambda f: f.write_bytes(f.read_bytes()[: f.stat().st_size // 2]),
    "zeroed": lambda f: f.write_bytes(bytes(f.stat().st_size)),
    "gone": lambda f: f.unlink(),
    "flipped": lambda f: f.write_bytes(bytes(b ^ 0x10 for b in f.read_bytes())),
    "doubled": lambda f: f.write_bytes(f.read_bytes() * 2),
    "headless": lambda f: f.write_bytes(bytes(16) + f.read_bytes()[16:]),
    "noise": lambda f: f.write_bytes(random.Random(0).randbytes(999)),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of one pose."""
    import samepose

    folder = tmp_path_factory.mktemp("good")
    poses = samepose.Poses.of(np.random.default_rng(0).uniform(10, 300, (1, 17, 2)), samepose.SKELETONS["COCO17"])
    samepose.Index.open(str(folder / "index"), create=True).add(poses, name=folder / "a.jpg")
    return folder / "index"


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", PARTS)
def test_damaged_indexes(run: Shell, tmp_path: Path, index: Path, part: str, damage: str) -> None:
    shutil.copytree(index, tmp_path / "samepose-index")
    for file in sorted((tmp_path / "samepose-index" / part).rglob("*")):
        if file.is_file():
            DAMAGE[damage](file)
    before = hashes(tmp_path)
    with limit(60):
        run("info", code=None)
    assert run.code in (0, 3) and "unexpected" not in run.err and "Traceback" not in run.err and len(run.err) < 1000
    assert hashes(tmp_path) == before


def test_the_fuzzer_counts_and_names_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--inputs", "3", "--reader", "BVH", "jpeg"]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]] == [["BVH", "3"], ["jpeg", "3"]]

    def broken(path: Path) -> None:
        raise KeyError("left_knee")

    monkeypatch.setattr("benchmarks.fuzz.load_poseset", broken)
    assert main(["--inputs", "3", "--reader", "BVH"]) == 1
    assert "3 x KeyError in test_attacks.py" in capsys.readouterr().out
