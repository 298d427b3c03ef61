"""Naming actions by their nearest examples (Sun 2020, section 4.3.1), and by a classifier beside them.

The distance of two clips is the mean along their alignment, each frame distance the least of the four combinations of
original and mirrored. The paper names the action of the nearest clip. Ours: how far is too far, and how sure it is
(`naming`); and a classifier over moments that learns from all examples together (`classifier`), which takes seconds.
What it adds is in results/recogniser.json.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from samepose.errors import SameposeError, UsageError
from samepose.progress import Progress, silent
from samepose.query.source import about
from samepose.sequences.classifier import ActionClassifier
from samepose.sequences.clip import Clip, matching_of
from samepose.sequences.distance import frame_distances
from samepose.sequences.dtw import dtw_mean
from samepose.sequences.examples_file import Example, read_examples, write_examples
from samepose.sequences.naming import Fit
from samepose.sequences.subsequence import LEAST_MOMENTS, RATE

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder

Distances = Float[np.ndarray, "n n"]
_MOST_FITTED = 300  # examples that are held against each other: 45,000 pairs, some 20 s
_FOLDS = 5  # of the examples, when a classifier is tried on those that it has not learned from
_POSES = (".npz", ".json")


@dataclass(frozen=True)
class Neighbour:
    """An example, and how near it is.

    Attributes:
        distance: mean along the alignment, in nats (-log of the matching probability).
        score: how likely a clip at that distance shows the action rather than none, see `Fit.score`; None where the
            examples do not tell.
    """

    action: str
    path: str
    distance: float
    score: float | None


@dataclass(frozen=True)
class Named:
    """What a clip was recognised as.

    Attributes:
        action: None for none of the examples' actions.
        confidence: 0..1, of `action`, or that it is none of them.
        neighbours: the nearest examples, nearest first.
    """

    action: str | None
    confidence: float
    neighbours: tuple[Neighbour, ...]

    def to_json(self) -> dict[str, Any]:
        """As other programs read it."""
        return {
            "action": self.action, "confidence": round(self.confidence, 4),
            "distance": round(self.neighbours[0].distance, 4),
            "neighbours": [{"action": n.action, "path": n.path, "distance": round(n.distance, 4),
                            "score": None if n.score is None else round(n.score, 4)} for n in self.neighbours],
        }


@dataclass(frozen=True)
class Trial:
    """How many examples are named right by the others, in folds; those whose action has no other example cannot be.

    Attributes:
        examples: how many were named.
        nearest: how many of them right by the nearest example.
        trained: with a classifier, which learned from the other folds, beside it.
    """

    examples: int
    nearest: int
    trained: int

    def to_json(self) -> dict[str, int]:
        """As other programs read it."""
        return asdict(self)


class Recogniser:
    """Examples to compare with. Adding one is to build another.

    Attributes:
        examples: (action, clip) of each, at `RATE`.
        left_out: why files of the folder are no examples, a line for each.
        fit: what the examples tell about distances.
        classifier: what names clips together with the nearest examples; None: they alone do.
    """

    def __init__(
        self, examples: Mapping[str, Sequence[Clip]], *, left_out: Sequence[str] = (), progress: Progress = silent
    ) -> None:
        """Hold the examples against each other.

        Args:
            examples: clips of each action, by its name.
            progress: told how many examples are done.

        Raises:
            UsageError: no example, one that shows too little, or clips embedded by different models.
        """
        self.examples = tuple((action, _enough(clip)) for action, clips in examples.items() for clip in clips)
        if not self.examples:
            raise UsageError("no examples to recognise by")
        matching_of(*(clip for _, clip in self.examples))
        self.left_out = tuple(left_out)
        self.classifier: ActionClassifier | None = None
        self._distances: Distances | None = _compared(self.examples, progress)
        self.fit = Fit.of(self._distances, [action for action, _ in _chosen(self.examples)])

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        detector: Detector | Callable[[], Detector] | None = None,
        embedder: Embedder | None = None,
        progress: Progress = silent,
    ) -> Recogniser:
        """The clips of a folder that has a sub-folder for each action, of its name; or what `save` wrote.

        A pose file beside a video of the same name is read in its place. Of each clip the most prominent person is the
        example. What cannot be an example is left out, and `left_out` says why.

        Args:
            detector: for videos, or what loads it when it is needed; MoveNet by default.
            embedder: the shipped one by default.
            progress: told how many clips were opened, then how many were compared.

        Raises:
            UsageError: no folder, or none with sub-folders; a file of another model's examples.
            FormatError: a file that `save` did not write.
            SameposeError: none of the clips can be an example.
        """
        if Path(folder).is_file():
            from samepose.embed import shipped

            return cls._read(Path(folder), embedder or shipped())
        files = example_files(Path(folder))
        total = sum(map(len, files.values()))
        left_out = [f"{Path(folder) / action}: no clips in it; add some, or remove it" for action in files
                    if not files[action]]
        examples: dict[str, list[Clip]] = {}
        for n, (action, file) in enumerate((action, file) for action, clips in files.items() for file in clips):
            progress(n, total, str(file))
            try:
                clip = Clip.open(file, detector=detector, embedder=embedder, fps=RATE)
                examples.setdefault(action, []).append(_enough(clip))
            except SameposeError as error:
                left_out.append(str(error))
        if not examples:
            raise SameposeError(f"{folder}: none of its {total} clips can be an example; add some (the first: "
                                f"{left_out[0]})")
        return cls(examples, left_out=left_out, progress=progress)

    @classmethod
    def _read(cls, path: Path, embedder: Embedder) -> Recogniser:
        made = cls.__new__(cls)
        made.examples, made.fit, made.classifier = read_examples(path)
        made.left_out, made._distances = (), None
        if made.examples[0][1].matching != embedder.matching:
            raise UsageError(f"{path}: its examples were embedded by another model; train it anew from the clips, with "
                             "`samepose train recogniser`")
        return made

    def trained(self, seed: int = 0) -> Recogniser:
        """The same examples with a classifier beside them, which learns from all of them together in seconds.

        Args:
            seed: of its random convolutions.

        Raises:
            UsageError: examples of one action alone.
        """
        if len(self.actions) < 2:
            raise UsageError(f"there are examples of {next(iter(self.actions))} alone, and a classifier tells actions "
                             "apart; add clips of another")
        made = copy(self)
        made.classifier = _learned(self.examples, seed)
        return made

    def tried(self, progress: Progress = silent) -> Trial | None:
        """How well the examples (at most 300 of them) are named by each other, with and without a classifier.

        Returns:
            None where no action, or only one, has two examples.
        """
        distance = _compared(self.examples, progress) if self._distances is None else self._distances
        chosen = _chosen(self.examples)
        names = [action for action, _ in chosen]
        actions = np.array(names)
        fold = np.array([names[:i].count(name) % _FOLDS for i, name in enumerate(names)])
        right: list[tuple[bool, bool]] = []
        for k in range(_FOLDS):
            rest = np.flatnonzero(fold != k)
            asked = np.flatnonzero((fold == k) & np.isin(actions, actions[rest]))
            if not len(asked) or len(set(actions[rest])) < 2:
                continue
            theirs = actions[rest].tolist()
            fit = replace(Fit.of(distance[np.ix_(rest, rest)], theirs), cutoff=None)
            classifier = _learned([chosen[i] for i in rest])
            right += [(theirs[distance[i, rest].argmin()] == names[i],
                       fit.name(distance[i, rest], theirs, classifier.log_probabilities(chosen[i][1]))[0] == names[i])
                      for i in asked]
        return Trial(len(right), *(sum(column) for column in zip(*right))) if right else None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the examples, embedded, and what was learned from them, to an `.npz` that `open` reads.

        Raises:
            SameposeError: it cannot be written.
        """
        write_examples(Path(path), self.examples, self.fit, self.classifier)

    @property
    def actions(self) -> dict[str, int]:
        """How many examples each action has."""
        return dict(Counter(action for action, _ in self.examples))

    def recognise(self, clip: Clip, k: int = 3, *, accept: bool = False) -> Named:
        """Name the action of a clip, and its k nearest examples.

        Args:
            accept: name the action of the nearest example, however far away it is.

        Raises:
            UsageError: the person is seen too briefly, or the clip was embedded by another model.
        """
        clip = _enough(clip)
        distance = np.array([clip_distance(clip, example) for _, example in self.examples])
        fit = replace(self.fit, cutoff=None) if accept else self.fit
        told = self.classifier.log_probabilities(clip) if self.classifier else None
        action, confidence = fit.name(distance, [action for action, _ in self.examples], told)
        order = np.argsort(distance, kind="stable")[:k]
        nearest = (Neighbour(self.examples[i][0], self.examples[i][1].name, d, self.fit.score(d))
                   for i, d in zip(order, distance[order].tolist()))
        return Named(action, confidence, tuple(nearest))


