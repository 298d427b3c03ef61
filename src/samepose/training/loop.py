"""The one training loop: devices, precision, EMA, logging, validation, and checkpoints that survive `kill -9`.

A recipe brings the model, one loss per step and a validation figure; the loop knows no model. Randomness comes from
one generator whose state is in the checkpoint, so a resumed run continues with the same batches.

On several devices each has a process, which draws batches of its own by a generator of its own; gradients are averaged
(PyTorch's DistributedDataParallel, through Lightning Fabric), so that all have the same weights. The first of them
validates, logs and writes. Statistics of BatchNorm are the first one's.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import torch
from cyclopts import Parameter
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from samepose.errors import FormatError, UsageError
from samepose.files import written
from samepose.training.line_search import LineSearch
from samepose.weights import cores

# Figures of a step, or of a validation: called with steps done, steps in all, and figures by name.
Log = Callable[[int, int, dict[str, float]], None]
_CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast.

    Attributes:
        steps: optimiser steps in all.
        optimiser: "adamw": AdamW on a one-cycle cosine schedule; "adagrad": AdaGrad at a constant rate (Mori 2015,
            section 3.2), its sums of squares begun at 0.1, without which the first step moves each weight by the whole
            rate (ours; TensorFlow's default).
        learning_rate: peak of the schedule, or AdaGrad's rate.
        warmup: share of the steps in which AdamW's rate rises.
        weight_decay: AdamW's (reference code: none).
        ema: decay of the averaged weights that validation and export use (ours: shorter runs than 0.9999's); step n
            decays by n / (n + 9) while that is less, so that a run's beginning is forgotten.
        validate_every: steps from one validation to the next.
        save_every: steps from one checkpoint to the next.
        seed: of the weights and of every random choice.
        threads: CPU threads; 0 leaves PyTorch's choice. Of several devices each has its share.
        precision: Lightning Fabric's.
        deterministic: bitwise repeatable on the CPU.
        devices: GPUs, or where there is none processes on the CPU, that train together; each step is of one batch
            from each of them.

    Raises:
        UsageError: a number that is no number of steps or devices, or no rate; several devices with line search,
            whose step is chosen by one batch.
    """

    steps: int = 20_000
    optimiser: Literal["adamw", "adagrad", "line-search"] = "adamw"
    learning_rate: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 1e-4
    ema: float = 0.999
    validate_every: int = 2_000
    save_every: int = 1_000
    seed: int = 0
    threads: Annotated[int, Parameter(parse=False)] = 0  # the command line has its own --threads
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    deterministic: bool = False
    devices: int = 1

    def __post_init__(self) -> None:
        if self.devices < 1 or (self.devices > 1 and self.optimiser == "line-search"):
            raise UsageError(f"devices is {self.devices}; it takes 1 or more, and with line-search 1")
        if min(self.steps, self.validate_every, self.save_every) < 1:
            raise UsageError("steps, validate-every and save-every must be at least 1")
        if not (self.learning_rate > 0 and 0 <= self.ema < 1 and 0 <= self.warmup <= 1):
            raise UsageError("learning-rate must be above 0, ema in 0..1 (without 1), warmup in 0..1")


@runtime_checkable
class Recipe(Protocol):
    """What a model's recipe gives the loop."""

    @property
    def model(self) -> nn.Module:
        """The model to train."""
        ...

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """Loss of one fresh batch, and figures to log."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures of the averaged weights on data that training never sees."""
        ...

    def config(self) -> dict[str, Any]:
        """Everything needed to build the recipe's model again, JSON-able."""
        ...


@runtime_checkable
class Searched(Protocol):
    """A recipe for `line-search`."""

    def cost(self) -> Tensor:
        """Of the last batch that `loss` drew, at the weights as they are, by the same random choices; no gradients."""
        ...


