"""Keypoints of other programs, and our own pose file: what goes in comes out, and damage is named."""

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samepose.errors import FormatError, UsageError
from samepose.formats.arrays import from_mediapipe, from_rtmlib, from_ultralytics
from samepose.formats.coco import coco_results, parse_coco
from samepose.formats.keypointfile import KeypointFile
from samepose.formats.keypoints import load_poses, save_poses
from samepose.formats.openpose import parse_openpose, read_openpose
from samepose.formats.posefile import pose_bytes, read_posefile
from samepose.poses import Poses
from samepose.skeleton import BLAZEPOSE33, BODY25, COCO17, H36M17, LSP14, MPII16, SKELETONS, Skeleton

FIELDS = ("points", "scores", "boxes", "person_scores", "frames", "times", "tracks")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def person(skeleton=COCO17, seed=0):
    """(J, 3) x, y, score: all joints there, at whole pixels apart from each other."""
    rng = np.random.default_rng(seed)
    j = len(skeleton)
    return np.stack([rng.permutation(j) * 10 + 1, rng.permutation(j) * 7 + 2, rng.integers(1, 9, j) / 10], axis=1)


def flat(joints):
    return np.asarray(joints, float).ravel().tolist()


def write(path, content):
    path.write_text(json.dumps(content))
    return path


@st.composite
def files(draw):
    """Poses in pixels of any skeleton with missing joints, and their media."""
    skeleton = draw(st.sampled_from(list(SKELETONS.values())))
    n = draw(st.integers(0, 4))
    points = draw(arrays(np.float32, (n, len(skeleton), 2), elements=st.floats(1, 4000, width=32)))
    points[draw(arrays(np.bool_, points.shape[:2]))] = np.nan
    poses = Poses.of(
        points, skeleton, scores=draw(arrays(np.float32, points.shape[:2], elements=st.floats(0, 1, width=32))),
        frames=np.arange(n) * 3, times=np.where(np.arange(n) % 2, np.nan, np.arange(n) / 8),
        tracks=draw(arrays(np.int64, n, elements=st.integers(0, 99))), fps=draw(st.sampled_from([None, 30.0, 29.97])),
    )
    return KeypointFile(poses, tuple(draw(st.sampled_from(["a.jpg", "ü/b.mp4", ""])) for _ in range(n)))


