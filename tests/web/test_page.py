"""The page in a real browser."""

from __future__ import annotations

from web.browser import OpenTab


def test_it_opens(tab: OpenTab) -> None:
    page = tab()
    assert page.title() == "samepose"