def fit(
    recipe: Recipe, config: LoopConfig, run: Path, *, resume: bool = False, log: Log | None = None,
    origin: dict[str, Any] | None = None,
) -> nn.Module:
    """Train and return the averaged model; `run` receives checkpoints, `config.json` and TensorBoard events.

    Args:
        origin: what else makes the run what it is (its data, its first weights), JSON-able; goes into `config.json`.

    Raises:
        UsageError: `run` holds another run and `resume` is off, or the configuration or the origin changed; more
            devices than there are GPUs.
    """
    described = {"loop": asdict(config), "recipe": recipe.config(), **({"origin": origin} if origin else {})}
    if config.devices > 1 and 0 < torch.cuda.device_count() < config.devices:
        raise UsageError(f"devices is {config.devices}, and there are {torch.cuda.device_count()} GPUs here")
    _settle(run, described, resume)
    if config.devices == 1:
        alone = Fabric(precision=config.precision, devices=1)
        alone.launch()
        return _train(alone, recipe, config, run, log)
    # "Static" lets a recipe use parameters outside `forward`, or none of some; which, is the same in all steps.
    together = DDPStrategy(start_method="spawn", static_graph=True)
    with _relayed(log) as told:
        fabric: Any = Fabric(precision=config.precision, devices=config.devices, strategy=together)
        fabric.launch(_Share(recipe, config, run, told))
    mean = copy.deepcopy(recipe.model)
    mean.load_state_dict(averaged_weights(run))
    return mean.eval()


