"""The site: `make docs`. Nothing is fetched when it is built, nor when it is read."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import reference  # noqa: E402
import results  # noqa: E402

from samepose import __version__  # noqa: E402

results.write_pages(HERE.parent / "results", HERE / "results")
reference.write_pages(HERE / "reference")

project, author, release = "samepose", "the samepose authors", __version__
copyright = "the samepose authors, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_block"]
myst_heading_anchors = 3
smartquotes_action = "D"  # of the fields of docstrings; quotation marks stay as they are
html_math_renderer = "mathml"

default_role = "py:obj"  # `names` in docstrings are code, and links where they are public
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_ivar, napoleon_use_rtype = True, False

html_theme = "furo"
html_title = f"samepose {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_sphinx = False
pygments_style, pygments_dark_style = "friendly", "github-dark"


def plain(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Bars in docstrings are lengths and sets, not reStructuredText's substitutions."""
    lines[:] = [re.sub(r"(?<!\\)\|", r"\\|", line) for line in lines]


def setup(app: object) -> None:
    app.connect("autodoc-process-docstring", plain)  # type: ignore[attr-defined]
