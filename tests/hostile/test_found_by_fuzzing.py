"""What the fuzzer found in the readers of data sets, networks and archives, one file for each."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from benchmarks._sets import c3d, mpii, network, positions_2d, shard
from benchmarks.fuzz import Reader, outcome, readers
from scipy.io import savemat
from scipy.sparse import csc_array

from samepose.detection.cpm import CPM
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError

READERS = readers()


def refused(tmp_path: Path, name: str, data: bytes) -> bool:
    reader = READERS[name]
    return outcome(Reader(reader.name, reader.make, reader.read), tmp_path / reader.name, data) == "refused"


def matlab(**variables: object) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, variables)
    return buffer.getvalue()


def archived(name: str, content: bytes, header: str = "{'descr': '|O', 'fortran_order': False, 'shape': ()}") -> bytes:
    buffer, member = io.BytesIO(), io.BytesIO()
    text = header.encode().ljust(117) + b"\n"
    member.write(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + content)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{name}.npy", member.getvalue())
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["MPII", "Penn Action"])
def test_sparse_matrices_which_crash_scipy_when_damaged(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, name, matlab(RELEASE=csc_array(np.eye(3))))


def test_more_cells_than_bytes_for_which_scipy_never_ends(tmp_path: Path) -> None:
    good = matlab(**mpii())
    at = good.index(b"\5\0\0\0\10\0\0\0")  # the first matrix's size
    assert refused(tmp_path, "MPII", good[: at + 8] + b"\xff\xff\xff\x7f" * 2 + good[at + 16 :])


def test_a_memo_of_half_a_billion_entries(tmp_path: Path) -> None:
    """Unpickling makes room for as many before it reads on: gigabytes, and seconds."""
    bomb = b"\x80\x02}r" + (2**29).to_bytes(4, "little") + b"."
    assert pickle.loads(b"\x80\x02}r\1\0\0\0.") == {}  # what it is otherwise
    assert refused(tmp_path, "Human3.6M", archived("positions_3d", bomb))


def test_headers_that_do_not_end(tmp_path: Path) -> None:
    assert refused(tmp_path, "Human3.6M", archived("positions_3d", b"", "{'descr': ("))


def test_archives_of_a_later_version_and_names_that_are_no_text(tmp_path: Path) -> None:
    good = archived("positions_3d", pickle.dumps({}))
    at = good.index(b"PK\1\2")
    assert refused(tmp_path, "pose set", good[: at + 6] + b"\xff\xff" + good[at + 8 :])
    utf8 = good[: at + 9] + b"\x08" + good[at + 10 :]
    assert refused(tmp_path, "pose set", utf8.replace(b"positions", b"\x91ositions"))


@pytest.mark.parametrize("symmetry", [3, [[None], [1]], [["x"]], [[1e400]], [np.ones((2, 2))], {"a": 1}])
def test_metadata_that_tell_no_sides(tmp_path: Path, symmetry: object) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, metadata=np.array({"keypoints_symmetry": symmetry}, object),
             positions_2d=np.array(positions_2d(), object))
    assert refused(tmp_path, "2D positions", buffer.getvalue())


@pytest.mark.parametrize(("name", "value"), [
    ("joints_2d", np.zeros((2, 22), np.float32)), ("start", np.array([0, 5])), ("start", np.array([9, 5, 0])),
    ("inside", np.ones((2, 22))), ("instant", np.array(["x", "y"])), ("jpeg", np.zeros(40, np.uint8)),
])
def test_shards_whose_arrays_do_not_fit(tmp_path: Path, name: str, value: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **(shard() | {name: value}))
    assert refused(tmp_path, "rendered", buffer.getvalue())


def facts(kind: str, name: str, value: str) -> bytes:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(network(kind))
    for fact in model.metadata_props:
        if fact.key == name:
            fact.value = value
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(("name", "value"), [
    ("stride", "0"), ("stride", "-1"), ("size", "1000000000"), ("size", "8"), ("joints", "[" * 3000),
    ("joints", "[1]"),
])
def test_networks_whose_facts_do_not_fit(tmp_path: Path, name: str, value: str) -> None:
    assert refused(tmp_path, "CPM network", facts("cpm", name, value))


def test_networks_of_another_kind_are_named_when_they_are_loaded(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "a.onnx").write_bytes(network("image"))
    with pytest.raises(FormatError, match=r"a\.onnx: not a Pr-VIPE model exported by samepose"):
        PrVipeEmbedder.load(tmp_path / "a.onnx")
    with pytest.raises(FormatError, match=r"a\.onnx: not a Convolutional Pose Machine exported by samepose"):
        _ = CPM(tmp_path / "a.onnx").skeleton
    (tmp_path / "b.onnx").write_bytes(facts("pose", "samepose", '{"name": "m"}'))
    with pytest.raises(FormatError, match="not a Pr-VIPE model"):
        PrVipeEmbedder.load(tmp_path / "b.onnx")
    assert capfd.readouterr() == ("", "")  # onnxruntime prints what it raises, unless it is told not to


def test_a_c3d_that_crashes_its_reader_is_one_bad_file(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    data = c3d()
    assert refused(tmp_path, "C3D", data[:1194] + b"\xff" * 4 + data[1198:])
