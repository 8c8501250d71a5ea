"""BVH files: a skeleton with channels, and their text. One file holds one person.

Knows the file's joints, offsets and angles as they stand. Which of them is our left knee, and how a
rest pose that is not ours is undone, is `retarget.py`'s business. Lengths are in the file's unit.
Format: Biovision Hierarchy (Meredith and Maddock 2001, "Motion Capture File Formats Explained").
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NoReturn

import numpy as np

from engine.arrays import Array, IntArray
from engine.body.fingers import finger_rotmats
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import (
    euler_zxy_from_rotmat,
    geodesic_angle,
    rotmat_from_euler,
    slerp_rotmat,
)
from engine.body.shape import Body
from engine.body.skeleton import HAND_JOINT_NAMES, HAND_PARENTS, JOINT_NAMES, PARENTS
from engine.body.vectors import rotated
from engine.errors import InputError
from engine.motion.motion import MOST_FRAMES, RATES, Motion

POSITIONS = ("Xposition", "Yposition", "Zposition")
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")
LEAP_SPEED = np.radians(1200.0)
"""Radians a second: above what joints do in sports, except the arm that throws."""
LEAP_SECONDS = 0.25
LEAP_RETURN = np.radians(60.0)
ROUNDING = 1e-12
"""Of the cosine of an angle."""
MOST_JOINTS = 1000
MOST_NESTED = 100
"""Joints within joints: a finger's last is the twelfth or so."""
LARGEST = 1e9
"""Of any offset, place or angle: a file with larger numbers is damaged."""
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

    @property
    def frames(self) -> int:
        return len(self.values)

    def rest_positions(self) -> Array:
        """(J, 3) joints when all angles are zero, with the root at the origin."""
        positions = np.zeros_like(self.offsets)
        for joint, parent in enumerate(self.parents[1:], start=1):
            positions[joint] = positions[parent] + self.offsets[joint]
        return positions

    def part(self, joints: Iterable[int]) -> tuple[Bvh, dict[int, int]]:
        """Those joints and all above them; and the index in it of each, by its index here."""
        kept: set[int] = set()
        for joint in joints:
            while joint >= 0 and joint not in kept:
                kept.add(joint)
                joint = self.parents[joint]
        new = {joint: index for index, joint in enumerate(sorted(kept))}
        columns = [c for joint in new for c in range(*self._columns(joint))]
        part = Bvh(
            names=tuple(self.names[joint] for joint in new),
            parents=tuple(new.get(self.parents[joint], -1) for joint in new),
            offsets=self.offsets[list(new)],
            channels=tuple(self.channels[joint] for joint in new),
            values=self.values[:, columns],
            frame_rate=self.frame_rate,
        )
        return part, new

    def world(
        self, frames: slice = slice(None), turned: Array | None = None
    ) -> tuple[Array, Array]:
        """Joints (T, J, 3) and their world orientations (T, J, 3, 3), of some frames.

        turned  (3, 3) that the whole world is turned by; None: as in the file

        Position channels take the place of the offset, as in Blender and MotionBuilder. Some tools
        add the two at the root: a constant shift, which putting the feet on the floor takes out.
        Leaps of single joints that come back at once are taken out (`mended_leaps`).
        """
        begin, end, _ = frames.indices(len(self.values))
        positions = np.empty((end - begin, len(self.names), 3))
        orientations = np.empty((end - begin, len(self.names), 3, 3))
        for joint, parent in enumerate(self.parents):
            local, turn = self._local(joint, slice(begin, end))
            if joint in self._mended:
                at, turns = self._mended[joint]
                inside = (at >= begin) & (at < end)
                turn[at[inside] - begin] = turns[inside]
            if joint == 0:
                world = np.eye(3) if turned is None else turned
                positions[:, joint], orientations[:, joint] = local @ world.T, world @ turn
                continue
            above = orientations[:, parent]
            positions[:, joint] = positions[:, parent] + rotated(above, local)
            orientations[:, joint] = above @ turn if self.channels[joint] else above
        return positions, orientations

    def _local(self, joint: int, frames: slice) -> tuple[Array, Array]:
        """Places (T, 3) and turns (T, 3, 3) against the parent."""
        first, _ = self._columns(joint)
        values, names = self.values[frames], self.channels[joint]
        place = np.repeat(self.offsets[joint][None], len(values), axis=0)
        for column, name in enumerate(names, start=first):
            if name in POSITIONS:
                place[:, POSITIONS.index(name)] = values[:, column]
        turns = [(column, n) for column, n in enumerate(names, start=first) if n in ROTATIONS]
        if not turns:
            return place, np.repeat(np.eye(3)[None], len(values), axis=0)
        angles = np.radians(values[:, [column for column, _ in turns]])
        return place, rotmat_from_euler(angles, "".join(name[0].lower() for _, name in turns))

    def _columns(self, joint: int) -> tuple[int, int]:
        """The first of a joint's columns in `values`, and the one after its last."""
        first = self._first_columns[joint]
        return first, first + len(self.channels[joint])

    @cached_property
    def _first_columns(self) -> list[int]:
        return [0, *accumulate(len(channels) for channels in self.channels)]

    @cached_property
    def _mended(self) -> dict[int, tuple[IntArray, Array]]:
        """`mended_leaps` of each joint that has any."""
        found = {}
        for joint, channels in enumerate(self.channels):
            if any(channel in ROTATIONS for channel in channels):
                _, turns = self._local(joint, slice(None))
                at, mended = mended_leaps(turns, self.frame_rate)
                if len(at):
                    found[joint] = at, mended
        return found


