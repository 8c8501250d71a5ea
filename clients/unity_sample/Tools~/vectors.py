"""Writes what the C# tests compare themselves with: `python vectors.py FOLDER`.

Every number comes from the Python client and the engine, which the C# code has to agree with.
"""

from __future__ import annotations

import argparse
import base64
import random
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from contrapose.v1 import generation_pb2, interaction_pb2, server_info_pb2, types_pb2
from contrapose_client.playout import Array, ClockSync, PlanFrame, PlayoutBuffer
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from scipy.spatial.transform import Rotation

from engine.body.fingers import CURLS, ORDER, straight_hands
from engine.body.shape import load_body
from engine.body.skeleton import PARENTS

FILES = (types_pb2, interaction_pb2, generation_pb2, server_info_pb2)
MESSAGES_EACH = 500
DEEPEST = 6
TEXTS = ("", "a", "they shake hands", "Hände, 手, 🤝", "x" * 300)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="vectors.py", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "messages.bin").write_bytes(b"".join(messages(random.Random(7))))
    (folder / "skeleton.bin").write_bytes(named("partner", skeleton()))
    for name, lines in (
        ("clock", clock()),
        ("playout", playout()),
        ("curves", curves()),
        ("rigs", rigs()),
        ("quaternions", quaternions()),
    ):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return 0


# ---------------------------------------------------------------------------------------- messages
def messages(draw: random.Random) -> Iterable[bytes]:
    """Random messages of every type, each with its name before it."""
    for file in FILES:
        for name, kind in file.DESCRIPTOR.message_types_by_name.items():
            for _ in range(MESSAGES_EACH):
                yield named(name, filled(kind, draw, 0).SerializeToString(deterministic=True))


def named(name: str, block: bytes) -> bytes:
    """A name and bytes, each with its length before it."""
    title = name.encode()
    return struct.pack("<I", len(title)) + title + struct.pack("<I", len(block)) + block


def filled(kind: Descriptor, draw: random.Random, depth: int) -> Message:
    message: Message = GetMessageClass(kind)()
    for field in kind.fields:
        if draw.random() < 0.3 or (field.message_type is not None and depth == DEEPEST):
            continue
        if field.is_repeated:
            many = [] if field.message_type is not None else range(draw.choice((0, 1, 3, 88)))
            if field.message_type is not None:
                for _ in range(draw.choice((0, 1, 3))):
                    getattr(message, field.name).add().CopyFrom(
                        filled(field.message_type, draw, depth + 1)
                    )
            getattr(message, field.name).extend(value_of(field, draw) for _ in many)
        elif field.message_type is not None:
            inner = filled(field.message_type, draw, depth + 1)
            getattr(message, field.name).CopyFrom(inner)
            getattr(message, field.name).SetInParent()
        else:
            setattr(message, field.name, value_of(field, draw))
    return message


def value_of(field: FieldDescriptor, draw: random.Random) -> Any:
    """A value of a field that holds no message: ends of its range, and anything between."""
    kind = field.type
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return draw.choice((0.0, -0.0, 1.0, -1e30, 1e-30, draw.uniform(-10, 10)))
    if kind == FieldDescriptor.TYPE_BOOL:
        return draw.random() < 0.5
    if kind == FieldDescriptor.TYPE_STRING:
        return draw.choice(TEXTS)
    if kind == FieldDescriptor.TYPE_BYTES:
        return draw.randbytes(draw.choice((0, 1, 300)))
    if kind == FieldDescriptor.TYPE_ENUM:
        return draw.choice([value.number for value in field.enum_type.values])
    if kind == FieldDescriptor.TYPE_INT32:
        return draw.choice((0, -1, 1, -(2**31), 2**31 - 1))
    most = 2**32 - 1 if kind == FieldDescriptor.TYPE_UINT32 else 2**64 - 1
    return draw.choice((0, 1, 127, 128, most, draw.randint(0, most)))


# ------------------------------------------------------------------------- clock and playout
def clock() -> Iterator[str]:
    """`begin NOW`, `carry`, `add SENT RECEIVED SESSION`, and after each the offset."""
    draw = random.Random(3)
    for _ in range(20):
        sync = ClockSync()
        now = draw.uniform(0, 1000)
        sync.begin(now)
        yield f"begin {now!r} {sync.offset!r}"
        for _ in range(40):
            now += draw.uniform(0.1, 1)
            if draw.random() < 0.05:
                sync.carry_on()
                yield f"carry {sync.offset!r}"
            back = now + draw.uniform(0.001, 0.2)
            session = now + draw.uniform(0, 0.2)
            sync.add(sent=now, received=back, session_time=session)
            yield f"add {now!r} {back!r} {session!r} {sync.offset!r}"


