"""Training by two processes, as on two GPUs: one set of weights, batches of each, and runs that go on bitwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from samepose.errors import UsageError
from samepose.models.prvipe import PrVipeConfig
from samepose.training.loop import Log, LoopConfig, fit
from samepose.training.prvipe.recipe import MotionPool, PrVipeRecipe, PrVipeRecipeConfig

CONFIG = LoopConfig(steps=12, save_every=6, validate_every=6, threads=1, deterministic=True, devices=2)


class Watched(PrVipeRecipe):
    """Writes down the weights and the points that each process sees, and dies in one of them if it is told to."""

    def __init__(self, folder: Path, dies_at: int | None = None) -> None:
        points = np.random.default_rng(1).normal(size=(60, 17, 3)).astype(np.float32)
        torch.manual_seed(3)
        super().__init__(PrVipeRecipeConfig(PrVipeConfig(width=24), batch=16), MotionPool.of(points, np.arange(60)))
        self.folder, self.dies_at, self.calls = folder, dies_at, 0

    def loss(self, model: Any, rng: Any, device: Any) -> Any:
        rank, self.calls = torch.distributed.get_rank(), self.calls + 1
        if self.calls == self.dies_at and rank == 1:
            raise RuntimeError("killed")
        state = rng.get_state().sum(), [p.detach().clone() for p in self.model.parameters()]
        torch.save(state, self.folder / f"{rank}-{self.calls}.pt")
        return super().loss(model, rng, device)


def test_two_processes_train_one_model_and_go_on_bitwise(tmp_path: Path) -> None:
    for name in ("whole", "cut", "again"):
        (tmp_path / name).mkdir()
    told = list[tuple[int, dict[str, float]]]()
    log: Log = lambda n, _, figures: told.append((n, figures))  # noqa: E731
    whole = fit(Watched(tmp_path / "whole"), CONFIG, tmp_path / "run", log=log)
    assert {n for n, _ in told} == {6, 12} and any("loss" in figures for _, figures in told)  # of one process, once
    assert len(told) == 3
    for step in (1, 2, 12):
        (drawn, ours), (others, theirs) = (torch.load(tmp_path / f"whole/{rank}-{step}.pt") for rank in (0, 1))
        assert drawn != others  # other batches
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs))

    with pytest.raises(Exception, match="killed"):
        fit(Watched(tmp_path / "cut", dies_at=9), CONFIG, tmp_path / "killed")
    resumed = fit(Watched(tmp_path / "again"), CONFIG, tmp_path / "killed", resume=True)
    assert len(list((tmp_path / "again").glob("1-*.pt"))) == 6  # the first six steps were kept
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        assert torch.equal(a, b), name
    with pytest.raises(UsageError, match="other settings \\(devices was 2, now 1"):
        fit(Watched(tmp_path / "again"), LoopConfig(**{**vars(CONFIG), "devices": 1}), tmp_path / "killed", resume=True)


def test_several_devices_that_cannot_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="with line-search 1"):
        LoopConfig(devices=2, optimiser="line-search")
    with pytest.raises(UsageError, match="devices is 0"):
        LoopConfig(devices=0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="devices is 2, and there are 1 GPUs here"):
        fit(Watched(tmp_path), CONFIG, tmp_path / "run")
