"""What `lift --model structnet` gives of rendered people whom it has not seen: how far off, and does it know how far?

    python -m experiments.lift_pixels PEOPLE

PEOPLE is a folder of `samepose synth CMU HDM05 --subjects held-out --size 192`. Each is cut out by the box about the
joints in the picture and lifted as 1.7 m tall; their pelvises are laid on each other, in the camera's axes, and not
aligned. Halves are by subject: on A, hdm05-bk, cmu-02, 12 and 16, the two constants of `lifting.structnet` were chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from samepose.embed.image import boxes_of_joints
from samepose.formats.rendered import read_shards
from samepose.geometry.kinematics import bone_lengths
from samepose.lifting.structnet import StructNetModel
from samepose.poses import Poses
from samepose.skeleton import H36M17, SYNTH22

HALF_A = ("hdm05-bk", "cmu-02", "cmu-12", "cmu-16")
_JOINTS = [SYNTH22.index(joint) for joint in H36M17.joints]
_TO_CAMERA = np.array([1.0, -1.0, -1.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    words = parser.parse_args()
    model = StructNetModel.load(threads=1)
    half, off, nearest, told, sides = [], [], [], [], []
    for person in read_shards(words.people):
        flat, inside = person.joints_2d[_JOINTS].copy(), person.inside[_JOINTS]
        if inside.sum() > 1:
            flat[~inside] = np.nan
        boxes = boxes_of_joints(flat[None].astype(np.float32))
        found = model.lift_people(person.image, Poses.of(flat[None], H36M17, boxes=boxes))
        truth = person.joints_3d[_JOINTS] - person.joints_3d[_JOINTS[:1]]
        poses = (found.alternatives[0] - found.alternatives[0][:, :1]) * _TO_CAMERA - truth
        half.append(person.subject in HALF_A)
        off.append(poses[0])
        nearest.append(np.linalg.norm(poses[found.weights[0] > 0], axis=2).mean(axis=1).min())
        told.append(found.spread[0])
        lengths = bone_lengths(found.alternatives[0, 0].astype(np.float64))
        sides.append(np.abs(lengths - lengths[H36M17.mirror]).max())
    a, gaps, spread = np.array(half), np.array(off), np.array(told)
    for name, of in (("A", a), ("B", ~a), ("all", np.ones(len(a), bool))):
        errors = np.linalg.norm(gaps[of], axis=2).mean(axis=1)
        ratio = np.sqrt((gaps[of][:, 1:] ** 2).mean() / (spread[of][:, 1:] ** 2).mean())
        print(f"{name}: {of.sum()} pictures, MPJPE {1000 * errors.mean():.1f} mm (standard error "
              f"{1000 * errors.std() / len(errors) ** 0.5:.1f}), of the nearest alternative "
              f"{1000 * np.mean(np.array(nearest)[of]):.1f}; true over told standard deviation {ratio:.2f}")
    per = spread[:, 1:].mean(axis=1)
    for part in np.array_split(np.argsort(per), 5):
        print(f"told {100 * per[part].mean():.1f} cm an axis, true {100 * (gaps[part][:, 1:] ** 2).mean() ** 0.5:.1f}")
    print(f"left and right differ by {1000 * max(sides):.4f} mm at most")


if __name__ == "__main__":
    main()
