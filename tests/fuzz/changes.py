"""What is done to a sound input: to bytes, numbers in a text, parts of data, fields of messages."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.engine.broken import OTHERS, changed, places_in

NUMBERS = ["0", "-1", "1e300", "-1e308", "1e-320", "nan", "inf", "9" * 400, "1e9", "0x10", "", "2"]
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
FLOATS = [0.0, -1.0, 1e-30, 1e6, 1e30, float("nan"), float("inf"), float("-inf"), 1.5]
WHOLES = [0, 1, 2, 7, 22, 1000, 2**31 - 1, 2**32 - 1]
TEXTS = ["", "hug", "\x00", "a" * 100_000, "\n\r", "é" * 600, "../../x"]


def bytes_changed(random: Random, content: bytes) -> bytes:
    """A few bytes otherwise, a piece cut out, doubled, or put elsewhere."""
    result = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        if not result:
            break
        at = random.randrange(len(result))
        end = min(at + random.choice((1, 2, 4, 16, 200)), len(result))
        match random.randrange(5):
            case 0:
                result[at] = random.randrange(256)
            case 1:
                del result[at:end]
            case 2:
                result[at:at] = result[at:end] * random.choice((1, 3, 50))
            case 3:
                result[at:end] = random.randbytes(end - at)
            case _:
                result[at:end] = bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF))]) * (end - at)
    return bytes(result)


def text_changed(random: Random, text: str) -> bytes:
    """Some numbers, words or lines of it otherwise; or its bytes."""
    if random.random() < 0.3:
        return bytes_changed(random, text.encode())
    for _ in range(random.choice((1, 1, 2, 6))):
        if random.random() < 0.5:
            found = list(NUMBER.finditer(text))
            if found:
                number = random.choice(found)
                text = text[: number.start()] + random.choice(NUMBERS) + text[number.end() :]
            continue
        lines = text.splitlines() or [""]
        at = random.randrange(len(lines))
        match random.randrange(4):
            case 0:
                lines.insert(at, random.choice(lines))
            case 1:
                del lines[at]
            case 2:
                lines[at] = random.choice(["{", "}", "[", '"', "\u2028", "x" * 3000, "[[[[" * 400])
            case _:
                other = random.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogatepass")


def data_changed(random: Random, data: Any) -> Any:
    """Plain data with one or two of its parts otherwise."""
    for _ in range(random.choice((1, 1, 2))):
        data = changed(data, random.choice(list(places_in(data))), random.choice(OTHERS))
    return data


def message_changed(random: Random, message: Message) -> None:
    """One field of the message, or of one within it, otherwise; in place."""
    if not message.DESCRIPTOR.fields:
        message.MergeFromString(b"\x98\x06" + bytes([random.randrange(128)]))  # a newer client's
        return
    field = random.choice(message.DESCRIPTOR.fields)
    name, is_many = field.name, field.is_repeated
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        if is_many:
            many = getattr(message, name)
            if many and random.random() < 0.7:
                message_changed(random, random.choice(many))
            else:
                for _ in range(random.choice((1, 5, 200))):
                    message_filled(random, many.add())
        elif random.random() < 0.2:
            message.ClearField(name)
        elif message.HasField(name):
            message_changed(random, getattr(message, name))
        else:
            getattr(message, name).SetInParent()
            message_filled(random, getattr(message, name))
    elif is_many:
        values = getattr(message, name)
        if values and random.random() < 0.6:
            values[random.randrange(len(values))] = _value(random, field)
        elif random.random() < 0.3:
            del values[random.randrange(len(values) + 1) :]
        else:
            values.extend(_value(random, field) for _ in range(random.choice((1, 3, 2000))))
    else:
        setattr(message, name, _value(random, field))


def message_filled(random: Random, message: Message, depth: int = 3) -> None:
    """Any values in any of its fields; in place."""
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.4:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if depth:
                part = getattr(message, field.name)
                inner = part.add() if field.is_repeated else part
                message_filled(random, inner, depth - 1)
        elif field.is_repeated:
            count = random.choice((0, 1, 3, 4, 10, 22, 88))
            getattr(message, field.name).extend(_value(random, field) for _ in range(count))
        else:
            setattr(message, field.name, _value(random, field))


def _value(random: Random, field: FieldDescriptor) -> Any:
    kind = field.cpp_type
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return random.choice([*FLOATS, random.uniform(-2, 2), random.uniform(-1, 1)])
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return random.choice((0, 1, 2, 3, 4, 99))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        is_text = field.type == FieldDescriptor.TYPE_STRING
        return random.choice(TEXTS) if is_text else random.randbytes(random.choice((0, 40, 9000)))
    is_signed = kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
    return random.choice([*WHOLES[:-1], -1] if is_signed else WHOLES)
