"""`scripts/make_prvipe.py`: its commands, run for two steps each, make both models."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from drawn_people import Shell
from made_up_motion import made_up
from samepose.cli.app import main
from samepose.embed.prvipe import PrVipeEmbedder

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_prvipe.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location("make_prvipe", SCRIPT)
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "make_prvipe", module)
    spec.loader.exec_module(module)
    return module


def test_its_steps_are_those_of_the_model_card(script: ModuleType) -> None:
    assert [(s.steps, s.width) for s in script.STAGES] == [(8000, 512), (9000, 1024), (1800, 1024)]
    assert [s.everything for s in script.STAGES] == [False, False, True]


def test_its_commands_make_the_held_out_twin_and_the_shipped_model(run: Shell, script: ModuleType) -> None:
    made_up(Path("motion.npz"), ("ann", "cmu-02", "hdm05-bk"), 50)
    stages = [replace(s, steps=2, width=s.width // 64) for s in script.STAGES]
    calls = script.commands([Path("motion.npz")], Path("runs"), stages, batch=16)
    assert len(calls) == 5
    for call in calls:
        assert main([*call, "--threads", "1", "--quiet"]) == 0, call
    twin, shipped = (PrVipeEmbedder.load(Path("runs") / f"{name}.onnx") for name in ("held-out", "prvipe"))
    assert set(twin.info.subjects) == {"ann"} and set(shipped.info.subjects) == {"ann", "cmu-02", "hdm05-bk"}
    ours, theirs = shipped.matching, twin.matching
    assert (ours.slope, ours.offset) == (theirs.slope, theirs.offset) != (1.0, 0.0)
    assert ours.a != theirs.a  # it learned on
    for call in calls[:3]:  # repeated after it is done, a run is left as it is
        assert main([*call, "--threads", "1", "--quiet"]) == 0
