"""Results hold to their schema, and README and model cards quote them as they are."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import results  # noqa: E402

README, CARDS = ROOT / "README.md", sorted((ROOT / "src/samepose/weights").glob("*.md"))
# What may not be claimed without its figure: file -> figures that it has to quote.
QUOTED = {
    "README.md": {"lifted:chest4.perfect.hit1", "lifted:chest4.detected.hit1", "lifted:all11.detected.hit1",
                  "lifted:chest4.detected.embedding.hit1", "hidden-joints:joints.7",
                  "hidden-joints:joints.13", "pairs:ece.all11.noisy", "pairs:ece.all11.detected",
                  "pairs:ece.chest4.perfect", "pairs:ece.half.worst", "image-retrieval:lspet.image.hit10"},
    "PRVIPE.md": {"retrieval:chest4.perfect.hit1", "retrieval:chest4.detected.hit1", "retrieval:all11.perfect.hit1",
                  "calibration:chest4.detected.ece", "calibration:all11.perfect.ece", "calibration:half.worst"},
    "CPM.md": {"cpm:cpm.lspet", "cpm:cpm.rendered", "cpm:synthetic.lspet", "cpm:synthetic.rendered",
               "cpm:thunder.lspet", "cpm:stage1", "cpm:cost"},
    "IMAGE.md": {"image-retrieval:lspet.image.hit1", "image-retrieval:lspet.image.hit10",
                 "image-retrieval:lspet.features.hit10", "image-retrieval:lspet.oracle.hit1"},
    "LIFTING.md": {"lift:single", "lift:steady", "lift:held.single", "lift:held.steady"},
}
_MARK = re.compile(r"<!--\s*([a-z0-9-]+):([a-z0-9_.-]+)\s*-->")
_LAST_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?(?:e-?\d+)?)[^\d]*\Z")


@pytest.fixture(scope="module")
def figures() -> dict[str, str]:
    """`topic:id` -> value as the pages show it."""
    return {f"{topic.name}:{id}": figure.value
            for topic in results.read_topics(ROOT / "results") for id, figure in topic.figures.items()}


def misquoted(text: str, figures: dict[str, str]) -> list[str]:
    """Marks whose number is not the figure's."""
    wrong = []
    for mark in _MARK.finditer(text):
        key, number = f"{mark[1]}:{mark[2]}", _LAST_NUMBER.search(_MARK.sub("", text[: mark.start()]))
        stated = number[1].replace(",", "") if number else None
        if figures.get(key) != stated:
            wrong.append(f"{key}: says {stated}, results say {figures.get(key)}")
    return wrong


@pytest.mark.parametrize("file", [README, *CARDS], ids=lambda path: path.name)
def test_what_is_quoted_is_what_was_measured(file: Path, figures: dict[str, str]) -> None:
    text = file.read_text()
    assert misquoted(text, figures) == []
    assert {f"{m[1]}:{m[2]}" for m in _MARK.finditer(text)} >= QUOTED.get(file.name, set())


def test_every_rate_in_the_readme_has_its_figure() -> None:
    bare = re.findall(r"\d %(?!<!--)", README.read_text())
    assert bare == []


@pytest.mark.parametrize("file", [README, *CARDS], ids=lambda path: path.name)
def test_a_changed_number_is_noticed_on_either_side(file: Path, figures: dict[str, str]) -> None:
    text = file.read_text()
    for mark in _MARK.finditer(text):
        key, number = f"{mark[1]}:{mark[2]}", _LAST_NUMBER.search(text[: mark.start()])
        assert number is not None
        changed = text[: number.start(1)] + number[1] + "1" + text[number.end(1) :]
        assert [w for w in misquoted(changed, figures) if w.startswith(f"{key}:")]
        assert [w for w in misquoted(text, figures | {key: figures[key] + "1"}) if w.startswith(f"{key}:")]


