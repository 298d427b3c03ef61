"""Which joint of a foreign skeleton is which of ours: the naming conventions we know, and files of a `joint_map`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from samepose.errors import FormatError
from samepose.skeleton import H36M17

JointMap = Mapping[str, "str | Sequence[str]"]
LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
SIDES = ("left", "right")


@dataclass(frozen=True)
class Convention:
    """A way to name joints. Names are compared in lower case without prefixes, spaces or punctuation.

    `a|b` are alternatives, `a+b` is the mean of both. Limb names get the side in front or behind, as left/right or l/r.

    Attributes:
        name: what notes call it.
        limbs: names of hip, knee, ankle, shoulder, elbow and wrist.
        trunk: names of pelvis, spine, thorax, neck, head_top; without them `_TRUNKS` are tried.
        needs: names that must be there, to tell conventions apart that use one name for two places.
        metres: length of the file's unit, where the convention fixes it.
    """

    name: str
    limbs: tuple[str, ...]
    trunk: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    metres: float | None = None


CGSPEED_METRES = 0.056444  # 0.0254 / 0.45: the ASF unit these BVH files kept

# Where two conventions share names, the one with `needs` comes first. ASF bones are named by their end.
# The Acclaim trunk is cut elsewhere than H36M's: its thorax bone ends 5 cm below the shoulders, its neck is two bones.
# The means below put thorax, neck and crown 49, 60 and 72 cm above the hips, where H36M has 49, 61 and 72.
CONVENTIONS: tuple[Convention, ...] = (
    Convention("acclaim", ("hipjoint", "femur", "tibia", "clavicle", "humerus", "wrist"),
               {"spine": "lowerback", "thorax": "thorax+lowerneck",
                "neck": "lowerneck+upperneck+upperneck", "head_top": "head"}),
    Convention("cgspeed", ("upleg", "leg", "foot", "arm", "forearm", "hand"),
               {"spine": "spine", "thorax": "neck+neck1", "neck": "neck1+head+head", "head_top": "headend"},
               ("lhipjoint", "lowerback", "neck1"), CGSPEED_METRES),
    Convention("cgspeed", ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"),
               {"spine": "chest", "thorax": "lowerneck+neck", "neck": "neck+head+head", "head_top": "headend"},
               ("lhipjoint", "lowerback", "lowerneck"), CGSPEED_METRES),
    Convention("samepose", ("upleg", "leg", "foot", "arm", "forearm", "hand"),  # what `write_bvh` writes
               {"pelvis": "hips", "spine": "spine", "thorax": "neck", "neck": "head", "head_top": "headend"},
               ("spinebase",), 1.0),
    Convention("daz", ("thigh|thighbend", "shin", "foot", "shldr|shldrbend", "forearm|forearmbend", "hand"),
               {"spine": "abdomen+chest|abdomenupper", "thorax": "neck|necklower", "neck": "head"}),
    Convention("motionbuilder", ("upleg", "leg", "foot", "arm", "forearm", "hand")),
    Convention("anatomical", ("hip", "knee", "ankle|foot", "shoulder", "elbow", "wrist|hand")),
    Convention("xsens", ("upperleg", "lowerleg", "foot", "upperarm", "forearm|lowerarm", "hand")),
    Convention("biped", ("thigh", "calf", "foot", "upperarm", "forearm|lowerarm", "hand")),
    Convention("rigify", ("thigh", "shin", "foot", "upperarm", "forearm", "hand")),
    Convention("vicon", ("fep", "feo", "tio", "hup|clo", "huo", "rao"), {"thorax": "trxo", "neck": "trxo+hedo"}),
)
_HEAD_TOPS = "headtop|headtopend|headend|headnub|vertex|topofhead"
_TRUNKS: tuple[Mapping[str, str], ...] = (
    {"thorax": "thorax", "neck": "neck|upperneck|neck/nose", "spine": "spine", "head_top": f"{_HEAD_TOPS}|head",
     "pelvis": "pelvis|hip"},
    {"thorax": "thorax", "neck": "head", "head_top": _HEAD_TOPS},
    {"thorax": "neck|neck01|neck1", "neck": "head", "head_top": _HEAD_TOPS},
    {"neck": "neck|upperneck", "head_top": _HEAD_TOPS},
)
_TOES = ("toebase", "toe", "toes", "bigtoe", "footindex", "footend", "ball", "toe0")


@dataclass(frozen=True)
class Matched:
    """Where our joints are in a file.

    Attributes:
        columns: our joint -> positions in the file whose mean it is. Holds all twelve limb joints; also
            `left_toe`, `right_toe`, `left_eye`, `right_eye` where the file has them.
        convention: the convention that fits, None when only a joint map names the limbs.
    """

    columns: Mapping[str, tuple[int, ...]]
    convention: Convention | None


def match_joints(path: Path | str, names: Sequence[str], joint_map: JointMap | None = None) -> Matched:
    """Find our joints among a file's, by convention and by the user's joint map, which wins.

    Raises:
        FormatError: a limb joint is not found, or the map names joints that do not exist.
    """
    place: dict[str, int] = {}
    for k, name in enumerate(names):
        place.setdefault(plain(name), k)
    chosen = _from_map(path, names, place, joint_map or {})
    found: dict[str, tuple[int, ...]] = {}
    convention = next((c for c in CONVENTIONS if all(n in place for n in c.needs) and _limbs(c, place)), None)
    if convention is not None:
        found = _limbs(convention, place) | _trunk(convention, place)
    columns = found | _extras(place) | chosen
    missing = [f"{s}_{limb}" for limb in LIMBS for s in SIDES if f"{s}_{limb}" not in columns]
    if not ("neck" in columns or "head_top" in columns):
        missing.append("neck or head_top")
    if missing:
        raise FormatError(f"{path}: cannot tell which joints are {', '.join(missing)}; the file has "
                          f"{', '.join(names)}; name them in a file as `joint_map` (ours = \"theirs\")")
    return Matched(columns, convention)


def read_joint_map(path: str | Path) -> dict[str, str | tuple[str, ...]]:
    """Read a TOML table `ours = "theirs"`; a list of theirs means their mean.

    Raises:
        FormatError: not TOML, not our joint names, or values that are not names.
    """
    try:
        table = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: is not a TOML file ({error}); write lines such as "
                          "left_hip = \"LeftUpLeg\"") from error
    out: dict[str, str | tuple[str, ...]] = {}
    for ours, theirs in table.items():
        listed = [theirs] if isinstance(theirs, str) else theirs
        if not isinstance(listed, list) or not listed or not all(isinstance(t, str) for t in listed):
            raise FormatError(f"{path}: {ours} should be a joint name or a list of joint names, not {theirs!r}")
        _check_ours(path, ours)
        out[ours] = theirs if isinstance(theirs, str) else tuple(listed)
    return out


def plain(name: str) -> str:
    """A joint name in lower case, without namespace (`mixamorig:`, `Bip01 `), spaces, `_`, `-` and `.`."""
    name = re.sub(r"[\s_.\-]", "", name.rsplit(":", 1)[-1].lower())
    return re.sub(r"^(mixamorig\d*|bip\d*)(?=.)", "", name)


def _check_ours(source: Path | str, ours: str) -> None:
    if ours not in H36M17.joints:
        raise FormatError(f"{source}: the joint map names {ours!r}, which is none of ours: {', '.join(H36M17.joints)}")


def _from_map(
    path: Path | str, names: Sequence[str], place: Mapping[str, int], joint_map: JointMap
) -> dict[str, tuple[int, ...]]:
    out = {}
    for ours, theirs in joint_map.items():
        _check_ours(path, ours)
        listed = (theirs,) if isinstance(theirs, str) else tuple(theirs)
        unknown = [t for t in listed if t not in names and plain(t) not in place]
        if unknown or not listed:
            raise FormatError(f"{path}: the joint map wants {', '.join(unknown) or 'nothing'} for {ours}; the file has "
                              f"{', '.join(names)}")
        out[ours] = tuple(list(names).index(t) if t in names else place[plain(t)] for t in listed)
    return out


def _pick(pattern: str, place: Mapping[str, int]) -> tuple[int, ...]:
    """Columns of `a+b|c`: the mean of what is there in each alternative's place, () unless every part is."""
    parts = [next((place[n] for n in part.split("|") if n in place), None) for part in pattern.split("+")]
    return tuple(p for p in parts if p is not None) if None not in parts else ()


