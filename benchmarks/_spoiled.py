"""Good files of every kind that samepose reads, made here, and ways to spoil them by chance."""

from __future__ import annotations

import copy
import io
import json
import random
import re
from typing import Any

import numpy as np
from PIL import Image

from samepose.formats.keypointfile import KeypointFile
from samepose.formats.keypoints import pose_bytes
from samepose.poses import Poses
from samepose.skeleton import COCO17, H36M17

# ---------------------------------------------------------------- good files

def picture(kind: str) -> bytes:
    """Noise of 48 x 32 pixels."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(buffer, format=kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
    return buffer.getvalue()


def clip(container: str, codec: str) -> bytes:
    """Six frames of noise, 64 x 48."""
    import av

    buffer, rng = io.BytesIO(), np.random.default_rng(0)
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(6):
            image = rng.integers(0, 256, (48, 64, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    return buffer.getvalue()


def points(*shape: int) -> np.ndarray:
    """Coordinates of people in a picture."""
    return np.random.default_rng(0).uniform(5, 300, shape).astype(np.float32)


def coco(annotations: bool) -> Any:
    """Two people as COCO writes them."""
    people = [{"image_id": i, "category_id": 1, "keypoints": [float(v) for v in points(17, 3).ravel()], "score": 0.5,
               "bbox": [1.0, 2.0, 3.0, 4.0], "file_name": "a.jpg", "frame": i, "time": 0.1, "track": 0} for i in (1, 2)]
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 400, "height": 400} for i in (1, 2)]
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}]
    return {"images": images, "annotations": people, "categories": categories} if annotations else people


def openpose() -> Any:
    """One person as OpenPose writes them."""
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": points(75).tolist()}]}


def pose_file() -> dict[str, np.ndarray]:
    """Arrays of samepose's own file."""
    with np.load(io.BytesIO(pose_bytes(KeypointFile(Poses.of(points(3, 17, 2), COCO17), ("a.jpg",) * 3)))) as file:
        return dict(file)


def pose_set() -> dict[str, np.ndarray]:
    """Arrays of a pose set."""
    return {"points": np.random.default_rng(0).normal(0, 1, (6, 17, 3)), "joints": np.array(H36M17.joints),
            "skeleton": np.array("H36M17"), "clip": np.arange(6) // 3, "subject": np.array(["a"] * 6),
            "fps": np.array(30.0)}


def bvh() -> str:
    """A person of seventeen joints, four frames."""
    parents = {"spine": "pelvis", "thorax": "spine", "neck": "thorax", "head_top": "neck"}
    for side in ("left", "right"):
        for chain in (("pelvis", "hip", "knee", "ankle"), ("thorax", "shoulder", "elbow", "wrist")):
            above = chain[0]
            for part in chain[1:]:
                parents[f"{side}_{part}"] = above
                above = f"{side}_{part}"

    def joint(name: str, depth: int) -> str:
        below = "".join(joint(child, depth + 1) for child, parent in parents.items() if parent == name)
        rest = below or "End Site\n{\nOFFSET 0 1 0\n}\n"
        moves = "6 Xposition Yposition Zposition " if not depth else "3 "
        offset = f"{(len(name) % 5 - 2) * 3} {len(name)} {depth}"
        return (f"{'JOINT' if depth else 'ROOT'} {name}\n{{\nOFFSET {offset}\n"
                f"CHANNELS {moves}Zrotation Xrotation Yrotation\n{rest}}}\n")

    rows = "\n".join(" ".join(str((7 * r + c) % 40) for c in range(3 + 3 * 17)) for r in range(4))
    return f"HIERARCHY\n{joint('pelvis', 0)}MOTION\nFrames: 4\nFrame Time: 0.033\n{rows}\n"


ASF = """:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name lfemur
    direction 0.3 -0.9 0
    length 7
    axis 0 0 20 XYZ
    dof rx ry rz
  end
:hierarchy
  begin
    root lfemur
  end
"""
AMC = ":FULLY-SPECIFIED\n:DEGREES\n" + "".join(f"{n}\nroot 9 17 -3 2 3 4\nlfemur 1 2 3\n" for n in (1, 2, 3))
JOINT_MAP = "".join(f'{joint} = "{joint}"\n' for joint in H36M17.joints)