def a_topic(**changes: Any) -> dict[str, Any]:
    topic: dict[str, Any] = {
        "title": "A title", "group": "Speed", "summary": "It takes {time} s.", "commands": ["samepose demo"],
        "commit": "abcdef1", "date": "2026-11-24", "machine": "one core", "setup": "On a photo.", "equal": None,
        "budget": None, "limits": ["One photo."],
        "figures": {"time": {"name": "Time", "value": 2.0, "unit": "s", "target": {"at_most": 1.5}},
                    "size": {"name": "Size", "value": 1200, "unit": "MB", "target": {"at_most": 2000}},
                    "error": {"name": "Error", "value": "5.40e-5", "unit": ""}},
        "body": [{"columns": ["a", "b"], "rows": [["1 | 2", "{error} / 3"]]}],
    }
    return topic | changes


def read(tmp_path: Path, topic: dict[str, Any]) -> results.Topic:
    path = tmp_path / "a-topic.json"
    path.write_text(json.dumps(topic))
    return results.read_topic(path)


def test_a_page_says_what_was_met_and_missed(tmp_path: Path) -> None:
    page = results.page(read(tmp_path, a_topic()))
    assert page.startswith("# A title\n\nIt takes 2.0 s.\n\n```console\n$ samepose demo\n```")
    assert "| Time | 2.0 s | at most 1.5 s | **missed** |" in page
    assert "| Size | 1,200 MB | at most 2,000 MB | met |" in page
    assert "| 1 \\| 2 | 5.40e-5\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}3 |" in page
    assert "Held equal" not in page and "Withdrawn" not in page
    assert "- One photo." in page and "`abcdef1` on one core" in page


@pytest.mark.parametrize(("changes", "says"), [
    ({"title_": "x"}, "title_"),
    ({"group": "Other"}, "Other"),
    ({"commit": "HEAD"}, "commit"),
    ({"date": "24.11.2026"}, "date"),
    ({"commands": []}, "command"),
    ({"summary": "{nothing}"}, "no figure nothing"),
    ({"body": []}, "never shown: error"),
    ({"body": [{"columns": ["a"], "rows": [["{error}", 1]]}]}, "cells"),
    ({"body": [{"table": "{error}"}]}, "block 0"),
    ({"figures": {"time": {"name": "T", "value": "two", "unit": "s"}}}, "number"),
    ({"figures": {"time": {"name": "T", "value": 2, "unit": "s", "target": {"about": 2}}}}, "target"),
    ({"figures": {"time": {"value": 2}}}, "name, value, unit"),
])
def test_what_breaks_the_schema_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(results.BrokenResultError, match=re.escape(says)):
        read(tmp_path, a_topic(**changes))


def test_a_missing_key_and_a_key_twice_are_refused(tmp_path: Path) -> None:
    topic = a_topic()
    del topic["limits"]
    with pytest.raises(results.BrokenResultError, match="limits"):
        read(tmp_path, topic)
    path = tmp_path / "twice.json"
    path.write_text('{"title": "A", "title": "B"}')
    with pytest.raises(results.BrokenResultError, match="twice"):
        results.read_topic(path)


def test_results_name_commands_that_are_there() -> None:
    """Of the repository's own scripts; a command that was renamed would leave its figures without a source."""
    for topic in results.read_topics(ROOT / "results"):
        text = json.dumps(topic.fields, ensure_ascii=False)
        for folder, name in re.findall(r"python -m (benchmarks|experiments)\.(\w+)", text):
            assert (ROOT / folder / f"{name}.py").is_file(), f"{topic.name}: {folder}.{name}"
        for path in re.findall(r"\bsrc/samepose/[\w/.-]+\.\w+", text):
            assert (ROOT / path).is_file(), f"{topic.name}: {path}"


def test_results_name_experiments_that_there_are() -> None:
    """`compare_prvipe baselines` outlived the experiment of that name."""
    pytest.importorskip("torch", reason="torch is not installed; it comes with samepose[train]")
    compare = importlib.import_module("experiments.compare_prvipe")
    for topic in results.read_topics(ROOT / "results"):
        for name in re.findall(r"experiments\.compare_prvipe (\S+)", json.dumps(topic.fields, ensure_ascii=False)):
            assert name in (*compare.EXPERIMENTS, "NAME"), f"{topic.name}: {name}"
