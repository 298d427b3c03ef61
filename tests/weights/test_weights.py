"""Shipped networks are those of the release; every ONNX file is opened once, late, and its errors say what to do."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from blob_network import write_network
from samepose import weights
from samepose.detection.cpm import CPM
from samepose.detection.movenet import MoveNet
from samepose.errors import FormatError, SameposeError, UsageError
from samepose.weights import FOLDER, WEIGHTS, Network, cores, read_weights, weight_file


def test_what_is_shipped_is_what_was_released() -> None:
    assert {path.stem for path in FOLDER.glob("*.onnx")} == set(WEIGHTS)
    for name, digest in WEIGHTS.items():
        assert hashlib.sha256(weight_file(name).read_bytes()).hexdigest() == digest
        assert Network(weight_file(name), threads=1).sha256 == digest


@pytest.mark.parametrize("card, names", [("MOVENET", ("movenet-multipose", "movenet-thunder")),
                                         ("CPM", ("cpm", "cpm-synthetic")), ("IMAGE", ("image",)),
                                         ("LIFTING", ("lifting",))])
def test_model_cards_name_the_weights(card: str, names: tuple[str, ...]) -> None:
    text = (FOLDER / f"{card}.md").read_text("utf-8")
    assert all(WEIGHTS[name] in text for name in names)


def test_detectors_are_named_as_indexes_remember_them() -> None:
    """Golden: another name, and every medium of every index would be detected again."""
    names = [MoveNet("fast").name, MoveNet("balanced").name, MoveNet("accurate").name,
             CPM("cpm").name, CPM("cpm-synthetic").name]
    assert names == ["movenet-fast-bd0cb268", "movenet-balanced-87d063e6", "movenet-accurate-feb04bc3",
                     "cpm-balanced-ab3d403a", "cpm-synthetic-balanced-f1a0ece3"]


def test_missing_and_damaged_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    image = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(SameposeError, match=r"multipose\.onnx: the weights cannot be read .* reinstall samepose"):
        MoveNet("fast").detect(image)
    (tmp_path / "movenet-multipose.onnx").write_bytes(b"something else")
    with pytest.raises(SameposeError, match=r"sha256 .* expected 53c11b75.*reinstall samepose") as caught:
        MoveNet("fast").detect(image)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="'lightning'; there are movenet-multipose, "):
        weight_file("lightning")


def test_other_files(tmp_path: Path) -> None:
    """They have no hash to be checked against; a shipped one's name elsewhere is nothing special."""
    for name in ("other", "prvipe"):
        network = Network(tmp_path / f"{name}.onnx", what="cat finder")
        with pytest.raises(FormatError, match=rf"{name}\.onnx: cannot be read .* give a cat finder"):
            network.session  # noqa: B018
        network.path.write_bytes(b"not ONNX")
        assert read_weights(network.path) == b"not ONNX"
        with pytest.raises(FormatError, match=rf"{name}\.onnx: not a cat finder exported by samepose"):
            network.run(None, {})


def test_a_network_tells_its_facts(tmp_path: Path) -> None:
    network = Network(write_network(tmp_path / "blobs.onnx"), threads=3)
    assert network.facts["samepose_model"] == "cpm" and int(network.facts["size"]) > 0
    options = network.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert 1 <= cores() <= 4096


def test_opened_late_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []

    def slowly(path: Path, what: str = "") -> bytes:
        reads.append(threading.current_thread().name)
        time.sleep(0.1)
        return path.read_bytes()

    monkeypatch.setattr(weights, "read_weights", slowly)
    network = Network(write_network(tmp_path / "blobs.onnx"), threads=1)
    MoveNet(), CPM("cpm"), CPM(tmp_path / "not there.onnx")
    assert not reads
    with ThreadPoolExecutor(4) as pool:
        sessions = list(pool.map(lambda _: network.session, range(8)))
    assert len(reads) == 1 and all(session is sessions[0] for session in sessions)