class TestCocoResults:
    def test_joints_scores_box_and_names(self, tmp_path):
        joints = person()
        joints[3] = 0
        people = [
            {"image_id": 7, "category_id": 1, "keypoints": flat(joints), "score": 0.75, "bbox": [1, 2, 30, 40]},
            {"image_id": "b.jpg", "category_id": 1, "keypoints": flat(person(seed=1)), "score": 3.5},
        ]
        file = load_poses(write(tmp_path / "r.json", people))
        poses = file.poses
        assert file.media == ("7", "b.jpg") and poses.skeleton == COCO17
        assert not poses.visible[0, 3] and np.isnan(poses.points[0, 3]).all() and poses.visible.sum() == 33
        np.testing.assert_allclose(poses.points[0, 4], joints[4, :2])
        np.testing.assert_allclose(poses.scores[1], person(seed=1)[:, 2], rtol=1e-6)
        np.testing.assert_array_equal(poses.boxes[0], [1, 2, 31, 42])
        np.testing.assert_array_equal(poses.person_scores, [0.75, 1])
        np.testing.assert_array_equal(load_poses(tmp_path / "r.json").poses.points, poses.points)

    def test_people_of_one_image_are_ranked_by_prominence(self):
        big, small = person() * [9, 9, 1], person()
        people = [{"image_id": i, "keypoints": flat(p)} for i, p in ((1, small), (2, small), (1, big))]
        assert parse_coco(people, Path("r.json")).poses.tracks.tolist() == [1, 0, 0]

    @pytest.mark.parametrize("absent", [[0, 0, 0], [0, 0, 0.4], [5, 6, 0], [None, None, None], [float("nan"), 3, 0.9]])
    def test_every_way_to_say_missing_becomes_nan(self, tmp_path, absent):
        keypoints = flat(person())[:48] + absent
        poses = load_poses(write(tmp_path / "r.json", [{"image_id": 1, "keypoints": keypoints}])).poses
        assert np.isnan(poses.points[0, 16]).all() and poses.scores[0, 16] == 0
        assert poses.visible[0, :16].all()

    def test_people_without_a_joint_are_left_out(self):
        people = [{"image_id": 1, "keypoints": [0] * 51}, {"image_id": 2, "keypoints": flat(person())}]
        assert parse_coco(people, Path("r.json")).media == ("2",)

    @given(files())
    def test_what_is_written_is_read_again(self, file):
        results = json.loads(json.dumps(coco_results(file.poses, file.media), allow_nan=False))
        assert all(len(r["keypoints"]) == 51 and r["category_id"] == 1 for r in results)
        again, expected = parse_coco(results, Path("r.json")), file.poses.to(COCO17)
        there = expected.visible.any(axis=1)
        assert again.media == tuple(np.array(file.media, object)[there])
        np.testing.assert_allclose(again.poses.points, expected.points[there], atol=0.006, rtol=1e-6)
        np.testing.assert_allclose(again.poses.scores, expected.scores[there], atol=1.1e-4)
        np.testing.assert_allclose(again.poses.boxes, expected.boxes[there], atol=0.02, rtol=1e-6)
        for name in ("frames", "times", "tracks"):
            np.testing.assert_array_equal(getattr(again.poses, name), getattr(expected, name)[there])

    def test_image_ids_count_pictures(self):
        poses = Poses.of(np.ones((4, 17, 2)), COCO17, frames=[0, 0, 1, 0])
        results = coco_results(poses, ["a.mp4", "a.mp4", "a.mp4", "b.mp4"])
        assert [r["image_id"] for r in results] == [1, 1, 2, 3]
        assert results[0]["time"] is None

    def test_poses_in_space_are_refused(self):
        with pytest.raises(UsageError, match=r"\.npz"):
            coco_results(Poses.of(np.ones((1, 17, 3)), H36M17, unit="metre"), ["a"])


class TestCocoAnnotations:
    def annotations(self, names, joints, **more):
        return {
            "images": [{"id": 5, "file_name": "five.jpg"}, {"id": 6, "file_name": "six.jpg"}],
            "categories": [{"id": 1, "name": "person", "keypoints": list(names)}, {"id": 2, "name": "chair"}],
            "annotations": [
                {"id": 1, "image_id": 6, "category_id": 1, "keypoints": flat(joints), **more},
                {"id": 2, "image_id": 5, "category_id": 2, "bbox": [0, 0, 1, 1]},
            ],
        }

    def test_labelled_joints_are_there_whether_hidden_or_not(self, tmp_path):
        joints = np.c_[person()[:, :2], [0, 1, 2] * 5 + [0, 1]]
        file = load_poses(write(tmp_path / "a.json", self.annotations(COCO17.joints, joints, bbox=[1, 2, 3, 4])))
        assert file.media == ("six.jpg",)
        np.testing.assert_array_equal(file.poses.visible[0], joints[:, 2] > 0)
        assert set(file.poses.scores[0]) == {0, 1} and file.poses.person_scores[0] == 1
        np.testing.assert_array_equal(file.poses.boxes[0], [1, 2, 4, 6])

    @pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
    def test_the_categorys_names_tell_the_skeleton_in_any_order(self, skeleton):
        order, joints = np.random.default_rng(2).permutation(len(skeleton)), person(skeleton)
        names = [skeleton.joints[i].replace("_", " ").title() for i in order]
        poses = parse_coco(self.annotations(names, joints[order]), Path("a.json")).poses
        assert poses.skeleton == skeleton
        np.testing.assert_allclose(poses.points[0], joints[:, :2])

    def test_other_spellings_and_a_skeleton_with_less(self):
        names = ["top_head", "neck", "l_shoulder", "R-Shoulder", "left_hip", "right_hip"]
        joints = person()[:6]
        poses = parse_coco(self.annotations(names, joints), Path("a.json")).poses
        assert poses.skeleton == LSP14 and poses.visible.sum() == 6
        np.testing.assert_allclose(poses.points[0, LSP14.index("head_top")], joints[0, :2])
        np.testing.assert_allclose(poses.points[0, LSP14.index("right_shoulder")], joints[3, :2])

    @pytest.mark.parametrize("names", [["nose", "tail_start"], ["nose", "head", "left_heel"], ["nose", "nose"]])
    def test_unknown_skeletons_are_named_with_the_known_ones(self, names):
        with pytest.raises(FormatError, match=r"a\.json: .*known: COCO17 \(17 joints\), BODY13"):
            parse_coco(self.annotations(names, person()[: len(names)]), Path("a.json"))

    def test_an_image_that_is_not_listed(self):
        content = self.annotations(COCO17.joints, person()) | {"images": [{"id": 5, "file_name": "five.jpg"}]}
        with pytest.raises(FormatError, match="image_id 6 is not among its images"):
            parse_coco(content, Path("a.json"))


