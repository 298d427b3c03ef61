"""Motion that was never captured: people with random joints, pose sets of them, and one pose as BVH."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samepose.formats.poseset import PoseSet, save_poseset
from samepose.skeleton import H36M17

SUBJECTS = ("ann", "bob", "cmu-02")

REST = {
    "pelvis": (0, 1, 0), "spine": (0, 1.25, 0.02), "thorax": (0, 1.5, 0), "neck": (0, 1.6, 0.03),
    "head_top": (0, 1.75, 0), "hip": (0.1, 0.97, 0), "knee": (0.12, 0.5, 0.05), "ankle": (0.13, 0.08, 0),
    "shoulder": (0.18, 1.45, 0), "elbow": (0.3, 1.2, 0), "wrist": (0.35, 0.95, 0.1),
}
SIDES = {"left": (1, 1, 1), "right": (-1, 1, 1)}


def some_people(n: int, seed: int = 0, spread: float = 0.12) -> np.ndarray:
    """People who face +z in metres, joints strewn about a stance."""
    rest = [np.multiply(REST[j.split("_", 1)[1]], SIDES[j.split("_")[0]]) if j not in REST else REST[j]
            for j in H36M17.joints]
    return (np.array(rest) + np.random.default_rng(seed).normal(0, spread, (n, 17, 3))).astype(np.float32)


def made_up(path: Path, subjects: tuple[str, ...] = SUBJECTS, each: int = 40) -> Path:
    """A pose set of `each` poses of each subject."""
    n = each * len(subjects)
    who = np.repeat(np.arange(len(subjects)), each)
    save_poseset(path, PoseSet(some_people(n), who, tuple(f"clip-{s}" for s in subjects), who, subjects, 30.0))
    return path


def standing() -> np.ndarray:
    """A person who faces +z, arms out, left hand higher: (17, 3) metres, y up."""
    body = {
        "pelvis": (0, 1, 0), "spine": (0, 1.25, 0), "thorax": (0, 1.5, 0),
        "neck": (0, 1.6, 0.02), "head_top": (0, 1.8, 0),
        "left_hip": (0.1, 1, 0), "left_knee": (0.1, 0.5, 0.03), "left_ankle": (0.1, 0.08, 0),
        "left_shoulder": (0.2, 1.45, 0), "left_elbow": (0.45, 1.5, 0), "left_wrist": (0.6, 1.8, 0.1),
    }
    body |= {"right_" + k[5:]: (-v[0], v[1], v[2]) for k, v in body.items() if k.startswith("left_")}
    body["right_wrist"] = (-0.7, 1.4, 0)
    return np.array([body[j] for j in H36M17.joints], np.float64)


AT = H36M17.index
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")
POSITIONS = ("Xposition", "Yposition", "Zposition")

# A person of 1.75 m who faces +z with knees a little bent, so left is +x.
PERSON = {
    "pelvis": (0, 0.95, 0), "spine": (0, 1.18, -0.02), "thorax": (0, 1.44, 0), "neck": (0, 1.56, 0.01),
    "head_top": (0, 1.75, 0.02),
    "left_hip": (0.09, 0.95, 0), "left_knee": (0.1, 0.52, 0.06), "left_ankle": (0.1, 0.08, 0),
    "left_shoulder": (0.19, 1.42, 0), "left_elbow": (0.22, 1.14, -0.02), "left_wrist": (0.24, 0.9, 0.08),
}
PERSON |= {j.replace("left", "right"): (-x, y, z) for j, (x, y, z) in PERSON.items() if j.startswith("left")}
POSE = np.array([PERSON[j] for j in H36M17.joints])
TREE = {"spine": "pelvis", "thorax": "spine", "neck": "thorax", "head_top": "neck"} | {
    f"{s}_{a}": b if b in ("pelvis", "thorax") else f"{s}_{b}" for s in ("left", "right")
    for a, b in (("hip", "pelvis"), ("knee", "hip"), ("ankle", "knee"), ("shoulder", "thorax"), ("elbow", "shoulder"),
                 ("wrist", "elbow"))
}
NAMES = {
    "mixamo": dict(zip(H36M17.joints, [f"mixamorig:{n}" for n in (
        "Hips", "RightUpLeg", "RightLeg", "RightFoot", "LeftUpLeg", "LeftLeg", "LeftFoot", "Spine", "Neck", "Head",
        "HeadTop_End", "LeftArm", "LeftForeArm", "LeftHand", "RightArm", "RightForeArm", "RightHand")])),
    "smpl": {j: j for j in H36M17.joints} | {
        "spine": "spine2", "thorax": "neck", "neck": "head", "head_top": "head_end"},
    "ours": {j: j for j in H36M17.joints},
    "human36m": dict(zip(H36M17.joints, (
        "Hip", "RHip", "RKnee", "RFoot", "LHip", "LKnee", "LFoot", "Spine", "Thorax", "Neck/Nose", "Head", "LShoulder",
        "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"))),
    "biped": dict(zip(H36M17.joints, [f"Bip01 {n}" for n in (
        "Pelvis", "R Thigh", "R Calf", "R Foot", "L Thigh", "L Calf", "L Foot", "Spine", "Neck", "Head", "HeadNub",
        "L UpperArm", "L Forearm", "L Hand", "R UpperArm", "R Forearm", "R Hand")])),
    "unreal": dict(zip(H36M17.joints, (
        "pelvis", "thigh_r", "calf_r", "foot_r", "thigh_l", "calf_l", "foot_l", "spine_02", "neck_01", "head",
        "head_end", "upperarm_l", "lowerarm_l", "hand_l", "upperarm_r", "lowerarm_r", "hand_r"))),
    "xsens": dict(zip(H36M17.joints, (
        "Hips", "RightUpperLeg", "RightLowerLeg", "RightFoot", "LeftUpperLeg", "LeftLowerLeg", "LeftFoot", "Chest2",
        "Neck", "Head", "Head_end", "LeftUpperArm", "LeftForeArm", "LeftHand", "RightUpperArm", "RightForeArm",
        "RightHand"))),
}


def write_bvh(path: Path, pose: np.ndarray, names: dict[str, str], frames: int = 3, fps: float = 30.0,
              rows: np.ndarray | None = None) -> Path:
    """A pose held for some frames as BVH: every OFFSET is the difference to the parent, nothing turns."""
    at = dict(zip(H36M17.joints, pose))
    order: list[str] = []

    def block(joint: str, depth: int) -> list[str]:
        order.append(joint)
        offset = at[joint] - at[TREE[joint]] if joint in TREE else np.zeros(3)
        lines = [f"{'ROOT' if depth == 0 else 'JOINT'} {names[joint]}", "{",
                 "OFFSET " + " ".join(f"{v:.9f}" for v in offset),
                 f"CHANNELS {6 if depth == 0 else 3} {' '.join((POSITIONS if depth == 0 else ()) + ROTATIONS[::-1])}"]
        for child in (j for j in TREE if TREE[j] == joint):
            lines += block(child, depth + 1)
        return [*lines, "}"]

    text = ["HIERARCHY", *block("pelvis", 0)]
    if rows is None:
        rows = np.zeros((frames, 3 + 3 * len(order)))
        rows[:, :3] = at["pelvis"]
    text += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.8f}"]
    text += [" ".join(f"{v:.9g}" for v in row) for row in rows]
    path.write_text("\n".join(text) + "\n")
    return path


def write_amc(path: Path, rows: np.ndarray) -> Path:
    """`PERSON` as AMC, its ASF beside it; the header holds an umlaut, as HDM05's do.

    Args:
        rows: (T, 3) turns of the root and (T, 3 * 16) of the bones, degrees.
    """
    bones, lines = [j for j in H36M17.joints if j in TREE], [":units", "length 0.0254", "angle deg", ":root",
        "order TX TY TZ RX RY RZ", "axis XYZ", "position 0 0 0", "orientation 0 0 0", ":bonedata"]
    for joint in bones:
        offset = np.subtract(PERSON[joint], PERSON[TREE[joint]])
        length = np.linalg.norm(offset)
        lines += ["begin", f"name {joint}", "direction " + " ".join(f"{v:.9f}" for v in offset / length),
                  f"length {length:.9f}", "axis 0 0 0 XYZ", "dof rx ry rz", "end"]
    lines += [":hierarchy", "begin", *(f"{TREE[j].replace('pelvis', 'root')} {j}" for j in bones), "end"]
    (path.parent / f"{path.stem.split('_')[0]}.asf").write_text("\n".join(lines))
    text = ["#!OML:ASF f\xfcr", ":FULLY-SPECIFIED", ":DEGREES"]
    for k, row in enumerate(rows):
        text += [f"{k + 1}", "root 0 0.95 0 " + " ".join(f"{v:.6f}" for v in row[:3])]
        text += [f"{joint} " + " ".join(f"{v:.6f}" for v in row[3 + 3 * n :][:3]) for n, joint in enumerate(bones)]
    path.write_bytes("\n".join(text).encode("latin-1"))
    return path
