"""3D pose from one picture: MPJPE by action, and averages of the best-scored poses (Li 2015, section 5).

Predictions and truth are H36M17 in camera space (x right, y down, z away from the camera), millimetres, the hip at 0.
The mean is over all 17 joints, of which the hip is always right, as in Human3.6M's own evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from samepose.geometry.camera import centred
from samepose.geometry.procrustes import procrustes_align

MOST = 1500  # poses that are averaged at most (Li 2015, figure 3)
AVERAGED = (20, 500, 1500)  # Li 2015, table 1
WITHIN = 30.0  # mm, of the best pose of a training picture (Li 2015, section 6)
_MM = 1000.0


def about_hip(points: Float[np.ndarray, "*batch 17 3"]) -> Float[np.ndarray, "*batch 17 3"]:
    """Metres to millimetres, the hip at 0."""
    moved: np.ndarray = centred(np.asarray(points, np.float64)) * _MM
    return moved


def mpjpe(
    found: Float[np.ndarray, "*#batch 17 3"], truth: Float[np.ndarray, "*#batch 17 3"]
) -> Float[np.ndarray, "*batch"]:
    """Mean distance of the joints, in their unit (Li 2015, eq. 8); NaN where nothing was found."""
    gaps: np.ndarray = np.linalg.norm(found - truth, axis=-1).mean(axis=-1)
    return gaps


def pa_mpjpe(
    found: Float[np.ndarray, "image 17 3"], truth: Float[np.ndarray, "image 17 3"]
) -> Float[np.ndarray, " image"]:
    """The same after the best rotation, scale and translation of each prediction."""
    return mpjpe(procrustes_align(truth, found), truth)


@dataclass(frozen=True, eq=False)
class Errors:
    """What one model errs by, per picture; NaN where it found nobody.

    Attributes:
        plain, aligned: MPJPE and PA-MPJPE, mm.
    """

    plain: Float[np.ndarray, " image"]
    aligned: Float[np.ndarray, " image"]

    @classmethod
    def of(cls, found: Float[np.ndarray, "image 17 3"], truth: Float[np.ndarray, "image 17 3"]) -> Errors:
        """Of predictions; a row with NaN anywhere counts as nobody found."""
        return cls(mpjpe(found, truth), pa_mpjpe(found, truth))

    def __getitem__(self, rows: Bool[np.ndarray, " image"]) -> Errors:
        return Errors(self.plain[rows], self.aligned[rows])

    def figures(self) -> dict[str, float] | None:
        """Means over the pictures in which somebody was found, with the standard deviation of MPJPE; None: nobody."""
        there = np.isfinite(self.plain)
        if not there.any():
            return None
        return {"mpjpe": float(self.plain[there].mean()), "pa_mpjpe": float(self.aligned[there].mean()),
                "std": float(self.plain[there].std()), "missing": int((~there).sum())}


def by_action(errors: Errors, actions: Sequence[str]) -> dict[str, dict[str, float] | None]:
    """Figures of each action, in alphabetical order."""
    names = np.array(actions)
    return {str(name): errors[names == name].figures() for name in np.unique(names)}


def share_within(errors: Errors) -> float:
    """Share of the pictures with an MPJPE of at most `WITHIN`; nobody found is not within."""
    return float((errors.plain <= WITHIN).mean())


def paired(a: Errors, b: Errors) -> tuple[float, float]:
    """Mean of a - b in mm over the pictures that both have, and its standard error."""
    gaps = (a.plain - b.plain)[np.isfinite(a.plain + b.plain)]
    return float(gaps.mean()), float(gaps.std() / np.sqrt(max(len(gaps), 1)))