def playout() -> Iterator[str]:
    """Plans over networks that are late, lossy and out of order, and each frame that is shown.

    `new DELAY`, `accept TIME CHUNK` (base64), `ease`, `begin TIME`, and
    `show INDEX IS_LATE QUALITY` with rotations, translation and curls, or `show none`.
    """
    draw = random.Random(11)
    for _ in range(12):
        delay = draw.choice((0.0, 0.05, 0.2))
        buffer = PlayoutBuffer(delay)
        yield f"new {delay!r}"
        chunks = sorted(_chunks(draw), key=lambda sent: sent[0])
        for step in range(90):
            now = 0.1 * step
            while chunks and chunks[0][0] <= now:
                came, chunk = chunks.pop(0)
                buffer.accept(chunk, came)
                packed = base64.b64encode(chunk.SerializeToString()).decode()
                yield f"accept {came!r} {packed}"
            if not buffer.has_begun and buffer.planned:
                buffer.begin(now, 10)
                yield f"begin {now!r}"
            if draw.random() < 0.02:
                buffer.ease_in()
                yield "ease"
            if not buffer.has_begun:
                continue
            while buffer.due(buffer.next_index, 10) <= now:
                yield _shown(buffer.show(10))


def _shown(frame: PlanFrame | None) -> str:
    if frame is None:
        return "show none"
    assert frame.curls is not None
    numbers = np.concatenate([frame.quats_xyzw.ravel(), frame.transl, frame.curls]).tolist()
    head = f"show {frame.index} {int(frame.is_late)} {frame.quality.capitalize()}"
    return head + " " + " ".join(map(repr, numbers))


def _chunks(draw: random.Random) -> Iterator[tuple[float, types_pb2.FrameChunk]]:
    """When each chunk arrives, seconds: of plans that are revised, some lost, some very late."""
    revision, walk = 0, np.random.default_rng(draw.randrange(10**6))
    for first in range(0, 80, 4):
        if draw.random() < 0.3:
            revision += 1
        if draw.random() < 0.15:
            continue
        begins = max(first - draw.choice((0, 0, 3)), 0)
        chunk = types_pb2.FrameChunk(first_frame_index=begins, revision=revision)
        for index in range(begins, first + draw.choice((4, 8, 20))):
            chunk.frames.append(
                types_pb2.Frame(
                    time_code=index / 10,
                    quality=draw.choice((1, 3)),
                    window=revision + 1,
                    player=_body(walk),
                    partner=_body(walk),
                )
            )
        yield first / 10 - 0.4 + draw.choice((0, 0, 0.1, 0.9)), chunk


def _body(draw: np.random.Generator) -> types_pb2.BodyPose:
    quats = draw.normal(size=(22, 4))
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    return types_pb2.BodyPose(
        root_translation=draw.normal(size=3).tolist(),
        rotations=quats.ravel().tolist(),
        curls=draw.uniform(size=CURLS).tolist(),
    )


def curves() -> Iterator[str]:
    """A part, four poses of 101 numbers, and the pose on the curve between the second and third,
    whose fingers are on a straight line."""
    draw = np.random.default_rng(5)
    for part in np.linspace(0, 1, 11):
        poses = [_body(draw) for _ in range(4)]
        quats = np.array([pose.rotations for pose in poses]).reshape(4, 22, 4)
        signs = np.sign(np.sum(quats * quats[1], axis=-1, keepdims=True))
        weights = _catmull_rom(part)
        made = np.einsum("k,kjc->jc", weights, signs * quats)
        made /= np.linalg.norm(made, axis=-1, keepdims=True)
        transl = weights @ np.array([pose.root_translation for pose in poses])
        rows = [[*pose.rotations, *pose.root_translation, *pose.curls] for pose in poses]
        first, second = (np.array(pose.curls) for pose in poses[1:3])
        curls = first + part * (second - first)
        numbers = [part, *np.ravel(rows), *made.ravel(), *transl, *curls]
        yield " ".join(repr(float(number)) for number in numbers)


def _catmull_rom(part: float) -> np.ndarray:
    matrix = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.array([1, part, part**2, part**3]) @ matrix


