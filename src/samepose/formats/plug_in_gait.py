"""Joint centres from the skin markers of Vicon's Plug-in Gait, the usual content of a `.c3d` file."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from samepose.formats.bvh import JointTracks
from samepose.formats.joint_names import plain

NOTE = ("Plug-in Gait markers: hip centres by regression, other joints at their markers, which sit on the skin some "
        "5 cm off")
_HEAD = ("lfhd", "rfhd", "lbhd", "rbhd")
_SIDED = ("asi", "psi", "kne", "ank", "sho", "elb", "wra", "wrb")
_NEEDED = {"c7", "clav", *_HEAD, *(side + marker for side in "lr" for marker in _SIDED)}
# Bell, Pedersen and Brand 1990: the hip's centre from the middle of the ASIS, in units of the distance between them.
_LATERAL, _BEHIND, _BELOW = 0.36, 0.19, 0.30
# Upper neck and crown on the line from the base of the neck to the middle of the headband (ours, by H36M's lengths).
_NECK, _CROWN = 0.6, 1.2


def joint_centres(tracks: JointTracks) -> JointTracks | None:
    """Our joints in the place of markers; None where the markers are not those of Plug-in Gait.

    Medial knee and ankle markers (`LKNM`, `LMED`) are used where there are some.
    """
    place: dict[str, int] = {}
    for k, name in enumerate(tracks.names):
        place.setdefault(plain(name), k)
    if not place.keys() >= _NEEDED:
        return None

    def mean(*markers: str) -> Float[np.ndarray, "frame 3"]:
        middle: np.ndarray = tracks.points[:, [place[m] for m in markers if m in place]].mean(axis=1)
        return middle

    thorax = mean("c7", "clav")
    head = mean(*_HEAD) - thorax
    joints = {"thorax": thorax, "neck": thorax + _NECK * head, "head_top": thorax + _CROWN * head}
    joints["left_hip"], joints["right_hip"] = _hips(mean("lasi"), mean("rasi"), mean("lpsi", "rpsi"))
    for side in ("left", "right"):
        s = side[0]
        joints |= {
            f"{side}_knee": mean(f"{s}kne", f"{s}knm"), f"{side}_ankle": mean(f"{s}ank", f"{s}med"),
            f"{side}_shoulder": mean(f"{s}sho"), f"{side}_elbow": mean(f"{s}elb"),
            f"{side}_wrist": mean(f"{s}wra", f"{s}wrb"),
        }
    if {"ltoe", "rtoe"} <= place.keys():
        joints |= {"left_toe": mean("ltoe"), "right_toe": mean("rtoe")}
    return JointTracks(tuple(joints), np.stack(list(joints.values()), axis=1), tracks.frame_time)


def _hips(
    left: Float[np.ndarray, "frame 3"], right: Float[np.ndarray, "frame 3"], back: Float[np.ndarray, "frame 3"]
) -> tuple[Float[np.ndarray, "frame 3"], Float[np.ndarray, "frame 3"]]:
    """Hip centres from the left and right ASIS and the middle of the PSIS."""
    middle, across = (left + right) / 2, left - right
    width = np.linalg.norm(across, axis=-1, keepdims=True)
    up = np.cross(middle - back, across)
    up *= width / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-12)
    forward = np.cross(across, up) / np.maximum(width, 1e-12)
    centre = middle - _BEHIND * forward - _BELOW * up
    return centre + _LATERAL * across, centre - _LATERAL * across
