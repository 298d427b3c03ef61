"""`samepose eval`: the protocols of the papers, measured."""

from __future__ import annotations

from cyclopts import App

from samepose.cli.evaluate_retrieval import retrieval

app = App(name="eval", help="Measure models by the protocols of the papers.", help_format="plaintext", version_flags=[])
app.command(retrieval, usage="Usage: samepose eval retrieval [OPTIONS]")
app.command("samepose.cli.evaluate_keypoints:keypoints", usage="Usage: samepose eval keypoints [OPTIONS]",
            help="PCK of a detector on LSP, MPII, FLIC or COCO keypoints.")
app.command("samepose.cli.evaluate_sequences:penn_action", name="penn-action",
            usage="Usage: samepose eval penn-action [OPTIONS]", help="Action recognition on Penn Action.")
app.command("samepose.cli.evaluate_sequences:alignment", usage="Usage: samepose eval alignment [OPTIONS]",
            help="Kendall's tau of aligned videos on Penn Action.")
app.command("samepose.cli.evaluate_images:image_retrieval", name="image-retrieval",
            usage="Usage: samepose eval image-retrieval [OPTIONS]",
            help="Finding people who look alike in pose, by pixels and by keypoints.")
app.command("samepose.cli.evaluate_pose3d:pose3d", name="pose3d", usage="Usage: samepose eval pose3d [OPTIONS]",
            help="MPJPE of 3D poses from single pictures, on rendered people or Human3.6M.")
