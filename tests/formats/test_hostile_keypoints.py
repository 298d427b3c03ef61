"""Keypoint files that would fill the memory, blow the stack or print pages: one line says what is wrong with each."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from drawn_people import Shell, photo
from samepose.cli.app import explained, shortened
from samepose.cli.options import Options
from samepose.errors import FormatError, SameposeError, UsageError
from samepose.formats.keypoints import load_poses, save_poses
from samepose.formats.matfile import read_mat
from samepose.formats.npz import read_npz
from samepose.poses import Poses
from samepose.skeleton import COCO17

POINTS = np.random.default_rng(0).uniform(10, 300, (1, 17, 2))


def person(**fields: Any) -> dict[str, Any]:
    flat = np.concatenate([POINTS[0], np.ones((17, 1))], axis=1).ravel().tolist()
    return {"image_id": 1, "category_id": 1, "keypoints": flat, "score": 0.9, **fields}


def refused(path: Path) -> str:
    """The one line that says why, with nothing printed beside it."""
    with warnings.catch_warnings(record=True) as told, pytest.raises(FormatError) as caught:
        warnings.simplefilter("always")
        load_poses(path)
    message = str(caught.value)
    assert not told and message.startswith(f"{path}: ") and "\n" not in message and "; " in message
    assert len(message) < 600 and "allow_pickle" not in message
    return message


HOSTILE_JSON: dict[str, str] = {
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "deep keypoints": json.dumps([person()]).replace("ts\": [", "ts\": [" + "[" * 60 + "1" + "]" * 60 + ","),
    "long integer": json.dumps([person(score=0)]).replace('"score": 0', '"score": ' + "9" * 5000),
    "huge frame": json.dumps([person(frame=10**40)]),
    "huge track": json.dumps([person(track=10**40)]),
    "fractional infinite frame": json.dumps([person(frame=1e300)]),
    "huge box": json.dumps([person(bbox=[1e300, 1, 1e300, 1])]),
    "infinite time": json.dumps([person(time=float("inf"))]),
    "huge coordinate": json.dumps([person(keypoints=[1e300] * 51)]),
    "null byte in a name": json.dumps([person(file_name="a\0b.jpg")]),
    "half a character in a name": json.dumps([person(file_name="\ud800.jpg")]),
    "score of text": json.dumps([person(score="high")]),
    "box of text": json.dumps([person(bbox="abcd")]),
    "list for a name": json.dumps({"annotations": [person()], "images": [[1]], "categories": [[]]}),
    "a number for joints": json.dumps({"annotations": [person()], "images": [{"id": 1, "file_name": "a"}],
                                       "categories": [{"id": 1, "keypoints": 7}]}),
    "long joint names": json.dumps({"annotations": [person()], "images": [{"id": 1, "file_name": "a"}],
                                    "categories": [{"id": 1, "keypoints": ["x" * 100_000] * 17}]}),
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.json").write_text(HOSTILE_JSON[name])
    refused(tmp_path / "a.json")


def test_a_byte_order_mark_is_no_part_of_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([person()]), encoding="utf-8-sig")
    np.testing.assert_allclose(load_poses(tmp_path / "a.json").poses.points, POINTS, rtol=1e-6)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samepose.formats.npz.LARGEST", 2**26)
    monkeypatch.setattr("samepose.formats.npz._array", lambda *_: pytest.fail("it was unpacked"))
    small = tmp_path / "a.npz"
    np.savez_compressed(small, points=np.zeros(2**25, np.float32))
    assert small.stat().st_size < 2**18
    assert "0.1 GB unpacked" in refused(small)


def test_what_a_header_promises_is_not_allocated(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("points.npy", header.getvalue() + bytes(64))
    assert "cut short" in refused(tmp_path / "a.npz")


def test_pickles_are_neither_read_nor_recommended(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=np.array([{"an": "object"}], object))
    assert "pickle, which is not read" in refused(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.array([{"an": "object"}], object))
    assert "allow_pickle" not in refused(tmp_path / "a.npy")


def test_arrays_are_what_numpy_reads(tmp_path: Path) -> None:
    arrays = {"a": np.arange(12.0).reshape(3, 4), "f": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
              "u": np.array(["ä", "日本"]), "empty": np.zeros((0, 3)), "scalar": np.array(2.5), "b": np.array([True])}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    read = read_npz(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as theirs:
        for name in arrays:
            np.testing.assert_array_equal(read[name], theirs[name])
            assert read[name].dtype == theirs[name].dtype and read[name].flags.writeable


def test_saved_poses_without_a_picture_can_be_indexed(run: Shell, tmp_path: Path) -> None:
    save_poses(tmp_path / "mine.npz", Poses.of(POINTS, COCO17))
    told = run.json("index", "--keypoints", "mine.npz")
    assert (told["people"], told["failed"]) == (1, [])
    assert run.json("search", "mine.npz")["results"][0]["path"] == "mine.npz"


def test_absurd_numbers_are_refused_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for fields in ({"points": POINTS * 1e300}, {"boxes": [[1e300] * 4]}, {"times": [np.inf]},
                       {"frames": np.array([np.nan])}, {"tracks": np.array([1e300])}):
            with pytest.raises(UsageError):
                Poses.of(fields.pop("points", POINTS), COCO17, **fields)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_stdout(tmp_path: Path) -> None:
    code = "import sys; from samepose.cli import main; sys.exit(main(['--help']))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                              check=False)
    assert done.returncode == 3 and len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr and "unexpected" not in done.stderr


def test_thousands_of_threads_are_not_started(run: Shell, tmp_path: Path) -> None:
    assert (Options(threads=3000).threads or 0) <= 4 * (os.cpu_count() or 1)
    assert Options(threads=1).threads == 1
    photo(tmp_path / "a.png")
    begun = time.perf_counter()
    run("detect", "a.png", "--threads", 3000)
    assert time.perf_counter() - begun < 60


def test_lines_about_errors_are_of_bearable_length(run: Shell, tmp_path: Path) -> None:
    message, _ = explained(SameposeError("a.json: " + "x" * 100_000 + "; export it again"))
    short = shortened(message)
    assert len(short) < 600 and short.startswith("a.json: x") and short.endswith("; export it again")
    (tmp_path / "a.json").write_text(json.dumps([person(file_name="y" * 100_000)]))
    run.fails("index", "--keypoints", "a.json", code=3, says=["no file can be called so"])
    assert len(run.err) < 600


def test_a_name_that_is_no_text_costs_nobody_else(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([person(file_name="\udcff.jpg"), person(file_name="b.jpg")]))
    told = run.json("index", "--keypoints", "a.json", code=1)
    assert told["people"] == 1 and "not valid UTF-8" in told["failed"][0]["error"]


def matlab(**variables: object) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, variables)
    return buffer.getvalue()


def test_a_matlab_file_with_an_unknown_kind_of_number_does_not_end_the_process(tmp_path: Path) -> None:
    good, path = matlab(joints=np.ones((2, 3))), tmp_path / "a.mat"
    path.write_bytes(good)
    np.testing.assert_array_equal(read_mat(path, ("joints",))["joints"], np.ones((2, 3)))
    numbers = good.index(struct.pack("<II", 9, 48))  # miDOUBLE, six of them
    for wrong in (struct.pack("<II", 0x87, 48), struct.pack("<II", 9, 2**31), struct.pack("<II", 0x90009, 0)):
        path.write_bytes(good[:numbers] + wrong + good[numbers + 8 :])
        with pytest.raises(FormatError, match="not a readable MATLAB file"):
            read_mat(path, ("joints",))


def test_nested_and_compressed_matlab_files(tmp_path: Path) -> None:
    cells: object = np.ones(1)
    for depth in range(1, 70):
        inner = np.empty(1, object)
        inner[0] = cells
        cells = inner
        if depth in (10, 69):
            (tmp_path / f"{depth}.mat").write_bytes(matlab(joints=cells))
    assert read_mat(tmp_path / "10.mat", ("joints",))
    with pytest.raises(FormatError, match="nested too deeply"):
        read_mat(tmp_path / "69.mat", ("joints",))
    savemat(tmp_path / "c.mat", {"joints": {"deep": [{"x": np.arange(5)}]}}, do_compression=True)
    np.testing.assert_array_equal(read_mat(tmp_path / "c.mat", ("joints",))["joints"].deep.x, np.arange(5))
