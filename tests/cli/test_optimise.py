"""`samepose optimise`, and `--device`, which is decided in one place."""

from __future__ import annotations

import json

import pytest

from index_fakes import opened, photo
from samepose.cli.app import main
from samepose.errors import SameposeError, UsageError
from samepose.weights import Network, providers, weight_file


def test_many_small_files_become_one(tmp_path, capsys):
    index = opened(tmp_path / "i")
    for i in range(3):
        index.add(photo(tmp_path / f"m/{i}.png", 2, seed=i))
    assert main(["optimise", "--index", str(tmp_path / "i"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["people"] == 6 and told["files"] == [3, 1] and len(told["unindexed"]) == 2
    assert opened(tmp_path / "i").info().people == 6


def test_each_device_leads_to_its_provider(monkeypatch):
    import onnxruntime

    cpu, gpu = "CPUExecutionProvider", "CUDAExecutionProvider"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [cpu])
    assert providers("cpu") == providers("auto") == [cpu]
    with pytest.raises(UsageError, match=r"built without CUDA.*onnxruntime-gpu"):
        providers("cuda")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [gpu, cpu])
    assert providers("cpu") == [cpu] and providers("auto") == providers("cuda") == [gpu, cpu]
    with pytest.raises(UsageError, match="expected cpu, cuda, auto"):
        providers("tpu")


def test_networks_do_what_the_environment_says(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SAMEPOSE_DEVICE", "cuda")
    with pytest.raises(SameposeError, match="device=cuda"):
        _ = Network(weight_file("prvipe")).session
    monkeypatch.setenv("SAMEPOSE_DEVICE", "auto")
    assert Network(weight_file("prvipe")).session.get_providers()[-1] == "CPUExecutionProvider"
    monkeypatch.delenv("SAMEPOSE_DEVICE")
    code = main(["index", str(photo(tmp_path / "a.png", 1)), "--index", str(tmp_path / "i"), "--device", "cuda"])
    monkeypatch.setenv("SAMEPOSE_DEVICE", "cpu")  # what the verb set
    assert code == 2 and "--device cuda" in capsys.readouterr().err