class TestOpenPose:
    ORDER18 = ("nose", "thorax", *BODY25.joints[2:8], *BODY25.joints[9:19])

    def frame(self, *people, ids=-1):
        return {"version": 1.3, "people": [{"person_id": [ids], "pose_keypoints_2d": flat(p)} for p in people]}

    def test_a_folder_is_a_clip(self, tmp_path):
        folder = tmp_path / "out"
        folder.mkdir()
        hidden = person(BODY25)
        hidden[4] = 0
        write(folder / "dance_000000000012_keypoints.json", self.frame(hidden, person(BODY25, 1)))
        write(folder / "dance_000000000002_keypoints.json", self.frame(person(BODY25, 2)))
        write(folder / "dance_000000000007_keypoints.json", self.frame())
        file = load_poses(folder)
        assert file.media == ("dance",) * 3 and file.poses.skeleton == BODY25
        assert file.poses.frames.tolist() == [2, 12, 12] and sorted(file.poses.tracks[1:]) == [0, 1]
        assert np.isnan(file.poses.points[1, 4]).all() and file.poses.visible.sum() == 74
        np.testing.assert_allclose(file.poses.points[0], person(BODY25, 2)[:, :2])
        assert np.isnan(file.poses.times).all()
        clip = read_openpose(folder, fps=4).poses
        assert clip.fps == 4 and clip.times.tolist() == [0.5, 3, 3]

    @pytest.mark.parametrize(("names", "media", "frames"), [
        (["000000000003", "000000000004"], ("out", "out"), [3, 4]),
        (["ski", "tennis_2"], ("ski", "tennis_2"), [0, 0]),
        (["take2_1_09", "take2_1_10"], ("take2_1", "take2_1"), [9, 10]),
        (["ski"], ("ski",), [0]),
    ])
    def test_names_tell_clips_from_images(self, tmp_path, names, media, frames):
        contents = [(tmp_path / "out" / f"{name}_keypoints.json", self.frame(person(BODY25))) for name in names]
        file = parse_openpose(contents)
        assert file.media == media and file.poses.frames.tolist() == frames

    def test_coco18_by_name(self, tmp_path):
        joints = person()[[*range(17), 0]]
        poses = load_poses(write(tmp_path / "a_keypoints.json", self.frame(joints, ids=4))).poses
        assert poses.skeleton == BODY25 and poses.tracks.tolist() == [4]
        for name, joint in zip(self.ORDER18, joints):
            np.testing.assert_allclose(poses.points[0, BODY25.index(name)], joint[:2], err_msg=name)
        assert not poses.visible[0, BODY25.index("left_heel")]

    def test_mpi15_by_name(self):
        joints = person(LSP14)[[*range(14), 0]]
        poses = parse_openpose([(Path("a.json"), self.frame(joints))]).poses
        assert poses.skeleton == MPII16
        for name, row in {"head_top": 0, "neck": 1, "right_wrist": 4, "left_shoulder": 5, "left_ankle": 13}.items():
            np.testing.assert_allclose(poses.points[0, MPII16.index(name)], joints[row, :2], err_msg=name)
        hips = (joints[8, :2] + joints[11, :2]) / 2
        np.testing.assert_allclose(poses.points[0, MPII16.index("pelvis")], hips, rtol=1e-6)

    def test_a_folder_without_people(self, tmp_path):
        write(tmp_path / "a_0_keypoints.json", self.frame())
        assert len(load_poses(tmp_path).poses) == 0

    def test_what_is_wrong_is_named(self, tmp_path):
        with pytest.raises(FormatError, match=r"has no \.json files"):
            read_openpose(tmp_path)
        one, two = tmp_path / "a_1_keypoints.json", tmp_path / "a_2_keypoints.json"
        with pytest.raises(FormatError, match=r"a_1_keypoints\.json: person 0 has 17 body joints; known: BODY_25"):
            load_poses(write(one, self.frame(person())))
        write(one, self.frame(person(BODY25)))
        write(two, self.frame(person()[[*range(17), 0]]))
        with pytest.raises(FormatError, match=r"a_2_keypoints\.json: has OpenPose COCO-18 people, earlier .* BODY25"):
            load_poses(tmp_path)
        write(two, {"shapes": []})
        with pytest.raises(FormatError, match=r"a_2_keypoints\.json: not an OpenPose file"):
            load_poses(tmp_path)


