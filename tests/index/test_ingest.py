"""What goes into an index, and what a second run leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeDetector, FakeEmbedder, opened, photo, rows, video
from samepose.errors import MediaError, StoreError, UsageError
from samepose.index import Index, Report
from samepose.poses import Poses
from samepose.skeleton import COCO17, H36M17

EMBEDDER = FakeEmbedder()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return opened(tmp_path / "ix")


def add(index: Index, *paths: Path, detector: FakeDetector | None = None, **options: object) -> Report:
    return opened(index.uri, detector).add(*paths, **options)  # type: ignore[arg-type]


def test_rows_hold_what_was_detected(index: Index, tmp_path: Path) -> None:
    file = photo(tmp_path / "m/photo.png", 3, 7)
    add(index, file)
    from samepose.media.image import read_image

    expected = FakeDetector().detect(read_image(file))
    (medium,) = index.select()
    ids, poses, embeddings, searchable = index.people_of(medium)
    assert (medium.path, medium.kind, medium.status, medium.people) == ("m/photo.png", "image", "done", 3)
    assert ids == [f"{medium.id:09x}-{n}" for n in range(3)]
    assert searchable.all()
    for name in ("points", "scores", "boxes", "person_scores", "frames", "times", "tracks"):
        np.testing.assert_array_equal(getattr(poses, name), getattr(expected, name))
    np.testing.assert_array_equal(embeddings.mean, EMBEDDER.embed(expected).mean)
    np.testing.assert_array_equal(embeddings.var, EMBEDDER.embed(expected).var)
    assert index.row(ids[1]).pose.points.tolist() == expected.points[1:2].tolist()


def test_video_rows_carry_times_and_tracks(index: Index, tmp_path: Path) -> None:
    add(index, video(tmp_path / "clip.mp4", 2, frames=20, rate=20))
    (medium,) = index.select()
    _, poses, _, _ = index.people_of(medium)
    assert (medium.fps, medium.kind, len(poses)) == (10.0, "video", 20)
    np.testing.assert_allclose(np.unique(poses.times), np.arange(10) / 10, atol=1e-6)
    assert set(poses.frames.tolist()) == set(range(0, 20, 2))
    assert set(poses.tracks.tolist()) == {0, 1}


def test_second_run_reads_and_changes_nothing(index: Index, tmp_path: Path) -> None:
    for i in range(6):
        photo(tmp_path / f"m/photo{i}.png", i % 3, i)
    video(tmp_path / "m/deep/er/clip.mp4", 1)
    (tmp_path / "m/bad.jpg").write_bytes(b"no image")
    first = add(index, tmp_path / "m")
    assert (first.done, first.nobody, first.people, len(first.failed)) == (5, 2, 18, 1)
    before, detector, versions = rows(index), FakeDetector(), (index._store.people.version, index._store.media.version)
    again = add(index, tmp_path / "m", detector=detector)
    assert (again.unchanged, again.done, again.people, detector.calls) == (7, 0, 0, 0)
    assert again.failed[0][0] == "m/bad.jpg"
    assert rows(index) == before
    assert (index._store.people.version, index._store.media.version) == versions


def test_changed_file_is_replaced_and_a_touched_one_only_noted(index: Index, tmp_path: Path) -> None:
    changed, touched = photo(tmp_path / "a.png", 1, 1), photo(tmp_path / "b.png", 2, 2)
    add(index, tmp_path)
    photo(changed, 3, 9)
    os.utime(touched, ns=(1, 1))
    detector = FakeDetector()
    report = add(index, tmp_path, detector=detector)
    assert (report.done, report.unchanged, report.people, detector.calls) == (1, 1, 3, 1)
    assert {m.path: (m.people, m.mtime == 1) for m in index.select()} == {"a.png": (3, False), "b.png": (2, True)}
    assert index.info().people == 5
    assert add(index, tmp_path, detector=detector).unchanged == 2
    assert detector.calls == 1


def test_moved_file_keeps_its_people_and_a_copy_gets_its_own(index: Index, tmp_path: Path) -> None:
    file = photo(tmp_path / "m/a.png", 2, 1)
    add(index, tmp_path / "m")
    (before,) = index.select()
    (tmp_path / "m/sub").mkdir()
    file.rename(tmp_path / "m/sub/b.png")
    detector = FakeDetector()
    assert add(index, tmp_path / "m", detector=detector).moved == 1
    (after,) = index.select()
    assert (after.path, after.id) == ("m/sub/b.png", before.id)
    (tmp_path / "m/c.png").write_bytes((tmp_path / "m/sub/b.png").read_bytes())
    report = add(index, tmp_path / "m", detector=detector)
    assert (report.copied, report.unchanged, detector.calls) == (1, 1, 0)
    people, _ = rows(index)
    assert len(people) == 4
    copies = {m.path: index.people_of(m) for m in index.select()}
    np.testing.assert_array_equal(copies["m/c.png"][1].points, copies["m/sub/b.png"][1].points)
    assert set(copies["m/c.png"][0]).isdisjoint(copies["m/sub/b.png"][0])


def test_other_settings_read_again(index: Index, tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 1)
    video(tmp_path / "b.mp4", 1, frames=20, rate=20)
    add(index, tmp_path)
    assert index.info().people == 11
    report = add(index, tmp_path, fps=5.0)
    assert (report.done, report.unchanged, index.info().people) == (1, 1, 6)
    report = add(index, tmp_path)
    assert (report.done, report.unchanged, index.info().people) == (0, 2, 6)
    video(tmp_path / "m/c.mp4", 1, frames=20, rate=20, seed=1)
    add(index, tmp_path / "m")  # a new one is read as was asked for last
    assert {m.fps for m in index.clips()} == {5.0}
    assert index.remove("c.mp4").people == 5
    (tmp_path / "m/c.mp4").unlink()
    report = add(index, tmp_path, fps=None)
    assert (report.done, report.unchanged, index.info().people) == (1, 1, 21)
    report = add(index, tmp_path, fps=None, detector=FakeDetector("fake-2"))
    assert (report.done, report.unchanged, index.info().people) == (2, 0, 21)
    assert {m.mode for m in index.select()} == {"fake-2"}


def test_bad_file_is_named_remembered_and_stops_nobody(index: Index, tmp_path: Path) -> None:
    photo(tmp_path / "m/a.png", 1)
    (tmp_path / "m/b.png").write_bytes(b"no image")
    (tmp_path / "m/c.mp4").write_bytes(b"no video")
    (tmp_path / "m/notes.txt").write_text("left alone: neither image nor video")
    photo(tmp_path / "m/d.png", 2, 3)
    report = add(index, tmp_path / "m", tmp_path / "m/notes.txt")
    assert [path for path, _ in report.failed] == ["m/b.png", "m/c.mp4", "m/notes.txt"]
    assert all(why and "\n" not in why for _, why in report.failed)
    assert report.done == 2
    assert index.info().status == {"done": 2, "failed": 2}
    photo(tmp_path / "m/b.png", 1, 4)
    report = add(index, tmp_path / "m")
    assert (report.done, report.unchanged, len(report.failed)) == (1, 2, 1)
    assert index.info().status == {"done": 3, "failed": 1}


def test_video_that_breaks_off_keeps_the_people_before(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import samepose.detection
    from samepose.index import batch

    def broken(path: Path, detector: FakeDetector, fps: float | None) -> object:
        for i in range(50):
            yield None, Poses.of(np.random.default_rng(i).random((1, 17, 2)), COCO17, frames=[i], times=[i / 10],
                                 tracks=[0])
        raise MediaError(f"{path}: breaks off")

    monkeypatch.setattr(batch, "_PEOPLE", 20)  # part of them is written before the end
    monkeypatch.setattr(samepose.detection, "detect", broken)
    report = add(index, video(tmp_path / "clip.mp4", 1))
    assert (report.failed, report.cut, report.done) == ([], [("clip.mp4", "breaks off")], 1)
    assert (report.people, index.info().people) == (50, 50)
    (medium,) = index.select()
    assert (medium.status, medium.people, medium.error) == ("done", 50, "breaks off")
    (tmp_path / "copy.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes())
    again = add(index, tmp_path / "clip.mp4", tmp_path / "copy.mp4")
    assert (again.unchanged, again.copied, [path for path, _ in again.cut]) == (1, 1, ["clip.mp4", "copy.mp4"])


def test_prune_forgets_only_what_vanished_from_the_folders_named(index: Index, tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        photo(tmp_path / name, 1, int(name[2]))
    add(index, tmp_path / "a", tmp_path / "b")
    (tmp_path / "a/1.png").unlink()
    (tmp_path / "b/3.png").unlink()
    assert add(index, tmp_path / "a").removed == 0
    assert add(index, tmp_path / "a", prune=True).removed == 1
    assert sorted(m.path for m in index.select()) == ["a/2.png", "b/3.png"]
    assert index.info().people == 2
    (tmp_path / "b").rmdir()
    with pytest.raises(UsageError, match="no such file or folder"):
        add(index, tmp_path / "b", prune=True)


def test_label_of_new_and_known_files(index: Index, tmp_path: Path) -> None:
    photo(tmp_path / "m/a.png", 2)
    photo(tmp_path / "n/b.png", 1, 1)
    add(index, tmp_path / "m", label="squat")
    add(index, tmp_path / "n")
    assert index.info().labels == {"squat": 2}
    add(index, tmp_path, label="jump")
    assert index.info().labels == {"jump": 3}
    add(index, tmp_path)
    assert index.info().labels == {"jump": 3}
    assert index.label(["m/*.png"], "rest's") == 2
    assert index.info().labels == {"jump": 1, "rest's": 2}
    a = next(m for m in index.select() if m.path == "m/a.png")
    assert index.label([f"{a.id:09x}-1"], None) == 1
    assert index.info().labels == {"jump": 1, "rest's": 1}


def test_remove_by_pattern_folder_and_id(index: Index, tmp_path: Path) -> None:
    for i in range(4):
        photo(tmp_path / f"m{i % 2}/p{i}.png", 2, i)
    add(index, tmp_path)
    ids = {m.path: m.id for m in index.select()}
    assert index.remove(["p0.png"]).people == 2
    assert index.remove([f"{ids['m1/p1.png']:09x}-0"]).people == 1
    assert next(m.people for m in index.select() if m.path == "m1/p1.png") == 1
    assert add(index, tmp_path / "m1").unchanged == 2
    assert index.info().people == 5
    assert index.remove([f"{ids['m0/p2.png']:09x}"]).people == 2
    assert index.remove(["m1/"]).people == 3
    assert index.remove(["nothing"]).people == 0
    assert rows(index) == ([], [])


def test_people_with_few_joints_are_kept_but_not_searchable(index: Index, tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((3, 17, 2)) * 100
    points[1, 5:] = np.nan
    index.add(Poses.of(points, COCO17), name=tmp_path / "photo.jpg")
    info = index.info()
    assert (info.people, info.searchable) == (3, 2)
    (medium,) = index.select()
    ids, poses, embeddings, searchable = index.people_of(medium)
    assert searchable.tolist() == [True, False, True]
    assert len(embeddings) == 2
    assert index.row(ids[1]).embedding is None
    np.testing.assert_array_equal(poses.points, points.astype(np.float32))


def test_given_keypoints(index: Index, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    poses = Poses.of(rng.random((4, 17, 2)), COCO17, times=[0, 0.1, 0.2, 0.3], frames=[0, 1, 2, 3], tracks=[0] * 4)
    report = index.add(poses, name=["a.jpg", "b.jpg", "a.jpg", "a.jpg"], label="x")
    assert (report.done, report.people) == (2, 4)
    versions = index._store.people.version
    assert index.add(poses, name=["a.jpg", "b.jpg", "a.jpg", "a.jpg"]).unchanged == 2
    assert index._store.people.version == versions
    index.add(poses[:1], name="a.jpg")
    assert {Path(m.path).name: (m.people, m.kind, m.mode) for m in index.select()} == {
        "a.jpg": (1, "poses", "keypoints"), "b.jpg": (1, "poses", "keypoints")}
    index.add(poses[:0], name="c.jpg")
    assert index.info().status == {"done": 2, "nobody": 1}
    other = Poses.of(rng.random((2, 17, 2)), H36M17)
    index.add(other, name="d.jpg")
    assert index.people_of(next(m for m in index.select() if m.path.endswith("d.jpg")))[1].skeleton == H36M17
    with pytest.raises(UsageError, match="3D"):
        index.add(Poses.of(rng.random((1, 17, 3)), H36M17), name="e.jpg")
    with pytest.raises(UsageError, match="2 paths for 4 poses"):
        index.add(poses, name=["a.jpg", "b.jpg"])


def test_paths_outside_the_root_are_absolute(index: Index, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    photo(elsewhere / "a.png", 1)
    add(index, elsewhere)
    (medium,) = index.select()
    assert Path(medium.path) == elsewhere.resolve() / "a.png"
    assert index.file(medium.path).exists()


def test_progress_counts_files_and_parts_of_videos(index: Index, tmp_path: Path) -> None:
    photo(tmp_path / "m/a.png", 1)
    video(tmp_path / "m/b.mp4", 1, frames=40)
    told: list[tuple[float, float, str]] = []
    add(index, tmp_path / "m", progress=lambda *args: told.append(args))
    done = [t[0] for t in told]
    assert done == sorted(done)
    assert done[-1] == 2
    assert any(1.4 < d < 1.6 for d in done)
    assert told[-1][1:] == (2, "41 people, b.mp4")


def test_errors_name_the_index_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none: no index here; make one with `create=True`"):
        Index.open(tmp_path / "none")
    index = opened(tmp_path / "ix")
    photo(tmp_path / "a.png", 1)
    add(index, tmp_path / "a.png")
    other = opened(tmp_path / "ix", embedder=FakeEmbedder(sha256="cd" * 32))
    for use in (lambda: other.search(tmp_path / "a.png"), lambda: other.add(tmp_path / "a.png")):
        with pytest.raises(StoreError, match=r"ix: made with the model fake \(abababab\), not .*`Index.re_embed\(\)`"):
            use()
    with pytest.raises(StoreError, match="no person 000000001-0"):
        index.row("000000001-0")
    with pytest.raises(UsageError, match="is no id"):
        index.row("nonsense")
    for manifest in (tmp_path / "ix/people.lance/_versions").glob("*"):
        manifest.write_bytes(b"damage")
    with pytest.raises(StoreError, match="the index is damaged") as error:
        Index.open(tmp_path / "ix").info()
    assert "\n" not in str(error.value) and error.value.__cause__ is not None


def test_other_format_and_foreign_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lancedb

    from samepose.index import schema

    with monkeypatch.context() as patch:
        patch.setattr(schema, "FORMAT", "9")
        with pytest.raises(StoreError, match="written in format 9, this version reads format 2 and older"):
            opened(tmp_path / "old")
    with pytest.raises(StoreError, match="written in format 9, this version reads format 2 and older"):
        Index.open(tmp_path / "old")
    db = lancedb.connect(tmp_path / "foreign")
    db.create_table("media", [{"a": 1}])
    db.create_table("people", [{"a": 1}])
    with pytest.raises(StoreError, match="not an index of samepose"):
        Index.open(tmp_path / "foreign")


def test_creation_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    opened(tmp_path / "ix")
    import shutil

    shutil.rmtree(tmp_path / "ix/media.lance/_versions")
    with pytest.raises(StoreError, match="no index here"):
        Index.open(tmp_path / "ix")
    photo(tmp_path / "a.png", 2)
    assert add(opened(tmp_path / "ix"), tmp_path / "a.png").people == 2


def test_a_passing_error_is_tried_again_and_costs_nobody(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the system refuses once is read at the next run; what was found in it before stays meanwhile."""
    from samepose.index import plan

    def unreadable(file: Path) -> str:
        raise OSError(5, "Input/output error", str(file))

    known, *_ = (photo(tmp_path / f"m/{name}.png", 2, i) for i, name in enumerate(("known", "new", "gone")))
    add(index, known)
    os.utime(known, ns=(1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(plan, "file_hash", unreadable)
        report = add(index, tmp_path / "m")
    assert [path for path, _ in report.failed] == ["m/gone.png", "m/known.png", "m/new.png"]
    assert index.info().status == {"done": 1, "failed": 2} and index.info().people == 2
    report = add(index, tmp_path / "m")
    assert (report.done, report.unchanged, report.failed) == (2, 1, [])

    def refused(path: Path, *_: object) -> object:
        raise MediaError(f"{path}: reading it is not permitted") from PermissionError(13, "Permission denied")

    photo(known, 3, 7)
    photo(tmp_path / "m/late.png", 1, 9)
    with monkeypatch.context() as patch:
        patch.setattr("samepose.detection.detect", refused)
        report = add(index, tmp_path / "m")
    assert [path for path, _ in report.failed] == ["m/known.png", "m/late.png"] and index.info().people == 6
    report = add(index, tmp_path / "m")
    assert (report.done, report.unchanged, report.failed, index.info().people) == (2, 2, [], 8)


def test_labels_survive_another_rate_and_an_edit(index: Index, tmp_path: Path) -> None:
    clip, still = video(tmp_path / "clip.mp4", 2, frames=40, rate=20), photo(tmp_path / "still.png", 2)
    add(index, clip, still)
    medium = index.select("clip.mp4")[0]
    index.label("still.png", "all")
    index.label([f"{medium.shown}-{n}" for n in range(0, 20, 2)], "first second")
    chosen = {p["track"] & 7 for p in rows(index)[0] if p["label"] == "first second"}
    report = add(index, clip, still, fps=None)
    assert (report.done, report.lost) == (1, [])
    found = [(p["track"] & 7, p["time"]) for p in rows(index)[0] if p["label"] == "first second"]
    assert {track for track, _ in found} == chosen and 18 <= len(found) <= 24 and max(t for _, t in found) < 1.2
    photo(still, 3, 9)
    add(index, clip, still)
    assert index.info().labels["all"] == 3
    index.label(f"{index.select('still.png')[0].shown}-1", "one")
    photo(still, 0)
    report = add(index, still)
    assert [path for path, _ in report.lost] == ["still.png"] and "'one'" in report.lost[0][1]


def test_an_index_finds_its_own_detector_again(tmp_path: Path) -> None:
    from samepose.detection.movenet import MoveNet

    place = tmp_path / "ix"
    fast = Index.open(place, create=True, root=tmp_path, detector=MoveNet("fast", 1), embedder=FakeEmbedder())
    fast.add(photo(tmp_path / "a.png", 1))
    again = Index.open(place, embedder=FakeEmbedder())
    assert again.detector.name == fast.detector.name
    assert again.add(tmp_path / "a.png").unchanged == 1
    opened(tmp_path / "other").add(tmp_path / "a.png")
    with pytest.raises(UsageError, match="filled by the detector fake-1"):
        Index.open(tmp_path / "other", embedder=FakeEmbedder()).add(tmp_path / "a.png")