# ------------------------------------------------------------------------------------ Unity's maths
def quaternions() -> Iterator[str]:
    """What UnityEngine.Quaternion's pages say, in scipy's numbers: `NAME ARGUMENTS RESULT`."""
    draw = np.random.default_rng(13)
    for _ in range(50):
        degrees = draw.uniform(-180, 180, 3)
        x, y, z = degrees
        made = Rotation.from_euler("zxy", [z, x, y], degrees=True)  # first about z, then x, then y
        yield f"euler {_numbers(degrees)} {_numbers(made.as_quat())}"
        way, other = draw.normal(size=(2, 3))
        made = Rotation.from_rotvec(x * way / np.linalg.norm(way), degrees=True)
        yield f"about {_numbers([x, *way])} {_numbers(made.as_quat())}"
        first, second = Rotation.random(2, random_state=int(draw.integers(10**6)))
        yield f"product {_numbers([first.as_quat(), second.as_quat(), (first * second).as_quat()])}"
        yield f"inverse {_numbers([first.as_quat(), first.inv().as_quat()])}"
        yield f"turned {_numbers([*first.as_quat(), *way, *first.apply(way)])}"
        axis = np.cross(way, other)
        angle = np.arctan2(np.linalg.norm(axis), way @ other)
        made = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
        yield f"between {_numbers([*way, *other, *made.as_quat()])}"
        ahead = way / np.linalg.norm(way)
        right = np.cross([0, 1, 0], ahead)
        right /= np.linalg.norm(right)
        made = Rotation.from_matrix(np.stack([right, np.cross(ahead, right), ahead], axis=1))
        yield f"look {_numbers([*way, *made.as_quat()])}"


# --------------------------------------------------------------------------------------------- rigs
def skeleton() -> bytes:
    """The average body's Skeleton, as a server sends it."""
    rest = load_body().rest_joints(np.zeros(10, np.float32))
    offsets = rest - np.where(np.arange(22)[:, None] > 0, rest[list(PARENTS)], 0)
    sent: bytes = types_pb2.Skeleton(rest_offsets=offsets.ravel().tolist()).SerializeToString()
    return sent


