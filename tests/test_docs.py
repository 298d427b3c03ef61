"""The site builds without a warning, and reads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert text.count("<math") > 40 and "mathjax" not in text.lower() and "$$" not in text


def test_everything_public_has_a_page(site: Path) -> None:
    import samepose

    names = [name for name in samepose.__all__ if not name.startswith("_")]
    assert not [name for name in names if not (site / "reference" / "python" / f"{name}.html").is_file()]
