"""Judgements from a file: what is read, what is left out, and who is whose negative."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samepose.errors import FormatError
from samepose.training.image.judgements import Judgements


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k, name in enumerate("abcd"):
        Image.new("RGB", (40, 30), (60 * k, 90, 90)).save(tmp_path / f"{name}.png")
    Image.new("RGB", (15, 15)).save(tmp_path / "small.png")
    (tmp_path / "damaged.png").write_bytes(b"nothing")
    return tmp_path


def judged(folder: Path, *lines: str, header: str = "anchor,positive,negative") -> Judgements:
    (folder / "j.csv").write_text("\n".join((header, *lines)) + "\n")
    return Judgements.read(folder / "j.csv")


def test_lines_are_triplets_of_images_each_read_once(folder: Path) -> None:
    found = judged(folder, "a.png,b.png,c.png", "", " a.png , d.png,b.png")
    assert found.rows.tolist() == [[0, 1, 2], [0, 3, 1]] and len(found.crops) == 4 and not found.skipped
    swapped = judged(folder, "c.png,b.png,a.png", header="\ufeffnegative,positive,anchor")
    middle = [round(float(image[0].mean())) for image in swapped.crops.pixels[swapped.rows[0], 96:97, 96:97, :1]]
    assert middle == [0, 60, 120]


def test_lines_that_cannot_be_used_are_named_with_why(folder: Path) -> None:
    found = judged(folder, "a.png,none.png,c.png", "a.png,b.png,b.png", "a.png,b.png,c.png", "a.png,a.png,c.png",
                   "a.png,b.png", "a.png,damaged.png,c.png", "a.png,b.png,small.png", "a.png,b.png,./b.png",
                   "a.png,,b.png")
    assert len(found.rows) == 1
    assert [line for line, _ in found.skipped] == [2, 3, 5, 6, 7, 8, 9, 10]
    why = [reason for _, reason in found.skipped]
    for reason, words in zip(why, ("none.png", "its positive is its negative", "compared with itself", "3 columns",
                                   "damaged.png", "smaller than 16 pixels", "its positive is its negative",
                                   "3 columns")):
        assert words in reason


def test_one_clear_error_where_nothing_is_left(folder: Path) -> None:
    with pytest.raises(FormatError, match=r"j\.csv: holds no judgement that can be used; line 2: .*none\.png"):
        judged(folder, "none.png,a.png,b.png")
    with pytest.raises(FormatError, match="'worse' is none of them"):
        judged(folder, "a.png,b.png,c.png", header="anchor,positive,worse")
    with pytest.raises(FormatError, match="first line must name the columns"):
        judged(folder, header="")
    with pytest.raises(FormatError, match=r"none\.csv"):
        Judgements.read(folder / "none.csv")


def test_negatives_are_all_but_the_anchor_and_those_judged_like_it(folder: Path) -> None:
    found = judged(folder, "a.png,b.png,c.png", "d.png,a.png,b.png")  # numbers: a 0, b 1, c 2, d 3
    allowed = found.may_be_negatives(np.array([0, 1]), np.array([0, 1, 2, 3, 2]))
    assert allowed.tolist() == [[False, False, True, False, True], [False, False, True, True, True]]
