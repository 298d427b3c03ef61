"""Other targets, networks and embeddings for Pr-VIPE beside the shipped recipe, two seeds each: one table.

    python -m experiments.try_prvipe MOCAP [MOCAP ...] --out RUNS [--views HELD.npz] [--faults FAULTS.json]

  base      the recipe of `scripts/make_prvipe.py` (our losses, 30 % of views with the detector's faults);
  graded    whether two poses match is told softly, sigmoid((kappa - NP-MPJPE) / 0.01), in both losses;
  annealed  the same, the width falling from 0.02 to 0 over the run;
  deeper    four residual blocks in place of two;
  several   two Gaussians of 16 dimensions and their weights for a view, P the weighted mean over all four pairs;
  tokens    joints as tokens of a transformer (4 layers, 4 heads, 64 numbers, 1e-3), a hidden joint is no token;
  limbs     every limb turned at shoulder, elbow, hip and knee by a random angle of 10 degrees' deviation;
  cameras   elevations up to 60 degrees in place of 30, distances from 2 torso lengths in place of 3;
  bones     bone lengths that vary as between MakeHuman's bodies, all bones together, in place of each by chance;
  blends    half of the bodies up to half the way to another pose of the training people, bones as long as before;
  centres   hips and shoulders of each view moved out and up by 0.05 torso lengths' deviation, as labs place them
            differently, the pose being the same;
  aside     views without the detector's faults from up to 30 degrees off the axis, as short focal lengths show people;
  pool      hard negatives from all clips, among the ten nearest of 8,192 poses drawn, in place of the same clip's;
  faults    faults as `experiments.refit_faults` fitted them to rendered people (FAULTS.json) in place of the shipped.

Deeper, several and tokens take fewer steps than the others, so that processor time is base's: by the cost of a step as
measured before (`COST`), and told with each run. All else is equal. Measured on people who are
not trained on; with --views also on what a detector saw of them (`experiments.rendered_people` makes it).
A run that is complete is not made again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import torch
from experiments.compare_prvipe import measure
from jaxtyping import Float
from torch import Tensor, nn

from samepose.detection.noise import DetectorNoise
from samepose.evaluation.retrieval import RetrievalResult, Scorer, evaluate_views, select_frames
from samepose.formats.multiview import MultiView, read_views
from samepose.formats.subjects import load_many, read_subjects, split
from samepose.geometry.camera import to_camera
from samepose.geometry.normalise import normalise_2d, normalise_3d
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.losses.matching import all_moments, all_pairs_loss, contrast_loss, gaussian_prior, matching_probability
from samepose.matching.embeddings import Embeddings
from samepose.models.prvipe import PrVipe, PrVipeConfig
from samepose.skeleton import BODY13, H36M17, SYNTH22
from samepose.synth.body import load_body
from samepose.synth.shape import random_shape, shaped
from samepose.training.loop import LoopConfig, averaged_weights, fit
from samepose.training.prvipe import augment
from samepose.training.prvipe import recipe as recipes_module
from samepose.training.prvipe.recipe import MotionPool, PrVipeRecipe, PrVipeRecipeConfig, torso_frame_pose
from samepose.training.prvipe.validate import matching_of, scorer_of

COST = {"deeper": 1.6, "several": 1.25, "tokens": 4.5}  # processor time of a step, base's being 1
WIDTH = 512
SEVERAL = 2


class Graded(PrVipeRecipe):
    """Soft targets; their width may fall to 0 over the run."""

    def __init__(self, config: PrVipeRecipeConfig, pool: MotionPool, width: float, steps: int = 0) -> None:
        super().__init__(config, pool)
        self._width, self._steps, self._done = width, steps, 0
        self._bodies = torch.empty(0)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "graded": self._width, "annealed": self._steps}

    def _views(self, bodies: Any, index: Any, rng: Any) -> Any:
        self._bodies = bodies
        return super()._views(bodies, index, rng)

    def _retrieval_loss(self, mean_1: Any, var_1: Any, mean_2: Any, var_2: Any, match: Any, rng: Any, logs: Any) -> Any:
        cfg, bodies = self.settings, self._bodies.numpy()
        share = 1 - self._done / self._steps if self._steps else 1.0
        self._done += 1
        near = (cfg.kappa - torch.from_numpy(np_mpjpe_matrix(bodies, bodies))) / max(self._width * share, 1e-4)
        target = torch.sigmoid(near)
        p = matching_probability(*all_moments(mean_1, var_1, mean_2, var_2), self.model.a, self.model.raw_b)
        low, high = (x.clamp_min(1e-6).log() for x in (1 - p, p))
        pairs = -(target * high + (1 - target) * low).sum() / len(p)
        rivals, positive = p * (1 - target), p.diagonal()
        rivals = rivals.masked_fill(torch.eye(len(p), dtype=torch.bool), 0)
        both = torch.log(positive + rivals.sum(0)) + torch.log(positive + rivals.sum(1))
        contrast = (both / 2 - torch.log(positive.clamp_min(1e-12))).mean()
        return cfg.pairs * pairs + cfg.contrast * contrast


class SeveralGaussians(PrVipe):
    """A view as a mixture: means (n, K, D + 1), the last number the logarithm of the weight; variances (n, K, D)."""

    def __init__(self, config: PrVipeConfig) -> None:
        super().__init__(config)
        self.mean = nn.Linear(config.width, SEVERAL * config.dim)
        self.deviation = nn.Linear(config.width, SEVERAL * config.dim)
        self.weight = nn.Linear(config.width, SEVERAL)

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, deviation = (of(x).unflatten(1, (SEVERAL, -1)) for of in (self.mean, self.deviation))
        weight = self.weight(x).log_softmax(1)[..., None]
        return torch.cat([mean, weight], 2), (nn.functional.elu(deviation) + 1) ** 2


def mixed(p: Float[Tensor, "nk mk"], weight_1: Float[Tensor, "n k"], weight_2: Float[Tensor, "m k"]) -> Tensor:
    """P of mixtures from those of their parts."""
    parts = p.unflatten(0, weight_1.shape).unflatten(2, weight_2.shape)
    return torch.einsum("nkml,nk,ml->nm", parts, weight_1, weight_2)


class SeveralRecipe(PrVipeRecipe):
    """Losses over P of mixtures; the prior is that of every part."""

    def __init__(self, config: PrVipeRecipeConfig, pool: MotionPool) -> None:
        self._prior = config.prior
        super().__init__(replace(config, prior=0.0), pool)
        self.model = SeveralGaussians(config.model)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "several": SEVERAL}

    def _retrieval_loss(self, mean_1: Any, var_1: Any, mean_2: Any, var_2: Any, match: Any, rng: Any, logs: Any) -> Any:
        cfg = self.settings
        (m1, w1), (m2, w2) = ((m[..., :-1], m[..., -1].exp()) for m in (mean_1, mean_2))
        flat = [x.flatten(0, 1) for x in (m1, var_1, m2, var_2)]
        p = mixed(matching_probability(*all_moments(*flat), self.model.a, self.model.raw_b), w1, w2)
        total = cfg.pairs * all_pairs_loss(p, match) + cfg.contrast * contrast_loss(p, match)
        return total + self._prior * gaussian_prior(torch.cat([flat[0], flat[2]]), torch.cat([flat[1], flat[3]]))


@dataclass(frozen=True)
class SeveralScorer:
    """Mixtures, ranked by P."""

    model: SeveralGaussians

    @torch.no_grad()
    def describe(self, keypoints: Float[np.ndarray, "n 13 2"]) -> tuple[Embeddings, Tensor]:
        points, visible = normalise_2d(np.asarray(keypoints, np.float32))
        mean, var = self.model.eval()(torch.from_numpy(points), torch.from_numpy(visible))
        return Embeddings(mean[..., :-1].flatten(0, 1).numpy(), var.flatten(0, 1).numpy()), mean[..., -1].exp()

    def scores(self, query: Any, index: Any) -> Float[np.ndarray, "q e"]:
        parts = matching_of(self.model).probability(query[0], index[0])
        return mixed(torch.from_numpy(np.asarray(parts)), query[1], index[1]).numpy()


class Tokens(PrVipe):
    """Joints as tokens; what is read is a token of its own."""

    SIZE, LAYERS, HEADS = 64, 4, 4

    def __init__(self, config: PrVipeConfig) -> None:
        super().__init__(replace(config, width=self.SIZE))
        del self.stem, self.blocks
        self.place = nn.Sequential(nn.Linear(2, self.SIZE), nn.ReLU(), nn.Linear(self.SIZE, self.SIZE))
        self.joint = nn.Parameter(0.5 * torch.randn(len(BODY13), self.SIZE))
        self.whole = nn.Parameter(0.5 * torch.randn(self.SIZE))
        layer = nn.TransformerEncoderLayer(self.SIZE, self.HEADS, 4 * self.SIZE, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, self.LAYERS, nn.LayerNorm(self.SIZE), enable_nested_tensor=False)

    def forward(self, points: Any, visible: Any) -> tuple[Tensor, Tensor]:
        tokens = self.place(points) + self.joint
        tokens = torch.cat([self.whole.expand(len(tokens), 1, -1), tokens], 1)
        absent = torch.cat([torch.zeros(len(visible), 1, dtype=torch.bool), ~visible], 1)
        return self._heads(self.layers(tokens, src_key_padding_mask=absent)[:, 0].float())


class TokensRecipe(PrVipeRecipe):
    """The recipe with another network."""

    def __init__(self, config: PrVipeRecipeConfig, pool: MotionPool) -> None:
        super().__init__(config, pool)
        self.model = Tokens(config.model)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "tokens": Tokens.SIZE}


class OtherPoses(PrVipeRecipe):
    """Poses that nobody was seen in: those of the pool, changed as they are taken."""

    def __init__(
        self, config: PrVipeRecipeConfig, pool: MotionPool, changed: type[Turned] | type[Blended]
    ) -> None:
        super().__init__(config, pool)
        self._pool, self._changed = self.points, changed

    def config(self) -> dict[str, Any]:
        return {**super().config(), "poses": self._changed.__name__}

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        self.points = self._changed(self._pool, rng)
        return super().loss(model, rng, device)


@dataclass(frozen=True)
class Turned:
    """A pool whose limbs are turned a little from where they were."""

    DEGREES: ClassVar = 10.0
    CHAINS: ClassVar = (
        ("shoulder", "elbow", "wrist"), ("elbow", "wrist"), ("hip", "knee", "ankle"), ("knee", "ankle"))

    points: Tensor
    rng: torch.Generator

    def __getitem__(self, index: Tensor) -> Tensor:
        bodies = self.points[index].clone()
        for side, (root, *rest) in itertools.product(("left", "right"), self.CHAINS):
            start, joints = H36M17.index(f"{side}_{root}"), [H36M17.index(f"{side}_{joint}") for joint in rest]
            axis = nn.functional.normalize(torch.randn((len(bodies), 3), generator=self.rng), dim=1)
            angle = torch.randn((len(bodies), 1, 1), generator=self.rng) * math.radians(self.DEGREES)
            cross = torch.linalg.cross(torch.eye(3).expand(len(bodies), 3, 3), axis[:, None].expand(-1, 3, 3))
            turn = torch.matrix_exp(angle * cross)
            bodies[:, joints] = bodies[:, [start]] + (bodies[:, joints] - bodies[:, [start]]) @ turn
        return bodies


@cache
def bone_ratios() -> dict[str, Tensor]:
    """Bone -> (500,) its length in torso lengths in bodies of `samepose synth`, over the mean one."""
    rng, body = np.random.default_rng(0), load_body()
    joints = np.stack([body.joints(shaped(body, random_shape(rng))) for _ in range(500)])
    people = torch.from_numpy(normalise_3d(SYNTH22.convert(joints, H36M17)).astype(np.float32))
    return {child: length[:, 0] / length.mean() for child, length in bone_lengths(people).items()}


def bone_lengths(bodies: Tensor) -> dict[str, Tensor]:
    """The joint at the end of a bone -> (n, 1) its length."""
    return {child: (bodies[:, H36M17.index(child)] - bodies[:, H36M17.index(parent)]).norm(dim=1, keepdim=True)
            for child, parent in augment._TREE.items()}


def bones_of_others(points: Tensor, spread: float, rng: torch.Generator) -> Tensor:
    """In place of `vary_bones`: the proportions of a body drawn, relative to those of a mean one."""
    ratios = bone_ratios()
    drawn = torch.randint(len(next(iter(ratios.values()))), (len(points),), generator=rng)
    return augment.stretched(points, {child: ratio[drawn, None] for child, ratio in ratios.items()})


@dataclass(frozen=True)
class Blended:
    """A pool of poses, half of which are taken on their way to another one, seen from the torso."""

    points: Tensor
    rng: torch.Generator

    def __getitem__(self, index: Tensor) -> Tensor:
        bodies = self.points[index]
        others = self.points[torch.randint(len(self.points), (len(index),), generator=self.rng)]
        way = 0.5 * torch.rand(len(index), generator=self.rng) * (torch.rand(len(index), generator=self.rng) < 0.5)
        frame = augment.torso_frame(bodies)
        theirs = others @ augment.torso_frame(others).transpose(1, 2) @ frame
        mixed = torch.lerp(bodies, theirs, way[:, None, None])
        wanted, have = bone_lengths(bodies), bone_lengths(mixed)
        return augment.stretched(mixed, {child: wanted[child] / have[child].clamp_min(1e-6) for child in wanted})


def other_centres(points: Tensor, spread: float, rng: torch.Generator, body13: Any) -> Tensor:
    """`body13` with hips and shoulders where another laboratory may have them."""
    body, frame = body13(points, spread, rng), augment.torso_frame(points)
    for joint in ("hip", "shoulder"):
        out, up = 0.05 * torch.randn((2, len(points), 1), generator=rng)
        for side, sign in (("left", 1), ("right", -1)):
            body[:, BODY13.index(f"{side}_{joint}")] += sign * out * frame[:, 0] + up * frame[:, 1]
    return body


def seen_aside(body: Tensor, azimuth: Tensor, elevation: Tensor, roll: Tensor, distance: Tensor, xp: Any,
               rng: torch.Generator) -> Tensor:
    """`project` of people who stand up to 30 degrees off the axis of the camera."""
    turned = to_camera(body, azimuth, elevation, roll, xp)
    off = torch.tan(math.radians(30) * torch.rand((len(body), 1), generator=rng))
    way = 2 * math.pi * torch.rand((len(body), 1), generator=rng)
    aside = distance[:, None] * off * torch.cat([way.cos(), way.sin()], 1)
    return (turned[..., :2] + aside[:, None]) / (turned[..., 2] + distance[:, None])[..., None]


def near_in_pool(points: Tensor, clip: Tensor, n: int, share: float, rng: torch.Generator) -> Tensor:
    """As `draw_poses`, the hard negatives from any clip: among the ten nearest of some thousand others drawn."""
    near = round(n * share)
    index = torch.randint(len(clip), (n,), generator=rng)
    others = torch.randint(len(clip), (8192,), generator=rng)
    frames = [torso_frame_pose(points[rows]) for rows in (index[:near], others)]
    nearest = torch.cdist(*frames).topk(10, largest=False).indices
    index[-near:] = others[nearest.gather(1, torch.randint(10, (near, 1), generator=rng))[:, 0]]
    return index


def other_draws(name: str, recipe: PrVipeRecipe, faults: Path | None, seed: int) -> AbstractContextManager[Any]:
    """While it lasts, other bodies, cameras, hard negatives or faults, for those tries that are about them."""
    if name == "bones":
        return patch.object(augment, "vary_bones", bones_of_others)
    if name == "centres":
        return patch.object(augment, "body13", partial(other_centres, body13=augment.body13))
    if name == "aside":
        return patch.object(augment, "project", partial(seen_aside, rng=torch.Generator().manual_seed(seed)))
    if name == "pool":
        return patch.object(recipes_module, "draw_poses", partial(near_in_pool, recipe.points))
    if name == "faults" and faults:
        fields = json.loads(faults.read_text())
        noise = DetectorNoise(**{field: np.asarray(x, np.float32) for field, x in fields.items()})
        return patch.object(augment, "movenet_noise", lambda: noise)
    return nullcontext()


def recipes(steps: int, batch: int) -> dict[str, Callable[[MotionPool], PrVipeRecipe]]:
    """Name -> what makes the recipe from what is trained on."""
    base = PrVipeRecipeConfig(batch=batch, model=PrVipeConfig(width=WIDTH),
                              augment=replace(PrVipeRecipeConfig().augment, detector=0.3))
    far = replace(base, augment=replace(base.augment, elevation=60.0, distance=(2.0, 14.0)))
    deeper = replace(base, model=replace(base.model, blocks=4))
    return {
        "base": lambda pool: PrVipeRecipe(base, pool), "graded": lambda pool: Graded(base, pool, 0.01),
        "annealed": lambda pool: Graded(base, pool, 0.02, steps), "deeper": lambda pool: PrVipeRecipe(deeper, pool),
        "several": lambda pool: SeveralRecipe(base, pool), "tokens": lambda pool: TokensRecipe(base, pool),
        "limbs": lambda pool: OtherPoses(base, pool, Turned), "blends": lambda pool: OtherPoses(base, pool, Blended),
        "bones": lambda pool: PrVipeRecipe(base, pool), "centres": lambda pool: PrVipeRecipe(base, pool),
        "aside": lambda pool: PrVipeRecipe(base, pool), "cameras": lambda pool: PrVipeRecipe(far, pool),
        "pool": lambda pool: PrVipeRecipe(base, pool), "faults": lambda pool: PrVipeRecipe(base, pool),
    }


def trained(recipe: PrVipeRecipe, loop: LoopConfig, run: Path) -> Scorer:
    """Its run's weights; the processor time of the training is in `run/seconds`."""
    if not (run / "seconds").exists():
        began = time.process_time()
        fit(recipe, loop, run)
        (run / "seconds").write_text(f"{time.process_time() - began:.0f}")
    recipe.model.load_state_dict(averaged_weights(run))
    model: Any = recipe.model.eval()
    return SeveralScorer(model) if isinstance(model, SeveralGaussians) else scorer_of(model)


