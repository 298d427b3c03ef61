"""Finding people: likeness, duplicates, cropping, more people than the network's six, and real pixels."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drawn_people import picture
from samepose.detection import detect, detected
from samepose.detection.likeness import COCO_SIGMAS, distinct, overlap
from samepose.detection.movenet import JOINT_SCORE, PERSON_SCORE, MoveNet, oks
from samepose.errors import MediaError, UsageError
from samepose.media.draw import draw_poses
from samepose.media.square import Square
from samepose.media.video import Frame
from samepose.poses import Poses
from samepose.skeleton import COCO17


def someone(seed: int = 0, n: int = 1) -> Poses:
    return Poses.of(np.random.default_rng(seed).uniform(100, 300, (n, 17, 2)), COCO17)


def test_oks_equals_the_plain_loops() -> None:
    a, b = someone(0, 3).hide(joints=["nose", "left_knee"]), someone(1, 4).hide(joints=["right_wrist"])
    areas = np.array([4000.0, 900.0, 20000.0])
    for i in range(3):
        for j in range(4):
            terms = []
            for k in range(17):
                squared = ((a.points[i, k].astype(float) - b.points[j, k]) ** 2).sum()
                if not np.isnan(squared):
                    terms.append(np.exp(-squared / (2 * areas[i] * (2 * float(COCO_SIGMAS[k])) ** 2)))
            assert oks(a, b, areas)[i, j] == pytest.approx(np.mean(terms), abs=1e-6)


def test_oks_of_equal_shifted_and_disjoint_poses() -> None:
    person = someone()
    assert oks(person, person)[0, 0] == pytest.approx(1)
    further = [oks(person, Poses.of(person.points + d, COCO17))[0, 0] for d in (1, 4, 16, 300)]
    assert (np.diff(further) < 0).all() and further[-1] < 1e-3
    hidden = person.hide(joints=COCO17.joints[:9])
    assert oks(hidden, person.hide(joints=COCO17.joints[9:]))[0, 0] == 0
    assert oks(person, Poses.empty(COCO17)).shape == (1, 0)


def test_overlap() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(overlap(boxes, boxes)[0], [1, 50 / 150, 0, 0])


def test_one_pose_per_person_the_surest() -> None:
    person = someone()
    points = np.concatenate([person.points, person.points + 2, person.points + 900])
    scores = np.repeat([[0.5], [0.8], [0.3]], 17, axis=1)
    assert distinct(Poses.of(points, COCO17, scores=scores)) == [1, 2]
    assert distinct(Poses.empty(COCO17)) == []


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
def test_drawn_person_is_found_the_right_way_round(mode: Any) -> None:
    image = np.asarray(picture(size=480))
    people = MoveNet(mode, threads=2).detect(image)
    assert len(people) == 1 and people.person_scores[0] >= PERSON_SCORE
    assert people.skeleton == COCO17 and people.unit == "pixel" and people.tracks.tolist() == [0]
    drawn = {"left_shoulder": (455, 240), "right_shoulder": (345, 240), "left_hip": (435, 430),
             "right_hip": (365, 430), "left_knee": (450, 560), "right_ankle": (345, 690)}
    for joint, place in drawn.items():
        k = COCO17.index(joint)
        assert people.scores[0, k] >= JOINT_SCORE
        assert np.linalg.norm(people.points[0, k] - np.array(place) * 480 / 800) < 30, joint
    box = people.boxes[0]
    assert box[0] < 480 * 345 / 800 and box[2] > 480 * 455 / 800 and box[1] < 480 * 240 / 800


def test_accurate_takes_the_surer_of_a_look_at_the_mirror_image() -> None:
    image, square = np.asarray(picture(size=300)), Square(20, 10, 290)
    turned, other = np.ascontiguousarray(image[:, ::-1]), Square(300 - 20 - 290, 10, 290)
    once, twice = MoveNet("balanced", threads=1), MoveNet("accurate", threads=1)
    points, scores = twice.look(image, square)
    again, scores_again = twice.look(turned, other)
    mirror = np.array(COCO17.mirror)
    np.testing.assert_allclose(again[mirror] * [-1, 1] + [300, 0], points, atol=1e-3)
    np.testing.assert_array_equal(scores_again[mirror], scores)
    (first, sure), (_, sure_turned) = once.look(image, square), once.look(turned, other)
    np.testing.assert_array_equal(scores, np.maximum(sure, sure_turned[mirror]))
    np.testing.assert_array_equal(points[sure == scores], first[sure == scores])
    assert 0 < (sure == scores).sum() < 17


def test_places_follow_the_image() -> None:
    """A person pasted elsewhere, or shown larger, is found there; a portrait works like a landscape."""
    detector, figure = MoveNet("balanced", threads=2), picture(size=300)
    ground = figure.resize((1, 1)).resize((500, 800))
    here = detector.detect(np.asarray(figure))
    ground.paste(figure, (150, 400))
    there = detector.detect(np.asarray(ground))
    assert len(here) == 1 and len(there) == 1
    seen = (here.scores[0] > 0.4) & (there.scores[0] > 0.4)
    assert seen.sum() >= 10
    assert np.linalg.norm(there.points[0] - here.points[0] - (150, 400), axis=1)[seen].mean() < 8


def test_nobody_and_tiny_images() -> None:
    for shape in ((200, 300, 3), (1, 1, 3), (3, 2000, 3)):
        people = MoveNet("balanced", threads=2).detect(np.full(shape, 127, np.uint8))
        assert len(people) == 0 and people.skeleton == COCO17


def test_most_prominent_first() -> None:
    people = MoveNet("accurate", threads=2).detect(np.asarray(picture(people=2, size=320)))
    assert len(people) == 2 and people.tracks.tolist() == [0, 1]
    assert (np.diff(people.prominence()) <= 0).all()
    assert people.boxes[0, 0] < people.boxes[1, 0]  # the larger figure stands on the left


class CountedNetwork:
    """Stands in for the multipose network: it sees the white dots of an image, at most six of them."""

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        image = inputs["input:0"][0, :, :, 0]
        height, width = image.shape
        out = np.zeros((1, 6, 56), np.float32)
        blocks = image[: height // 8 * 8, : width // 8 * 8].reshape(height // 8, 8, width // 8, 8).max(axis=(1, 3))
        places = np.argwhere(blocks > 60)[:6] * 8 + 4
        for row, (y, x) in enumerate(places):
            offsets = np.linspace(-2, 2, 17)
            out[0, row, :51] = np.stack([(y + offsets) / height, (x + offsets) / width, np.full(17, 0.9)], 1).ravel()
            out[0, row, 51:] = (y - 3) / height, (x - 3) / width, (y + 3) / height, (x + 3) / width, 0.9
        return [out]


def test_a_crowd_is_searched_in_halves() -> None:
    image = np.zeros((320, 640, 3), np.uint8)
    for x in range(40, 640, 80):
        image[150:166, x : x + 16] = 255
    detector = MoveNet("accurate")
    detector._networks["multipose"] = CountedNetwork()
    found = detector._coarse(image, halvings=3)
    places = sorted({round(float(x) / 80) for x in found.boxes[:, [0, 2]].mean(axis=1) - 48})
    assert places == list(range(8))
    assert len(detector._coarse(image, halvings=0)) <= 18


@pytest.mark.usefixtures("unchecked")
def test_names_and_wrong_use() -> None:
    names = {MoveNet(mode).name for mode in ("fast", "balanced", "accurate")}
    assert len(names) == 3 and all(name.startswith("movenet-") for name in names)
    with pytest.raises(UsageError, match="fast, balanced or accurate"):
        MoveNet("best")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        MoveNet(threads=0)


def test_drawing_hides_what_counts_as_missing() -> None:
    assert inspect.signature(draw_poses).parameters["below"].default == JOINT_SCORE


class Dots:
    """A detector that finds one person whose nose is the mean level of the image."""

    name = "dots"

    def detect(self, image: np.ndarray) -> Poses:
        if image.mean() > 200:
            return Poses.empty(COCO17)
        return Poses.of(np.full((1, 17, 2), image.mean()) + np.arange(17)[:, None], COCO17)


def test_detect_photos_and_videos(tmp_path: Path) -> None:
    import av

    Image.new("RGB", (20, 20), (50, 50, 50)).save(tmp_path / "a.JPG")
    ((frame, photo),) = detect(tmp_path / "a.JPG", Dots())
    assert frame.image.shape == (20, 20, 3)
    assert photo.frames.tolist() == [0] and np.isnan(photo.times).all() and photo.tracks.tolist() == [0]
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=20)
        stream.width = stream.height = 32
        for i in range(20):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 13 * i, np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    looked_at = list(detect(tmp_path / "a.mp4", Dots(), fps=10))
    clips = [poses for _, poses in looked_at]
    assert [frame.index for frame, _ in looked_at] == list(range(0, 20, 2))
    assert len(clips) == 10 and [len(c) for c in clips] == [1] * 8 + [0] * 2
    assert [int(c.frames[0]) for c in clips[:8]] == list(range(0, 16, 2))
    np.testing.assert_allclose([c.times[0] for c in clips[:8]], np.arange(8) / 10)
    assert len(list(detect(tmp_path / "a.mp4", Dots(), fps=None))) == 20
    with pytest.raises(MediaError, match="suffix"):
        next(detect(tmp_path / "a.doc", Dots()))


def test_frames_looked_at_together_keep_their_order_and_a_cut_comes_last() -> None:
    def frames() -> Any:
        for i in range(7):
            yield Frame(i, i / 10, np.full((1, 1, 3), i, np.uint8))
        raise MediaError("a.mp4: cut; copy it again")

    class Uneven(MoveNet):
        """Later frames take less time."""

        def detect(self, image: np.ndarray) -> Poses:
            time.sleep((7 - image.mean()) / 200)
            return Dots().detect(image)

    slow = Uneven("fast", threads=3)
    slow.__dict__["on_one_thread"] = slow
    for detector in (Dots(), slow):
        got = []
        with pytest.raises(MediaError):
            for frame, people in detected(frames(), detector):
                got.append((frame.index, people.points[0, 0, 0]))
        assert got == [(i, i) for i in range(7)]
    stopped = detected(frames(), Dots())
    next(stopped)
    stopped.close()


def test_frames_on_a_core_each_give_what_one_gives_on_all(tmp_path: Path) -> None:
    images = [np.asarray(picture(people=1 + i % 2, size=256)) for i in range(4)]
    detector = MoveNet("balanced", threads=2)
    frames = iter([Frame(i, i / 10, image) for i, image in enumerate(images)])
    for (_, together), image in zip(detected(frames, detector), images, strict=True):
        alone = detector.detect(image)
        np.testing.assert_allclose(together.points, alone.points, atol=1e-2)
        np.testing.assert_allclose(together.scores, alone.scores, atol=1e-4)
    assert detector.on_one_thread.name == detector.name