def mended_leaps(rotmats: Array, frame_rate: float) -> tuple[IntArray, Array]:
    """The frames (n,) of a joint's rotations (T, 3, 3) in which it leaps as no body does, and what
    to put there (n, 3, 3): a smooth turn.

    Angles that were interpolated across their wrap-around spin a joint by a turn or more within a
    few frames, and back. A leap is faster than LEAP_SPEED and over within LEAP_SECONDS, at an angle
    that an allowed speed explains; the frames in between are interpolated. A fast turn that stays
    is left as it is.
    """
    limit = LEAP_SPEED / frame_rate
    # The cosine of the angle between two rotations is (trace(A^T B) - 1) / 2.
    cosine = (np.einsum("tij,tij->t", rotmats[:-1], rotmats[1:]) - 1) / 2
    fast = np.flatnonzero(cosine < np.cos(min(limit, np.pi)) - ROUNDING)
    longest = max(2, round(LEAP_SECONDS * frame_rate))
    stops = fast[np.searchsorted(fast, fast + longest) - 1] + 1
    angles = geodesic_angle(rotmats[fast], rotmats[stops])
    leaps = (stops > fast + 1) & (angles < min(limit, LEAP_RETURN))
    chosen = [(0, 0)]
    for start, stop in zip(fast[leaps].tolist(), stops[leaps].tolist(), strict=True):
        if start >= chosen[-1][1]:
            chosen.append((start, stop))
    begin, end = np.array(chosen[1:], np.int64).reshape(-1, 2).T
    counts = end - begin - 1
    begin, counts_of = np.repeat(begin, counts), np.repeat(counts, counts)
    step = 1 + np.arange(len(begin)) - np.repeat(np.cumsum(counts) - counts, counts)
    end = begin + counts_of + 1
    return begin + step, slerp_rotmat(rotmats[begin], rotmats[end], step / (counts_of + 1))