class Tensor:
    """Stands for a tensor on a GPU: numpy cannot read it without `detach().cpu()`."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def detach(self):
        return self

    def cpu(self):
        return SimpleNamespace(numpy=lambda: self.array)


class TestUltralytics:
    def result(self, *people, ids=None):
        data = np.array(people, float).reshape(-1, 17, 3)
        return SimpleNamespace(
            keypoints=SimpleNamespace(data=Tensor(data), xy=Tensor(data[..., :2]), conf=Tensor(data[..., 2])),
            boxes=SimpleNamespace(xyxy=Tensor([[0, 0, 9, 9]] * len(people)), conf=Tensor([0.5] * len(people)),
                                  id=None if ids is None else Tensor(np.array(ids, float))),
        )

    def test_results_keypoints_and_arrays_agree(self):
        joints = person()
        joints[2, :2] = 0  # not seen, though its confidence stays
        result = self.result(joints)
        for given_as in (result, [result], iter([result]), result.keypoints, np.array([joints]), Tensor([joints])):
            poses = from_ultralytics(given_as)
            assert poses.skeleton == COCO17 and poses.visible.sum() == 16 and not poses.visible[0, 2]
            np.testing.assert_allclose(poses.points[0, 5], joints[5, :2])
            np.testing.assert_allclose(poses.scores[0, 5], joints[5, 2], rtol=1e-6)
        assert from_ultralytics(np.array([joints])[..., :2]).scores[0, 5] == 1

    def test_a_stream_gives_frames_boxes_and_track_ids(self):
        poses = from_ultralytics([self.result(person(), ids=[7]), self.result(), self.result(person(), ids=[7])])
        assert poses.frames.tolist() == [0, 2] and poses.tracks.tolist() == [7, 7]
        np.testing.assert_array_equal(poses.boxes[0], [0, 0, 9, 9])
        np.testing.assert_array_equal(poses.person_scores, [0.5, 0.5])

    def test_nobody_there(self):
        for nothing in ([], SimpleNamespace(keypoints=None), self.result(), np.zeros((0, 17, 3)), np.zeros((1, 0, 2))):
            assert len(from_ultralytics(nothing)) == 0

    def test_a_model_of_other_joints(self):
        with pytest.raises(UsageError, match=r"shape \(1, 21, 2\); expected \(n, 17, 2 or 3\)"):
            from_ultralytics(np.ones((1, 21, 3)))


class TestRtmlib:
    @pytest.mark.parametrize("joints", [17, 26, 133])
    def test_cocos_joints_come_first(self, joints):
        points = np.arange(1.0, 2 * joints * 2 + 1).reshape(2, joints, 2)
        scores = np.full((2, joints), 0.5)
        scores[1, 16] = 0
        poses = from_rtmlib(points, scores)
        np.testing.assert_allclose(poses.points[0], points[0, :17])
        assert not poses.visible[1, 16] and poses.visible.sum() == 33 and poses.skeleton == COCO17

    def test_nobody_there_and_another_layout(self):
        assert len(from_rtmlib(np.zeros((0, 17, 2)), np.zeros((0, 17)))) == 0
        with pytest.raises(UsageError, match="without to_openpose"):
            from_rtmlib(np.ones((1, 18, 2)), np.ones((1, 18)))


class TestMediaPipe:
    def test_all_the_forms_it_comes_in(self):
        values = np.random.default_rng(0).uniform(0.1, 0.9, (33, 4))
        marks = [SimpleNamespace(x=x, y=y, z=z, visibility=v) for x, y, z, v in values]
        for given_as in (
            SimpleNamespace(pose_landmarks=[marks]),  # the landmarker
            SimpleNamespace(pose_landmarks=SimpleNamespace(landmark=marks)),  # solutions.pose
            [marks], marks, values, values[None], values.tolist(),
        ):
            poses = from_mediapipe(given_as, image_size=(200, 100))
            assert poses.skeleton == BLAZEPOSE33 and len(poses) == 1
            np.testing.assert_allclose(poses.points[0], values[:, :2] * [200, 100], rtol=1e-5)
            np.testing.assert_allclose(poses.scores[0], values[:, 3], rtol=1e-5)
        assert (from_mediapipe(values[:, :2], (200, 100)).scores == 1).all()

    def test_nobody_there_and_other_shapes(self):
        for nothing in (None, [], SimpleNamespace(pose_landmarks=None), SimpleNamespace(pose_landmarks=[])):
            assert len(from_mediapipe(nothing, (640, 480))) == 0
        for wrong in (np.ones((33, 3)), np.ones((1, 21, 4))):
            with pytest.raises(UsageError, match=r"expected \(n, 33, 2\) or \(n, 33, 4\)"):
                from_mediapipe(wrong, (640, 480))


class TestPoseFile:
    @given(files())
    def test_saving_and_loading_is_exact(self, tmp_path_factory, file):
        path = tmp_path_factory.getbasetemp() / "poses.npz"
        save_poses(path, file.poses, file.media)
        again = load_poses(path)
        assert again.media == file.media
        assert (again.poses.skeleton, again.poses.unit) == (file.poses.skeleton, "pixel")
        assert again.poses.fps == file.poses.fps
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(again.poses, name), getattr(file.poses, name), err_msg=name)

    def test_space_and_a_skeleton_of_the_users_own(self, tmp_path):
        own = Skeleton("TAIL2", ("left_tail", "right_tail"))
        poses = Poses.of(np.arange(12.0).reshape(2, 2, 3), own, unit="metre", fps=120)
        save_poses(tmp_path / "p.npz", poses)
        again = load_poses(tmp_path / "p.npz")
        assert (again.poses.skeleton, again.poses.unit, again.poses.fps, again.media) == (own, "metre", 120, ("", ""))
        np.testing.assert_array_equal(again.poses.points, poses.points)

    def test_any_numpy_reads_it_without_pickle(self, tmp_path):
        save_poses(tmp_path / "p.npz", Poses.of(np.ones((1, 17, 2)), COCO17), ["a.jpg"])
        with np.load(tmp_path / "p.npz", allow_pickle=False) as archive:
            assert {k: archive[k].shape for k in archive.files} == {
                "format": (), "version": (), "points": (1, 17, 2), "scores": (1, 17), "boxes": (1, 4),
                "person_scores": (1,), "frames": (1,), "times": (1,), "tracks": (1,), "skeleton": (), "joints": (17,),
                "unit": (), "fps": (), "media": (1,),
            }

    @pytest.mark.parametrize(("change", "message"), [
        ({"format": "other"}, "not a samepose pose file"),
        ({"version": 2}, "version 2, not 1; update samepose"),
        ({"points": np.ones((1, 3, 2))}, "damaged"),
        ({"joints": np.array(COCO17.joints[::-1])}, "COCO17 has other joints than ours"),
        ({"unit": "mile"}, "unit 'mile' is not one of pixel"),
        ({"media": np.array(["a", "b"])}, "2 media names for 1 poses"),
        ({"scores": None}, "damaged"),
        ({"media": np.array([{}], object)}, "not a readable"),
    ])
    def test_damage_is_named(self, tmp_path, change, message):
        path = tmp_path / "p.npz"
        save_poses(path, Poses.of(np.ones((1, 17, 2)), COCO17))
        with np.load(path) as archive:
            fields = {k: v for k, v in ({k: archive[k] for k in archive.files} | change).items() if v is not None}
        np.savez(path, **fields)
        with pytest.raises(FormatError, match=message) as caught:
            load_poses(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)

    @given(st.data())
    def test_a_cut_or_flipped_file_is_a_format_error_or_still_whole(self, tmp_path_factory, data):
        whole = pose_bytes(KeypointFile(Poses.of(np.ones((1, 17, 2)), COCO17), ("a",)))
        at = data.draw(st.integers(0, len(whole) - 1))
        path = tmp_path_factory.getbasetemp() / "damaged.npz"
        path.write_bytes(data.draw(st.sampled_from([whole[:at], whole[:at] + b"\xff" + whole[at + 1 :]])))
        with suppress(FormatError):
            assert len(read_posefile(path).poses) == 1


class TestLoadAndSave:
    def test_the_suffix_tells_how_to_save_and_the_content_how_to_load(self, tmp_path):
        poses = Poses.of(np.full((2, 17, 2), 5.0), COCO17)
        save_poses(tmp_path / "p.json", poses, ["a.jpg", "b.jpg"])
        assert load_poses(tmp_path / "p.json").media == ("a.jpg", "b.jpg")
        save_poses(tmp_path / "p.npz", poses)
        (tmp_path / "p.npz").rename(tmp_path / "p.dat")
        assert len(load_poses(tmp_path / "p.dat").poses) == 2
        assert {path.name for path in tmp_path.iterdir()} == {"p.json", "p.dat"}
        with pytest.raises(UsageError, match=r"p\.csv: .*\.npz, \.json or \.trc"):
            save_poses(tmp_path / "p.csv", poses)
        with pytest.raises(UsageError, match="1 media names for 2 poses"):
            save_poses(tmp_path / "p.npz", poses, ["a.jpg"])

    @pytest.mark.parametrize(("content", "message"), [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'[{"image_id": 1, "keypoints": [1, 2', "line 1, column .* cut short"),
        (b'{"frames": []}', "no kind of keypoint file.*COCO.*OpenPose"),
        (b'[{"image_id": 1, "bbox": [1, 2, 3, 4]}]', "nobody in it has 'keypoints'"),
        (b'[{"image_id": 1, "keypoints": [1, 2]}]', "person 0 has 2 keypoint numbers, not threes"),
        (b'[{"image_id": 1, "keypoints": ["a", 2, 3]}]', "not numbers"),
        (b'[{"image_id": 1, "keypoints": [Infinity, 2, 3]}]', "infinite"),
        (b'[{"image_id": 1, "keypoints": [1, 2, 1]}]', r"has 1 joints, expected 17.*known: COCO17 \(17 joints\)"),
        (b'{"annotations": [], "images": [{}]}', "images need id and file_name"),
    ])
    def test_what_is_wrong_is_named(self, tmp_path, content, message):
        path = tmp_path / "k.json"
        path.write_bytes(content)
        with pytest.raises(FormatError, match=message) as caught:
            load_poses(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)

    def test_no_such_file(self, tmp_path):
        with pytest.raises(FormatError, match=r"nothing\.json: cannot be read"):
            load_poses(tmp_path / "nothing.json")

    @given(st.fixed_dictionaries({"keypoints": st.just([1, 2, 1] * 17) | JSON}, optional=dict.fromkeys(
        ("image_id", "category_id", "score", "bbox", "frame", "time", "track", "file_name"), JSON
    )))
    def test_no_json_crashes_the_coco_reader(self, person):
        for content in ([person], {"annotations": [person], "images": [{"id": 1, "file_name": "a"}]}):
            with suppress(FormatError):
                parse_coco(content, Path("r.json"))

    @given(JSON, JSON)
    def test_no_json_crashes_the_openpose_reader(self, keypoints, person_id):
        people = [{"pose_keypoints_2d": k, "person_id": person_id} for k in (keypoints, [1, 2, 1] * 25)]
        for content in (keypoints, {"people": keypoints}, {"people": people[:1]}, {"people": people[1:]}):
            with suppress(FormatError):
                parse_openpose([(Path("a.json"), content)])