class _Told:
    """A log that can be sent to another process: puts what it is called with into a queue."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __call__(self, *told: Any) -> None:
        self._queue.put(told)


@contextmanager
def _relayed(log: Log | None) -> Iterator[_Told]:
    """What another process logs, told here."""
    queue = torch.multiprocessing.get_context("spawn").SimpleQueue()

    def relay() -> None:
        while (told := queue.get()) is not None:
            if log:
                log(*told)

    thread = Thread(target=relay)
    thread.start()
    try:
        yield _Told(queue)
    finally:
        queue.put(None)
        thread.join()


class _Share:
    """What one of several processes does. One object, since Fabric does not send frozen dataclasses as arguments."""

    def __init__(self, *work: Any) -> None:
        self._work = work

    def __call__(self, fabric: Fabric) -> None:
        model = self._work[0].model
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()  # they arrive in memory that all processes share
        _train(fabric, *self._work)


def _train(fabric: Fabric, recipe: Recipe, config: LoopConfig, run: Path, log: Log | None) -> nn.Module:
    """In one process, alone or of several; the averaged model."""
    _limit_threads(config.threads or (max(cores() // config.devices, 1) if config.devices > 1 else 0))
    torch.use_deterministic_algorithms(config.deterministic)
    averaged = AveragedModel(recipe.model, use_buffers=True)  # BatchNorm's running statistics are averaged too
    fabric.to_device(averaged.requires_grad_(False))
    mean: nn.Module = averaged.module
    model, optimiser = fabric.setup(recipe.model, _optimiser(recipe.model, config))
    own = config.seed + 1 + (fabric.global_rank << 32)  # no other seed's process draws the same
    rng = torch.Generator().manual_seed(own)
    if fabric.global_rank:
        torch.manual_seed(own)  # what a model drops at random
    state = _State(recipe.model, averaged, optimiser, rng)
    first = state.load(run / _CHECKPOINT, fabric.global_rank) if (run / _CHECKPOINT).exists() else 0
    writer = _writer(run) if fabric.is_global_zero else None
    started, last_log = time.monotonic(), first
    for step in range(first, config.steps):
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, config) * group["share"]
        model.train()
        loss, logs = recipe.loss(model, rng, fabric.device)
        optimiser.zero_grad()
        fabric.backward(loss)
        if config.optimiser == "line-search":
            assert isinstance(recipe, Searched)
            optimiser.step(recipe.cost)
        else:
            fabric.clip_gradients(model, optimiser, max_norm=5.0)
            optimiser.step()
        averaged.multi_avg_fn = get_ema_multi_avg_fn(  # type: ignore[no-untyped-call]
            min(config.ema, (step + 1) / (step + 10)))
        averaged.update_parameters(recipe.model)
        done = step + 1
        if writer and (done % 50 == 0 or done == config.steps):
            logs |= {"loss": float(loss.detach()), "rate": _rate(step, config)}
            logs["steps_per_second"] = (done - last_log) / (time.monotonic() - started)
            started, last_log = time.monotonic(), done
            for name, value in logs.items():
                writer.add_scalar(name, value, done)
            if log:
                log(done, config.steps, logs)
        if done % config.save_every == 0 or done == config.steps:
            others = _generators(fabric, rng)
            if writer:
                state.save(run, done, others)
        if writer and (done % config.validate_every == 0 or done == config.steps):
            figures = recipe.validate(mean.eval())
            for name, value in figures.items():
                writer.add_scalar(f"validation/{name}", value, done)
            with (run / "validation.jsonl").open("a") as file:
                file.write(json.dumps({"step": done, **figures}) + "\n")
            if log:
                log(done, config.steps, figures)
    if writer:
        writer.close()
    return mean.eval()


def _optimiser(model: nn.Module, config: LoopConfig) -> torch.optim.Optimizer:
    if config.optimiser == "adagrad":
        return torch.optim.Adagrad(_groups(model), 1.0, initial_accumulator_value=0.1)
    if config.optimiser == "line-search":
        return LineSearch(_groups(model))
    return torch.optim.AdamW(_groups(model), 1.0, weight_decay=config.weight_decay)


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    """Parameters that learn, by their share of the learning rate: what a model set as `rate_share` on them, else 1."""
    learning = [p for p in model.parameters() if p.requires_grad]
    shares = sorted({getattr(p, "rate_share", 1.0) for p in learning}, reverse=True)
    return [{"params": [p for p in learning if getattr(p, "rate_share", 1.0) == share], "share": share}
            for share in shares]


def _generators(fabric: Fabric, rng: torch.Generator) -> dict[str, Tensor]:
    """States of the generators of all processes but the first, as a checkpoint has them."""
    if fabric.world_size == 1:
        return {}
    states: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(states, {"rng": rng.get_state(), "global_rng": torch.get_rng_state()})
    return {f"{name}.{rank}": states[rank][name] for rank in range(1, len(states)) for name in states[rank]}


def _limit_threads(threads: int) -> None:
    """Numba sets OpenMP's number of threads for PyTorch too when it starts its own, so it is told first.

    Else the first step sums in another order than the rest, and a resumed run is not bitwise the undisturbed one.
    """
    import numba

    threads = min(threads or torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    numba.set_num_threads(threads)
    torch.set_num_threads(threads)


class _State:
    """Everything a run needs to go on: weights, averages, optimiser moments, generator, step."""

    def __init__(self, model: nn.Module, averaged: AveragedModel, optimiser: Any, rng: torch.Generator) -> None:
        self.model, self.averaged, self.optimiser, self.rng = model, averaged, optimiser, rng

    def save(self, run: Path, step: int, others: dict[str, Tensor]) -> None:
        """Of the first process, with the generators of the others."""
        moments = self.optimiser.state_dict()["state"]
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.module.state_dict().items()}
        tensors |= {f"moments.{i}.{k}": v for i, state in moments.items() for k, v in state.items()}
        tensors |= {"rng": self.rng.get_state(), "step": torch.tensor(step), "global_rng": torch.get_rng_state()}
        tensors |= others
        with written(run / _CHECKPOINT) as part:
            save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, part)

    def load(self, path: Path, rank: int) -> int:
        """The steps done; `rank` is the number of this process among those that train together."""
        tensors = load_file(path)

        def part(name: str) -> dict[str, Tensor]:
            return {k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(name + ".")}

        self.model.load_state_dict(part("model"))
        self.averaged.module.load_state_dict(part("averaged"))
        self.averaged.n_averaged.copy_(tensors["step"])  # one average per step
        state = self.optimiser.state_dict()
        state["state"] = {}
        for key, value in part("moments").items():
            index, name = key.split(".", 1)
            state["state"].setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict(state)
        of = f".{rank}" if rank else ""
        self.rng.set_state(tensors[f"rng{of}"])
        torch.set_rng_state(tensors[f"global_rng{of}"])
        return int(tensors["step"])


def _settle(run: Path, described: dict[str, Any], resume: bool) -> None:
    """Make the run's folder and write what the run is, or make sure that it goes on as what it was."""
    may_begin(run, resume)
    run.mkdir(parents=True, exist_ok=True)
    settings = run / "config.json"
    if not (run / _CHECKPOINT).exists():
        with written(settings) as place:
            place.write_text(json.dumps(described, indent=1))
        return
    try:
        before = json.loads(settings.read_text())
        before["loop"] = {"optimiser": "adamw", "devices": 1, **before["loop"]}  # older runs knew no others
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{settings}: not readable ({error}); start again in another folder") from error
    if changed := _difference(before, json.loads(json.dumps(described))):
        raise UsageError(f"{run}: was started with other settings ({changed}); resume with the same, or use another "
                         "folder")