def matlab() -> bytes:
    """LSP's label file."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, {"joints": points(3, 14, 4)})
    return buffer.getvalue()


# ---------------------------------------------------------------- spoiling them

EXTREME = (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80", b"\0\1\0\0")
NUMBERS = ("nan", "inf", "-inf", "1e308", "-1", "0", "9" * 400, "0x10", "1e-320", "", "-", "2147483648", "１２")
VALUES: tuple[Any, ...] = (
    None, True, "", "x" * 3000, "\0", "\ud800", "\x1b[2J", -1, 0, 10**30, 1e308, float("nan"), float("inf"), [], {},
    [[]], [None], {"a": 1}, [1, 2, 3], [[[[[[1]]]]]], "1", [1e39] * 51, [1] * 50, [True] * 51,
)


def spoiled_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to four changes of the kinds that disks, networks and attackers make."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.5:  # headers lie in front
            at = min(at, rng.randrange(200))
        size = rng.choice((1, 2, 4, 16, 200))
        data = rng.choice((
            lambda d, a, s: d[:a],
            lambda d, a, s: d[:a] + d[a + s :],
            lambda d, a, s: d[:a] + d[a : a + s] * 3 + d[a + s :],
            lambda d, a, s: d[:a] + bytes(s) + d[a + s :],
            lambda d, a, s: d[:a] + rng.randbytes(s) + d[a + s :],
            lambda d, a, s: d[:a] + rng.choice(EXTREME) + d[a + 4 :],
            lambda d, a, s: d[:a] + bytes([(d[a : a + 1] or b"x")[0] ^ (1 << rng.randrange(8))]) + d[a + 1 :],
        ))(data, at, size)
    return data


def spoiled_text(text: str, rng: random.Random) -> bytes:
    """Numbers and words of a text exchanged, or its bytes."""
    if rng.random() < 0.3:
        return spoiled_bytes(text.encode(), rng)
    for _ in range(rng.randint(1, 3)):
        words = list(re.finditer(r"\S+", text))
        word = rng.choice(words)
        new = rng.choice((*NUMBERS, rng.choice(words)[0], "{", "}", "x" * 3000, "\n"))
        text = text[: word.start()] + new + text[word.end() :]
    return text.encode("utf-8", "surrogatepass")


def spoiled_json(value: Any, rng: random.Random) -> bytes:
    """Some values of a JSON file exchanged for others, or its bytes."""
    text = json.dumps(value)
    if rng.random() < 0.25:
        return spoiled_bytes(text.encode(), rng)
    value = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        node = value
        while isinstance(node, (dict, list)) and node:
            key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.2:
                node[key] = copy.deepcopy(rng.choice(VALUES))
                break
            node = node[key]
    return json.dumps(value).encode()


def spoiled_arrays(arrays: dict[str, np.ndarray], rng: random.Random) -> bytes:
    """An array of another shape, kind or with other numbers, or the bytes of the archive."""
    arrays = dict(arrays)
    for _ in range(rng.randint(0, 2)):
        name = rng.choice(list(arrays))
        old = arrays[name]
        new: list[Any] = [
            np.zeros((0,)), old[None], old.ravel(), np.full(old.shape, "x"), np.array("\ud7ff" * 9), np.array(1e308),
            np.array(-1), np.full(old.shape, np.nan), np.full(old.shape, np.inf), np.full(old.shape, 1e300),
            np.full(old.shape, 2**62), np.full(old.shape, True), np.full(old.shape, 1j), np.full(old.shape, b"\xff"),
            np.array([{}], object), np.zeros(old.shape, "M8[s]"), np.zeros(old.shape, [("a", "f4")]), old[:0],
        ] if old.ndim else [np.array(v) for v in ("", 1e308, -1, np.nan, [1, 2], True, b"\xff", 2**62)]
        arrays[name] = np.asarray(rng.choice(new))
        if rng.random() < 0.2:
            del arrays[name]
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue() if rng.random() < 0.7 else spoiled_bytes(buffer.getvalue(), rng)
