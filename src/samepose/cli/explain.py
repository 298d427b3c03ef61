"""`samepose explain`: pictures of what a model has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cyclopts import App

from samepose.cli.motion import Data, Frames, drawn_frames, load_motion
from samepose.cli.options import DEFAULTS, Options, needs

app = App(name="explain", help="Show in pictures what a model has learned.", help_format="plaintext", version_flags=[])
app.command("samepose.cli.explain_cpm:cpm", usage="Usage: samepose explain cpm IMAGE [OPTIONS]",
            help="Belief maps of one joint through the stages of a Convolutional Pose Machine.")

app.command("samepose.cli.explain_structnet:structnet", usage="Usage: samepose explain structnet [OPTIONS]",
            help="The space of pictures and 3D poses: its strongest features and components.")


@app.command(usage="Usage: samepose explain prvipe [OPTIONS]")
def prvipe(
    *,
    data: Data,
    out: Path,
    model: Path | None = None,
    cameras: str = "chest4",
    keypoints: Literal["perfect", "noisy"] = "perfect",
    frames: Frames = 1500,
    held_out: Path | None = None,
    joint_map: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Confidence against accuracy, variance against ambiguity, the embedding space, and retrievals, in four pictures.

    With --json the numbers behind the pictures are printed (Sun 2020, section 4.4).

    Args:
        data: Motion capture that the model never saw: BVH, AMC, C3D or .npz files, or folders of them.
        out: Folder for the pictures.
        model: An exported .onnx; the shipped weights by default.
        cameras: chest4, all11, or a .json or .csv file of azimuth, elevation, roll in degrees.
        keypoints: perfect or noisy.
        frames: How many poses to draw.
        held_out: Text file of the only subjects to use, one a line.
        joint_map: TOML file that says which joints are which, as ours = "theirs".
    """
    from samepose.evaluation.views import cameras_of

    with needs("eval"):
        from samepose.explain import pictures
    from samepose.cli.models import known_subjects
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.explain import prvipe as explain

    views, embedder = cameras_of(cameras), PrVipeEmbedder.load(model, options.limit_threads())
    out.mkdir(parents=True, exist_ok=True)
    names = "confidence", "ambiguity", "space", "retrievals"
    files = [out / f"{name}.png" for name in names]
    options.outputs(files, (".png",))
    poses = load_motion(data, joint_map, options)
    points, subjects = drawn_frames(poses, held_out, frames, options)
    seen = known_subjects(embedder.name, embedder.info.subjects, subjects, options)
    scene = explain.Scene.of(points, views, embedder, cameras_name=cameras, keypoints=keypoints)
    confidence, ambiguity = explain.confidence(scene), explain.ambiguity(scene)
    space, found = explain.space(scene), explain.retrievals(scene)
    pictures.confidence_picture(confidence, scene, files[0])
    pictures.ambiguity_picture(ambiguity, scene, files[1])
    pictures.space_picture(space, scene, files[2])
    pictures.retrieval_picture(found, scene, files[3])
    options.done(
        {"model": embedder.name, "frames": len(points), "cameras": cameras, "keypoints": keypoints,
         "confidence": confidence.to_json(), "ambiguity": ambiguity.to_json(), "space": space.to_json(),
         "retrievals": found.to_json(), **({"trained_on": seen} if seen else {})},
        f"{embedder.name}: expected calibration error {confidence.ece:.3f}, Brier score {confidence.brier:.3f} "
        f"(base rate {confidence.base_rate:.3f}, N = {len(confidence.pairs.hit):,} pairs); rank correlation of "
        f"variance and ambiguity {ambiguity.rank_correlation:+.2f}\n"
        f"pictures in {out}: {', '.join(names)}",
    )
    return 1 if poses.failed else 0