def seen(views: MultiView, scorers: dict[str, Scorer]) -> list[RetrievalResult]:
    """Of what a detector saw: four cameras of each instant."""
    few = views.seen_in()
    few = few.take(select_frames(few.points))
    return evaluate_views(few.points, few.keypoints, scorers, cameras_name="rendered", keypoints="detector")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--views", type=Path)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--only", nargs="+", help="of the names above; default all that can be made")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    words = parser.parse_args()
    train, held = split(load_many(words.mocap), read_subjects(None))
    pool = MotionPool.of(train.points, train.clip)
    points = held.points[select_frames(held.points, words.frames)]
    made = recipes(words.steps, words.batch)
    for seed in words.seeds:
        for name in words.only or [name for name in made if name != "faults" or words.faults]:
            steps = round(words.steps / COST.get(name, 1))
            run = words.out / f"{name}-{words.steps}-{seed}"
            loop = LoopConfig(steps=steps, seed=seed, threads=1, validate_every=steps, save_every=steps,
                              learning_rate=1e-3 if name == "tokens" else 2e-3)
            torch.manual_seed(seed)
            recipe = made[name](pool)
            with other_draws(name, recipe, words.faults, seed):
                scorer = trained(recipe, loop, run)
            results = measure({name: scorer}, points)
            if words.views:
                results += seen(read_views(words.views), {name: scorer})
            print(json.dumps({
                "name": name, "seed": seed, "steps": steps, "seconds": int((run / "seconds").read_text()),
                "hit1": {f"{r.cameras} {r.keypoints}": [round(100 * r.hit[k][1], 1) for k in (0.1, 0.05)]
                         for r in results}}), flush=True)


if __name__ == "__main__":
    main()
