"""Naming actions by their nearest examples (Sun 2020, section 4.3.1), without training.

The distance of two clips is the mean along their alignment, each frame distance the least of the four combinations of
original and mirrored. The paper names the action of the nearest clip. Ours: how far is too far, and how sure it is.
Both come from the examples alone, each held against all others. As near as to its own action a clip should be; as near
as to the other actions it would be, were its own not among the examples. The cut-off parts these two best; what that
costs, and what other rules would, is in results/moves.json.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from samepose.errors import SameposeError, UsageError
from samepose.progress import Progress, silent
from samepose.query.source import about
from samepose.sequences.clip import Clip, matching_of
from samepose.sequences.distance import frame_distances
from samepose.sequences.dtw import dtw_mean
from samepose.sequences.subsequence import LEAST_MOMENTS, RATE

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder

_MOST_FITTED = 300  # examples that are held against each other: 45,000 pairs, some 20 s
_SPREADS = np.geomspace(0.05, 20, 60)  # that are tried
_POSES = (".npz", ".json")
_SPREAD = 1.0  # where the examples do not tell


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
class Fit:
    """What the examples tell about distances.

    Attributes:
        cutoff: a clip whose nearest example is farther away shows none of the actions; None where nothing is: one
            example alone tells of no distance.
        spread: difference in distance that makes one action e times as likely as another.
    """

    cutoff: float | None
    spread: float

    @classmethod
    def of(cls, distance: Float[np.ndarray, "n n"], actions: Sequence[str]) -> Fit:
        """From the distances of examples to each other; the diagonal is ignored.

        With a single action the cut-off is the largest distance to the next example; with single examples only it is
        the least distance of two.
        """
        names = np.array(actions)
        same = names[:, None] == names
        apart = ~np.eye(len(names), dtype=bool)
        own = np.where(same & apart, distance, np.inf).min(axis=1, initial=np.inf)
        other = np.where(~same, distance, np.inf).min(axis=1, initial=np.inf)
        return cls(_cutoff(own[np.isfinite(own)], other[np.isfinite(other)]), _spread(distance, names, own))

    def name(self, distance: Float[np.ndarray, " n"], actions: Sequence[str]) -> tuple[str | None, float]:
        """The action of a clip by its distances to the examples, or None, and the confidence in it.

        The actions are weighed by exp(-distance / spread) of their nearest examples, and "none" by that of the cut-off.
        """
        nearest: dict[str | None, float] = {}
        for d, action in zip(distance.tolist(), actions):
            nearest[action] = min(d, nearest.get(action, np.inf))
        if self.cutoff is not None:
            nearest[None] = self.cutoff
        best = min(nearest, key=lambda action: nearest[action])
        total = sum(np.exp((nearest[best] - d) / self.spread) for d in nearest.values())
        return best, float(1 / total)

    def score(self, distance: float) -> float | None:
        """How likely a clip so far from an example shows its action, were there but this action and none of them.

        0.5 at the cut-off, and by the spread more or less: the scale is that of these examples, not of poses. None
        where there is no cut-off.
        """
        return None if self.cutoff is None else float(1 / (1 + np.exp((distance - self.cutoff) / self.spread)))


class Recogniser:
    """Examples to compare with. Adding one is to build another: nothing is trained.

    Attributes:
        examples: (action, clip) of each, at `RATE`.
        left_out: why files of the folder are no examples, a line for each.
        fit: what the examples tell about distances.
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
        n = len(self.examples)
        chosen = [self.examples[i] for i in np.linspace(0, n - 1, min(n, _MOST_FITTED)).astype(int)]
        matrix = np.zeros((len(chosen), len(chosen)))
        for i, (_, a) in enumerate(chosen):
            matrix[i, :i] = matrix[:i, i] = [clip_distance(a, b) for _, b in chosen[:i]]
            progress(i + 1, len(chosen), "comparing the examples")
        self.fit = Fit.of(matrix, [action for action, _ in chosen])

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        detector: Detector | Callable[[], Detector] | None = None,
        embedder: Embedder | None = None,
        progress: Progress = silent,
    ) -> Recogniser:
        """The clips of a folder that has a sub-folder for each action, of its name.

        A pose file beside a video of the same name is read in its place. Of each clip the most prominent person is the
        example. What cannot be an example is left out, and `left_out` says why.

        Args:
            detector: for videos, or what loads it when it is needed; MoveNet by default.
            embedder: the shipped one by default.
            progress: told how many clips were opened, then how many were compared.

        Raises:
            UsageError: no folder, or none with sub-folders.
            SameposeError: none of the clips can be an example.
        """
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
        action, confidence = fit.name(distance, [action for action, _ in self.examples])
        order = np.argsort(distance, kind="stable")[:k]
        nearest = (Neighbour(self.examples[i][0], self.examples[i][1].name, d, self.fit.score(d))
                   for i, d in zip(order, distance[order].tolist()))
        return Named(action, confidence, tuple(nearest))


def recognise(
    clip: Clip, examples: Recogniser | str | os.PathLike[str] | Mapping[str, Sequence[Clip]], *, k: int = 3
) -> Named:
    """Name the action of a clip by its nearest examples, from any camera angle and at any pace.

    Args:
        examples: clips of each action by its name; a folder, see `Recogniser.open`; or, to name many clips, a
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


def _enough(clip: Clip) -> Clip:
    """The clip at `RATE`, if the person is seen for long enough."""
    clip = clip.at_rate(RATE)
    if clip.found.sum() < LEAST_MOMENTS:
        with about(clip.name):
            raise UsageError(f"the person is seen for {clip.found.sum() / RATE:.1f} s, and an action takes "
                             f'{LEAST_MOMENTS / RATE:.1f} s at least; give a longer clip, or try `mode="accurate"`')
    return clip


def _cutoff(own: Float[np.ndarray, " n"], other: Float[np.ndarray, " m"]) -> float | None:
    if not len(own) and not len(other):
        return None
    if not len(other):
        return float(own.max())
    if not len(own):
        return float(other.min())
    values = np.unique(np.concatenate([own, other]))  # two clips next to each other have one distance
    middles = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    right = (own <= middles[:, None]).mean(axis=1) + (other > middles[:, None]).mean(axis=1)
    return float(np.median(middles[right == right.max()]))


def _spread(
    distance: Float[np.ndarray, "n n"], names: np.ndarray, own: Float[np.ndarray, " n"]
) -> float:
    """The spread under which the examples' own actions are likeliest, each without itself."""
    known = np.isfinite(own)
    if not known.any() or len(set(names.tolist())) < 2:
        return _SPREAD
    apart = np.where(np.eye(len(names), dtype=bool), np.inf, distance)
    nearest = np.stack([apart[:, names == name].min(axis=1) for name in sorted(set(names.tolist()))], axis=1)[known]
    gap = (nearest - own[known, None])[..., None] / _SPREADS
    loss = np.logaddexp.reduce(-gap, axis=1).mean(axis=0)
    return float(_SPREADS[loss.argmin()])
