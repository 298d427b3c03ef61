"""Naming actions by the nearest example, by a classifier over moments, and by both: many examples, few, and one view.

    python -m experiments.compare_recognisers PENN_ACTION [--draws 10]

PENN_ACTION is the folder of the labels; its training half alone is used. In folds, those of `samepose eval penn-action
--split cv`, each video is named by those of the other folds; with few examples, so many of each action are drawn and
name all other videos; with one view, the examples of the other folds that show it name all. Each way has the same
embeddings, ten moments a second as in `samepose recognise`, and the same examples. Accuracy is the mean over actions.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks._machine import describe

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.penn_action import GUESS_REACH, clips_of, may_find, usable
from samepose.formats.penn import VIEWS, read_penn_action
from samepose.sequences.classifier import ActionClassifier
from samepose.sequences.clip import Clip
from samepose.sequences.naming import Fit
from samepose.sequences.nearest import Gallery
from samepose.sequences.subsequence import RATE

WAYS = ("nearest", "classifier", "both")
FEW = (1, 2, 5, 10)
_FITTED = 300  # examples that the spread is fitted to, as `Recogniser` does


class Comparison:
    """Clips of known actions, and how far they are from each other."""

    def __init__(self, clips: Sequence[Clip], actions: np.ndarray, embedder: PrVipeEmbedder) -> None:
        self.clips, self.actions = clips, actions
        found = Gallery(clips, embedder.matching).nearest(clips, k=len(clips))
        self.distance = np.full((len(clips), len(clips)), np.inf)
        np.put_along_axis(self.distance, found.clips, found.distances, axis=1)
        self.seconds: list[float] = []

    def named(self, examples: np.ndarray, queries: np.ndarray) -> dict[str, np.ndarray]:
        """The action that each way names for each query."""
        theirs = self.actions[examples]
        chosen = examples[np.linspace(0, len(examples) - 1, min(len(examples), _FITTED)).astype(int)]
        fit = replace(Fit.of(self.distance[np.ix_(chosen, chosen)], self.actions[chosen].tolist()), cutoff=None)
        start = time.perf_counter()
        classifier = ActionClassifier.fit([self.clips[i] for i in examples], theirs.tolist())
        self.seconds.append(time.perf_counter() - start)
        told = [classifier.log_probabilities(self.clips[i]) for i in queries]
        near = self.distance[np.ix_(queries, examples)]
        return {
            "nearest": theirs[near.argmin(axis=1)],
            "classifier": np.array([max(t, key=t.__getitem__) for t in told]),
            "both": np.array([fit.name(d, theirs.tolist(), t)[0] for d, t in zip(near, told)]),
        }

    def accuracy(self, named: np.ndarray, queries: np.ndarray) -> float:
        """In percent, the mean over actions."""
        truth = self.actions[queries]
        return 100 * float(np.mean([(named == truth)[truth == action].mean() for action in np.unique(truth)]))


def main(argv: Sequence[str] | None = None) -> None:
    """Read, name, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=10, help="of few examples")
    options = parser.parse_args(argv)
    print(describe("numpy", "scipy", "onnxruntime"))
    videos = [v for v in usable(read_penn_action(options.data).videos) if v.train]
    embedder = PrVipeEmbedder.load()
    clips = [clip.at_rate(RATE) for clip in clips_of([v.without_guesses(GUESS_REACH).poses for v in videos], embedder)]
    both = Comparison(clips, np.array([v.action for v in videos]), embedder)
    _, _, allowed = may_find(videos, "cv")
    everything = np.arange(len(videos))
    folds = _groups(allowed)

    named = {way: np.empty(len(videos), both.actions.dtype) for way in WAYS}
    for queries, examples in folds:
        for way, names in both.named(examples, queries).items():
            named[way][queries] = names
    wrong = {way: int((named[way] != both.actions).sum()) for way in WAYS}
    print(f"\nfive folds of {len(videos)}: " + ", ".join(
        f"{way} {both.accuracy(named[way], everything):.1f} % ({wrong[way]} wrong)" for way in WAYS)
        + f"; trained in {np.median(both.seconds):.1f} s")

    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for view in VIEWS:
        shown = np.array([v.view == view for v in videos])
        asked, names = [], {way: [] for way in WAYS}
        for queries, examples in folds:
            examples = examples[shown[examples]]
            actions, count = np.unique(both.actions[examples], return_counts=True)
            enough = actions[count >= 2]  # as the protocol leaves out actions that the index has at most once
            examples = examples[np.isin(both.actions[examples], enough)]
            queries = queries[np.isin(both.actions[queries], enough)]
            asked.append(queries)
            for way, found in both.named(examples, queries).items():
                names[way].append(found)
        for way in WAYS:
            rates[way].append(both.accuracy(np.concatenate(names[way]), np.concatenate(asked)))
    print("one view, mean over the views: " + ", ".join(f"{way} {np.mean(rates[way]):.1f} %" for way in WAYS))

    for few in FEW:
        drawn: dict[str, list[float]] = {way: [] for way in WAYS}
        for seed in range(options.draws):
            rng = np.random.default_rng(seed)
            examples = np.concatenate([rng.permutation(np.flatnonzero(both.actions == a))[:few]
                                       for a in np.unique(both.actions)])
            queries = np.setdiff1d(everything, examples)
            for way, names_of in both.named(examples, queries).items():
                drawn[way].append(both.accuracy(names_of, queries))
        ahead = np.array(drawn["both"]) - drawn["nearest"]
        print(f"{few} of each action, {options.draws} draws: " + ", ".join(
            f"{way} {np.mean(drawn[way]):.1f} ± {np.std(drawn[way], ddof=1):.1f} %" for way in WAYS)
            + f"; both ahead of nearest by {ahead.mean():+.1f} ({ahead.min():+.1f} to {ahead.max():+.1f})")


def _groups(allowed: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Queries that may find the same examples, and these."""
    rows, fold = np.unique(allowed, axis=0, return_inverse=True)
    return [(np.flatnonzero(fold.ravel() == k), np.flatnonzero(row)) for k, row in enumerate(rows)]


if __name__ == "__main__":
    main()
