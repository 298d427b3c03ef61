"""index --embedding, search --by and re-embedding, on drawn people and with a network of patches."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawn_people import Shell, photo
from image_network import image_embedder
from samepose.embed.image import ImageEmbedder


@pytest.fixture
def pictures(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    looks = image_embedder(tmp_path)
    monkeypatch.setattr(ImageEmbedder, "load", lambda **_: looks)
    photo(tmp_path / "p" / "down.png", arms=15)
    photo(tmp_path / "p" / "two.png", people=2, arms=45)
    return tmp_path / "p"


def test_an_index_of_both_is_searched_by_each(run: Shell, pictures: Path) -> None:
    assert run.json("index", pictures, "--embedding", "both")["no_pixels"] == 0
    facts = run.json("info")
    assert [s["name"] for s in facts["spaces"]] == ["keypoints", "pixels"]
    assert facts["covered"] == {"keypoints": 3, "pixels": 3}
    assert "pixels: image-1 (" in run("info").out and ", 3 people" in run.out
    for by, words in (("keypoints", ""), ("pixels", "; by pixels"), ("both", "; by keypoints and pixels")):
        found = run.json("search", pictures / "down.png", "--by", by, "--copies")
        assert found["query"]["by"] == by and found["results"][0]["path"] == "p/down.png"
        run("search", pictures / "down.png", "--by", by, "--copies", "--report", "r.html", "--force")
        assert run.err.splitlines()[-1].endswith(f"the only person{words}") or f"{words}" in run.err
        assert ("by pixels: how probable" in Path("r.html").read_text()) == (by == "pixels")
    run.fails("search", pictures / "down.png", "--by", "pixels", "--ignore", "legs", code=2, says=["--by keypoints"])
    run("detect", pictures / "down.png", "--out", "poses.npz")
    run.fails("search", "poses.npz", "--by", "pixels", code=2, says=["poses.npz", "no picture", "--by keypoints"])
    told = run("index", "--keypoints", "poses.npz", "--force").out
    assert "1 person not to be found by pixels: given as keypoints" in told


def test_pixels_are_added_to_an_index_and_taken_from_it(run: Shell, pictures: Path) -> None:
    run("index", pictures)
    run.fails("search", pictures / "down.png", "--by", "pixels", code=3,
              says=["by keypoints", "samepose index --re-embed --embedding both"])
    run.fails("index", pictures, "--embedding", "both", code=3, says=["samepose index --re-embed --embedding both"])
    (pictures / "two.png").unlink()
    run("index", "--re-embed", "--embedding", "both", code=1)
    licence, first, second = run.err.splitlines()
    assert "for research only" in licence and "read again" in first
    assert "p/two.png" in second and "not there any more" in second
    assert "3 people embedded anew with prvipe" in run.out and "and image-1" in run.out
    assert run.json("info")["covered"] == {"keypoints": 3, "pixels": 1}
    assert run.json("search", pictures / "down.png", "--by", "pixels", "--copies")["results"][0]["path"] == "p/down.png"
    assert run.json("index", "--re-embed", "--embedding", "keypoints") == {
        "index": "samepose-index", "re_embedded": 3, "lost": []}
    assert run.json("info")["covered"] == {"keypoints": 3}
