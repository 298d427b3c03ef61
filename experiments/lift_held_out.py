"""Lifting of people never seen, in clips: single frames, and what makes a motion of them.

    python -m experiments.lift_held_out MOCAP [MOCAP ...] --held-out FILE [--tracks FILE] [--clips 400] [--json]

Clips of 61 frames (30 a second) of held-out subjects in random cameras, as training shows them: with MoveNet's faults
simulated, which last for 1 to 20 frames, and without any. Told is the error of the pose in the middle of each clip, in
mm of a person whose torso is 500, after Procrustes, with the standard error over clips. The shipped network lifts each
frame alone; then joints are smoothed about the pelvis by the same curve (`lifting.smooth`, at the frequencies of
`lifting.steady`) in different ways:

- scores: weighed by exp(-spread / 17 cm), a joint's score;
- spread: weighed by 1 / spread^2;
- robust: weighed by 1 / spread^2, and far-off frames hardly counted: this is what `lifting.steady` does.

`--tracks` is an exported network of tracks, alone and agreed with single frames, then smoothed.

Feet, of the same clips as `samepose lift` makes a motion of them (a person 1.7 m tall): how far an ankle moves from
frame to frame while the true one stands, which is where it moves less than 8 mm a frame, as a mean over five; once by
the poses alone, and once with the feet that keep their place in the picture. Clips of which no frame shows joints
enough to be lifted are left out of that.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from benchmarks._machine import describe
from jaxtyping import Float
from scipy.ndimage import uniform_filter1d

from samepose.embed.lifting import Hypotheses, LiftingNetwork, agreed
from samepose.formats.subjects import load_many, only, read_subjects
from samepose.geometry.procrustes import procrustes_align
from samepose.lifting.feet import ANKLES
from samepose.lifting.lifted import liftable
from samepose.lifting.lifting import load_lifter
from samepose.lifting.smooth import robustly_smoothed, smoothed
from samepose.lifting.steady import CUTOFF, ERROR, steady, weights_of
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17
from samepose.training.lifting.recipe import ClipPool
from samepose.training.lifting.views import Seen, ViewConfig, seen

_FRAMES, _RATE = 61, 30.0
_TORSO = 0.5  # metres
_STILL, _SLID = 8.0, 15.0  # mm a frame: true ankles that stand, and lifted ones that should
_VIEWS = {"simulated detections": ViewConfig(edge=0.0),
          "perfect keypoints": ViewConfig(perfect=1.0, hide=0.0, edge=0.0)}
Curve = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]  # values, times, spread, hertz


def _by_scores(values: np.ndarray, times: np.ndarray, spread: np.ndarray, hertz: float) -> np.ndarray:
    return smoothed(values, times, np.maximum(np.exp(-spread / 0.17), 0.05), hertz)


def _by_spread(values: np.ndarray, times: np.ndarray, spread: np.ndarray, hertz: float) -> np.ndarray:
    return smoothed(values, times, weights_of(spread), hertz)


def _robust(values: np.ndarray, times: np.ndarray, spread: np.ndarray, hertz: float) -> np.ndarray:
    return robustly_smoothed(values, times, weights_of(spread), hertz, ERROR)


_CURVES: dict[str, Curve] = {"scores": _by_scores, "spread": _by_spread, "robust": _robust}


def middles(said: Hypotheses, clips: int, curve: Curve | None) -> Float[np.ndarray, "clip 17 3"]:
    """The likeliest pose in the middle of each clip, smoothed if there is a curve; metres."""
    poses = _TORSO * said.poses[:, 0].reshape(clips, _FRAMES, 17, 3).astype(np.float64)
    if curve is None:
        return poses[:, _FRAMES // 2]
    spread = _TORSO * said.doubt.reshape(clips, _FRAMES, 17)
    out, times = np.zeros((clips, 17, 3)), np.arange(_FRAMES) / _RATE
    for clip in range(clips):
        for k, joint in enumerate(H36M17.joints[1:], 1):
            out[clip, k] = curve(poses[clip, :, k], times, spread[clip, :, k], CUTOFF[joint])[_FRAMES // 2]
    return out


def opinions(shown: Seen, tracks: LiftingNetwork | None) -> dict[str, Hypotheses]:
    """What networks say of every frame; windows that reach over an end see its frame again."""
    x = shown.x.numpy()
    single = load_lifter().single.told(x.reshape(-1, 1, x.shape[2]))
    if tracks is None:
        return {"single frames": single}
    window = tracks.info.window
    at = np.clip(np.arange(_FRAMES)[:, None] + np.arange(window) - window // 2, 0, _FRAMES - 1)
    told = tracks.told(x[:, at].reshape(-1, window, x.shape[2]))
    return {"single frames": single, "tracks": told, "agreed": agreed(told, single)}


def slides(
    world: Float[np.ndarray, "clip frame 17 3"], shown: Seen, picture: bool
) -> Float[np.ndarray, " k"]:
    """Mm that ankles move from one frame to the next while the true ones stand.

    Args:
        world: the true joints, metres.
        picture: show `steady` the keypoints too.
    """
    times, found = np.arange(_FRAMES) / _RATE, []
    for true, keypoints in zip(world[:, :, ANKLES], shown.keypoints):
        seen_there = Poses.of(1000 * keypoints, BODY13, times=times)
        if not liftable(seen_there).any():
            continue
        lifted = load_lifter().lift(seen_there)
        motion = steady(lifted.poses, spread=lifted.spread, seen=seen_there if picture else None)
        steps = [1000 * np.linalg.norm(np.diff(ankles, axis=0), axis=-1) for ankles in (true, motion.points[:, ANKLES])]
        stands = uniform_filter1d(steps[0], 5, axis=0, mode="nearest") < _STILL
        found.append(steps[1][stands & np.isfinite(steps[1])])
    return np.concatenate(found)


def measure(pool: ClipPool, clips: int, tracks: LiftingNetwork | None) -> dict[str, dict[str, tuple[float, float]]]:
    """By kind of view, and by network and curve: the mean error in mm, and its standard error; and of feet."""
    out: dict[str, dict[str, tuple[float, float]]] = {}
    for kind, view in _VIEWS.items():
        rng = torch.Generator().manual_seed(1)
        drawn = pool.draw(clips, 0.0, rng)
        shown = seen(drawn - drawn[:, :, 0].mean(1)[:, None, None], view, rng)
        true = _TORSO * shown.poses[:, _FRAMES // 2].numpy().astype(np.float64)
        row = out[kind] = {}
        for network, said in opinions(shown, tracks).items():
            for name, curve in {"": None, **_CURVES}.items():
                moved = procrustes_align(true, middles(said, clips, curve))
                off = 1000 * np.linalg.norm(moved - true, axis=-1).mean(axis=-1)
                row[f"{network}, {name}" if name else network] = float(off.mean()), float(off.std() / clips**0.5)
        world = _TORSO * drawn.numpy().astype(np.float64)
        for name, picture in (("feet by poses", False), ("feet by picture too", True)):
            slid = slides(world, shown, picture)
            row[f"{name}: % over 15 mm of {len(slid)}, 99th percentile mm"] = (
                100 * float((slid > _SLID).mean()), float(np.percentile(slid, 99)))
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, nargs="+")
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--tracks", type=Path)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    poses = only(load_many(options.mocap), read_subjects(options.held_out))
    pool = ClipPool.of(poses.points, poses.clip, _FRAMES)
    found = measure(pool, options.clips, LiftingNetwork(options.tracks) if options.tracks else None)
    if options.json:
        print(json.dumps(found))
        return
    print(describe("numpy", "onnxruntime", "torch"), f"; {load_lifter().name}, {options.clips} clips")
    for kind, row in found.items():
        print(kind + ": " + "; ".join(f"{name} {a:.1f} / {b:.1f}" for name, (a, b) in row.items()))


if __name__ == "__main__":
    main()
