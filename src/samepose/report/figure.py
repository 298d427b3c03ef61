"""A page with a figure that one can turn: 3D poses beside their photo, or playing in time with their video."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from samepose.errors import UsageError
from samepose.files import written
from samepose.geometry.kinematics import TREE
from samepose.media.excerpts import cut
from samepose.media.image import resize
from samepose.poses import Poses
from samepose.report.page import data_uri, document
from samepose.skeleton import H36M17

LONGEST = 60.0  # seconds of a video that go into a page: some 10 MB
_LARGEST = 960  # pixels of a photo's longer side
_UNKNOWN = -32768  # millimetres: a joint that is missing
_BONES = [(H36M17.index(above), H36M17.index(joint)) for joint, above in TREE.items()]  # as a body is built


def write_figure(
    path: str | os.PathLike[str], poses: Poses, *,
    picture: UInt8[np.ndarray, "height width 3"] | None = None,
    video: str | os.PathLike[str] | None = None, alternatives: Float[np.ndarray, "pose hypothesis 17 3"] | None = None,
    weights: Float[np.ndarray, "pose hypothesis"] | None = None, title: str = "Pose in 3D", note: str = "",
) -> None:
    """Write 3D poses as one HTML file that needs nothing else: no network, no other file, and no script but its own.

    Poses with times are one person's motion, which plays; others are people of one photo, one of whom is shown.

    Args:
        path: of the page, replaced when it exists.
        poses: H36M17 or what becomes it, metres, x right, y up, z towards the viewer.
        picture: the photo, shown beside the figure as it is, so with whatever was drawn on it.
        video: the video that the times of the poses are of. What lies between the first and the last of them goes into
            the page, 640 pixels large at most; of more than `LONGEST` seconds the first, and the poses end there too.
        alternatives, weights: of each pose, most likely first, weights that sum to 1; not shown of a motion.
        title, note: text above and below.

    Raises:
        UsageError: 2D poses, none at all, or alternatives of another number of poses.
        SameposeError: the video cannot be read, or the page cannot be written.
    """
    if poses.points.shape[-1] != 3 or not len(poses) or np.isnan(poses.points).all():
        raise UsageError("`poses` hold no 3D pose; there is nothing to turn")
    if alternatives is not None and (weights is None or not len(alternatives) == len(weights) == len(poses)):
        raise UsageError(f"`alternatives` and `weights` are not of {len(poses)} poses; give both for each pose")
    body = poses.to(H36M17)
    moving = len(body) > 1 and not np.isnan(body.times).any()
    cut_short = ""
    if moving:
        body = body[~np.isnan(body.points).any(axis=(1, 2))]
        if video is not None and body.times[-1] - body.times[0] > LONGEST:
            cut_short = f" The page holds the first {LONGEST:.0f} s of the video."
            body = body[body.times <= body.times[0] + LONGEST]
    data = {
        "joints": H36M17.joints, "bones": _BONES, "poses": _millimetres(body.points),
        "times": [round(t, 4) for t in body.times.tolist()] if moving else [],
        "alternatives": [_millimetres(a) for a in alternatives] if alternatives is not None and not moving else [],
        "weights": np.round(weights, 4).tolist() if weights is not None and not moving else [],
    }
    media = ""
    if video is not None and moving:
        media = _video(Path(video), float(body.times[0]), float(body.times[-1]))
    elif picture is not None:
        media = _photo(picture)
    what = f"{len(body)} poses, {body.times[-1] - body.times[0]:.1f} s" if moving else _people(len(body))
    content = _page(title, what, note + cut_short, media, data, people=0 if moving else len(body))
    with written(path) as part:
        part.write_bytes(content.encode())


def _millimetres(points: Float[np.ndarray, "pose 17 3"]) -> list[list[int]]:
    whole = np.where(np.isnan(points), _UNKNOWN, np.clip(np.rint(np.nan_to_num(points) * 1000), -32767, 2**31 - 1))
    rows: list[list[int]] = whole.astype(np.int64).reshape(len(points), -1).tolist()
    return rows


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _photo(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    height, width = picture.shape[:2]
    scale = min(_LARGEST / max(height, width), 1.0)
    small = resize(picture, max(round(width * scale), 1), max(round(height * scale), 1))
    return (f'<section class="panel" aria-label="Photo"><h2>Photo</h2><img src="{data_uri(small)}" alt="The photo that '
            f'the pose is of" width="{small.shape[1]}" height="{small.shape[0]}"></section>')


def _video(video: Path, start: float, end: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "part.mp4"
        cut(video, small, start, end)
        content = base64.b64encode(small.read_bytes()).decode()
    return ('<section class="panel" aria-label="Video"><h2>Video</h2><video id="video" muted playsinline '
            f'preload="auto" src="data:video/mp4;base64,{content}" aria-label="The video that the poses are of">'
            "</video></section>")


def _page(title: str, what: str, note: str, media: str, data: dict[str, object], people: int) -> str:
    static = files("samepose.report") / "static"
    figure, view, style = ((static / name).read_text("utf-8") for name in ("figure.js", "view.js", "figure.css"))
    # One script of both modules: an import would need another file.
    script = figure + re.sub(r"^import .*$", "", view, flags=re.MULTILINE)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = ("default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
              f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
    made, keys = ("filmed", "; space plays") if data["times"] else ("photographed", "")
    person = "".join(f'<option value="{k}">Person {k + 1}</option>' for k in range(people))
    chooser = f'<label>Person <select id="person">{person}</select></label>' if people > 1 else ""
    player = ('<div class="bar-of-tools"><button id="play" aria-label="Play"></button><input type="range" id="scrub" '
              'aria-label="Time"><span id="time"></span></div>') if data["times"] else ""
    body = f"""<div class="view{' two' if media else ''}">
{media}
<section class="panel" aria-label="Figure">
<h2>Figure</h2>
<canvas id="figure" tabindex="0" role="application" aria-roledescription="figure that can be turned"
 aria-label="The pose in 3D. Arrow keys turn it, plus and minus zoom, 0 resets." aria-describedby="view"></canvas>
{player}
<div class="bar-of-tools">{chooser}<button id="front">As {made}</button><button id="reset">Reset</button>
<button id="nearer" class="round" aria-label="Nearer">+</button>
<button id="farther" class="round" aria-label="Farther">−</button><span id="view" aria-live="off"></span></div>
<fieldset id="alternatives" hidden><legend>What else it could be</legend><div></div></fieldset>
<p class="help">Drag or use the arrow keys to turn; + and − zoom, 0 resets{keys}.</p>
</section>
</div>"""
    holds = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return document(
        title, what, "Turn the figure to see the pose from elsewhere.", body, note.strip(),
        head=f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n<style>\n{style}</style>\n',
        tail=f'<script type="application/json" id="data">{holds}</script>\n<script type="module">{script}</script>\n',
    )
