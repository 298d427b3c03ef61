"""The comparison of Pr-VIPE's variants: they are what they are called, and one command trains and reports them."""

from __future__ import annotations

import importlib
import itertools
import json
import re
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from made_up_motion import made_up

pytest.importorskip("torch", reason="torch is not installed; it comes with samepose[train]")
SUN_2020 = {"triplet": 1.0, "positive": 0.005, "prior": 0.001, "contrast": 0.0, "pairs": 0.0, "samples": 20,
            "smoothing": 0.1, "beta": 2.0, "kappa": 0.1}


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent)
    return importlib.import_module("experiments.compare_prvipe")


def flat(recipe: Any) -> dict[str, Any]:
    settings = asdict(recipe)
    parts = settings.pop("augment"), settings.pop("model")
    return settings | parts[0] | parts[1]


def changed(a: Any, b: Any) -> set[str]:
    one, other = flat(a), flat(b)
    return {name for name in one if one[name] != other[name]}


def test_an_experiment_changes_what_it_is_about_and_nothing_else(compare: ModuleType) -> None:
    about = {"dim": {"dim"}, "samples": {"samples"}, "beta": {"beta"}, "angles": {"elevation", "roll"},
             "kappa": {"kappa"}, "dropout": {"hide"}, "keypoints": {"jitter", "swap", "nose", "detector"}}
    for experiment, names in about.items():
        first, *others = compare.variants(experiment).values()
        assert set().union(*(changed(first, other) for other in others)) == names, experiment
        assert all(changed(first, other) for other in others), experiment


def test_labels_say_the_setting(compare: ModuleType) -> None:
    for experiment, setting in (("dim", "dim"), ("samples", "samples"), ("beta", "beta"), ("angles", "elevation"),
                                ("kappa", "kappa")):
        for label, recipe in compare.variants(experiment).items():
            number = re.search(r"[\d.]+", label)
            assert flat(recipe)[setting] == (float(number[0]) if number else 0), label
    assert all(flat(r)["level"] == 0 and flat(r)["cameras"] == "random" for r in compare.variants("angles").values())


def test_losses_change_one_thing_from_row_to_row(compare: ModuleType) -> None:
    rows = list(compare.variants("losses").items())
    steps = [changed(a, b) for (_, a), (_, b) in itertools.pairwise(rows)]
    assert steps == [{"samples"}, {"smoothing"}, {"triplet", "positive", "contrast", "pairs"}, {"smoothing"}]
    assert flat(rows[0][1]).items() >= SUN_2020.items()
    for label, recipe in rows:
        settings = flat(recipe)
        assert ("paper" in label) == (settings["triplet"] == 1) == (settings["pairs"] == 0)
        assert ("K = 20" in label) == (settings["samples"] == 20)
        assert ("0.05-0.95" in label) == (settings["smoothing"] == 0.1)
        assert settings["cameras"] == "random" and settings["kind"] == "gaussian"


def test_lifting_stands_beside_the_runs_of_losses(compare: ModuleType) -> None:
    lifting, *others = compare.variants("lifting").items()
    assert lifting[1].model.kind == "lifting" and [r.model.kind for _, r in others] == ["gaussian"] * 2
    assert dict(others).items() <= compare.variants("losses").items()
    assert {flat(r)["cameras"] for _, r in (lifting, *others)} == {"random"}


@pytest.mark.parametrize("losses", ["paper", "ours"])
def test_baselines(compare: ModuleType, losses: str) -> None:
    found = compare.variants(f"baselines-{losses}")
    assert len(found) == 8
    for label, recipe in found.items():
        settings = flat(recipe)
        kind = next(k for k, name in (("lifting", "lifting"), ("l2", "L2-VIPE"), ("gaussian", "Pr-VIPE"),
                                      ("point", "VIPE")) if label.startswith(name))
        assert settings["kind"] == kind and settings["level"] == 0
        assert settings["cameras"] == ("mixed" if label.endswith("augmented") else "chest4")
        assert changed(found[label.removesuffix(", augmented")], recipe) <= {"cameras"}
        if losses == "paper":
            assert settings.items() >= SUN_2020.items()
        elif kind in ("gaussian", "point"):
            assert (settings["triplet"], settings["positive"], settings["samples"]) == (0, 0, 0)
            assert settings["contrast"] > 0 and settings["pairs"] > 0
        if kind in ("lifting", "l2"):  # they have no losses but their own
            assert recipe == compare.variants("baselines-paper")[label]


def test_the_words_of_a_table_name_the_losses_that_are_used(compare: ModuleType) -> None:
    words = {label: compare.described(r) for label, r in compare.variants("baselines-paper").items()}
    assert words["lifting + Procrustes"] == "mean squared error of 13 joints in camera axes; views chest4"
    assert words["L2-VIPE (squared-L2 triplet)"] == "squared-L2 triplet, margin 0.2; views chest4"
    assert words["VIPE (paper's losses), augmented"] == (
        "triplet 1, positive 0.005, closed form, s = 0.1; views mixed, ±30°, level share 0.0")
    assert words["Pr-VIPE (paper's losses, K = 20)"] == (
        "triplet 1, positive 0.005, prior 0.001, K = 20, s = 0.1; views chest4")


def test_one_command_trains_each_variant_from_each_seed_and_tells_the_spread(
    compare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lifting", "--data", str(made_up(tmp_path / "m.npz")), "--out", str(tmp_path), "--steps", "8", "--batch",
             "8", "--width", "8", "--frames", "12", "--threads", "1", "--precision", "32-true"]
    compare.main([*words, "--seeds", "2"])
    out = capsys.readouterr().out
    runs = sorted(p for p in tmp_path.iterdir() if p.is_dir())
    assert len(runs) == 6 and "Hit@1, lowest to highest of 2 seeds" in out and "seeds 0 to 1" in out
    assert re.search(r"random views, seed 1: .*at step 6, then .*at step 8", out)
    told = json.loads((tmp_path / "lifting-8.json").read_text())
    assert {r["seed"] for r in told["rows"]} == {0, 1} and list(told["curves"]) and told["steps"] == 8
    assert [list(c) for c in told["curves"].values()] == [["2", "4", "6", "8"]] * 6
    one, other = ([r["hit"]["0.1"]["1"] for r in told["rows"] if r["seed"] == s and r["keypoints"] == "perfect"
                   and r["cameras"] == "all11"] for s in (0, 1))
    last = out.split("seed 1:")[-1]  # the tables over both seeds
    shown = re.search(r"\| lifting \+ Procrustes, random views \|(?:[^|]*\|){3} ([\d.]+)/", last)
    assert shown and float(shown[1]) == pytest.approx(50 * (one[0] + other[0]), abs=0.06)  # the mean of both, in %
    before = {p: (p / "checkpoint.safetensors").stat().st_mtime_ns for p in runs}
    compare.main([*words, "--seeds", "2"])
    assert before == {p: (p / "checkpoint.safetensors").stat().st_mtime_ns for p in runs}  # nothing is trained again
