"""`samepose eval`: the protocols of the papers, measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from samepose.cli.motion import Data, Frames, drawn_frames, load_motion
from samepose.cli.options import DEFAULTS, Flag, Options, check_output
from samepose.errors import UsageError
from samepose.evaluation.views import Keypoints
from samepose.files import written

if TYPE_CHECKING:
    import numpy as np

    from samepose.evaluation.retrieval import RetrievalResult, Scorer
    from samepose.evaluation.views import Camera

app = App(name="eval", help="Measure models by the protocols of the papers.", help_format="plaintext", version_flags=[])
app.command("samepose.cli.evaluate_keypoints:keypoints", usage="Usage: samepose eval keypoints [OPTIONS]",
            help="PCK of a detector on LSP, MPII, FLIC or COCO keypoints.")
app.command("samepose.cli.evaluate_sequences:penn_action", name="penn-action",
            usage="Usage: samepose eval penn-action [OPTIONS]", help="Action recognition on Penn Action.")
app.command("samepose.cli.evaluate_sequences:alignment", usage="Usage: samepose eval alignment [OPTIONS]",
            help="Kendall's tau of aligned videos on Penn Action.")


@app.command(usage="Usage: samepose eval retrieval [OPTIONS]")
def retrieval(
    *,
    data: Data,
    cameras: str = "all11",
    keypoints: Keypoints = "perfect",
    frames: Frames = 1500,
    model: Annotated[list[str] | None, Parameter(negative="")] = None,
    held_out: Path | None = None,
    baselines: Flag = False,
    hide: str = "",
    hidden_pairs: Flag = False,
    joint_map: Path | None = None,
    markdown: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Hit@k of finding the pose of one camera in the view of another, over all pairs of cameras.

    A find is right within NP-MPJPE kappa of the query in 3D (Sun 2020, section 4.2). Frames are drawn without near
    duplicates. The figures move with their number and with the cameras: compare like with like. A model that tells
    whom it was trained on is reported when it is measured on them.

    Args:
        data: Motion capture that the model never saw: BVH, AMC, C3D or .npz files, or folders of them.
        cameras: chest4, all11, or a .json or .csv file of azimuth, elevation, roll in degrees.
        keypoints: perfect, noisy (Gaussian), or detected (with the faults of MoveNet).
        frames: How many to draw.
        model: An exported .onnx, the folder of a training run (needs samepose[train]), or prvipe, the shipped weights,
            which are also the default; repeat it for several.
        held_out: Text file of the only subjects to use, one a line.
        baselines: Also rank by 2D Procrustes distance.
        hide: Parts or joints hidden from the queries, such as left_arm,legs.
        hidden_pairs: Hide every two joints from the queries in turn, average, and name the worst two.
        joint_map: TOML file that says which joints are which, as ours = "theirs".
        markdown: Also write the tables to this file (.md).
    """
    from samepose.cli.models import contestants
    from samepose.evaluation.report import markdown_table, text_table, to_json
    from samepose.evaluation.views import CAMERAS, cameras_of
    from samepose.formats.subjects import listed

    if hide and hidden_pairs:
        raise UsageError("--hidden-pairs hides every two joints; leave out --hide, or --hidden-pairs")
    if markdown is not None:
        check_output(markdown, (".md",))
    condition = _Condition(cameras_of(cameras), cameras.lower() if cameras.lower() in CAMERAS else cameras, keypoints,
                           _joints(hide), hidden_pairs)
    models = contestants(model or [], baselines=baselines, threads=options.limit_threads())
    poses = load_motion(data, joint_map, options)
    points, subjects = drawn_frames(poses, held_out, frames, options)
    results, known = [], dict[str, list[str]]()
    with options.progress("model") as progress:
        for k, (name, contestant) in enumerate(models.items()):
            progress(k, len(models), name)
            if seen := [s for s in subjects if s in contestant.subjects]:
                known[name] = seen
                options.note(f"warning: {name} was trained on {listed(seen)}; what it does with people that it has "
                             "never seen, these figures do not tell")
            results += condition.measure({name: contestant.scorer}, points)
    if markdown is not None:
        with written(markdown) as part:
            part.write_text(_tables(results, len(condition.cameras), markdown_table) + "\n", "utf-8")
    document = to_json(results)
    for name, seen in known.items():
        document["models"][name]["trained_on"] = seen
    options.result(document, _tables(results, len(condition.cameras), text_table))
    return 1 if poses.failed else 0


@dataclass(frozen=True)
class _Condition:
    cameras: tuple[Camera, ...]
    name: str
    keypoints: Keypoints
    hide: tuple[str, ...]
    hidden_pairs: bool

    def measure(self, scorers: Mapping[str, Scorer], points: np.ndarray) -> list[RetrievalResult]:
        from samepose.evaluation.retrieval import evaluate, evaluate_hidden_pairs

        if self.hidden_pairs:
            return evaluate_hidden_pairs(points, scorers, self.cameras, cameras_name=self.name,
                                         keypoints=self.keypoints)
        return evaluate(points, scorers, self.cameras, cameras_name=self.name, keypoints=self.keypoints,
                        hide=self.hide)


def _joints(hide: str) -> tuple[str, ...]:
    from samepose.skeleton import BODY13, parts

    joints = tuple(joint for joint in parts(hide) if joint in BODY13.joints)
    if hide and not joints:
        raise UsageError(f"--hide {hide}: none of these is among {', '.join(BODY13.joints)}")
    return joints


def _tables(
    results: list[RetrievalResult], cameras: int, table: Callable[[list[RetrievalResult], float], str]
) -> str:
    from samepose.evaluation.report import hidden_pairs_text
    from samepose.evaluation.retrieval import KAPPAS

    pairs = cameras * (cameras - 1)
    caption = f"N = {results[0].frames:,} frames in each of {cameras} cameras, mean of all {pairs} pairs"
    costs = "\n".join(line for result in results if (line := hidden_pairs_text(result)))
    return "\n\n".join([*(table(results, kappa) for kappa in KAPPAS), *([costs] if costs else []), caption])
