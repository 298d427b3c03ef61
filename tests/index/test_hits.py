"""`Hits`: a sequence, and the files it is written as."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samepose.errors import SameposeError, UsageError
from samepose.index import Hit, Hits
from samepose.poses import Poses
from samepose.query.query import Query
from samepose.skeleton import COCO17

POSE = Poses.of(np.random.default_rng(0).uniform(0, 200, (1, 17, 2)), COCO17)
STILL = Hit("0a1b2c3d4-0", 0.91234567, "a, b.jpg", None, None, 0, 2, None, True, None, POSE, Path("/media"))
MOVING = Hit("0a1b2c3d5-7", 0.5, "clip.mp4", 1.25, (1.0, 1.5), 12, 3, (1.0, 2.0, 30.5, 40.126), False, "jump", POSE,
             Path("/media"))


@pytest.fixture
def hits() -> Hits:
    return Hits(Query(POSE, "query.jpg", None, None, 0, 1), [STILL, MOVING], Path("/media"))


def test_a_sequence(hits: Hits) -> None:
    assert (len(hits), hits[0], hits[-1], list(hits)) == (2, STILL, MOVING, [STILL, MOVING])
    assert isinstance(hits[1:], Hits) and list(hits[1:]) == [MOVING] and hits[1:].query is hits.query
    assert MOVING in hits and hits.index(MOVING) == 1
    assert repr(hits) == "<Hits: 2 for query.jpg, person 0 of 1 (most prominent), best 0.91 in a, b.jpg>"
    assert repr(hits[2:]) == "<Hits: 0 for query.jpg, person 0 of 1 (most prominent)>"
    assert STILL.file == Path("/media/a, b.jpg")


def test_json_is_that_of_the_command_line(hits: Hits, tmp_path: Path) -> None:
    told = hits.to_json()
    assert told == {"query": hits.query.to_json(), "results": [
        {"id": "0a1b2c3d4-0", "score": 0.9123, "path": "a, b.jpg", "time": None, "span": None, "frame": 0, "person": 2,
         "box": None, "mirrored": True, "label": None, "moment": 0.0},
        {"id": "0a1b2c3d5-7", "score": 0.5, "path": "clip.mp4", "time": 1.25, "span": [1.0, 1.5], "frame": 12,
         "person": 3, "box": [1.0, 2.0, 30.5, 40.13], "mirrored": False, "label": "jump", "moment": 0.0},
    ]}
    hits.write(tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text()) == told


def test_csv_has_a_row_for_each_hit(hits: Hits, tmp_path: Path) -> None:
    hits.write(tmp_path / "found.csv")
    with (tmp_path / "found.csv").open(newline="") as file:
        head, still, moving = csv.reader(file)
    assert ",".join(head) == "id,score,path,time,from,to,frame,person,x0,y0,x1,y1,mirrored,label,moment"
    assert still == ["0a1b2c3d4-0", "0.9123", "a, b.jpg", "", "", "", "0", "2", "", "", "", "", "True", "", "0.0"]
    assert moving == ["0a1b2c3d5-7", "0.5", "clip.mp4", "1.25", "1.0", "1.5", "12", "3", "1.0", "2.0", "30.5", "40.13",
                      "False", "jump", "0.0"]
    hits[2:].write(tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text() == ",".join(head) + "\n"


def test_page_and_picture(hits: Hits, tmp_path: Path) -> None:
    hits.write(tmp_path / "found.html", title="Jumps & falls")
    text = (tmp_path / "found.html").read_text()
    assert "<title>Jumps &amp; falls</title>" in text and text.count("<article>") == 3
    hits.write(str(tmp_path / "found.PNG"))
    with Image.open(tmp_path / "found.PNG") as picture:
        assert picture.width > picture.height > 300


def test_what_cannot_be_written(hits: Hits, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found.txt: hits are written as \*.html, \*.png, \*.csv, \*.json"):
        hits.write(tmp_path / "found.txt")
    for name in ("none/found.csv", "none/found.json", "none/found.html", "none/found.png"):
        with pytest.raises(SameposeError, match="cannot be written"):
            hits.write(tmp_path / name)
