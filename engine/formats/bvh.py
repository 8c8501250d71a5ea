"""BVH files: a skeleton with channels, and their text. One file holds one person.

Knows the file's joints, offsets and angles as they stand. Which of them is our left knee, and how a
rest pose that is not ours is undone, is `retarget.py`'s business. Lengths are in the file's unit.
Format: Biovision Hierarchy (Meredith and Maddock 2001, "Motion Capture File Formats Explained").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from engine.arrays import Array
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import (
    euler_zxy_from_rotmat,
    geodesic_angle,
    rotmat_about,
    slerp_rotmat,
)
from engine.body.shape import Body
from engine.body.skeleton import JOINT_NAMES, PARENTS
from engine.errors import InputError
from engine.motion.motion import Motion

POSITIONS = ("Xposition", "Yposition", "Zposition")
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")
LEAP_SPEED = np.radians(1200.0)
"""Radians a second: above what joints do in sports, except the arm that throws."""
LEAP_SECONDS = 0.25
LEAP_RETURN = np.radians(60.0)
END_SITE = ":end"
"""End of the name that an End Site gets: that of its parent with this behind it."""


@dataclass(frozen=True, eq=False)
class Bvh:
    """One recording. An End Site is a joint without channels, named after its parent.

    names, parents  J joints, parents first; the root's parent is -1
    offsets         (J, 3) from the parent, in the unit of the file
    channels        per joint, in the order of the file
    values          (T, channels) as in the file; angles in degrees
    frame_rate      frames a second
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    values: Array
    frame_rate: float

    def rest_positions(self) -> Array:
        """(J, 3) joints when all angles are zero, with the root at the origin."""
        positions = np.zeros_like(self.offsets)
        for joint, parent in enumerate(self.parents[1:], start=1):
            positions[joint] = positions[parent] + self.offsets[joint]
        return positions

    def world(self) -> tuple[Array, Array]:
        """Joints (T, J, 3) and their world orientations (T, J, 3, 3).

        Position channels take the place of the offset, as in Blender and MotionBuilder. Some tools
        add the two at the root: a constant shift, which putting the feet on the floor takes out.
        Leaps of single joints that come back at once are taken out (`without_leaps`).
        """
        positions: list[Array] = []
        orientations: list[Array] = []
        column = 0
        for joint, channels in enumerate(self.channels):
            values = self.values[:, column : column + len(channels)]
            column += len(channels)
            local = np.repeat(self.offsets[joint][None], len(values), axis=0)
            turn: Array = np.repeat(np.eye(3)[None], len(values), axis=0)
            for channel, value in zip(channels, values.T, strict=True):
                if channel in POSITIONS:
                    local[:, POSITIONS.index(channel)] = value
                else:
                    turn = turn @ rotmat_about(channel[0].lower(), np.radians(value))
            turn = without_leaps(turn, self.frame_rate)
            if joint == 0:
                positions.append(local)
                orientations.append(turn)
                continue
            parent = self.parents[joint]
            turned = (orientations[parent] @ local[..., None])[..., 0]
            positions.append(positions[parent] + turned)
            orientations.append(orientations[parent] @ turn)
        return np.stack(positions, axis=1), np.stack(orientations, axis=1)


def without_leaps(rotmats: Array, frame_rate: float) -> Array:
    """A joint's rotations (T, 3, 3) with the leaps that no body makes replaced by a smooth turn.

    Angles that were interpolated across their wrap-around spin a joint by a turn or more within a
    few frames, and back. A leap is faster than LEAP_SPEED and over within LEAP_SECONDS, at an angle
    that an allowed speed explains; the frames in between are interpolated. A fast turn that stays
    is left as it is.
    """
    limit = LEAP_SPEED / frame_rate
    fast = np.flatnonzero(geodesic_angle(rotmats[:-1], rotmats[1:]) > limit)
    longest = max(2, round(LEAP_SECONDS * frame_rate))
    result, done = rotmats, 0
    for start in fast.tolist():
        stops = [stop + 1 for stop in fast.tolist() if start < stop < start + longest]
        if start < done or not stops:
            continue
        stop = stops[-1]
        angle = float(geodesic_angle(rotmats[start], rotmats[stop]))
        if angle < min(limit, LEAP_RETURN):
            result = result.copy() if result is rotmats else result
            part = np.arange(1, stop - start) / (stop - start)
            result[start + 1 : stop] = slerp_rotmat(rotmats[start], rotmats[stop], part)
            done = stop
    return result


