"""How often what a search shows is right, by the score it shows: the reliability curve of the second look.

    python -m experiments.pair_reliability MOCAP [MOCAP ...] --embedder HELD_OUT.onnx --views held.npz --plot PLOT.png

Each half of the held-out people is asked with the five numbers fitted to the other half (`evaluation.pair_calibrator`),
keypoints perfect, noisy and simulated in eleven cameras, and with what MoveNet saw of rendered people (--views, made by
`experiments.rendered_people`), to which nothing was fitted. The best five of each query, in fifteen bins of equal size.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from samepose.embed.pairs import PairModel
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.calibration import Bins, expected_calibration_error, reliability
from samepose.evaluation.calibrator import FRAMES, alike_halves
from samepose.evaluation.pair_calibrator import SEEN, fitted, scene, seen_people
from samepose.evaluation.retrieval import select_frames
from samepose.formats.multiview import read_views
from samepose.formats.subjects import load_many, only, read_subjects

_SHOWN = {("all11", "perfect"): "perfect keypoints", ("all11", "noisy"): "Gaussian noise",
          ("all11", "detected"): "simulated detections", SEEN: "MoveNet on rendered people"}


def measured(
    mocap: list[Path], embedder: PrVipeEmbedder, pairs: PairModel, views: Path
) -> dict[str, tuple[Bins, float]]:
    """Bins and calibration error by kind of keypoints."""
    people = only(load_many(mocap, None), read_subjects(None))
    halves, seen = alike_halves(people.points, people.subject), read_views(views)
    scenes, maps = [], []
    for half in halves:
        theirs = people.points[np.isin(people.subject, half)]
        conditions = scene(embedder, pairs, theirs[select_frames(theirs, FRAMES)])
        maps.append(fitted(list(conditions.values())))
        names = tuple(people.subject_names[i] for i in half)
        scenes.append(conditions | {SEEN: seen_people(embedder, pairs, seen, names, FRAMES)})
    found = {}
    for condition, name in _SHOWN.items():
        p, hit = (np.concatenate(parts) for parts in zip(*(
            scenes[k][condition].best(maps[1 - k]) for k in range(2))))
        found[name] = reliability(p, hit), expected_calibration_error(p, hit)
    return found


def plot(found: dict[str, tuple[Bins, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 6), layout="constrained")
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    for name, (bins, error) in found.items():
        axes.plot(bins.probability, bins.accuracy, marker="o", markersize=3, label=f"{name}: off by {error:.3f}")
    axes.set(xlabel="score shown", ylabel="share that matches", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    figure.legend(loc="outside lower center", frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, nargs="+", help="motion capture with the held-out people in it")
    parser.add_argument("--embedder", type=Path, required=True, help="embedding that never saw them")
    parser.add_argument("--pairs", type=Path, help="pair network that never saw them (default: the shipped one)")
    parser.add_argument("--views", type=Path, required=True, help="what a detector saw of them")
    parser.add_argument("--plot", type=Path, required=True, help="picture to write (.png)")
    words = parser.parse_args()
    found = measured(words.mocap, PrVipeEmbedder.load(words.embedder), PairModel.load(words.pairs), words.views)
    plot(found, words.plot)
    print(json.dumps({name: {"ece": error, "probability": bins.probability.tolist(),
                             "accuracy": bins.accuracy.tolist()} for name, (bins, error) in found.items()}))


if __name__ == "__main__":
    main()
