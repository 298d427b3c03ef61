"""`samepose train` and `samepose export`."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from samepose.cli.options import DEFAULTS, Options, check_output, needs

app = App(name="train", help="Train a model.", help_format="plaintext", version_flags=[])
app.command("samepose.cli.train_prvipe:prvipe", name="prvipe", usage="Usage: samepose train prvipe [OPTIONS]",
            help="Train Pr-VIPE, or one of its rivals, on motion capture.")


def export(run: Path, /, *, out: Path, name: str | None = None, options: Options = DEFAULTS) -> None:
    """Write the model of a training run as ONNX, for --model of other verbs and `Embedder.load`.

    Args:
        run: Folder of the run.
        out: The file to write (.onnx).
        name: What the model calls itself; "prvipe-" and the name of the run's folder by default.
    """
    from samepose.embed import Embedder

    check_output(out, (".onnx",))
    with needs("train"):
        from samepose.training.export import export as write
        from samepose.training.export import info_of
        from samepose.training.runs import load_model
    model = load_model(run)
    write(model, info_of(model, name or f"prvipe-{run.resolve().name}"), out)
    written = Embedder.load(out)
    options.done({"model": str(out), "name": written.name, "sha256": written.sha256, "bytes": out.stat().st_size},
                 f"{out}: {written.name}, {out.stat().st_size / 1e6:.1f} MB, sha256 {written.sha256}")
