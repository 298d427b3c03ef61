"""Train the two Pr-VIPE models anew: the held-out twin that the figures are measured on, and the one that is shipped.

    python scripts/make_prvipe.py --data CMU HDM05 --out RUNS

Four runs, each from the weights of the one before: without the detector's faults, with them, at twice the width, and on
everybody. The third never saw the people of `held_out.txt`; it becomes `RUNS/held-out.onnx`, calibrated on them. The
fourth becomes `RUNS/prvipe.onnx` with that calibration. A run that was stopped goes on when the command is repeated.

What is known of `prvipe-2` is in its model card: losses, batch, steps, widths, precision, the shares of views with the
detector's faults. Not recorded were the learning rates after the first run and the seeds, so this makes models of the
same recipe, not the same bytes; the rates here are ours.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """One run.

    Attributes:
        detector: share of views with MoveNet's faults.
        rate: peak learning rate.
        everything: train on the held-out people too.
    """

    name: str
    steps: int
    width: int
    detector: float
    rate: float
    everything: bool = False


STAGES = (
    Stage("clean", 7_500, 512, 0.0, 2e-3),
    Stage("faults", 5_500, 512, 0.4, 1e-3),
    Stage("wide", 6_500, 1_024, 0.3, 1e-3),
    Stage("everybody", 1_800, 1_024, 0.3, 5e-4, everything=True),
)


def commands(
    data: Sequence[Path], out: Path, stages: Sequence[Stage] = STAGES, batch: int = 1_024
) -> list[list[str]]:
    """What `samepose` is called with, in order; the last two of `stages` become models."""
    said = [f"{path}" for path in data]
    calls: list[list[str]] = []
    for before, stage in zip((None, *stages), stages):
        calls.append([
            "train", "prvipe", "--data", *said, "--out", f"{out / stage.name}", "--resume",
            *(["--init", f"{out / before.name}"] if before else []), *(["--everything"] if stage.everything else []),
            "--steps", f"{stage.steps}", "--model.width", f"{stage.width}", "--learning-rate", f"{stage.rate}",
            "--augment.detector", f"{stage.detector}", "--batch", f"{batch}", "--precision", "bf16-mixed",
            "--triplet", "0", "--positive", "0", "--contrast", "3", "--pairs", "0.5", "--prior", "0.001",
        ])
    held_out = f"{out / 'held-out.onnx'}"
    calls.append(["export", f"{out / stages[-2].name}", "--out", held_out, "--name", "prvipe-held-out",
                  "--calibrate", *said, "--force"])
    calls.append(["export", f"{out / stages[-1].name}", "--out", f"{out / 'prvipe.onnx'}", "--name", "prvipe",
                  "--calibration", held_out, "--force"])
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="motion capture: CMU's and HDM05's folders")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and both models")
    words = parser.parse_args()
    words.out.mkdir(parents=True, exist_ok=True)
    for call in commands(words.data, words.out):
        print("samepose", *call, flush=True)
        subprocess.run([sys.executable, "-m", "samepose", *call], check=True)


if __name__ == "__main__":
    main()
