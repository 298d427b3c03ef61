"""index, info, search, label, remove and detect, on drawn people."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

import samepose
from drawn_people import Shell, detector, embedder, photo, video
from samepose.cli.app import main
from samepose.cli.search import MIN_SCORE
from samepose.formats.keypoints import load_poses, save_poses


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    photo(folder / "photos" / "down.png", arms=15)
    photo(folder / "photos" / "out.jpg", arms=80, quality=92)
    photo(folder / "photos" / "two.png", people=2, arms=45)
    photo(folder / "photos" / "nobody.png", people=0)
    video(folder / "clip.mp4")
    return folder


@pytest.fixture(scope="module")
def filled(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of all the media."""
    from samepose.index import Index

    place = tmp_path_factory.mktemp("filled") / "index"
    report = Index.open(place, create=True, root=media, detector=detector(), embedder=embedder()).add(media)
    assert report.people > 10 and not report.failed
    return place


def test_index_says_what_it_did_and_skips_it_the_second_time(run: Shell, media: Path) -> None:
    first = run.json("index", media / "photos", "--label", "drawn")
    assert (first["index"], first["done"], first["nobody"], first["people"]) == ("samepose-index", 3, 1, 4)
    assert first["failed"] == [] and first["seconds"] > 0
    assert run.err == ""
    second = run("index", media / "photos")
    assert second.out.splitlines() == [second.out.strip()]
    assert "0 people added" in second.out and "4 unchanged" in second.out
    assert run.json("info")["labels"] == {"drawn": 4}