# --------------------------------------------------------------------------------------- reading
@dataclass
class _Lines:
    """The file's lines, braces on their own, and where reading stands; errors name the line."""

    name: str
    lines: list[tuple[int, str]]
    next_index: int = 0

    def peek(self) -> str:
        return self.lines[self.next_index][1] if self.next_index < len(self.lines) else ""

    def take(self, expected: str) -> str:
        if self.next_index == len(self.lines):
            self.fail(f"the file ends where {expected} was expected; it looks truncated")
        self.next_index += 1
        return self.lines[self.next_index - 1][1]

    def take_exactly(self, text: str) -> None:
        found = self.take(text)
        if found.upper() != text:
            self.fail(f"found {_shown(found)}, expected {text}")

    def fail(self, message: str) -> NoReturn:
        """Raise InputError about the line taken last."""
        number = self.lines[max(self.next_index - 1, 0)][0] if self.lines else 1
        raise InputError(f"{self.name}:{number}: {message}", field="bvh")


@dataclass
class _Hierarchy:
    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[Array] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)


def read_bvh(path: Path) -> Bvh:
    """Parse a BVH file; raises InputError that names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror})", field="path") from exc
    return parse_bvh(text, path.name)


def parse_bvh(text: str, name: str) -> Bvh:
    """Parse the text of a BVH file; `name` is what errors call it."""
    lines = _Lines(name, list(_split(text)))
    if not lines.lines:
        lines.fail("the file is empty, expected HIERARCHY; record or export it again")
    lines.take_exactly("HIERARCHY")
    tree = _Hierarchy()
    _read_joint(lines, tree, parent=-1)
    if lines.peek().split()[:1] == ["ROOT"]:
        lines.take("MOTION")
        lines.fail("a second ROOT: one file holds one person; split it into a file for each")
    values, frame_rate = _read_motion(lines, sum(len(channels) for channels in tree.channels))
    return Bvh(
        names=tuple(tree.names),
        parents=tuple(tree.parents),
        offsets=np.array(tree.offsets),
        channels=tuple(tree.channels),
        values=values,
        frame_rate=frame_rate,
    )


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line that says something; braces become lines of their own."""
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        for part in line.replace("{", "\n{\n").replace("}", "\n}\n").split("\n"):
            if part.strip():
                yield number, part.strip()


def _read_joint(lines: _Lines, tree: _Hierarchy, parent: int) -> None:
    """ROOT or JOINT name { OFFSET, CHANNELS, children }, depth first, without recursion."""
    _open_joint(lines, tree, parent, ("ROOT",))
    open_joints = [len(tree.names) - 1]
    while open_joints:
        if lines.peek() == "}":
            lines.take("}")
            open_joints.pop()
            continue
        is_end_site = _open_joint(lines, tree, open_joints[-1], ("JOINT", "END"))
        if is_end_site:
            lines.take_exactly("}")
        else:
            open_joints.append(len(tree.names) - 1)


def _open_joint(lines: _Lines, tree: _Hierarchy, parent: int, keywords: tuple[str, ...]) -> bool:
    """One joint up to its children; true for an End Site, which has none."""
    wanted = "JOINT, End Site or }" if "JOINT" in keywords else "ROOT"
    keyword, *words = lines.take(wanted).split(maxsplit=1)
    if keyword.upper() not in keywords:
        lines.fail(f"found {_shown(keyword)}, expected {wanted}")
    is_end_site = keyword.upper() == "END"
    name = tree.names[parent] + END_SITE if is_end_site else "".join(words)
    if not name:
        lines.fail(f"{keyword} has no name; give each joint one")
    if name in tree.names and not is_end_site:
        lines.fail(f"a second joint is named {_shown(name)}; joint names must differ")
    lines.take_exactly("{")
    tree.names.append(name)
    tree.parents.append(parent)
    tree.offsets.append(_read_offset(lines))
    tree.channels.append(() if is_end_site else _read_channels(lines))
    return is_end_site


def _read_offset(lines: _Lines) -> Array:
    keyword, *numbers = lines.take("OFFSET").split()
    if keyword.upper() != "OFFSET" or len(numbers) != 3:
        lines.fail(f"found {_shown(' '.join([keyword, *numbers]))}, expected OFFSET x y z")
    return _numbers(lines, numbers)


def _read_channels(lines: _Lines) -> tuple[str, ...]:
    keyword, *words = lines.take("CHANNELS").split()
    if keyword.upper() != "CHANNELS" or not words or not words[0].isdecimal():
        lines.fail(f"found {_shown(' '.join([keyword, *words]))}, expected CHANNELS n name ...")
    channels = tuple(word.capitalize() for word in words[1:])
    if len(channels) != int(words[0]):
        lines.fail(f"CHANNELS says {words[0]} but names {len(channels)}")
    unknown = [c for c in channels if c not in POSITIONS + ROTATIONS]
    if unknown or len(set(channels)) != len(channels):
        lines.fail(
            f"channels {_shown(' '.join(channels))}: each must be one of "
            f"{', '.join(POSITIONS + ROTATIONS)}, and occur once"
        )
    return channels