def may_begin(run: Path, resume: bool) -> None:
    """Refuse to overwrite a run; worth asking before the data is read.

    Raises:
        UsageError: `run` holds a checkpoint and `resume` is off.
    """
    if not resume and (run / _CHECKPOINT).exists():
        raise UsageError(f"{run}: already holds a run; give `resume` to continue it, or use another folder")


def _difference(before: Any, now: Any, name: str = "settings") -> str:
    """The first setting that differs, "" if none does."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return "" if before == now else f"{name} was {_brief(before)}, now {_brief(now)}"
    return next((d for k in {**before, **now} if (d := _difference(before.get(k), now.get(k), k))), "")


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def averaged_weights(run: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's checkpoint by name.

    Raises:
        FormatError: there is no checkpoint, or it is damaged.
    """
    path = run / _CHECKPOINT
    if not path.exists():
        raise FormatError(f"{run}: holds no {_CHECKPOINT}; train first, or name the run's folder")
    try:
        tensors = load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); train again, or name another run") from error
    return {k[9:]: v for k, v in tensors.items() if k.startswith("averaged.")}


def initialise(model: nn.Module, run: Path, but: tuple[str, ...] = ()) -> None:
    """Start from the averaged weights of another run; layers that only `model` has stay as they are.

    Args:
        but: beginnings of names of layers that may have another shape, and then stay as they are too.

    Raises:
        FormatError: no such run, or no checkpoint in it yet.
        UsageError: the run's network has another shape.
    """
    ours = model.state_dict()
    weights = {k: v for k, v in averaged_weights(run).items()
               if not (k.startswith(but) and k in ours and ours[k].shape != v.shape)}
    odd = next((k for k, v in weights.items() if k not in ours or ours[k].shape != v.shape), "")
    if odd:
        raise UsageError(f"{run}: its network has another shape (at {odd}); give the `model` settings of that run")
    model.load_state_dict({**ours, **weights})


def last_validation(run: Path) -> dict[str, float]:
    """Figures of a run's last validation."""
    *_, last = (run / "validation.jsonl").read_text().splitlines()
    return {name: rate for name, rate in json.loads(last).items() if name != "step"}


def subjects_of_run(run: Path) -> tuple[str, ...]:
    """Subjects that a run was trained on."""
    return tuple(json.loads((run / "config.json").read_text())["origin"]["subjects"])


def _rate(step: int, config: LoopConfig) -> float:
    if config.optimiser == "adagrad":
        return config.learning_rate
    warm = max(1, round(config.warmup * config.steps))
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    share = (step - warm) / max(1, config.steps - warm)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def _writer(run: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(run))