def _limbs(convention: Convention, place: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    for form in ("{side}{name}", "{letter}{name}", "{name}{side}", "{name}{letter}"):
        found = {}
        for limb, pattern in zip(LIMBS, convention.limbs):
            for side in SIDES:
                names = "|".join(form.format(side=side, letter=side[0], name=n) for n in pattern.split("|"))
                found[f"{side}_{limb}"] = _pick(names, place)
        if all(found.values()):
            return found
    return {}


def _trunk(convention: Convention, place: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    for trunk in (convention.trunk,) if convention.trunk else _TRUNKS:
        found = {joint: _pick(pattern, place) for joint, pattern in trunk.items()}
        if all(found[joint] for joint in ("thorax", "neck") if joint in trunk):
            return {joint: columns for joint, columns in found.items() if columns}
    return {}


def _extras(place: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    out = {}
    for side in SIDES:
        letter = side[0]
        toes = [n for t in _TOES for n in (side + t, letter + t, t + side, t + letter)]
        # An Acclaim foot bone ends at the toes; other skeletons call the ankle so.
        toes = [f"{letter}foot"] if f"{letter}tibia" in place else toes
        out[f"{side}_toe"] = _pick("|".join(toes), place)
        out[f"{side}_eye"] = _pick(f"{side}eye|{letter}eye|eye{letter}", place)
    return {joint: columns for joint, columns in out.items() if columns}
