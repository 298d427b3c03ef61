"""The public names, and that importing them costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import samepose

NAMES = [
    "CPM", "SKELETONS", "SPORTS", "Alignment", "Clip", "Detected", "Detector", "Embedder", "Embeddings", "Finds",
    "FormatError", "Frame", "Group", "Groups", "Hit", "Hits", "ImageEmbedder", "Index", "KeypointFile", "Lifted",
    "LiftingModel", "LiftingNetwork", "Matching", "MediaError", "MomentMatching", "MoveNet", "Named",
    "PairModel", "Poses", "PrVipeEmbedder", "Query", "Recogniser", "Report", "SameposeError", "Sighting", "Skeleton",
    "Source", "StoreError", "UsageError", "__version__", "align", "coco_results", "count", "detect", "draw_poses",
    "find", "from_mediapipe", "from_rtmlib", "from_ultralytics", "in_words", "lift", "load_poses", "media_files",
    "open_source", "recognise", "save_poses", "sports_angles",
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

    photo(tmp_path / "photos" / "a.png", arms=15)
    photo(tmp_path / "photos" / "b.png", arms=80)
    photo(tmp_path / "query.jpg", arms=80)
    for name in ("clip.mp4", "coach.mp4", "me.mp4"):
        video(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    text = (samepose.__doc__ or "").split("\n\n")
    space: dict[str, object] = {}
    exec("\n".join(line[4:] for block in text[1:-1] for line in block.splitlines()), space)
    hits = space["hits"]
    assert isinstance(hits, samepose.Hits) and hits[0].path == "photos/b.png"
    assert "photos/b.png" in (tmp_path / "found.html").read_text() and (tmp_path / "synced.mp4").stat().st_size > 1000


@pytest.mark.parametrize("verb", [
    "align", "contents", "detect", "find", "index", "lift", "options", "recognise", "search"])
def test_the_verbs_of_users_go_through_the_door(verb: str) -> None:
    tree = ast.parse((Path(samepose.__file__ or "").parent / "cli" / f"{verb}.py").read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours = {name for name in imported if name.partition(".")[0] == "samepose"}
    # The door, the command line itself, and what both share: errors, progress and the way a file is written.
    assert not {name for name in ours - {"samepose", "samepose.errors", "samepose.files", "samepose.progress"}
                if not name.startswith("samepose.cli.")}
