"""Fit simulated faults to what MoveNet makes of rendered people who are trained on: misses, errors, hidden joints.

    python -m experiments.refit_faults MOCAP [MOCAP ...] --out DIR --faults FAULTS.json

Renders as `experiments.rendered_people` does, but those who are not held out. Then the figures of `detection.noise` are
moved until simulated faults of the same bodies in the same cameras have the same shares missed, the same shares grossly
wrong, and of elbows, wrists and knees the same median error in sight and the same ninetieth percentile where hidden. Of
joints that motion capture, the rendered body and MoveNet place differently (nose, shoulders, hips, ankles) the spread
stays as it was measured on photographs and calibrated cameras. What simulated faults take for hidden is not quite what
the picture hides, so not all can be met. Factors for hidden joints are told joint by joint, not for all alike.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from experiments.rendered_people import KIND, KINDS, Truth, faults, made

from samepose.detection.noise import DetectorNoise, movenet_noise
from samepose.formats.multiview import MultiView
from samepose.skeleton import BODY13

ROUNDS, INSTANTS = 12, 200
PLACED_ALIKE = ("elbow", "wrist", "knee")
Rows = dict[tuple[str, bool], dict[str, Any]]


def rows_of(seen: np.ndarray, truth: Truth) -> Rows:
    return {(row["joint"], row["hidden"]): row for row in faults(seen, truth)}


def moved(noise: DetectorNoise, aim: Rows, now: Rows) -> DetectorNoise:
    """One step towards the aim, half of the way in logarithms."""
    def ratio(name: str, hidden: bool, figure: str) -> float:
        wanted, have = (max(rows[name, hidden][figure], 1e-3) for rows in (aim, now))
        return float(np.clip(wanted / have, 0.25, 4) ** 0.5)

    def by_joint(figure: str, hidden: bool, names: tuple[str, ...] = KINDS) -> np.ndarray:
        return np.array([ratio(KINDS[k], hidden, figure) if KINDS[k] in names else 1 for k in KIND], np.float32)

    def shift(hidden: bool) -> np.ndarray:
        gaps = {name: aim[name, hidden]["missed"] - now[name, hidden]["missed"] for name in KINDS}
        return np.array([gaps[KINDS[k]] for k in KIND], np.float32) / 2

    ones = np.ones(len(BODY13), np.float32)
    core, tail = by_joint("median", False, PLACED_ALIKE), by_joint("gross", False)
    return replace(
        noise, core=noise.core * core, tail=np.minimum(noise.tail * tail, 0.4),
        miss=np.clip(noise.miss + shift(False), 0, 0.45),
        miss_hidden=np.clip(noise.miss_hidden + shift(True) - shift(False), 0, 0.9),
        hidden_core=np.clip(noise.hidden_core * ones * by_joint("p90", True, PLACED_ALIKE) / core, 0.5, 6),
        hidden_tail=np.clip(noise.hidden_tail * ones * by_joint("gross", True) / tail, 0.1, 30))


def fitted(views: MultiView, folder: Path) -> tuple[DetectorNoise, Rows, Rows, Rows]:
    """The faults, and the rows of the detector, before and after."""
    noise = movenet_noise()
    truth = Truth.of(folder, noise)
    aim, before = rows_of(views.keypoints, truth), rows_of(truth.simulated, truth)
    now = before
    for _ in range(ROUNDS):
        noise = moved(noise, aim, now)
        truth = Truth.of(folder, noise)
        now = rows_of(truth.simulated, truth)
    return noise, aim, before, now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--faults", type=Path, required=True, help="file for the fitted figures")
    words = parser.parse_args()
    noise, *rows = fitted(made(words.mocap, words.out, held_out=False, instants=INSTANTS), words.out)
    words.faults.write_text(json.dumps({k: np.asarray(v).tolist() for k, v in asdict(noise).items()}, indent=1))
    for key in rows[0]:
        told = " | ".join(f"{figure} " + " ".join(f"{of[key][figure]:.3f}" for of in rows)
                          for figure in ("missed", "median", "p90", "gross"))
        print(f"{key[0]:9s}{'hidden' if key[1] else 'seen':7s}{rows[0][key]['joints']:6d} | {told}")


if __name__ == "__main__":
    main()