def recognise(
    clip: Clip, examples: Recogniser | str | os.PathLike[str] | Mapping[str, Sequence[Clip]], *, k: int = 3
) -> Named:
    """Name the action of a clip by its nearest examples, from any camera angle and at any pace.

    Args:
        examples: clips of each action by its name; a folder or file, see `Recogniser.open`; or, to name many clips, a
            `Recogniser`, which compares the examples with each other only once.
        k: how many of the nearest examples to tell.

    Raises:
        UsageError, SameposeError: as `Recogniser` and `Recogniser.open`; the person is seen too briefly.
    """
    if isinstance(examples, (str, os.PathLike)):
        examples = Recogniser.open(examples)
    elif not isinstance(examples, Recogniser):
        examples = Recogniser(examples)
    return examples.recognise(clip, k)


def example_files(folder: Path) -> dict[str, list[Path]]:
    """Clips of each action, by name; an action without any has an empty list.

    Raises:
        UsageError: no folder, or none with sub-folders.
    """
    from samepose.media.video import VIDEO_SUFFIXES

    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give one with a sub-folder of clips for each action")
    found = {}
    for action in sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")):
        files = sorted(f for f in action.iterdir() if not f.name.startswith(".") and f.is_file())
        poses = {f.stem for f in files if f.suffix.lower() in _POSES}
        found[action.name] = [f for f in files if f.suffix.lower() in _POSES
                              or (f.suffix.lower() in VIDEO_SUFFIXES and f.stem not in poses)]
    if not found:
        raise UsageError(f"{folder}: has no sub-folders; put the clips of each action in one of the action's name")
    return found


