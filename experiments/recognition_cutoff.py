"""What the cut-off of `samepose recognise` costs its user: names that are right, wrong, or withheld.

    python -m experiments.recognition_cutoff --jhmdb FOLDER [--poses CACHE] --penn FOLDER [--per-action 28]

The stated cost: a wrong name costs as much as `WRONG` names withheld whose nearest example was right ("none of these"
says what was nearest, a wrong name has to be noticed first), and one clip in four shows none of the actions. The clips
of each action are drawn into two halves. One half is the examples, which alone choose the cut-off; the other half is
asked, once with its own action among the examples and once without. Repeated over draws, and with the halves swapped.

Rules: `present` is `Fit.of`; `cost` takes the cut-off that costs least when each example is held against the others;
`accept` always names the nearest; `fixed` is one distance for all, the least costly of the other data set's halves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from benchmarks._machine import describe
from experiments.recognise_jhmdb import poses_of

from samepose.detection.movenet import MoveNet
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.penn_action import GUESS_REACH, clips_of, usable
from samepose.formats.penn import read_penn_action
from samepose.media.files import media_files
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.naming import Fit
from samepose.sequences.recognition import clip_distance
from samepose.sequences.subsequence import RATE

WRONG = 2.0  # names withheld that one wrong name costs as much as
STRANGERS = 0.25  # share of clips that show none of the actions
_DRAWS = 20
_SHOWN = np.array([0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.8, 2.2, 2.7, 3.5, np.inf])  # nats, of the curve

Outcomes = np.ndarray  # (own among the examples: nearest distance, is it right; left out: nearest distance), a row each


def main(argv: Sequence[str] | None = None) -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jhmdb", type=Path, required=True)
    parser.add_argument("--penn", type=Path, required=True)
    parser.add_argument("--poses", type=Path, help="folder to keep the poses of JHMDB in")
    parser.add_argument("--per-action", type=int, default=28, help="clips of each action of Penn's training part")
    options = parser.parse_args(argv)
    print(describe("numpy", "onnxruntime", "numba"))
    embedder = PrVipeEmbedder.load()
    sets = {"jhmdb": jhmdb(options.jhmdb, options.poses, embedder),
            "penn": penn(options.penn, options.per_action, embedder)}
    measured = {name: (_matrix(clips), actions) for name, (clips, actions) in sets.items()}
    for name, (matrix, actions) in measured.items():
        everyone = np.ones(len(actions), bool)
        _curve(name, outcomes(matrix, actions, everyone, everyone))
    halves = {name: _halves(matrix, actions) for name, (matrix, actions) in measured.items()}
    for name, other in (("jhmdb", "penn"), ("penn", "jhmdb")):
        _compare(name, halves[name], _least(np.concatenate([asked for _, _, asked in halves[other]]), WRONG, STRANGERS))


def jhmdb(folder: Path, cache: Path | None, embedder: PrVipeEmbedder) -> tuple[list[Clip], np.ndarray]:
    """Clips of the most prominent people of ACTION_NUMBER.avi, from pixels, and their actions."""
    files, detector = media_files([folder]), MoveNet("balanced")
    clips = [clip_of(poses_of(file, detector, cache), embedder, rate=RATE) for file in files]
    return clips, np.array([file.stem.rpartition("_")[0] for file in files])


def penn(folder: Path, most: int, embedder: PrVipeEmbedder) -> tuple[list[Clip], np.ndarray]:
    """Up to so many training videos of each action of Penn Action, by its annotated joints, and their actions."""
    videos = [v for v in usable(read_penn_action(folder).videos) if v.train]
    chosen = []
    for action in sorted({v.action for v in videos}):
        of = [v for v in videos if v.action == action]
        chosen += [of[i] for i in np.random.default_rng(0).permutation(len(of))[:most]]
    clips = clips_of([v.without_guesses(GUESS_REACH).poses for v in chosen], embedder)
    return [clip.at_rate(RATE) for clip in clips], np.array([v.action for v in chosen])


def _matrix(clips: Sequence[Clip]) -> np.ndarray:
    matrix = np.zeros((len(clips), len(clips)))
    for i, a in enumerate(clips):
        matrix[i, :i] = matrix[:i, i] = [clip_distance(a, b) for b in clips[:i]]
    return matrix


def outcomes(matrix: np.ndarray, actions: np.ndarray, asked: np.ndarray, examples: np.ndarray) -> Outcomes:
    """What those asked are nearest to among the examples, never themselves: see `Outcomes`; (asked, 3)."""
    apart = np.where(np.eye(len(actions), dtype=bool), np.inf, matrix)[np.ix_(asked, examples)]
    same = actions[asked][:, None] == actions[examples]
    own, other = (np.where(part, apart, np.inf).min(axis=1) for part in (same, ~same))
    return np.stack([np.minimum(own, other), own <= other, other], axis=1)


def cost(found: Outcomes, cutoff: float, wrong: float, strangers: float) -> float:
    """Mean cost of a clip, in names withheld."""
    named, right, stranger = found[:, 0] <= cutoff, found[:, 1] > 0, found[:, 2] <= cutoff
    known = wrong * (named & ~right).mean() + (~named & right).mean()
    return float((1 - strangers) * known + strangers * wrong * stranger.mean())


def _least(found: Outcomes, wrong: float, strangers: float) -> float:
    values = np.unique(found[:, (0, 2)])
    tried = np.array([0.0, *(values[1:] + values[:-1]) / 2, np.inf])
    costs = np.array([cost(found, t, wrong, strangers) for t in tried])
    return float(np.median(tried[costs == costs.min()]))


def _halves(matrix: np.ndarray, actions: np.ndarray) -> list[tuple[float, Outcomes, Outcomes]]:
    """Of each draw and half: the present cut-off, the examples among each other, and those asked."""
    found = []
    for seed in range(_DRAWS):
        rng, first = np.random.default_rng(seed), np.zeros(len(actions), bool)
        for action in sorted(set(actions.tolist())):
            of = rng.permutation(np.flatnonzero(actions == action))
            first[of[: len(of) // 2]] = True
        for examples in (first, ~first):
            fit = Fit.of(matrix[np.ix_(examples, examples)], actions[examples].tolist())
            assert fit.cutoff is not None
            found.append((fit.cutoff, outcomes(matrix, actions, examples, examples),
                          outcomes(matrix, actions, ~examples, examples)))
    return found


def _curve(name: str, found: Outcomes) -> None:
    print(f"\n{name}: {len(found)} clips, each against all others; % of clips whose action is there, and of the same "
          "clips with their action left out\n  cut-off  right  wrong  withheld  strangers named  cost")
    for cutoff in _SHOWN:
        print(_line(f"{cutoff:9.1f}", [(found, cutoff)], WRONG, STRANGERS))


def _line(title: str, runs: Sequence[tuple[Outcomes, float]], wrong: float, strangers: float) -> str:
    rows = []
    for found, cutoff in runs:
        named, right = found[:, 0] <= cutoff, found[:, 1] > 0
        rows.append([(named & right).mean(), (named & ~right).mean(), (~named & right).mean(),
                     (found[:, 2] <= cutoff).mean(), cost(found, cutoff, wrong, strangers)])
    r, w, h, s, c = np.mean(rows, axis=0)
    return f"{title}  {100 * r:5.1f}  {100 * w:5.1f}  {100 * h:8.1f}  {100 * s:15.1f}  {c:.3f}"


def _compare(name: str, halves: list[tuple[float, Outcomes, Outcomes]], fixed: float) -> None:
    rules: dict[str, Callable[[float, Outcomes, float, float], float]] = {
        "present": lambda cutoff, _, wrong, strangers: cutoff,
        "cost": lambda _, examples, wrong, strangers: _least(examples, wrong, strangers),
        "accept": lambda *_: np.inf,
        f"fixed {fixed:.2f}": lambda *_: fixed,
    }
    for wrong, strangers in ((WRONG, STRANGERS), (1, 0.25), (4, 0.25), (2, 0.0), (2, 0.5)):
        print(f"\n{name}, other half asked ({len(halves)} halves); a wrong name costs {wrong:g}, strangers "
              f"{strangers:.0%}\n  rule        right  wrong  withheld  strangers named  cost")
        for rule, chosen in rules.items():
            runs = [(asked, chosen(cutoff, examples, wrong, strangers)) for cutoff, examples, asked in halves]
            more = np.array([cost(asked, at, wrong, strangers) - cost(asked, cutoff, wrong, strangers)
                             for (asked, at), (cutoff, _, _) in zip(runs, halves)]).reshape(_DRAWS, 2).mean(axis=1)
            print(f"{_line(f'  {rule:10}', runs, wrong, strangers)}, {more.mean():+.3f} to present (standard deviation "
                  f"of {_DRAWS} draws {more.std(ddof=1):.3f})")


if __name__ == "__main__":
    main()
