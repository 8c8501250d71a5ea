"""Rigs: which joint of a foreign skeleton is which of ours.

Knows names and trees, no angles. The names of common rigs are recognised (Mixamo, MotionBuilder and
CMU, 100STYLE, ReActIdle, Xsens, Rokoko, LaFAN1, Unreal, Unity, VRM, Blender, 3ds Max, SMPL); a rig
map says the rest. The spine is found by its place in the tree, whatever its joints are called and
however many they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any, Literal

from engine.body.skeleton import JOINT_NAMES
from engine.errors import InputError
from engine.formats.toml import read_toml

SIDED_NAMES = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("knee", "lowerleg", "lowleg", "shin", "calf", "tibia", "leg"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toe", "toes", "ball", "foot"),
    "shoulder": ("upperarm", "uparm", "shldr", "humerus", "arm", "shoulder"),
    "collar": ("collar", "clavicle", "collarbone", "shoulder"),
    "elbow": ("elbow", "forearm", "lowerarm", "lowarm", "radius"),
    "wrist": ("wrist", "hand"),
}
"""Our joint -> what others call it, best first. Each is used once, so order matters: where there
is an ankle, "foot" is the toes; where there is an upper arm, "shoulder" is the collar."""
MIDDLE_NAMES = {"head": ("head", "skull", "face"), "neck": ("neck", "lowerneck", "necktwist")}
ACCLAIM = "hipjoint|femur|tibia|foot|toes|clavicle|humerus|radius|wrist|hand"
"""Bones of CMU's skeletons, with a small l or r before them and nothing between."""
NEEDED = tuple(
    f"{side}_{part}"
    for part in ("hip", "knee", "ankle", "shoulder", "elbow")
    for side in ("left", "right")
)
_PREFIX = re.compile(
    r"^(.*:|mixamorig\d*_?|J_Bip_(C_)?|Bip\d+[ _]*|Character\d*_|CC_Base_)", re.IGNORECASE
)
_SIDES = (
    re.compile(r"^(?P<side>left|right)[ _.-]*(?P<part>.+)$", re.IGNORECASE),
    re.compile(r"^(?P<part>.+?)[ _.-]*(?P<side>left|right)$", re.IGNORECASE),
    re.compile(r"^(?P<side>l|r)[ _.-]+(?P<part>.+)$", re.IGNORECASE),
    re.compile(r"^(?P<part>.+)[ _.-]+(?P<side>l|r)$", re.IGNORECASE),
    re.compile(r"^(?P<side>l|r|L|R)(?P<part>[A-Z].*)$"),
    re.compile(rf"^(?P<side>l|r)(?P<part>{ACCLAIM})$"),
)


@dataclass(frozen=True, kw_only=True)
class RigMap:
    """What a rig map file says; see `read_rig_map`."""

    joints: Mapping[str, str] = dataclass_field(default_factory=dict)
    """Our joint name -> the file's; joints that are not listed are found by their names."""
    up: Literal["y", "z"] | None = None
    """The file's up axis; None: found from the skeleton."""
    metres_per_unit: float | None = None
    """The file's unit of length; None: guessed from the length of the legs."""
    height: float | None = None
    """Metres that the person is tall: tells the unit better than the legs do."""


def read_rig_map(path: Path) -> RigMap:
    """Read a rig map, a TOML file such as

        up = "y"                 # optional: "y" or "z"
        metres_per_unit = 0.01   # optional
        [joints]                 # ours = "theirs"; leave out what is found by its name
        left_hip = "thigh_stretch.l"

    Raises InputError that names the file and the key.
    """
    table = read_toml(path, InputError, "rig")
    _check(path, "", table, ("joints", "up", "metres_per_unit"))
    joints, up, unit = (table.get(key) for key in ("joints", "up", "metres_per_unit"))
    if not (joints is None or isinstance(joints, dict)):
        raise InputError(f"{path}: joints is no table; write [joints]", field="rig.joints")
    _check(path, "joints.", joints or {}, JOINT_NAMES)
    for key, value in (joints or {}).items():
        if not isinstance(value, str):
            raise InputError(f"{path}: joints.{key} is {value!r}, expected a name", field="rig")
    if up not in (None, "y", "z"):
        raise InputError(f"{path}: up is {up!r}, expected 'y' or 'z'", field="rig.up")
    if unit is not None and (not isinstance(unit, int | float) or not 0 < unit < 1000):
        raise InputError(
            f"{path}: metres_per_unit is {unit!r}, expected a number above 0, 0.01 for centimetres",
            field="rig.metres_per_unit",
        )
    return RigMap(joints=joints or {}, up=up, metres_per_unit=unit)


