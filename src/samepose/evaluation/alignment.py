"""Kendall's tau of aligning videos of the same action (Sun 2020, section 4.3.2 and supplement; Dwibedi 2019).

For each ordered pair of videos every frame of the first takes the nearest of the second, by the distance averaged over
the temporal kernel; tau-b compares the order of the matches with that of the frames. For a video that may be mirrored,
the larger of the two taus counts. jump_rope and strum_guitar are left out. Tau is averaged over the pairs of an action,
then over actions; same-view and different-view over the actions that have such pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.formats.penn import PennVideo
from samepose.matching.embeddings import Matching
from samepose.matching.moment import OFFSETS
from samepose.progress import Progress, silent
from samepose.sequences.clip import Clip
from samepose.sequences.nearest import as_columns, as_rows

LEFT_OUT = ("jump_rope", "strum_guitar")


@dataclass(frozen=True)
class Alignment:
    """Kendall's tau, -1..1.

    Attributes:
        tau: mean over actions.
        same_view, different_view: of the pairs whose views are the same, or not; None without any such pair.
        per_class: tau of each action.
        per_class_same_view, per_class_different_view: the same of those pairs; without the actions that have none.
        path_tau: tau of the pairs along the path of dynamic time warping, mean over actions. A path never goes back,
            so this is near 1 whatever the distances.
        pairs: number of ordered pairs of videos.
        worst: the (video, video, tau) that agree least.
    """

    tau: float
    same_view: float | None
    different_view: float | None
    per_class: dict[str, float]
    per_class_same_view: dict[str, float]
    per_class_different_view: dict[str, float]
    path_tau: float
    pairs: int
    worst: tuple[tuple[str, str, float], ...]


def kendall_tau(matches: Sequence[int]) -> float:
    """Tau-b between 0, 1, 2… and the frame each of them matched; 0 where all matched one frame."""
    from samepose.evaluation._alignment_kernel import tau_b

    return float(tau_b(np.arange(len(matches)), np.asarray(matches, np.int64)))


def alignment(
    videos: Sequence[PennVideo], clips: Sequence[Clip], matching: Matching, *, offsets: Sequence[int] = OFFSETS,
    threads: int | None = None, progress: Progress = silent,
) -> Alignment:
    """All ordered pairs of videos of the same action.

    Raises:
        UsageError: no action has two videos.
    """
    from samepose.evaluation._alignment_kernel import taus

    pairs = [(i, j) for i, j in itertools.combinations(range(len(videos)), 2) if videos[i].action == videos[j].action]
    if not pairs:
        raise UsageError(f"no two of {len(videos)} videos show the same action; there is nothing to align")
    rows, columns = ([make(clip, offsets) for clip in clips] for make in (as_rows, as_columns))
    parameters, out = matching._parameters(), np.empty((len(pairs), 3))
    parts = np.array_split(np.arange(len(pairs)), min(len(pairs), 200))

    def work(part: np.ndarray) -> int:
        for k in part:
            taus(rows[pairs[k][0]], columns[pairs[k][1]], parameters, out[k])
        return len(part)

    with ThreadPoolExecutor(threads) as pool:
        done = 0
        for task in as_completed([pool.submit(work, part) for part in parts]):
            done += task.result()
            progress(done, len(pairs), "tau")
    return _averaged(videos, pairs, out)


def _averaged(
    videos: Sequence[PennVideo], pairs: Sequence[tuple[int, int]], taus: Float[np.ndarray, "pair 3"]
) -> Alignment:
    action = np.array([videos[i].action for i, _ in pairs])
    same = np.array([videos[i].view == videos[j].view for i, j in pairs])
    both = taus[:, :2].mean(axis=1)

    def per_class(values: np.ndarray, of: np.ndarray) -> dict[str, float]:
        return {str(a): float(values[of & (action == a)].mean()) for a in np.unique(action[of])}

    def mean(table: dict[str, float]) -> float | None:
        return float(np.mean(list(table.values()))) if table else None

    everything = np.ones(len(pairs), bool)
    table, of_same, of_different = (per_class(both, of) for of in (everything, same, ~same))
    worst = tuple((videos[pairs[k][0]].name, videos[pairs[k][1]].name, float(both[k])) for k in np.argsort(both)[:10])
    return Alignment(mean(table) or 0.0, mean(of_same), mean(of_different), table, of_same, of_different,
                     mean(per_class(taus[:, 2], everything)) or 0.0, 2 * len(pairs), worst)
