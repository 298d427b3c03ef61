"""Leave-one-out recognition of real clips, from pixels.

    python -m experiments.recognise_jhmdb FOLDER [--poses CACHE] [--mode balanced]

FOLDER holds clips named ACTION_NUMBER.avi, such as JHMDB's. Each is recognised by all others, which also set the
cut-off; the people are those that `samepose recognise` would take. CACHE keeps the poses for the next run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks._machine import describe

from samepose.detection.movenet import MoveNet
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.formats.keypoints import save_poses
from samepose.media.files import media_files
from samepose.poses import Poses
from samepose.query.kinds import open_source
from samepose.sequences.classifier import ActionClassifier
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.naming import Fit
from samepose.sequences.recognition import clip_distance
from samepose.sequences.subsequence import RATE

NONE = "none"


def main(argv: Sequence[str] | None = None) -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--poses", type=Path, help="folder to keep poses in")
    parser.add_argument("--mode", default="balanced")
    options = parser.parse_args(argv)
    print(describe("numpy", "onnxruntime", "numba"))
    embedder, detector = PrVipeEmbedder.load(), MoveNet(options.mode)
    files = media_files([options.folder])
    actions = np.array([f.stem.rpartition("_")[0] for f in files])
    start = time.perf_counter()
    clips = [clip_of(poses_of(f, detector, options.poses), embedder, rate=RATE) for f in files]
    print(f"{len(files)} clips of {len(set(actions))} actions, looked at in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    matrix = np.array([[clip_distance(a, b) for b in clips] for a in clips])
    print(f"{matrix.size:,} pairs compared in {time.perf_counter() - start:.2f} s\n")
    nearest, named = _leave_one_out(matrix, actions)
    _report(files, actions, matrix, nearest, named)
    for seed in range(3):
        both = _with_a_classifier(clips, matrix, actions, seed)
        print(f"with a classifier beside it, seed {seed}: {(both == actions).mean():.1%}")
    unknown = np.mean([_name(matrix, actions, i, actions != actions[i]) == NONE for i in range(len(files))])
    print(f"\ntheir own action left out of the examples: {unknown:.1%} called none of these")


def _leave_one_out(matrix: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Number of the nearest other clip, and the action that `recognise` names."""
    others = ~np.eye(len(actions), dtype=bool)
    nearest = np.where(others, matrix, np.inf).argmin(axis=1)
    return nearest, [_name(matrix, actions, i, others[i]) for i in range(len(actions))]


def _name(matrix: np.ndarray, actions: np.ndarray, query: int, examples: np.ndarray) -> str:
    fit = Fit.of(matrix[np.ix_(examples, examples)], actions[examples].tolist())
    return fit.name(matrix[query, examples], actions[examples].tolist())[0] or NONE


def _with_a_classifier(clips: list[Clip], matrix: np.ndarray, actions: np.ndarray, seed: int) -> np.ndarray:
    """The action that a recogniser trained on the others names, cut-off aside."""
    named = []
    for i in range(len(clips)):
        rest = np.flatnonzero(np.arange(len(clips)) != i)
        theirs = actions[rest].tolist()
        fit = replace(Fit.of(matrix[np.ix_(rest, rest)], theirs), cutoff=None)
        learned = ActionClassifier.fit([clips[j] for j in rest], theirs, seed)
        named.append(fit.name(matrix[i, rest], theirs, learned.log_probabilities(clips[i]))[0])
    return np.array(named)


def _report(files: list[Path], actions: np.ndarray, matrix: np.ndarray, nearest: np.ndarray, named: list[str]) -> None:
    right = actions[nearest] == actions
    given = np.array(named) != NONE
    print(f"nearest example: {right.mean():.1%} of {len(files)} right (chance {1 / len(set(actions)):.1%})")
    print(f"with none of these: {given.mean():.1%} named, {right[given].mean():.1%} of these right\n")
    names = sorted(set(actions.tolist()))
    print("true \\ nearest   " + " ".join(f"{n[:8]:>8}" for n in names))
    for name in names:
        row = actions[nearest[actions == name]]
        print(f"{name:16} " + " ".join(f"{(row == other).sum():8d}" for other in names))
    print("\nwrong:")
    for i in np.flatnonzero(~right):
        own = np.where(actions == actions[i], matrix[i], np.inf)
        own[i] = np.inf
        print(f"  {files[i].stem:18} nearest {files[nearest[i]].stem:18} {matrix[i, nearest[i]]:5.2f}, "
              f"own {files[own.argmin()].stem:18} {own.min():5.2f}, named {named[i]}")


def poses_of(file: Path, detector: MoveNet, cache: Path | None) -> Poses:
    """Of the most prominent person."""
    kept = None if cache is None else cache / f"{file.stem}.npz"
    if kept is not None and kept.exists():
        return open_source(kept).track()
    source = open_source(file, detector=detector, fps=RATE)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_poses(kept, source.people, [str(file)] * len(source.people))
    return source.track()


if __name__ == "__main__":
    main()
