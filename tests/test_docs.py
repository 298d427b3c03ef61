"""The site builds without a warning, and reads nothing from elsewhere."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import samepose

ROOT = Path(__file__).parents[1]
pytest.importorskip("sphinx", reason="the site takes the docs extra: make docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-E", "-q", "-W", "--keep-going", "docs", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)\"", text)
        loaded += re.findall(r"<link\b(?=[^>]*\brel=\"(?:stylesheet|icon|preload)\")[^>]*\bhref=\"([^\"]+)\"", text)
        assert loaded and not [url for url in loaded if re.match(r"(?:\w+:)?//", url)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:\w+:)?//", sheet.read_text()), sheet


def test_equations_need_no_script(site: Path) -> None:
    text = (site / "explanations" / "probability.html").read_text()
    scripts = re.findall(r"<script\b[^>]*\bsrc=\"([^\"]+)\"", text)
    assert text.count("<math") > 40 and "$$" not in text
    assert not [url for url in scripts if "math" in url.lower()]


def test_everything_public_has_a_page(site: Path) -> None:
    names = [name for name in samepose.__all__ if not name.startswith("_")]
    assert not [name for name in names if not (site / "reference" / "python" / f"{name}.html").is_file()]


# What the examples call their things.
NAMES: dict[str, Any] = {"samepose": samepose, "index": samepose.Index}
PAGES = [ROOT / "README.md", *(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name not in ("results", "_build")
                               and "reference" not in p.parts)]


def calls(page: Path) -> Iterator[tuple[str, ast.Call]]:
    """Calls in a page's Python examples of what samepose gives, by dotted name."""
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in NAMES:
                yield ast.unparse(node.func), node


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_examples_call_what_there_is(page: Path) -> None:
    for dotted, call in calls(page):
        first, *rest = dotted.split(".")
        if "(" in dotted:
            continue  # a method of a result: `samepose.align(a, b).write`
        owner = called = NAMES[first]
        for name in rest:
            owner, called = called, getattr(called, name)
        bound = inspect.isclass(owner) and not inspect.ismethod(called)
        words = {keyword.arg: None for keyword in call.keywords if keyword.arg}
        inspect.signature(called).bind(*([None] if bound else []), *call.args, **words)
