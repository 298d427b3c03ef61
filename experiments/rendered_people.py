"""What MoveNet makes of rendered people, and what its faults cost a search: exact truth, every angle, hidden joints.

    python -m experiments.rendered_people MOCAP [MOCAP ...] --out DIR --model HELD_OUT.onnx [--json]

Renders held-out people as they moved (mirrored or not, but neither recombined nor turned over), alone and with nothing
in front of them, six random cameras an instant, has MoveNet `balanced` look at each picture, and keeps both in DIR.
Then put side by side: the detector's faults and those that `detection.noise` simulates for the same bodies in the same
cameras, joint by joint; and Hit@1 of finding an instant in another camera with the detector's keypoints, with simulated
ones, and with one kind of fault mended at a time. A fault is gross beyond 0.15, where the largest shoulder-hip distance
is 0.5.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samepose.detection.movenet import MoveNet
from samepose.detection.noise import DetectorNoise, hidden_joints, movenet_noise
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.retrieval import PrVipe, evaluate_views, select_frames
from samepose.formats.multiview import MultiView, read_views, write_views
from samepose.formats.npz import read_npz
from samepose.formats.rendered import shards_of
from samepose.formats.subjects import load_many, only, present, read_subjects
from samepose.geometry.normalise import torso_scale_2d
from samepose.skeleton import BODY13, H36M17, SYNTH22
from samepose.synth import SynthConfig, write_shards
from samepose.synth.seen import seen_views
from samepose.synth.variety import Variety

GROSS = 0.15
CAMERAS, INSTANTS = 6, 800
KINDS = ("nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
KIND = np.array([KINDS.index(joint.split("_")[-1]) for joint in BODY13.joints])
_BODY = [SYNTH22.index(joint) for joint in BODY13.joints]
_MOCAP = [SYNTH22.index(joint) for joint in H36M17.joints]


def made(mocap: list[Path], folder: Path, held_out: bool = True, instants: int = INSTANTS) -> MultiView:
    """What the detector sees of the set in `folder`; both are made if they are not there.

    Args:
        held_out: of the held-out people, else of all others.
    """
    views = folder.with_suffix(".npz")
    if not views.exists():
        if not folder.is_dir():
            poses = load_many(mocap, None)
            config = SynthConfig(instants * CAMERAS, cameras_per_instant=CAMERAS, variety=Variety(0.5, 0, 0, 0),
                                 per_shard=50 * CAMERAS, occluded=0, company=0)
            held = read_subjects(None)
            whom = held if held_out else tuple(s for s in present(poses) if s not in held)
            write_shards(folder, only(poses, whom), config, workers=2, progress=_told)
        write_views(views, seen_views(folder, MoveNet(), instants * CAMERAS, _told))
    return read_views(views)


def _told(done: float, total: float, what: str) -> None:
    print(f"\r{what} {done:.0f} of {total:.0f}", end="", file=sys.stderr)


@dataclass(frozen=True, eq=False)
class Truth:
    """Of each camera and instant: BODY13 in pixels, what is hidden by anything, what lies within the picture."""

    flat: Float[np.ndarray, "camera n 13 2"]
    hidden: Bool[np.ndarray, "camera n 13"]
    inside: Bool[np.ndarray, "camera n 13"]
    simulated: Float[np.ndarray, "camera n 13 2"]

    @classmethod
    def of(cls, folder: Path, noise: DetectorNoise) -> Truth:
        rng = np.random.default_rng(0)
        parts: list[list[np.ndarray]] = []
        for path in shards_of(folder):
            data = read_npz(path)
            flat, hidden, inside = (data[name][:, _BODY] for name in ("joints_2d", "visible", "inside"))
            turn, shift, lens = (data[name].astype(np.float64) for name in ("turn", "shift", "intrinsics"))
            world = np.einsum("nji,nkj->nki", turn, data["joints_3d"][:, _MOCAP] - shift[:, None])
            body = H36M17.convert(world[::CAMERAS], BODY13)  # as `detection.noise` gets it: motion capture has no nose
            again = np.repeat(noise.redefine(body, rng), CAMERAS, axis=0)
            deep = np.einsum("nij,nkj->nki", turn, again) + shift[:, None]
            seen = np.einsum("nij,nkj->nki", lens, deep)
            true = seen[..., :2] / seen[..., 2:] - 0.5
            far = deep[..., 2:].mean(axis=1, keepdims=True)
            turned = np.concatenate([deep[..., :2] / deep[..., 2:] * far, deep[..., 2:]], axis=2)
            parts.append([flat - np.float32(0.5), ~hidden, inside, noise.disturb(true, turned, rng)])
        return cls(*(_by_camera(np.concatenate(of)) for of in zip(*parts)))


def _by_camera(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows.reshape(-1, CAMERAS, *rows.shape[1:]).swapaxes(0, 1))


def errors(seen: Float[np.ndarray, "camera n 13 2"], truth: Truth) -> Float[np.ndarray, "camera n 13"]:
    """Distances from the truth, NaN where missed; the largest shoulder-hip distance is 0.5."""
    unit: np.ndarray = 0.5 / np.maximum(torso_scale_2d(truth.flat), 1e-6)
    return np.asarray(np.linalg.norm(seen - truth.flat, axis=3) * unit[..., None])


def faults(seen: Float[np.ndarray, "camera n 13 2"], truth: Truth) -> Iterator[dict[str, Any]]:
    """By joint, seen and hidden, of people who are whole in the picture and were found."""
    off = errors(seen, truth)
    whole = truth.inside.all(axis=2) & ~np.isnan(off).all(axis=2)
    for kind, name in enumerate(KINDS):
        for hidden in (False, True):
            there = whole[..., None] & (truth.hidden == hidden) & (kind == KIND)
            found = off[there & ~np.isnan(off)]
            yield {"joint": name, "hidden": hidden, "joints": int(there.sum()),
                   "missed": 1 - len(found) / max(int(there.sum()), 1), "median": float(np.median(found)),
                   "p90": float(np.percentile(found, 90)), "gross": float((found > GROSS).mean())}


def sureness(views: MultiView, truth: Truth) -> list[dict[str, float]]:
    """Joints in fifths by score: their median error, and how many are grossly wrong."""
    assert views.scores is not None
    off = errors(views.keypoints, truth)
    there = truth.inside.all(axis=2)[..., None] & ~np.isnan(off)
    by_score = np.argsort(views.scores[there])
    return [{"score": float(np.median(views.scores[there][part])), "median": float(np.median(off[there][part])),
             "gross": float((off[there][part] > GROSS).mean())} for part in np.array_split(by_score, 5)]


def mended(views: MultiView, truth: Truth) -> dict[str, Float[np.ndarray, "camera n 13 2"]]:
    """The detector's keypoints, and what they would be without one kind of fault."""
    seen, off = views.keypoints, errors(views.keypoints, truth)
    gross = (off > GROSS)[..., None]
    return {
        "detector": seen, "simulated": np.where(np.isnan(seen).all(axis=(2, 3), keepdims=True), np.nan,
                                                truth.simulated).astype(np.float32),
        "gross mended": np.where(gross, truth.flat, seen),
        "small mended": np.where(gross | np.isnan(seen), seen, truth.flat),
        "misses mended": np.where(np.isnan(seen) & ~np.isnan(seen).all(axis=(2, 3), keepdims=True), truth.flat, seen),
        "all but misses mended": np.where(np.isnan(seen), seen, truth.flat), "truth": truth.flat,
    }


