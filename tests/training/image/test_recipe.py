"""Training pose embeddings from pixels: judgements alone, every loss, repeatable and resumable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from samepose.errors import UsageError
from samepose.formats.labelled import LabelledPeople
from samepose.formats.lsp import lspet_split
from samepose.models.image_embedding import ImageEmbedding, ImageEmbeddingConfig
from samepose.poses import Poses
from samepose.skeleton import LSP14
from samepose.training.image.data import KEPT, Crops
from samepose.training.image.judgements import Judgements
from samepose.training.image.recipe import ImageAugmentConfig, ImageRecipe, ImageRecipeConfig
from samepose.training.image.train import VALIDATED, load_image, split, train_image
from samepose.training.image.triplets import LikenessConfig
from samepose.training.image.validate import figures_of, figures_of_judgements, fitted
from samepose.training.loop import LoopConfig, averaged_weights

STILL = ImageAugmentConfig(0, 0, (1.0, 1.0), 0, 0, 0, 0, 0)
NARROW = ImageEmbeddingConfig("paper", width=0.03)
TINY = ImageRecipeConfig(NARROW, batch=6, loss="triplet")
ONCE = LoopConfig(steps=2, validate_every=2, save_every=2, threads=1)
RNG = np.random.default_rng


@pytest.fixture(autouse=True)
def one_thread() -> object:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.use_deterministic_algorithms(False)


def somebody(n: int = 12) -> Crops:
    """Noise, and joints around three poses."""
    kinds = RNG(1).uniform(40, 150, (3, 14, 2))
    joints = (kinds[np.arange(n) % 3] + RNG(2).normal(0, 4, (n, 14, 2))).astype(np.float32)
    squares = np.tile(np.array([[27.0, 27.0, 137.0]], np.float32), (n, 1))
    return Crops(RNG(3).integers(0, 256, (n, KEPT, KEPT, 3)).astype(np.uint8), squares, joints)


def bars(folder: Path, n: int, seed: int) -> Path:
    """Judgements of bars: alike is their angle, and the negative has the anchor's colour behind it."""
    folder.mkdir(parents=True)
    rng, lines = RNG(seed), ["anchor,positive,negative"]
    for k in range(n):
        angle, other = rng.choice(4, 2, replace=False)
        colour, another = rng.integers(0, 200, (2, 3))
        for name, kind, back in (("a", angle, colour), ("p", angle, another), ("n", other, colour)):
            image, turn = Image.new("RGB", (48, 48), tuple(back.tolist())), np.pi * kind / 4 + rng.normal() * 0.05
            dx, dy = 18 * np.cos(turn), 18 * np.sin(turn)
            ImageDraw.Draw(image).line((24 - dx, 24 - dy, 24 + dx, 24 + dy), fill=(255, 255, 255), width=9)
            image.save(folder / f"{name}{k}.png")
        lines.append(f"a{k}.png,p{k}.png,n{k}.png")
    (folder / "judgements.csv").write_text("\n".join(lines) + "\n")
    return folder / "judgements.csv"


def test_judgements_alone_teach_what_is_alike(tmp_path: Path) -> None:
    """On bars that it never saw; before, the colour behind them misleads."""
    learned, fresh = Judgements.read(bars(tmp_path / "a", 60, 0)), Judgements.read(bars(tmp_path / "b", 30, 1))
    recipe = ImageRecipeConfig(ImageEmbeddingConfig("paper", width=0.06, dimensions=16), STILL, batch=15)
    torch.manual_seed(0)
    before = figures_of_judgements(ImageEmbedding(recipe.model).eval(), fresh)
    loop = LoopConfig(steps=60, learning_rate=1e-2, ema=0.5, validate_every=100, threads=1)
    train_image(learned, None, tmp_path / "run", recipe, loop)
    after = figures_of_judgements(load_image(tmp_path / "run"), fresh)
    assert before["agreed"] < 0.9 and after["agreed"] > 0.96 and after["a"] > 1


