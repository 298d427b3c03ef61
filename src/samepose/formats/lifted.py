"""3D poses as `samepose lift --json` prints them: `{"people": [{"person", "time", "skeleton", "points"}, …]}`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samepose.errors import FormatError, UsageError
from samepose.formats.keypointfile import KeypointFile
from samepose.media import one_line
from samepose.poses import Poses
from samepose.skeleton import SKELETONS


def is_lifted(content: Any) -> bool:
    """True for what `parse_lifted` may read: OpenPose's people, too, are listed under that name."""
    people = content.get("people") if isinstance(content, dict) else None
    return isinstance(people, list) and bool(people) and isinstance(people[0], dict) and "points" in people[0]


def parse_lifted(content: dict[str, Any], path: Path) -> KeypointFile:
    """The 3D poses, in metres, y up.

    Raises:
        FormatError: damaged, or people of several skeletons.
    """
    people = content["people"]
    try:
        skeleton = SKELETONS[people[0]["skeleton"]]
        if any(SKELETONS[person["skeleton"]] != skeleton for person in people):
            raise UsageError("people of several skeletons")
        times = [person.get("time") for person in people]
        poses = Poses.of([person["points"] for person in people], skeleton, unit="metre",
                         times=[float("nan") if time is None else time for time in times],
                         tracks=[person.get("person", i) for i, person in enumerate(people)])
        if poses.points.shape[-1] != 3:
            raise UsageError("points of two coordinates")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError) as error:
        raise FormatError(f"{path}: damaged 3D poses ({one_line(error)}); save the output of `samepose lift` again"
                          ) from error
    return KeypointFile(poses, ("",) * len(poses))