def searched(
    views: MultiView, truth: Truth, models: dict[str, PrVipeEmbedder]
) -> tuple[int, dict[str, dict[str, dict[str, float]]]]:
    """Instants, and Hit@1 in percent by keypoints, model and kappa; the same cameras of the same instants for all."""
    numbered = np.broadcast_to(np.arange(CAMERAS, dtype=np.float32)[:, None, None], views.keypoints.shape[:3])
    few = replace(views, scores=numbered.copy()).seen_in()  # which cameras they are, in place of scores
    few = few.take(select_frames(few.points))
    assert few.scores is not None
    camera = few.scores[:, :, 0].astype(int)
    instant = np.searchsorted(views.frame, few.frame)
    scorers = {name: PrVipe(model.embed_keypoints, model.matching) for name, model in models.items()}
    table: dict[str, dict[str, dict[str, float]]] = {}
    for kind, keypoints in mended(views, truth).items():
        results = evaluate_views(few.points, keypoints[camera, instant], scorers, cameras_name="random",
                                 keypoints=kind)
        table[kind] = {r.model: {f"{kappa:g}": 100 * ranks[1] for kappa, ranks in r.hit.items()} for r in results}
    return len(few), table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, nargs="+", help="motion capture with the held-out people in it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--model", type=Path, action="append", required=True, help="embedding that never saw them")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    views, truth = made(words.mocap, words.out), Truth.of(words.out, movenet_noise())
    models = {path.stem: PrVipeEmbedder.load(path) for path in words.model}
    n, hits = searched(views, truth, models)
    found = {
        "pictures": views.keypoints.shape[0] * len(views),
        "found": float((~np.isnan(views.keypoints).all(axis=(2, 3))).mean()),
        "self_hidden_agrees": agreement(truth, words.out),
        "faults": {"detector": list(faults(views.keypoints, truth)), "simulated": list(faults(truth.simulated, truth))},
        "by_score": sureness(views, truth), "instants": n, "hit1": hits,
    }
    print(json.dumps(found) if words.json else json.dumps(found, indent=1))


def agreement(truth: Truth, folder: Path) -> float:
    """Share of joints of which `hidden_joints`, which knows limbs as tubes alone, says what the picture says."""
    guesses = []
    for path in shards_of(folder):
        deep = read_npz(path)["joints_3d"][:, _BODY].astype(np.float64)
        far = deep[..., 2:].mean(axis=1, keepdims=True)
        guesses.append(hidden_joints(np.concatenate([deep[..., :2] / deep[..., 2:] * far, deep[..., 2:]], axis=2)))
    return float((_by_camera(np.concatenate(guesses)) == truth.hidden)[truth.inside].mean())


if __name__ == "__main__":
    main()
