"""The regressor from pixels whose convolutions StructNet takes (Li and Chan 2014, as far as we follow it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from samepose.errors import UsageError
from samepose.losses.max_margin import prediction_loss
from samepose.models.structnet import SIZE, UNIT, MultiTask, StructNetConfig
from samepose.skeleton import H36M17
from samepose.training.structnet.data import PAPER_SIZE, Person, mirrored, people_of
from samepose.training.structnet.features import part
from samepose.training.structnet.noise import ColourNoise
from samepose.training.structnet.validate import mpjpe

_WINDOWS = 7  # along a side of the image
_TOGETHER = 64


@dataclass(frozen=True, eq=False)
class Squares:
    """People as the paper's network sees them, decoded: 34,000 are 1.7 GB. Build with `Squares.of`."""

    pixels: UInt8[np.ndarray, "n 128 128 3"]
    joints: Float[np.ndarray, "n 17 2"]
    poses: Float[np.ndarray, "n 17 3"]

    @classmethod
    def of(cls, data: Sequence[Path]) -> Squares:
        """Everyone of folders of rendered people."""
        people = list(people_of(data, PAPER_SIZE))
        if not people:
            raise UsageError("nobody to train on; name folders that `samepose synth` wrote")
        return cls(np.stack([p.square for p in people]), np.stack([p.joints for p in people]),
                   np.stack([p.pose for p in people]))

    def __len__(self) -> int:
        return len(self.pixels)

    def noise(self) -> ColourNoise:
        """Along the principal colours of some thousand of them."""
        return ColourNoise.of([np.ascontiguousarray(p[::4, ::4]) for p in self.pixels[:: max(1, len(self) // 4000)]])

    def batch(
        self, rows: Int[np.ndarray, " k"], rng: np.random.Generator | None = None, noise: ColourNoise | None = None
    ) -> tuple[Float[Tensor, "k 3 112 112"], Float[Tensor, "k 17 2"], Float[Tensor, "k 17 3"]]:
        """Images, joints in them and poses in `UNIT`; varied as section 5.1 says, and half mirrored, if `rng` is given.
        """
        images, joints = np.empty((len(rows), SIZE, SIZE, 3), np.float32), np.empty((len(rows), 17, 2), np.float32)
        poses = self.poses[rows].copy()
        for k, i in enumerate(rows.tolist()):
            images[k], joints[k] = part(Person(self.pixels[i], self.joints[i], self.poses[i]), rng)
            if rng is not None and rng.random() < 0.5:
                images[k], poses[k] = images[k, :, ::-1].copy(), mirrored(poses[k])
                joints[k] = (joints[k] * [-1, 1] + [SIZE, 0])[H36M17.mirror]
        if rng is not None and noise is not None:
            images = noise(images, rng)
        return (torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(joints),
                torch.from_numpy(poses) / UNIT)


@dataclass(frozen=True)
class MultiTaskRecipeConfig:
    """Losses and batches (ours).

    Attributes:
        batch: images per step.
        windows: weight of the detectors' cross-entropy; that of the regression is 1.

    Raises:
        UsageError: no batch, a weight below 0.
    """

    model: StructNetConfig = field(default_factory=lambda: StructNetConfig(dropout=0.25))
    batch: int = 64
    windows: float = 1.0

    def __post_init__(self) -> None:
        if self.batch < 1 or self.windows < 0:
            raise UsageError("batch must be at least 1, windows at least 0")


class MultiTaskRecipe:
    """Batches of varied squares, the two losses, and the error of the regression."""

    def __init__(self, config: MultiTaskRecipeConfig, people: Squares, validation: Squares | None = None) -> None:
        self.settings, self.people, self.validation = config, people, validation
        self.model = MultiTask(config.model)
        self.noise = people.noise()

    def config(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return asdict(self.settings) | {"noise": self.noise.components.tolist()}

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """The loss of a fresh batch."""
        varied = np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng)))
        rows = varied.integers(len(self.people), size=self.settings.batch)
        images, joints, poses = self.people.batch(rows, varied, self.noise)
        found, windows = model(images.to(device))
        regression = prediction_loss(found.float(), poses.to(device))
        detection = window_loss(windows.float(), joints.to(device))
        return regression + self.settings.windows * detection, {
            "regression": float(regression.detach()), "windows": float(detection.detach())}

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """MPJPE of the regression, mm."""
        if self.validation is None:
            return {}
        errors = []
        for start in range(0, len(self.validation), _TOGETHER):
            images, _, poses = self.validation.batch(np.arange(start, min(start + _TOGETHER, len(self.validation))))
            errors.append(mpjpe(UNIT * model(images)[0].numpy(), UNIT * poses.numpy()))
        return {"pred": float(np.concatenate(errors).mean())}


def window_loss(logits: Float[Tensor, "n 17 49"], joints: Float[Tensor, "n 17 2"]) -> Float[Tensor, ""]:
    """Cross-entropy of which window each joint lies in, over the joints in the picture."""
    cells = (joints * (_WINDOWS / SIZE)).floor().long()
    inside = ((cells >= 0) & (cells < _WINDOWS)).all(-1)
    return functional.cross_entropy(logits[inside], (cells[..., 1] * _WINDOWS + cells[..., 0])[inside])
