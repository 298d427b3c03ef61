"""The benchmarks run, in sizes too small to say anything about speed, and measure what they say they measure."""

import importlib
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
EXPERIMENTS = ("_small_cpm", "align_four_cameras", "cpm_analyses", "repeatable")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    if request.param in ("cpm_analyses", "cpm_speed", "_small_cpm", "probability", "repeatable", "training_speed"):
        for package in ("onnx", "torch"):
            pytest.importorskip(package, reason=f"{package} is not installed; it comes with samepose[train]")
    monkeypatch.syspath_prepend(ROOT)
    folder = "experiments" if request.param in EXPERIMENTS else "benchmarks"
    return importlib.import_module(f"{folder}.{request.param}")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Six frames of noise."""
    import av

    path = tmp_path / "noise.avi"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(6):
            image = rng.integers(0, 256, (64, 96, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("benchmark", ["_machine"], indirect=True)
def test_interleaved_calls_take_turns_and_the_clock_is_read_around_each(benchmark: ModuleType) -> None:
    order, now = [], iter(range(100))
    seconds = benchmark.interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2,
                                    lambda: float(next(now)))
    assert "".join(order) == "ababab"  # the first round warms up
    assert seconds == {"a": [1.0, 1.0], "b": [1.0, 1.0]}
    assert "met" in benchmark.verdict("x", 1.0, 1.1) and "MISSED" in benchmark.verdict("x", 1.0, 1.1, most=False)
    assert re.search(r"\d+ cores, .*Python 3\.\d+", benchmark.describe("numpy"))


@pytest.mark.parametrize("benchmark", ["indexing"], indirect=True)
def test_indexing(benchmark: ModuleType, video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--quick", "--video", str(video)])
    out = capsys.readouterr().out
    assert re.search(r"0 people, 6 calls of the detector's networks", out)  # one per frame
    assert "indexing / (decoding + networks)" in out


@pytest.mark.parametrize("benchmark", ["probability"], indirect=True)
def test_probability(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--quick"])
    out = capsys.readouterr().out
    assert len(re.findall(r"target .*: (?:met|MISSED)", out)) == 6
    errors = [float(x) for x in re.findall(r"error of .* mean (\d\.\d+)", out)]
    assert errors[0] < errors[1] < 0.05


@pytest.mark.parametrize("benchmark", ["probability"], indirect=True)
def test_the_baseline_for_the_probability_is_the_papers_estimate(benchmark: ModuleType) -> None:
    """Against the library's own plain Monte Carlo: both are noisy, so compared over many pairs."""
    from samepose.matching.embeddings import Embeddings, Matching

    rng = np.random.default_rng(0)
    query, other = (Embeddings(rng.normal(0, 0.4, (n, 16)).astype(np.float32),
                               rng.uniform(0.01, 0.2, (n, 16)).astype(np.float32)) for n in (9, 70))
    matching = Matching(1.7, 2.5)
    fast = benchmark.monte_carlo(matching, query, other, rng)
    plain = matching.probability_monte_carlo(query, other, rng)
    assert abs((fast - plain).mean()) < 0.02
    assert np.abs(fast - plain).max() < 0.4
    certain = [Embeddings(e.mean, np.zeros_like(e.var)) for e in (query, other)]
    np.testing.assert_allclose(benchmark.monte_carlo(matching, *certain, rng),
                               matching.probability_monte_carlo(*certain, rng), atol=1e-4)