def test_quiet_and_environment(run: Shell, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEPOSE_INDEX", "elsewhere")
    assert run("index", media / "photos" / "down.png", "--quiet").out == ""
    assert run.err == ""
    assert Path("elsewhere").is_dir() and not Path("samepose-index").exists()
    assert "1 person" in run("info", "--index", "elsewhere").out.replace("people:         1,", "1 person")
    assert run("search", media / "photos" / "down.png", "--copies", "--quiet").out.count("down.png") == 1
    assert run.err == ""


def test_search_finds_the_picture_itself_first(run: Shell, media: Path, filled: Path) -> None:
    found = run.json("search", media / "photos" / "out.jpg", "--copies", "--index", filled, "-k", 3,
                     "--where", "photos/*", "--min-score", 0)
    assert list(found) == ["query", "results"]
    best = found["results"][0]
    assert list(best) == ["id", "score", "path", "time", "span", "frame", "person", "box", "mirrored", "label",
                          "moment"]
    assert (best["path"], best["time"], best["span"], best["frame"], best["person"]) == (
        "photos/out.jpg", None, None, 0, 0)
    assert len(best["box"]) == 4 and best["mirrored"] is False and best["label"] is None
    scores = [r["score"] for r in found["results"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True) and 0 < scores[0] <= 1
    assert found["query"]["people"] == 1 and found["query"]["person"] == 0


def test_search_prints_a_table_and_says_who_was_asked_for(run: Shell, media: Path, filled: Path) -> None:
    run("search", media / "photos" / "two.png", "--copies", "--index", filled, "-k", 2, "--where", "photos/*")
    assert run.err.strip() == f"query: {media / 'photos' / 'two.png'}, person 0 of 2 (most prominent)"
    head, first, _ = run.out.splitlines()
    assert head.split() == ["#", "score", "match", "path", "time", "person", "id"]
    assert first.split()[0] == "1" and "two.png" in first
    run("search", media / "photos" / "two.png", "--copies", "--index", filled, "--person", 1,
        "--ignore", "left_arm,nose")
    assert "person 1 of 2, without left_elbow, left_wrist, nose" in run.err


def test_the_ignored_joints_do_not_matter(run: Shell, media: Path, filled: Path, tmp_path: Path) -> None:
    poses = detector().detect(np.asarray(_image(media / "photos" / "down.png")))
    moved = poses.points.copy()
    moved[:, [7, 9]] += 70  # left elbow and wrist
    for name, points in (("as-is", poses.points), ("moved", moved)):
        save_poses(tmp_path / f"{name}.npz", type(poses).of(points, poses.skeleton, scores=poses.scores))
    results = {
        (name, ignore): [
            r["score"] for r in run.json("search", f"{name}.npz", "--copies", "--index", filled, *ignore)["results"]]
        for name in ("as-is", "moved") for ignore in ((), ("--ignore", "left_arm"))
    }
    assert results["as-is", ("--ignore", "left_arm")] == results["moved", ("--ignore", "left_arm")]
    assert results["as-is", ()] != results["moved", ()]


def test_search_by_video_needs_a_time_and_takes_track_ids(run: Shell, media: Path, filled: Path) -> None:
    clip = media / "clip.mp4"
    run.fails("search", clip, "--copies", "--index", filled, code=2, says=[str(clip), "say with --at"])
    found = run.json("search", clip, "--copies", "--at", 0.5, "--index", filled, "-k", 1, "--where", "*.mp4")
    best = found["results"][0]
    assert best["span"][0] <= best["time"] <= best["span"][1]
    assert abs(best["time"] - 0.5) < 0.6
    tracked = run.json("search", clip, "--copies", "--at", 0.5, "--person", 0, "--index", filled, "-k", 1)
    assert tracked["query"]["person"] == 0 and tracked["query"]["time"] == pytest.approx(0.5)
    message = run.fails("search", clip, "--at", 0.5, "--person", 5, "--index", filled, code=2, says=["person 5"])
    assert "there is 0" in message
    run.fails("search", clip, "--copies", "--at", 60, "--index", filled, code=3, says=[str(clip), "earlier time"])


def test_moments_of_videos_are_compared(run: Shell, media: Path, filled: Path) -> None:
    words = ["search", media / "clip.mp4", "--copies", "--at", 0.5, "--index", filled, "-k", 1]
    found = run.json(*words)
    assert (found["query"]["moment"], found["query"]["alone"], found["results"][0]["moment"]) == (0.3, None, 0.3)
    assert found["results"][0]["time"] == pytest.approx(0.5)
    again = run.json("search", found["results"][0]["id"], "--index", filled, "--where", "*.mp4", "--min-score", 0)
    assert again["query"]["moment"] == 0.3
    assert "the only person; with 0.3 s before and after" in run(*words).err
    alone = run.json(*words, "--moment", 0)
    assert (alone["query"]["moment"], alone["query"]["alone"], alone["results"][0]["moment"]) == (0, None, 0)
    message = run.fails(*words, "--moment", 3, code=2, says=["--moment is 3"])
    assert message.count("\n") <= 1
    photo = ["search", media / "photos" / "out.jpg", "--copies", "--index", filled, "-k", 1]
    assert run.json(*photo)["query"]["moment"] == 0
    assert "the frame alone is compared, for the query has no frames" in run(*photo, "--moment", 0.3).err


def test_search_by_id_leaves_itself_out(run: Shell, media: Path, filled: Path) -> None:
    own = run.json("search", media / "photos" / "down.png", "--copies", "--index", filled, "-k", 1)["results"][0]["id"]
    found = run.json("search", own, "--index", filled, "-k", 20)
    assert own not in [r["id"] for r in found["results"]] and found["results"]
    assert found["query"]["id"] == own and found["query"]["image"].endswith("down.png")
    run("search", own, "--index", filled)
    assert run.err.startswith(f"query: {own}, ")
    run.fails("search", own, "--index", filled, "--at", 1, code=2, says=[own, "--at"])
    run.fails("search", "000000000-5", "--index", filled, code=3, says=["000000000-5"])
    run.fails("search", "nothing.jpg", "--index", filled, code=2, says=["nothing.jpg", "no such file"])


def test_filters(run: Shell, media: Path, filled: Path) -> None:
    def paths(*options: object) -> set[str]:
        found = run.json("search", media / "photos" / "out.jpg", "--copies", "--index", filled, "-k", 50,
                         "--min-score", 0, *options)
        return {r["path"] for r in found["results"]}

    assert paths("--where", "*.png") == {"photos/down.png", "photos/two.png"}
    assert paths("--from", 0.2, "--to", 0.4) == {"clip.mp4"}
    words = ["search", media / "photos" / "out.jpg", "--copies", "--index", filled, "-k", 50, "--min-score"]
    near = run.json(*words, 0, "--where", "*.mp4")
    each = run.json(*words, 0, "--where", "*.mp4", "--distinct", 0)
    assert len(each["results"]) > len(near["results"])


def test_what_hardly_matches_is_left_out_unless_asked_for(run: Shell, media: Path, filled: Path) -> None:
    words = ["search", media / "photos" / "out.jpg", "--copies", "--index", filled, "-k", 50]
    every, likely = (run.json(*words, *more)["results"] for more in (("--min-score", 0), ()))
    assert [r["id"] for r in likely] == [r["id"] for r in every if r["score"] >= MIN_SCORE]
    assert 0 < len(likely) < len(every)
    assert run.json(*words, "--min-score", 1)["results"] == []
    assert "nothing found with a probability of 1 or more; --min-score 0 shows" in run(*words, "--min-score", 1).err


def test_mirror_says_which_hits_are_mirrored(run: Shell, media: Path, filled: Path) -> None:
    query = media / "photos" / "out.jpg"
    only = run.json("search", query, "--copies", "--index", filled, "--mirror", "only")["results"]
    assert only and all(r["mirrored"] for r in only)
    assert {r["mirrored"] for r in run.json("search", query, "--copies", "--index", filled)["results"]} == {False}
    both = run.json("search", query, "--copies", "--index", filled, "--mirror", "also", "-k", 1,
                    "--where", "photos/*")["results"]
    assert both[0]["path"] == "photos/out.jpg" and both[0]["mirrored"] is False
    assert "mirrored" in run("search", query, "--copies", "--index", filled, "--mirror", "only").out.splitlines()[0]


def test_label_and_remove(run: Shell, media: Path) -> None:
    run("index", media / "photos")
    assert run.json("label", "two.png", "pair")["people"] == 2
    words = ["search", media / "photos" / "down.png", "--copies", "--label", "pair", "--min-score", 0]
    found = run.json(*words)["results"]
    assert len(found) == 2 and {r["label"] for r in found} == {"pair"}
    assert "label" in run(*words).out.splitlines()[0]
    assert run.json("remove", found[0]["id"]) == {"index": "samepose-index", "people": 1, "files": 0}
    run.fails("remove", "*.png", code=2, says=["3 files and 2 people would be removed", "--yes", "--dry-run"])
    assert run.json("info")["media"] == 4
    listed = run.json("remove", "*.png", "--dry-run")
    assert (listed["files"], len(listed["paths"]), run.json("info")["media"]) == (3, 3, 4)
    assert run.json("remove", "*.png", "--yes") == {"index": "samepose-index", "people": 2, "files": 3}
    assert run.json("info")["media"] == 1
    run.fails("remove", "*.gif", code=3, says=["samepose-index", "*.gif"])
    run.fails("label", "*.gif", "name", code=3, says=["*.gif"])
    run.fails("label", "*.gif", code=2, says=["last the label"])
    assert "without a label" in run("label", "*", "").out


def test_a_plain_run_reads_as_was_asked_for_before(run: Shell, media: Path) -> None:
    people = run.json("index", media / "clip.mp4", "--fps", 5, "--mode", "fast")["people"]
    again = run.json("index", media / "clip.mp4")
    assert people and (again["unchanged"], again["people"]) == (1, 0)
    assert run.json("index", media / "clip.mp4", "--fps", 10)["people"] > people


def test_files_are_listed_with_what_is_amiss(run: Shell, media: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    run("index", media / "photos" / "down.png", "bad.png", code=1)
    assert [(f["path"].rpartition("/")[2], f["status"], f["people"]) for f in run.json("info", "--files")] == [
        ("down.png", "done", 1), ("bad.png", "failed", 0)]
    (bad,) = run.json("info", "--failed")
    assert bad["path"] == "bad.png" and "not an image" in bad["error"]
    head, line = run("info", "--failed").out.splitlines()
    assert head.split() == ["status", "people", "path", "error"] and line.split()[:3] == ["failed", "0", "bad.png"]
    run("remove", "bad.png")
    assert run("info", "--failed").out == "" and "no file has failed" in run.err


def test_the_root_can_be_told(run: Shell, media: Path, tmp_path: Path) -> None:
    photo(tmp_path / "old" / "a.png")
    run("index", "old", "--root", "old", "--index", "ix")
    (tmp_path / "old").rename("new")
    assert run.json("index", "--root", "new", "--index", "ix")["files"] == 1
    assert run.json("info", "--index", "ix")["root"] == (tmp_path / "new").resolve().as_posix()
    run.fails("index", "--root", "none", "--index", "ix", code=2, says=["none: no such folder"])
    run.fails("index", "--root", "new", "--index", "nowhere", code=3, says=["no index here"])


@pytest.mark.parametrize("pattern", ["", ".", "./"])
def test_nothing_is_removed_or_labelled_by_an_empty_pattern(run: Shell, media: Path, pattern: str) -> None:
    run("index", media / "photos", "--label", "drawn")
    run.fails("remove", pattern, "--yes", code=2, says=["names no file"])
    run.fails("label", pattern, "x", code=2, says=["names no file"])
    assert run.json("info")["labels"] == {"drawn": 4}


def test_removal_of_much_is_asked_for_on_a_terminal(
    run: Shell, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    run("index", media / "photos")
    monkeypatch.setattr("sys.stderr", Terminal())
    for answer, left in (("\n", 4), ("no\n", 4), ("y\n", 1)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        main(["remove", "*.png"])
        assert samepose.Index.open("samepose-index").info().media == left


def test_labels_are_written_down_and_given_back(run: Shell, media: Path) -> None:
    run("index", media / "photos", "--label", "drawn")
    run("label", "two.png", "pair")
    assert run.json("info", "--export", "labels.json")["files"] == 4
    run("remove", "*", "--yes")
    run("index", media / "photos")
    assert run.json("info")["labels"] == {}
    assert run.json("label", "--import", "labels.json")["people"] == 4
    assert run.json("info")["labels"] == {"drawn": 2, "pair": 2}
    run.fails("label", "--import", "labels.json", "*", code=2, says=["--import"])
    run.fails("label", "--import", "none.json", code=2, says=["none.json"])
    Path("labels.json").write_text("[1]")
    run.fails("label", "--import", "labels.json", code=3, says=["labels.json"])
    run.fails("info", "--export", "labels.txt", code=2, says=["*.json"])


def test_prune_forgets_what_is_gone(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "pictures" / "a.png")
    photo(tmp_path / "pictures" / "b.png", arms=70)
    run("index", "pictures")
    (tmp_path / "pictures" / "b.png").unlink()
    assert run.json("index", "pictures")["removed"] == 0
    assert run.json("index", "pictures", "--prune")["removed"] == 1
    assert run.json("info")["media"] == 1


def test_re_embed_alone(run: Shell, media: Path) -> None:
    run("index", media / "photos" / "two.png")
    assert run.json("index", "--re-embed") == {"index": "samepose-index", "re_embedded": 2, "lost": []}
    run.fails("index", "--re-embed", "--index", "none", code=3, says=["none", "no index"])


def test_detect_saves_prints_and_draws(run: Shell, media: Path, tmp_path: Path) -> None:
    people = run.json("detect", media / "photos", media / "clip.mp4", "--fps", 5, "--out", "poses.npz",
                      "--draw", "drawn")
    assert {p["category_id"] for p in people} == {1}
    assert all(len(p["keypoints"]) == 51 and len(p["bbox"]) == 4 for p in people)
    clip = [p for p in people if p["file_name"].endswith("clip.mp4")]
    assert [p["time"] for p in clip] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8]) and {p["track"] for p in clip} == {0}
    assert {p["time"] for p in people if not p["file_name"].endswith("clip.mp4")} == {None}
    saved = load_poses(tmp_path / "poses.npz")
    assert len(saved.poses) == len(people) and list(saved.media) == [p["file_name"] for p in people]
    drawn = sorted(p.name for p in (tmp_path / "drawn").iterdir())
    assert drawn[:3] == ["clip-000000.jpg", "clip-000002.jpg", "clip-000004.jpg"]
    assert drawn[-4:] == ["down.jpg", "nobody.jpg", "out.jpg", "two.jpg"]
    assert "saved poses.json" in run("detect", media / "photos" / "two.png", "--out", "poses.json").out
    assert len(json.loads((tmp_path / "poses.json").read_text())) == 2


def test_equal_names_from_two_folders_are_both_drawn(run: Shell, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        photo(tmp_path / folder / "same.png")
    run("detect", "a", "b", "--draw", "drawn")
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["same-2.jpg", "same.jpg"]


def test_indexing_a_keypoint_file_equals_indexing_the_media(run: Shell, media: Path) -> None:
    run("index", media / "photos", media / "clip.mp4", "--index", "seen")
    run("detect", media / "photos", media / "clip.mp4", "--out", "poses.npz")
    report = run.json("index", "--keypoints", "poses.npz", "--index", "given")
    assert report["people"] == run.json("info", "--index", "seen")["people"] and report["seconds"] > 0
    query = media / "photos" / "two.png"
    seen, given = (run.json("search", query, "--copies", "--index", name, "-k", 30)["results"]
                   for name in ("seen", "given"))
    assert [(r["path"], r["score"], r["time"]) for r in seen] == [(r["path"], r["score"], r["time"]) for r in given]


def test_keypoint_names_are_looked_up_in_the_media(run: Shell, media: Path, tmp_path: Path) -> None:
    run("detect", media / "photos" / "down.png", media / "photos" / "out.jpg", "--out", "poses.json")
    people = json.loads((tmp_path / "poses.json").read_text())
    for person in people:
        person["file_name"] = Path(person["file_name"]).name
    (tmp_path / "poses.json").write_text(json.dumps(people))
    run("index", media / "photos", "--keypoints", "poses.json")
    found = run.json("search", media / "photos" / "out.jpg", "--copies", "--min-score", 0)["results"]
    assert [Path(r["path"]).is_file() for r in found] == [True, True]


def test_keypoints_of_a_clip_as_query(run: Shell, media: Path, filled: Path) -> None:
    run("detect", media / "clip.mp4", "--out", "clip.npz", "--fps", 5)
    run.fails("search", "clip.npz", "--index", filled, code=2, says=["clip.npz", "5 moments", "say with --at"])
    found = run.json("search", "clip.npz", "--copies", "--at", 0.43, "--index", filled, "-k", 1)
    assert found["query"]["time"] == pytest.approx(0.4) and found["query"]["image"] == str(media / "clip.mp4")
    assert found["query"]["moment"] == 0 and "is seen in 3, and 4 are needed" in found["query"]["alone"]  # 5 a second
    run.fails("search", "clip.npz", "--at", 0.4, "--person", 3, "--index", filled, code=2, says=["person 3"])


def _image(path: Path) -> object:
    from PIL import Image

    return Image.open(path)


def test_the_querys_own_picture_is_left_out_unless_asked_for(run: Shell, media: Path, filled: Path) -> None:
    words = ["search", media / "photos" / "out.jpg", "--index", filled, "--min-score", 0, "-k", 50]
    assert "photos/out.jpg" not in {r["path"] for r in run.json(*words)["results"]}
    assert "photos/out.jpg" in {r["path"] for r in run.json(*words, "--copies")["results"]}
    assert "nothing found besides the query's own picture, which --copies shows" in run(
        *words, "--where", "out.jpg").err


def test_scores_are_put_in_words(run: Shell, media: Path, filled: Path) -> None:
    words = ["search", media / "photos" / "out.jpg", "--index", filled, "--min-score", 0, "-k", 50, "--copies"]
    scores = [r["score"] for r in run.json(*words)["results"]]
    said = [re.search("very likely|unlikely|likely|perhaps", line) for line in run(*words).out.splitlines()[1:]]
    for score, word in zip(scores, said, strict=True):
        at_least = sum(score >= least for least in (0.25, 0.5, 0.8))
        expected = ("unlikely", "perhaps", "likely", "very likely")[at_least]
        assert word is not None and word[0] == expected


def test_finds_are_exported_and_the_command_says_where(run: Shell, media: Path, filled: Path, tmp_path: Path) -> None:
    words = ["search", media / "photos" / "out.jpg", "--index", filled, "--min-score", 0, "-k", 50]
    run(*words, "--csv", "finds.csv", "--report", "page.html", "--copy-to", "finds")
    for text in ("wrote finds.csv", "wrote page.html", "to finds"):
        assert text in run.err
    found = list(dict.fromkeys(line.split(",")[2] for line in Path("finds.csv").read_text().splitlines()[1:]))
    copies = sorted(Path("finds").iterdir(), key=lambda path: int(path.name.partition("-")[0]))
    assert [copy.name.partition("-")[2] for copy in copies] == [Path(path).name for path in found]
    assert [copy.read_bytes() for copy in copies] == [(media / path).read_bytes() for path in found]
    page = Path("page.html").read_text()
    assert f'href="{(media / "clip.mp4").as_uri()}#t=' in page
    assert f'href="{(media / "photos/down.png").as_uri()}"' in page


def test_a_filter_that_matches_nothing_says_so(run: Shell, media: Path, filled: Path) -> None:
    words = ["search", media / "photos" / "out.jpg", "--index", filled]
    assert "--where winter/* matches no file of the index" in run(*words, "--where", "winter/*").err
    assert "nobody in the index has the label jmup" in run(*words, "--label", "jmup").err
