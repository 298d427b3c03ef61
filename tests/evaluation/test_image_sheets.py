"""What is written above sheets of people fits their width."""

from __future__ import annotations

from itertools import pairwise

from PIL import ImageFont

from samepose.evaluation.image_sheets import wrapped


def test_words_are_wrapped_where_a_line_would_be_too_wide() -> None:
    font = ImageFont.load_default(size=14)
    text = "In red the query; then the first 7, with their difference. Blue: a hit."
    lines = wrapped(text, font, 150)
    assert " ".join(lines) == text and all(font.getlength(line) <= 150 for line in lines)
    assert all(font.getlength(f"{line} {after.split()[0]}") > 150 for line, after in pairwise(lines))
    assert wrapped(text, font, 10_000) == [text] and wrapped("two words", font, 1) == ["two", "words"]