# --------------------------------------------------------------------------------------- reading
class _Lines:
    """The file's lines, braces on their own, one after the other; errors name the line."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._lines = _split(text)
        self._number = 1
        self._ahead = next(self._lines, None)

    def peek(self) -> str:
        return self._ahead[1] if self._ahead else ""

    def take(self, expected: str) -> str:
        if self._ahead is None:
            self.fail(f"the file ends where {expected} was expected; it looks truncated")
        self._number, line = self._ahead
        self._ahead = next(self._lines, None)
        return line

    def take_exactly(self, text: str) -> None:
        found = self.take(text)
        if found.upper() != text:
            self.fail(f"found {_shown(found)}, expected {text}")

    def fail(self, message: str) -> NoReturn:
        """Raise InputError about the line taken last."""
        raise InputError(f"{self.name}:{self._number}: {message}", field="bvh")


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
    lines = _Lines(name, text)
    if not lines.peek():
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
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if "{" not in line and "}" not in line:
            if line := line.strip():
                yield number, line
            continue
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
        if len(tree.names) > MOST_JOINTS or len(open_joints) > MOST_NESTED:
            lines.fail(
                f"{len(tree.names)} joints, {len(open_joints)} of them within each other; expected "
                f"at most {MOST_JOINTS} and {MOST_NESTED}, as any body has"
            )


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
    return np.array(_numbers(lines, numbers))


def _read_channels(lines: _Lines) -> tuple[str, ...]:
    keyword, *words = lines.take("CHANNELS").split()
    if keyword.upper() != "CHANNELS" or not words or not words[0].isdecimal():
        lines.fail(f"found {_shown(' '.join([keyword, *words]))}, expected CHANNELS n name ...")
    channels = tuple(word.capitalize() for word in words[1:])
    if words[0].lstrip("0") != str(len(channels) or ""):
        lines.fail(f"CHANNELS says {_shown(words[0])} but names {len(channels)}")
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
    if frames != int(frames) or not 1 <= frames <= MOST_FRAMES:
        lines.fail(f"Frames: {frames:g}, expected a whole number, 1 to {MOST_FRAMES}")
    frame_time = _read_setting(lines, "Frame Time:")
    if not 1 / RATES[1] <= frame_time <= 1 / RATES[0]:
        lines.fail(
            f"Frame Time: {frame_time:g}, expected seconds, {1 / RATES[1]:g} to {1 / RATES[0]:g}"
        )
    values = array("d")
    for frame in range(int(frames)):
        words = lines.take(f"frame {frame + 1} of {frames:g}").split()
        if len(words) != width:
            lines.fail(
                f"frame {frame + 1} has {len(words)} values, expected {width}, one for each channel"
            )
        values.extend(_numbers(lines, words))
    if lines.peek():
        lines.take("the end of the file")
        lines.fail(f"more follows after the {frames:g} frames that Frames: promises")
    return np.frombuffer(values).reshape(int(frames), width), _plain_rate(1 / frame_time)


def _read_setting(lines: _Lines, keyword: str) -> float:
    line = lines.take(keyword)
    if not line.lower().startswith(keyword.lower()):
        lines.fail(f"found {_shown(line)}, expected {keyword}")
    return _numbers(lines, [line[len(keyword) :].strip()])[0]


def _numbers(lines: _Lines, words: list[str]) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError as exc:
        lines.fail(f"{_shown(str(exc).rpartition(': ')[2].strip(chr(39)))} is not a number")
    # Not a number in it makes the sum none, whatever the others are.
    if not (min(numbers) >= -LARGEST and max(numbers) <= LARGEST and sum(numbers) < math.inf):
        bad = next(
            w for w, number in zip(words, numbers, strict=True) if not abs(number) <= LARGEST
        )
        size = "a finite number" if not math.isfinite(float(bad)) else f"within {LARGEST:g}"
        lines.fail(f"{_shown(bad)} is not {size}")
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

    The root's position channels are the pelvis in the world. Fingers are there where the motion
    says how they are bent.
    """
    rest = body.rest_joints(motion.betas[person]).astype(np.float64)
    rotmats = motion.rotmats[person].astype(np.float64)
    pelvis = forward_kinematics(rest, rotmats, motion.transl[person])[0][:, 0]
    tree = _Tree(JOINT_NAMES, PARENTS, rest / metres_per_unit)
    if motion.curls is not None and body.fingers is not None:
        turned = finger_rotmats(body.fingers, motion.curls[person].astype(np.float64))
        rotmats = np.concatenate([rotmats, turned], axis=1)
        joints = body.all_rest_joints(motion.betas[person])[-len(HAND_JOINT_NAMES) :]
        tree = _Tree(
            JOINT_NAMES + HAND_JOINT_NAMES,
            PARENTS + HAND_PARENTS,
            np.concatenate([tree.rest, joints / metres_per_unit]),
        )
    order = tree.depth_first()
    # Without leaps from 180 to -180, which other tools would interpolate across.
    angles = np.degrees(np.unwrap(euler_zxy_from_rotmat(rotmats), axis=0))[:, order]
    values = np.concatenate(
        [pelvis / metres_per_unit, angles.reshape(len(angles), -1)], axis=1, dtype=np.float64
    )
    rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in values)
    path.write_text(
        "HIERARCHY\n"
        + "\n".join(tree.lines(0, metres_per_unit))
        + f"\nMOTION\nFrames: {motion.frames}\nFrame Time: {1 / motion.frame_rate:.8f}\n{rows}\n",
        encoding="utf-8",
    )


@dataclass(frozen=True)
class _Tree:
    """The joints of a file that is written: rest (J, 3) in its unit, parents first."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Array

    def children(self, joint: int) -> list[int]:
        return [child for child, parent in enumerate(self.parents) if parent == joint]

    def depth_first(self, joint: int = 0) -> list[int]:
        below = (self.depth_first(child) for child in self.children(joint))
        return [joint, *(index for each in below for index in each)]

    def lines(self, joint: int, metres_per_unit: float) -> list[str]:
        """HIERARCHY lines of a joint and all below it."""
        is_root = joint == 0
        offset = np.zeros(3) if is_root else self.rest[joint] - self.rest[self.parents[joint]]
        positions = " ".join(POSITIONS) + " " if is_root else ""
        lines = [
            f"{'ROOT' if is_root else 'JOINT'} {self.names[joint]}",
            "{",
            "  OFFSET {:.6f} {:.6f} {:.6f}".format(*offset),
            f"  CHANNELS {6 if is_root else 3} {positions}Zrotation Xrotation Yrotation",
        ]
        for child in self.children(joint):
            lines += ["  " + line for line in self.lines(child, metres_per_unit)]
        if not self.children(joint):
            # A finger's last bone goes on as the one before.
            known = END_OFFSETS.get(self.names[joint])
            end = offset if known is None else np.array(known) / metres_per_unit
            lines += ["  End Site", "  {", "    OFFSET {:.6f} {:.6f} {:.6f}".format(*end), "  }"]
        return [*lines, "}"]