@pytest.mark.parametrize("recipe", [TINY, replace(TINY, loss="pairs"),
                                    replace(TINY, model=replace(NARROW, objective="joints"))],
                         ids=["triplet", "pairs", "joints"])
@pytest.mark.parametrize("optimiser", ["adamw", "adagrad"])
def test_a_resumed_run_is_bitwise_the_undisturbed_one(
    recipe: ImageRecipeConfig, optimiser: Any, tmp_path: Path
) -> None:
    loop = LoopConfig(steps=4, save_every=2, validate_every=4, threads=1, deterministic=True, optimiser=optimiser)
    people = somebody()
    whole = train_image(people, people, tmp_path / "whole", recipe, loop)

    class Killed(Exception):
        pass

    def dies(done: int, *_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        real, calls = ImageRecipe.loss, []
        patch.setattr(ImageRecipe, "loss", lambda *a: dies(0) if len(calls) == 3 else (calls.append(0), real(*a))[1])
        train_image(people, people, tmp_path / "cut", recipe, loop)
    resumed = train_image(people, people, tmp_path / "cut", recipe, loop, resume=True)
    one, other = averaged_weights(tmp_path / "whole"), averaged_weights(tmp_path / "cut")
    assert all(torch.equal(one[name], other[name]) for name in one) and whole == resumed
    assert {"hit1", "hit10", "a", "b"} == set(whole)


def test_a_run_from_before_there_were_other_optimisers_goes_on(tmp_path: Path) -> None:
    train_image(somebody(), None, tmp_path, TINY, ONCE)
    kept = json.loads((tmp_path / "config.json").read_text())
    del kept["loop"]["optimiser"]
    (tmp_path / "config.json").write_text(json.dumps(kept))
    assert set(train_image(somebody(), None, tmp_path, TINY, ONCE, resume=True)) == {"a", "b"}
    with pytest.raises(UsageError, match="optimiser"):
        train_image(somebody(), None, tmp_path, TINY, replace(ONCE, optimiser="adagrad"), resume=True)


def test_adagrads_rate_is_constant_and_its_first_step_small(tmp_path: Path) -> None:
    loop = replace(ONCE, optimiser="adagrad", learning_rate=0.05, steps=1)
    torch.manual_seed(loop.seed)
    before = ImageEmbedding(NARROW).state_dict()
    rates: list[float] = []
    train_image(somebody(), None, tmp_path, TINY, loop, log=lambda *a: rates.append(a[2].get("rate", 0)))
    after = averaged_weights(tmp_path)
    assert rates[0] == 0.05
    moved = max(float((after[name] - before[name]).abs().max()) for name in before)
    assert 0 < moved < 0.05


def test_another_objective_starts_from_all_but_the_last_layer(tmp_path: Path) -> None:
    train_image(somebody(), None, tmp_path / "a", TINY, ONCE)
    joints = replace(TINY, model=replace(NARROW, objective="joints"))
    still = replace(ONCE, learning_rate=1e-9, weight_decay=0)
    train_image(somebody(), None, tmp_path / "b", joints, still, init=tmp_path / "a")
    a, b = averaged_weights(tmp_path / "a"), averaged_weights(tmp_path / "b")
    for name in a:
        if name.startswith("linear."):
            assert a[name].shape != b[name].shape
        else:
            torch.testing.assert_close(a[name], b[name])
    with pytest.raises(UsageError, match="another shape"):
        wider = replace(TINY, model=replace(NARROW, width=0.06))
        train_image(somebody(), None, tmp_path / "c", wider, ONCE, init=tmp_path / "a")


def test_judgements_know_no_joints(tmp_path: Path) -> None:
    judged = Judgements(somebody(3), np.array([[0, 1, 2]]))
    for recipe in (replace(TINY, loss="pairs"), replace(TINY, model=replace(NARROW, objective="joints"))):
        with pytest.raises(UsageError, match="nothing about joints"):
            train_image(judged, None, tmp_path, recipe, ONCE)


def test_the_papers_negatives_are_far_in_pose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is taken for a negative of the batch stands otherwise, mirrored and turned or not."""
    people = somebody(30)
    recipe = ImageRecipe(replace(TINY, batch=30, likeness=LikenessConfig(8, 20)), people)
    seen, real = [], ImageRecipe._triplets

    def watched(self: ImageRecipe, z: torch.Tensor, allowed: np.ndarray, rng: torch.Generator) -> Any:
        seen.append(allowed)
        return real(self, z, allowed, rng)

    monkeypatch.setattr(ImageRecipe, "_triplets", watched)
    recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))[0].backward()
    allowed = seen[0]
    anchor = np.arange(10)
    assert allowed.shape == (10, 30) and allowed[anchor, 3 * anchor + 2].all()
    assert not allowed[anchor, 3 * anchor].any() and not allowed[anchor, 3 * anchor + 1].any()


# --- validation


class Answers(torch.nn.Module):
    """Gives what it was told to, whatever it is shown."""

    def __init__(self, out: np.ndarray) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.from_numpy(out.astype(np.float32)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight[: len(images)]


def test_hit_rates_are_a_loops() -> None:
    people, z = somebody(24), RNG(0).normal(size=(24, 5))
    figures = figures_of(Answers(z), people)
    poses, hits = people.poses(), np.zeros((24, 10), bool)
    for i in range(24):
        order = sorted((j for j in range(24) if j != i), key=lambda j: np.linalg.norm(z[i] - z[j]))[:10]
        hits[i] = [np.linalg.norm(poses[i] - poses[j], axis=-1).mean() < 15 for j in order]
    assert figures["hit1"] == pytest.approx(hits[:, 0].mean()) and 0 < figures["hit1"] < 1
    assert figures["hit10"] == pytest.approx(hits.any(1).mean())


def test_joints_that_are_right_find_all_that_can_be_found() -> None:
    people = somebody(24)
    joints = people.batch(np.arange(24)[:, None]).joints.numpy()
    assert figures_of(Answers(joints), people)["hit1"] == 1


def test_the_matching_is_the_probability_that_it_was_drawn_from() -> None:
    away = RNG(0).uniform(0, 2, 40_000).astype(np.float32)
    same = RNG(1).random(40_000) < 1 / (1 + np.exp(6 * away - 5))
    a, b = fitted(away, same)
    assert (a, b) == (pytest.approx(6, rel=0.05), pytest.approx(5, rel=0.05))
    a, b = fitted(np.array([0.1, 0.2, 0.8]), np.array([True, True, False]))
    assert 0 < a < np.inf and np.isfinite(b)


def test_nobody_of_the_database_or_the_queries_is_trained_or_validated_on() -> None:
    numbers = range(9000)
    points = RNG(0).uniform(5, 40, (len(numbers), 14, 2)).astype(np.float32)
    people = LabelledPeople.of("LSP-Extended", Poses.of(points, LSP14), [Path(f"im{k + 1:05d}.jpg") for k in numbers])
    (train,), kept = split([people])
    assert kept is not None
    names = [{int(p.stem[2:]) - 1 for p in part.images} for part in (train, kept)]
    parts = lspet_split()
    assert len(names[1]) == VALIDATED and names[1] <= set(parts["train"]) and not names[0] & names[1]
    assert not (names[0] | names[1]) & {*parts["database"], *parts["queries"]}
    assert set(parts["train"]) - names[1] <= names[0]
    assert split([people])[1].images == kept.images  # type: ignore[union-attr]
    other = LabelledPeople.of("rendered people", Poses.of(points[:5], LSP14), [Path("a.jpg")] * 5)
    assert split([other])[1] is None
