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
from pathlib import Path
from typing import Any

import numpy as np
from contrapose.v1 import generation_pb2, interaction_pb2, server_info_pb2, types_pb2
from contrapose_client.playout import ClockSync, PlanFrame, PlayoutBuffer
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

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
    for name, lines in (("clock", clock()), ("playout", playout()), ("curves", curves())):
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


# ----------------------------------------------------------------------------------- clock and playout
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
    `show INDEX IS_LATE QUALITY` with rotations and translation, or `show none`.
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
    numbers = np.concatenate([frame.quats_xyzw.ravel(), frame.transl]).tolist()
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
        root_translation=draw.normal(size=3).tolist(), rotations=quats.ravel().tolist()
    )


def curves() -> Iterator[str]:
    """A part, four poses of 91 numbers, and the pose on the curve between the second and third."""
    draw = np.random.default_rng(5)
    for part in np.linspace(0, 1, 11):
        poses = [_body(draw) for _ in range(4)]
        quats = np.array([pose.rotations for pose in poses]).reshape(4, 22, 4)
        signs = np.sign(np.sum(quats * quats[1], axis=-1, keepdims=True))
        weights = _catmull_rom(part)
        made = np.einsum("k,kjc->jc", weights, signs * quats)
        made /= np.linalg.norm(made, axis=-1, keepdims=True)
        transl = weights @ np.array([pose.root_translation for pose in poses])
        rows = [[*pose.rotations, *pose.root_translation] for pose in poses]
        numbers = [part, *np.ravel(rows), *made.ravel(), *transl]
        yield " ".join(repr(float(number)) for number in numbers)


def _catmull_rom(part: float) -> np.ndarray:
    matrix = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.array([1, part, part**2, part**3]) @ matrix


if __name__ == "__main__":
    sys.exit(main())