def _check(path: Path, prefix: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            raise InputError(
                f"{path}: {prefix}{key} is unknown; expected {', '.join(known)}",
                field=f"rig.{prefix}{key}",
            )


def match_joints(
    names: Sequence[str], parents: Sequence[int], rig: RigMap, source: str
) -> dict[str, int]:
    """Our joint name -> index of the file's joint, for all that the file has.

    names, parents  the file's tree, parents before children; the root's parent is -1
    source          what errors call the file
    Raises InputError when a limb cannot be found, or when the rig map names what is not there.
    """
    found = _given(names, rig, source)
    _match_names(names, found)
    missing = [joint for joint in NEEDED if joint not in found]
    if "head" not in found and "neck" not in found:
        missing.append("head")
    if missing:
        raise InputError(
            f"{source}: no joint found for {', '.join(missing)}; the file has {', '.join(names)}. "
            "Say which is which in a rig map (--rig map.toml)",
            field="rig.joints",
        )
    _match_ends(parents, found)
    try:
        _match_spine(parents, found)
    except StopIteration:
        raise InputError(
            f"{source}: legs, arms and head do not hang from one tree of joints, or one of them is "
            "the root; say which joint is which in a rig map (--rig map.toml)",
            field="rig.joints",
        ) from None
    return found


def _given(names: Sequence[str], rig: RigMap, source: str) -> dict[str, int]:
    for ours, theirs in rig.joints.items():
        if theirs not in names:
            raise InputError(
                f"{source}: the rig map says {ours} is {theirs!r}, which the file does not have; "
                f"it has {', '.join(names)}",
                field=f"rig.joints.{ours}",
            )
    return {ours: list(names).index(theirs) for ours, theirs in rig.joints.items()}


def _match_names(names: Sequence[str], found: dict[str, int]) -> None:
    """Add what can be told by names; of several that fit, the first in the tree is meant."""
    by_word: dict[tuple[str, str], int] = {}
    for index, name in enumerate(names):
        by_word.setdefault(words_of(name), index)
    wanted = [
        (side, f"{side}_{part}", words)
        for part, words in SIDED_NAMES.items()
        for side in ("left", "right")
    ] + [("", joint, words) for joint, words in MIDDLE_NAMES.items()]
    for side, joint, words in wanted:
        for word in words:
            index = by_word.get((side, word), -1)
            if joint not in found and index >= 0 and index not in found.values():
                found[joint] = index


def words_of(name: str) -> tuple[str, str]:
    """The side ("left", "right" or "") and the bare word of a joint's name."""
    bare = _PREFIX.sub("", name)
    side = ""
    for pattern in _SIDES:
        match = pattern.match(bare)
        if match:
            side = "left" if match["side"].lower().startswith("l") else "right"
            bare = match["part"]
            break
    return side, re.sub(r"[^a-z]", "", bare.lower())


def _match_ends(parents: Sequence[int], found: dict[str, int]) -> None:
    """A limb without wrist or toes ends at the one thing below its last joint: an End Site."""
    for side in ("left", "right"):
        for joint, above in (("wrist", "elbow"), ("foot", "ankle")):
            below = [i for i, p in enumerate(parents) if p == found[f"{side}_{above}"]]
            if f"{side}_{joint}" not in found and len(below) == 1:
                found[f"{side}_{joint}"] = below[0]


def _match_spine(parents: Sequence[int], found: dict[str, int]) -> None:
    """The pelvis is where the legs meet, the chest where arms and head do; the spine is between."""
    legs = (found["left_hip"], found["right_hip"])
    top = found.get("neck", found.get("head", -1))
    pelvis = found.setdefault("pelvis", _meeting(parents, legs))
    chest = _meeting(parents, (found["left_shoulder"], found["right_shoulder"], top))
    above_pelvis = _ancestors(parents, pelvis)
    spine = [j for j in _ancestors(parents, chest) if j not in above_pelvis][::-1]
    if not spine or any(joint in found for joint in ("spine1", "spine2", "spine3")):
        return
    found["spine3"] = spine[-1]
    if len(spine) > 1:
        found["spine1"] = spine[0]
    if len(spine) > 2:
        found["spine2"] = spine[len(spine) // 2]


def _ancestors(parents: Sequence[int], joint: int) -> list[int]:
    """The joint and all above it, upwards."""
    line = []
    while joint >= 0:
        line.append(joint)
        joint = parents[joint]
    return line


def _meeting(parents: Sequence[int], joints: Sequence[int]) -> int:
    """The lowest joint that all of `joints` hang from."""
    lines = [_ancestors(parents, parents[joint]) for joint in joints]
    return next(joint for joint in lines[0] if all(joint in line for line in lines))
