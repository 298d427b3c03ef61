"""The protocol of 3D pose from a picture, against loops and answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from samepose.evaluation.pose3d import Errors, about_hip, by_action, mpjpe, pa_mpjpe, share_within
from samepose.geometry.camera import to_camera
from samepose.skeleton import H36M17

RNG = np.random.default_rng(0)
TRUTH = about_hip(RNG.normal(0, 0.3, (6, 17, 3)))


def test_units_and_hip() -> None:
    metres = RNG.normal(5, 0.3, (2, 17, 3))
    moved = about_hip(metres)
    assert (moved[:, H36M17.index("pelvis")] == 0).all()
    knee = H36M17.index("left_knee")
    assert moved[1, knee] == pytest.approx(1000 * (metres[1, knee] - metres[1, 0]))


def test_mpjpe_of_one_joint_that_is_off() -> None:
    found = TRUTH.copy()
    found[2, 5] += (30, 0, 40)  # 50 mm
    assert mpjpe(found, TRUTH) == pytest.approx([0, 0, 50 / 17, 0, 0, 0])


def test_pa_mpjpe_forgives_what_a_similarity_does_and_no_reflection() -> None:
    turned = 0.7 * to_camera(TRUTH, np.full(6, 0.8), np.full(6, -0.3), np.full(6, 0.2)) + (5, 6, 7)
    assert pa_mpjpe(turned, TRUTH) == pytest.approx(np.zeros(6), abs=1e-9)
    assert (mpjpe(turned, TRUTH) > 50).all()
    assert (pa_mpjpe(TRUTH * (-1, 1, 1), TRUTH) > 50).all()


def test_figures_by_action_and_of_nobody() -> None:
    found = TRUTH.copy()
    for i, off in enumerate((10, 30, 40, 50, 20, 20)):
        found[i, :, 2] += off  # every joint by as much
    found[5] = np.nan
    errors = Errors.of(found, TRUTH)
    whole = errors.figures()
    assert whole is not None and whole["missing"] == 1
    assert whole["mpjpe"] == pytest.approx(30) and whole["std"] == pytest.approx(np.std([10, 30, 40, 50, 20]))
    assert whole["pa_mpjpe"] == pytest.approx(0, abs=1e-9)
    table = by_action(errors, ["walk", "sit", "walk", "sit", "sit", "lie"])
    assert list(table) == ["lie", "sit", "walk"] and table["lie"] is None
    assert table["sit"] is not None and table["sit"]["mpjpe"] == pytest.approx(100 / 3)
    assert share_within(errors) == pytest.approx(3 / 6)  # 10, 20 and 30, which is within; the one not found is not