def _read_motion(lines: _Lines, width: int) -> tuple[Array, float]:
    lines.take_exactly("MOTION")
    frames = _read_setting(lines, "Frames:")
    if frames != int(frames) or frames < 1:
        lines.fail(f"Frames: {frames:g}, expected a whole number of at least 1")
    frame_time = _read_setting(lines, "Frame Time:")
    if not frame_time > 0:
        lines.fail(f"Frame Time: {frame_time:g}, expected seconds, more than 0")
    rows = []
    for frame in range(int(frames)):
        words = lines.take(f"frame {frame + 1} of {frames:g}").split()
        if len(words) != width:
            lines.fail(
                f"frame {frame + 1} has {len(words)} values, expected {width}, one for each channel"
            )
        rows.append(_numbers(lines, words))
    if lines.peek():
        lines.take("the end of the file")
        lines.fail(f"more follows after the {frames:g} frames that Frames: promises")
    return np.array(rows), _plain_rate(1 / frame_time)


def _read_setting(lines: _Lines, keyword: str) -> float:
    line = lines.take(keyword)
    if not line.lower().startswith(keyword.lower()):
        lines.fail(f"found {_shown(line)}, expected {keyword}")
    return float(_numbers(lines, [line[len(keyword) :].strip()])[0])


def _numbers(lines: _Lines, words: list[str]) -> Array:
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as exc:
        lines.fail(f"{_shown(str(exc).rpartition(': ')[2].strip(chr(39)))} is not a number")
    if not np.all(np.isfinite(numbers)):
        bad = words[int(np.argmin(np.isfinite(numbers)))]
        lines.fail(f"{_shown(bad)} is not a finite number")
    return numbers


def _plain_rate(frame_rate: float) -> float:
    """Frame times are written with few digits: 0.041667 s is 24 a second, and 0.033367 is 29.97."""
    nearest = float(round(frame_rate))
    return nearest if abs(frame_rate - nearest) < 2e-4 * frame_rate else frame_rate


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


# --------------------------------------------------------------------------------------- writing
END_OFFSETS = {
    "head": (0.0, 0.17, 0.02),
    "left_wrist": (0.17, 0.0, 0.0),
    "right_wrist": (-0.17, 0.0, 0.0),
    "left_foot": (0.0, -0.01, 0.07),
    "right_foot": (0.0, -0.01, 0.07),
}
"""Where bones without a joint at their end stop, metres; only viewers look at it."""


def write_bvh(
    path: Path, motion: Motion, body: Body, *, person: int = 0, metres_per_unit: float = 0.01
) -> None:
    """One person as a BVH file: our 22 joints in a T pose at rest, angles Z X Y, centimetres.

    The root's position channels are the pelvis in the world.
    """
    rest = body.rest_joints(motion.betas[person]).astype(np.float64)
    rotmats = motion.rotmats[person].astype(np.float64)
    pelvis = forward_kinematics(rest, rotmats, motion.transl[person])[0][:, 0]
    order = _depth_first()
    # Without leaps from 180 to -180, which other tools would interpolate across.
    angles = np.degrees(np.unwrap(euler_zxy_from_rotmat(rotmats), axis=0))[:, order]
    values = np.concatenate(
        [pelvis / metres_per_unit, angles.reshape(len(angles), -1)], axis=1, dtype=np.float64
    )
    rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in values)
    path.write_text(
        "HIERARCHY\n"
        + "\n".join(_joint_lines(0, rest / metres_per_unit, metres_per_unit))
        + f"\nMOTION\nFrames: {motion.frames}\nFrame Time: {1 / motion.frame_rate:.8f}\n{rows}\n",
        encoding="utf-8",
    )


def _children(joint: int) -> list[int]:
    return [child for child, parent in enumerate(PARENTS) if parent == joint]


def _depth_first(joint: int = 0) -> list[int]:
    return [joint] + [index for child in _children(joint) for index in _depth_first(child)]


def _joint_lines(joint: int, rest: Array, metres_per_unit: float) -> list[str]:
    """HIERARCHY lines of a joint and all below it; rest (22, 3) in the file's unit."""
    name = JOINT_NAMES[joint]
    is_root = joint == 0
    offset = np.zeros(3) if is_root else rest[joint] - rest[PARENTS[joint]]
    positions = " ".join(POSITIONS) + " " if is_root else ""
    lines = [
        f"{'ROOT' if is_root else 'JOINT'} {name}",
        "{",
        "  OFFSET {:.6f} {:.6f} {:.6f}".format(*offset),
        f"  CHANNELS {6 if is_root else 3} {positions}Zrotation Xrotation Yrotation",
    ]
    for child in _children(joint):
        lines += ["  " + line for line in _joint_lines(child, rest, metres_per_unit)]
    if name in END_OFFSETS:
        end = np.array(END_OFFSETS[name]) / metres_per_unit
        lines += ["  End Site", "  {", "    OFFSET {:.6f} {:.6f} {:.6f}".format(*end), "  }"]
    return [*lines, "}"]