def clip_distance(a: Clip, b: Clip) -> float:
    """Mean frame distance along the alignment of two clips of one rate, in nats; mirrored ones are as near."""
    return dtw_mean(frame_distances(a, b, matching_of(a, b), mirror=True))


def _chosen(examples: Sequence[Example]) -> list[Example]:
    n = len(examples)
    return [examples[i] for i in np.linspace(0, n - 1, min(n, _MOST_FITTED)).astype(int)]


def _compared(examples: Sequence[Example], progress: Progress) -> Distances:
    """Distances of the chosen examples to each other."""
    chosen = _chosen(examples)
    matrix = np.zeros((len(chosen), len(chosen)))
    for i, (_, a) in enumerate(chosen):
        matrix[i, :i] = matrix[:i, i] = [clip_distance(a, b) for _, b in chosen[:i]]
        progress(i + 1, len(chosen), "comparing the examples")
    return matrix


def _learned(examples: Sequence[Example], seed: int = 0) -> ActionClassifier:
    return ActionClassifier.fit([clip for _, clip in examples], [action for action, _ in examples], seed)


def _enough(clip: Clip) -> Clip:
    """The clip at `RATE`, if the person is seen for long enough."""
    clip = clip.at_rate(RATE)
    if clip.found.sum() < LEAST_MOMENTS:
        with about(clip.name):
            raise UsageError(f"the person is seen for {clip.found.sum() / RATE:.1f} s, and an action takes "
                             f'{LEAST_MOMENTS / RATE:.1f} s at least; give a longer clip, or try `mode="accurate"`')
    return clip
