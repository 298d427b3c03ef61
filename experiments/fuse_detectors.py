"""Would looking twice, or fusing two detectors, find joints better? On people of LSP-Extended that CPM never saw.

    python -m experiments.fuse_detectors LSPET [--people 250]

LSPET is the folder of the data set; the people are those of `training/cpm/lspet_validation.txt`. Each way looks at the
same people in the same squares: Thunder once, at the mirror image, closer, and at the medians of these; CPM; and of
Thunder and CPM for each joint the place of the higher score, CPM's times a factor. A joint is found within 0.2 of the
torso (PCK, the mean over the 12 limb joints).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from benchmarks._machine import describe

from samepose.detection.cpm import CPM, SHIPPED
from samepose.detection.movenet import MoveNet, person_square
from samepose.evaluation.keypoint_run import Looker, look_at, measure
from samepose.evaluation.keypoints import LIMB_JOINTS
from samepose.formats.keypointset import read_keypoint_set
from samepose.media.square import Square
from samepose.poses import Poses
from samepose.skeleton import COCO17

Look = tuple[np.ndarray, np.ndarray]  # joints (17, 2) and scores (17,)
_FACTORS = (0.7, 1.0, 1.6)


class Ways:
    """Every way of looking at a person, one after the other, as a looker with so many stages."""

    def __init__(self) -> None:
        self.thunder = MoveNet(threads=1)
        self.machines = {name: CPM(name, threads=1) for name in SHIPPED}

    def looks(self, image: np.ndarray, square: Square) -> dict[str, np.ndarray]:
        """(17, 2) joints by the name of the way."""
        once = self.thunder.look(image, square)
        closer = person_square(Poses.of(once[0][None], COCO17, scores=once[1][None]))
        four = {"thunder": once, "thunder, mirrored": self._mirrored(image, square),
                "thunder, closer": self.thunder.look(image, closer),
                "thunder, closer and mirrored": self._mirrored(image, closer)}
        out = {way: points for way, (points, _) in four.items()}
        out["thunder, mean of it and mirrored"] = _mean(once, four["thunder, mirrored"])
        out["thunder, closer, the surer of it and mirrored"] = _surer(four["thunder, closer"],
                                                                      four["thunder, closer and mirrored"], 1.0)
        out["thunder, median of the four"] = np.median([points for points, _ in four.values()], axis=0)
        for name, machine in self.machines.items():
            seen = self._machine(machine, image, square)
            out[name] = seen[0]
            for factor in _FACTORS:
                out[f"thunder, closer, or {name} x {factor:g}"] = _surer(four["thunder, closer"], seen, factor)
        return out

    def look(self, image: np.ndarray, square: Square) -> np.ndarray:
        """(way, 17, 2)."""
        looks = self.looks(image, square)
        self.names = list(looks)
        return np.stack(list(looks.values()))

    def _mirrored(self, image: np.ndarray, square: Square) -> Look:
        width = image.shape[1]
        turned = Square(width - square.x - square.side, square.y, square.side)
        points, scores = self.thunder.look(np.ascontiguousarray(image[:, ::-1]), turned)
        back = np.stack([width - points[:, 0], points[:, 1]], axis=1)
        return back[list(COCO17.mirror)], scores[list(COCO17.mirror)]

    def _machine(self, machine: CPM, image: np.ndarray, square: Square) -> Look:
        points, beliefs = (each[-1:] for each in machine.look(image, square))
        poses = Poses.of(points, machine.skeleton, scores=beliefs).to(COCO17)
        return poses.points[0], poses.scores[0]


def _mean(a: Look, b: Look) -> np.ndarray:
    weight = np.stack([a[1], b[1]])[..., None]
    return (np.stack([a[0], b[0]]) * weight).sum(axis=0) / weight.sum(axis=0)


def _surer(a: Look, b: Look, factor: float) -> np.ndarray:
    return np.where((b[1] * factor > a[1])[:, None], b[0], a[0])


def main(argv: Sequence[str] | None = None) -> None:
    """Look, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--others", action="store_true", help="as many of those who are in no list, at random")
    options = parser.parse_args(argv)
    print(describe("numpy", "onnxruntime"))
    lines = files("samepose.training.cpm").joinpath("lspet_validation.txt").read_text().splitlines()
    every = [f"im{int(line) + 1:05d}.jpg" for line in lines if not line.startswith("#")]
    names = set(every[: options.people])
    everyone = read_keypoint_set(options.data)
    listed = np.array([image.name in names for image in everyone.images])
    if options.others:
        outside = np.array([image.name not in every for image in everyone.images])
        drawn = np.random.default_rng(0).permutation(np.flatnonzero(outside))[: options.people]
        listed = np.isin(np.arange(len(listed)), drawn)
    people = everyone[listed]
    ways = Ways()
    looker = Looker("ways", COCO17, ways.look)
    found = measure(look_at(people, looker), looker)
    print(f"{found.people} people\n\n{'':40}  mean12")
    for name, stage in zip(ways.names, found.stages):
        print(f"{name:40}  {100 * (stage.rates(0.2).mean12 or 0):6.1f}")
    print(f"\nmean12: {', '.join(LIMB_JOINTS)}")


if __name__ == "__main__":
    main()