@pytest.mark.parametrize("benchmark", ["startup"], indirect=True)
def test_startup(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--quick"])
    assert len(re.findall(r"target .*: (?:met|MISSED)", capsys.readouterr().out)) == 2
    before = benchmark.disk_bytes(tmp_path)
    (tmp_path / "file").write_bytes(bytes(10_000))
    (tmp_path / "link").hardlink_to(tmp_path / "file")
    assert 10_000 <= benchmark.disk_bytes(tmp_path) - before < 20_000


@pytest.mark.parametrize("benchmark", ["training_speed"], indirect=True)
def test_training_speed(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from made_up_motion import made_up

    benchmark.main(["--quick", "--data", str(made_up(tmp_path / "motion.npz"))])
    out = capsys.readouterr().out
    assert len(re.findall(r"target .*: (?:met|MISSED)", out)) == 5
    assert re.search(r"Hit@1, .* unseen people, .* steps against \d+: ours \d+\.\d %, port \d+\.\d %", out)


@pytest.mark.parametrize("benchmark", ["training_speed"], indirect=True)
def test_the_plain_port_learns(benchmark: ModuleType) -> None:
    import torch

    torch.manual_seed(0)
    port, pool = benchmark.PlainPort(benchmark.made_up(40), 32, 32), benchmark.made_up(40).points
    before = benchmark.hit(port.averaged, pool)
    for _ in range(60):
        port.step()
    assert port.steps == 60 and benchmark.hit(port.averaged, pool) > before + 5


@pytest.mark.parametrize("benchmark", ["repeatable"], indirect=True)
def test_repeatable(benchmark: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import torch

    try:
        assert benchmark.main(["--quick"]) == 0
    finally:
        torch.use_deterministic_algorithms(False)
    out = capfd.readouterr().out
    assert "run again: the same bits" in out and re.search(r"killed after step [3-5]\d and resumed: the same bits", out)
    for name, value in (("a", 0.0), ("b", -0.0)):
        from safetensors.torch import save_file

        (tmp_path / name).mkdir()
        save_file({"x": torch.tensor([value, 1.0]), "y": torch.ones(2)}, tmp_path / name / "checkpoint.safetensors")
    assert benchmark.differences(tmp_path / "a", tmp_path / "b") == ["x"]  # equal, but not the same bits


@pytest.mark.parametrize("benchmark", ["dtw"], indirect=True)
def test_dtw(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tslearn", reason="tslearn is not installed; it comes with samepose[test]")
    benchmark.main(["--quick"])
    out = capsys.readouterr().out
    assert "60 x 60 frames" in out and re.search(r"tslearn +\d+\.\d+ ms", out)
    assert len(re.findall(r"target .*: (?:met|MISSED)", out)) == 1


@pytest.mark.parametrize("benchmark", ["align_four_cameras"], indirect=True)
def test_align_four_cameras(benchmark: ModuleType) -> None:
    """Two cameras that show the same: in step nothing is off; a path with known faults has their offsets."""
    from moving_people import waving
    from samepose.embed.prvipe import PrVipeEmbedder

    embedder = PrVipeEmbedder.load(threads=1)
    people = [waving(np.arange(100) / 60, speed=4.0)] * 2
    results = benchmark.measure(people, embedder)
    assert [row["median_offset"] for row in results["in step"]] == [0, 0]
    assert all(row["median_offset"] <= 0.05 and row["moments"] >= 33 for row in results["shifted"])
    clip = benchmark.clip_of(people[0], embedder, rate=30)
    late = benchmark.align(clip, clip[6:])
    faults = benchmark.offsets(late, 0.0, 1.0)
    assert faults.max() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("benchmark", ["cpm_analyses"], indirect=True)
@pytest.mark.parametrize("analysis, rows", [("gradients", 42), ("schemes", 6), ("stages", 6), ("field", 5),
                                            ("losses", 4)])
def test_cpm_analyses(
    benchmark: ModuleType, analysis: str, rows: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from blob_network import data_set

    data_set(tmp_path / "set", 6)
    words = [analysis, "--data", str(tmp_path / "set"), "--validation", str(tmp_path / "set"), "--quick"]
    benchmark.main([*words, "--json"])
    found = json.loads(capsys.readouterr().out)["rows"]
    assert len(found) == rows and "| --- |" in benchmark.markdown(found)
    if analysis == "field":
        assert [row["receptive field, pixels"] for row in found] == [54, 102, 150, 198, 294]
        sizes = [row["parameters of stage 2"] for row in found]
        assert max(sizes) / min(sizes) < 1.2
    if analysis == "gradients":
        heads = [row for row in found if row["layer"] == "later.1.8"]  # so small a network may be dead before them
        assert [row["first weights"] for row in heads] == ["he", "pytorch"]
        assert all(len(row[f"{name}, early"]) == 2 and min(row[f"{name}, early"]) > 0
                   for row in heads for name in ("every stage", "last only"))
    else:
        stages = [1, 2, 3, 4, 5, 6] if analysis == "stages" else [2] * rows if analysis == "field" else [3] * rows
        assert [[len(seed) for seed in row[benchmark.PCK]] for row in found] == [[n, n] for n in stages]


@pytest.mark.parametrize("benchmark", ["cpm_analyses"], indirect=True)
def test_all_ways_to_train_update_every_weight_as_often_as_they_say(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samepose.models.cpm import CpmConfig

    def count(setting: Any, model: Any, supervised: Any, steps: int, seed: int, parts: Any = None) -> Any:
        for part in [model] if parts is None else parts:
            for weight in part.parameters():
                weight.data += steps  # an update is a step
        return model

    def ready(config: Any, seed: int) -> Any:
        model = benchmark.Cpm(config)
        for weight in model.parameters():
            weight.data.zero_()
        return model

    def updates(setting: Any, models: Any) -> dict[str, set[float]]:
        weights = [weight.detach() for model in models for weight in model.parameters()]
        return {"counted": {w for weight in weights for w in weight.unique().tolist()}, benchmark.PCK: []}

    for name, instead in (("trained", count), ("fresh", ready), ("measured", updates)):
        monkeypatch.setattr(benchmark, name, instead)
    config = CpmConfig("paper", ("a", "b"), 32, 3, 4, 3)
    rows = benchmark.schemes(benchmark.Setting(config, None, None, 7, range(2)))
    assert [row["counted"] for row in rows] == [{row["updates of each weight"]} for row in rows]
    assert [row["updates of each weight"] for row in rows] == [7, 7, 7, 14, 14, 14]


@pytest.mark.parametrize("benchmark", ["_small_cpm"], indirect=True)
def test_a_dead_layer_is_told_from_a_vanishing_gradient(benchmark: ModuleType) -> None:
    import torch

    from samepose.models.cpm import CpmConfig

    model = benchmark.fresh(CpmConfig("paper", ("a", "b"), 32, 2, 8, 3, beliefs="linear"), 0)
    images = torch.rand(4, 3, 32, 32) * 255
    assert max(benchmark.dead_units(model, images).values()) < 1
    convs = benchmark.convolutions(model)
    assert list(convs)[:2] == ["first.0", "first.3"] and list(convs)[-1] == "later.0.8"
    with torch.no_grad():
        convs["later.0.2"].bias.fill_(-1e9)
    dead = benchmark.dead_units(model, images)
    assert dead["later.0.2"] == 1 and dead["first.0"] < 1 and "later.0.8" not in dead


@pytest.mark.parametrize("benchmark", ["_small_cpm"], indirect=True)
def test_only_the_parts_that_are_to_learn_change_and_equal_seeds_begin_equally(benchmark: ModuleType) -> None:
    import torch

    from samepose.models.cpm import CpmConfig
    from samepose.training.cpm.data import Batch

    config = CpmConfig("paper", ("a", "b"), 32, 2, 8, 3, beliefs="linear")
    visible = torch.ones(20, 1, 2, dtype=torch.bool)
    batch = Batch(torch.rand(20, 3, 32, 32) * 255, torch.rand(20, 1, 2, 2) * 32, visible, visible[:, 0],
                  torch.full((20, 2), 15.5))
    before, model = (benchmark.fresh(config, 3) for _ in range(2))
    benchmark.trained(benchmark.Setting(config, batch, None, 2, range(1)), model, [0], 2, 3, [model.first])
    same = {name: torch.equal(a, b) for (name, a), b in zip(before.named_parameters(), model.parameters())}
    assert all(same[name] for name in same if not name.startswith("first."))
    assert not any(same[name] for name in same if name.startswith("first.") and name.endswith("weight"))
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("benchmark", ["cpm_speed"], indirect=True)
def test_cpm_speed(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--quick"])
    out = capsys.readouterr().out
    assert re.search(r"ms per person", out) and len(re.findall(r"target .*: (?:met|MISSED)", out)) == 2
    assert "difference from torch" in out and "MISSED" not in out.splitlines()[-1]