HUMAN_NAMES = [
    "Hips",
    "LeftUpperLeg",
    "RightUpperLeg",
    "Spine",
    "LeftLowerLeg",
    "RightLowerLeg",
    "Chest",
    "LeftFoot",
    "RightFoot",
    "UpperChest",
    "LeftToes",
    "RightToes",
    "Neck",
    "LeftShoulder",
    "RightShoulder",
    "Head",
    "LeftUpperArm",
    "RightUpperArm",
    "LeftLowerArm",
    "RightLowerArm",
    "LeftHand",
    "RightHand",
    *(
        side + finger + part
        for side in ("Left", "Right")
        for finger in ("Thumb", "Index", "Middle", "Ring", "Little")
        for part in ("Proximal", "Intermediate", "Distal")
    ),
]
"""UnityEngine.HumanBodyBones of the 22 joints, and of the fingers' in the order of curls."""
ALL_PARENTS = (*PARENTS, *((20 + k // 15) if k % 3 == 0 else 21 + k for k in range(30)))
UNDER_TOES = 0.027
"""Metres from the toes' joint to the sole: HumanoidRig.cs."""


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A humanoid as artists make them: some bones missing, others turned at rest."""

    name: str
    scale: float = 1.0
    missing: tuple[str, ...] = ()
    turned: str = "none"
    """none: world axes; limbs: along each bone, as in Mixamo's and Unreal's; all: any way."""


BARE = (
    *("Chest", "UpperChest", "Neck"),
    *("LeftShoulder", "RightShoulder", "LeftToes", "RightToes"),
    *HUMAN_NAMES[22:],
)
NO_TIPS = tuple(name for name in HUMAN_NAMES[22:] if name.endswith("Distal"))
RIGS = (
    Rig(name="ours"),
    Rig(name="mixamo", scale=1.05, missing=("Chest", *NO_TIPS), turned="limbs"),
    Rig(name="vrm", scale=0.85, missing=("UpperChest", "LeftToes", "RightToes")),
    Rig(name="mannequin", scale=1.1, turned="all"),
    Rig(name="child", scale=0.53, missing=("LeftIndexIntermediate",), turned="limbs"),
    Rig(
        name="plain",
        missing=BARE,
        turned="all",
    ),
)


def rigs() -> Iterator[str]:
    """`rig NAME`, `skeleton OFFSETS`, `origin PLACE TURN`, `bone NAME PARENT PLACE TURN` (local, at
    rest), then `pose NUMBERS` and `want NAME PLACE TURN` (world) for each bone. Unity's axes, but
    the pose and the skeleton."""
    draw = np.random.default_rng(9)
    body = load_body().all_rest_joints(np.zeros(10, np.float32)).astype(np.float64)
    rest = np.concatenate([body[:22], body[len(body) - ORDER.size + ORDER.ravel()]])
    offsets = rest[:22] - np.where(np.arange(22)[:, None] > 0, rest[list(PARENTS)], 0)
    for rig in RIGS:
        yield f"rig {rig.name}"
        yield "skeleton " + _numbers(offsets)
        place, heading = draw.normal(size=3), Rotation.from_euler("y", draw.uniform(0, 6))
        yield f"origin {_numbers(place)} {_numbers(heading.as_quat())}"
        yield from _posed_rig(rig, rest, place, heading, draw)


def _posed_rig(
    rig: Rig, rest: Array, place: Array, heading: Rotation, draw: np.random.Generator
) -> Iterator[str]:
    at = rig.scale * (rest - [0, rest[[10, 11], 1].min() - UNDER_TOES, 0]) * [-1, 1, 1]
    there = [j for j, name in enumerate(HUMAN_NAMES) if name not in rig.missing]
    parent = {j: _nearest(ALL_PARENTS[j], there) for j in there}
    turns = {j: _rest_turn(rig, j, at, draw) for j in there}
    local = {}
    for j in there:
        up = turns[parent[j]] if parent[j] >= 0 else Rotation.identity()
        way = at[j] - (at[parent[j]] if parent[j] >= 0 else 0)
        local[j] = up.inv().apply(way), up.inv() * turns[j]
        head = HUMAN_NAMES[parent[j]] if parent[j] >= 0 else "-"
        spot, turn = local[j]
        yield f"bone {HUMAN_NAMES[j]} {head} {_numbers(spot)} {_numbers(turn.as_quat())}"
    for _ in range(5):
        body = _body(draw)
        yield "pose " + _numbers([*body.rotations, *body.root_translation, *body.curls])
        world = _world(np.array(body.rotations).reshape(22, 4), np.array(body.curls))
        hips = (np.array(body.root_translation) + rest[0]) * [-1, 1, 1]
        hips[1] *= at[0, 1] / (rest[0, 1] - rest[[10, 11], 1].min() + UNDER_TOES)
        spots, made = {}, {j: heading * world[j] * turns[j] for j in there}
        for j in there:
            above = parent[j]
            spots[j] = (
                place + heading.apply(hips)
                if above < 0
                else spots[above] + made[above].apply(local[j][0])
            )
            yield f"want {HUMAN_NAMES[j]} {_numbers(spots[j])} {_numbers(made[j].as_quat())}"


def _nearest(joint: int, there: list[int]) -> int:
    while joint >= 0 and joint not in there:
        joint = ALL_PARENTS[joint]
    return joint


def _rest_turn(rig: Rig, joint: int, at: Array, draw: np.random.Generator) -> Rotation:
    if rig.turned == "all":
        return Rotation.random(random_state=int(draw.integers(10**6)))
    children = [j for j, parent in enumerate(ALL_PARENTS) if parent == joint]
    if rig.turned == "none" or joint == 0 or not children:
        return Rotation.identity()
    along = at[children[0]] - at[joint]
    return Rotation.align_vectors(along[None], [[0, 1, 0]])[0]


def _world(quats: Array, curls: Array) -> list[Rotation]:
    """Rotations of all joints in Unity's axes, from those relative to their parents on the wire."""
    closing = straight_hands().closing[ORDER.ravel()] * np.repeat(curls, 3)[:, None]
    turns = np.concatenate([quats, Rotation.from_rotvec(closing).as_quat()])
    world: list[Rotation] = []
    for joint, (x, y, z, w) in enumerate(turns):
        turn = Rotation.from_quat([x, -y, -z, w])
        world.append(turn if joint == 0 else world[ALL_PARENTS[joint]] * turn)
    return world


def _numbers(values: Any) -> str:
    return " ".join(repr(float(value)) for value in np.ravel(values))


if __name__ == "__main__":
    sys.exit(main())
