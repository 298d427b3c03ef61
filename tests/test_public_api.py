"""The public names, and that importing them costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import samepose

NAMES = [
    "SKELETONS", "Embeddings", "FormatError", "Hit", "Hits", "Index", "Matching", "MediaError", "MoveNet", "Poses",
    "PrVipeEmbedder", "Query", "SameposeError", "Skeleton", "StoreError", "UsageError", "__version__", "embed_query",
    "load_poses", "resolve_query", "save_poses",
]


def test_the_public_names_are_these() -> None:
    assert samepose.__all__ == NAMES
    assert set(NAMES) <= set(dir(samepose))


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there_and_documented(name: str) -> None:
    value = getattr(samepose, name)
    assert value == getattr(samepose, name)
    if callable(value):
        assert value.__module__.startswith("samepose.") and value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        samepose.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_type_checkers_see_the_names_that_exist_at_run_time() -> None:
    tree = ast.parse(Path(samepose.__file__ or "").read_text())
    typed = {
        alias.name for block in tree.body if isinstance(block, ast.If) for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert typed == set(NAMES) - {"__version__"}
    assert (Path(samepose.__file__ or "").parent / "py.typed").is_file()


def test_importing_is_fast_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import samepose; took = time.perf_counter() - start\n"
        "print(took, *sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
            for _ in range(3)]
    loaded = set(runs[0][1:])
    assert not loaded & {"torch", "lancedb", "pyarrow", "onnxruntime", "numba", "av", "scipy", "PIL", "numpy", "rich"}
    assert min(float(r[0]) for r in runs) < 1.0  # 0.01 s on an idle machine; the bound is for a busy one


def test_the_command_line_loads_only_what_a_verb_needs() -> None:
    code = "import sys; from samepose.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stderr.split()
    assert not {"numpy", "lancedb", "onnxruntime", "samepose.query.query", "samepose.cli.search"} & set(loaded)


def test_the_lines_of_the_docstring_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from drawn_people import photo, video

    video(tmp_path / "clip.mp4", frames=2)
    photo(tmp_path / "photos" / "a.png", arms=15)
    photo(tmp_path / "photos" / "b.png", arms=80)
    photo(tmp_path / "query.jpg", arms=80)
    monkeypatch.chdir(tmp_path)
    text = (samepose.__doc__ or "").split("\n\n")
    lines = "\n".join(line[4:] for block in text[1:-1] for line in block.splitlines())
    space: dict[str, object] = {}
    exec(lines, space)
    hits = space["hits"]
    assert isinstance(hits, samepose.Hits) and hits[0].path == "photos/b.png" and len(hits) >= 3
    assert (tmp_path / "found.html").stat().st_size > 1000
